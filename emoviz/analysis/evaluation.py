"""One evaluation of one checkpoint on one labelled set, as the command line prints it."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emoviz.analysis.clustering import Clustering, cluster_measures
from emoviz.analysis.metrics import (
    ClassScore,
    CrossSentiment,
    accuracy,
    class_scores,
    cross_sentiment,
    expected_calibration_error,
    macro_f1,
)
from emoviz.labels import Bridge, sentiments

THRESHOLDS: tuple[tuple[str, float | None], ...] = (("none", None), ("0.3", 0.3))


@dataclass(frozen=True)
class Evaluation:
    """Measures on the samples whose label can be compared with the model's classes.

    Attributes:
        n: Samples that were measured.
        left_out: Readable samples without a label that a model class may be called.
        accuracy: Share of right labels, in 0-1.
        macro_f1: Mean F1 over the labels that occur.
        per_class: Scores of each label that occurs, by the name of the merged labels where the
            model cannot tell some apart.
        sentiment_accuracy: Among samples whose label has a sentiment, the share where the
            classes of that sentiment hold most of the probability. None where the labels that
            occur do not hold both sentiments: it would be the recall of the one.
        ece: Expected calibration error of the predicted label, 15 bins.
        cross_sentiment: Without a threshold and at 0.3.
        clustering: k-means on u against the labels.
    """

    n: int
    left_out: int
    accuracy: float | None
    macro_f1: float | None
    per_class: dict[str, ClassScore]
    sentiment_accuracy: float | None
    ece: float | None
    cross_sentiment: dict[str, CrossSentiment]
    clustering: Clustering

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def evaluate(
    probabilities: NDArray[np.float64],
    embedding: NDArray[np.float32],
    labels: NDArray[np.int64],
    bridge: Bridge,
) -> Evaluation:
    """Measure predictions against labels, through a bridge where the taxonomies differ.

    Labels that the model cannot tell apart count as one (`Bridge.merged`): a network of sadness
    and others has two labels of Mikels' eight to be right or wrong about.

    Args:
        probabilities: (N, C) of the model's classes.
        embedding: (N, D) u.
        labels: (N,) indices in the labels' taxonomy; -1 for none. Majorities of people's votes
            must be those over the merged labels: see `emoviz.data.records.merge_labels`.
        bridge: From the model's classes to the labels.
    """
    labels = np.where(labels >= 0, bridge.groups[np.maximum(labels, 0)], -1)
    bridge = bridge.merged
    used = (labels >= 0) & bridge.reachable[np.maximum(labels, 0)]
    p, u, truth = probabilities[used], embedding[used], labels[used]
    scores = bridge.apply(p)
    predicted = scores.argmax(axis=1).astype(np.int64)
    per_class = class_scores(truth, predicted, len(bridge.labels))
    names = bridge.labels.names
    return Evaluation(
        n=int(used.sum()),
        left_out=int((~used).sum()),
        accuracy=accuracy(truth, predicted),
        macro_f1=macro_f1(per_class),
        per_class={names[c]: score for c, score in per_class.items()},
        sentiment_accuracy=_sentiment_accuracy(p, truth, bridge),
        ece=(
            expected_calibration_error(np.minimum(scores.max(axis=1), 1.0), truth == predicted)
            if len(truth)
            else None
        ),
        cross_sentiment={
            name: cross_sentiment(p, bridge.model, threshold) for name, threshold in THRESHOLDS
        },
        clustering=cluster_measures(u, truth),
    )


def _sentiment_accuracy(
    probabilities: NDArray[np.float64], truth: NDArray[np.int64], bridge: Bridge
) -> float | None:
    wanted = [bridge.labels.classes[label].sentiment for label in truth]
    if not {"positive", "negative"} <= set(wanted):
        return None
    given = sentiments(bridge.model, probabilities)
    return float(np.mean([a == b for a, b in zip(wanted, given, strict=True) if a is not None]))
