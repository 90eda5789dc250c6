"""Where a model is good and where it fails: measures by any column, and its worst mistakes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emoviz.analysis.alignment import AlignedPredictions
from emoviz.analysis.cross_sentiment import crossing_masks
from emoviz.analysis.metrics import added_up, measured, sentiment_answers
from emoviz.analysis.resampling import USUAL, MetricEstimate, share

NOTHING = "(nothing)"
OTHERS = "(all others)"
SLICED = ("accuracy", "macro_f1", "sentiment_accuracy", "cross_sentiment")  # of a `Slice`


@dataclass(frozen=True)
class Slice:
    """The images with one text in a column.

    Attributes:
        name: The text.
        n: Images.
        accuracy: On them.
        macro_f1: Over the labels that occur among them.
        sentiment_accuracy: Among those whose label has a sentiment.
        cross_sentiment: Share whose two likeliest classes are opposite, without threshold.
        positions: Which of the judged images.
    """

    name: str
    n: int
    accuracy: MetricEstimate
    macro_f1: MetricEstimate
    sentiment_accuracy: MetricEstimate
    cross_sentiment: MetricEstimate
    positions: NDArray[np.int64] = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, without the positions."""
        shown = {key: getattr(self, key).to_dict() for key in SLICED}
        return {"name": self.name, "n": self.n, **shown}


def slices(judged: AlignedPredictions, column: Sequence[str], most: int = 50) -> list[Slice]:
    """Measures by the texts of a column, those with most images first.

    Args:
        judged: Answers beside labels.
        column: (N,) a text for each of the N images that were there before judging.
        most: Texts that get a row of their own; the rest is one row.
    """
    texts = [column[row].strip() or NOTHING for row in judged.rows.tolist()]
    names, place, counts = np.unique(texts, return_inverse=True, return_counts=True)
    order = np.lexsort((names, -counts)) if texts else np.array([], int)
    groups = [(str(names[i]), np.flatnonzero(place == i)) for i in order[:most]]
    if len(order) > most:
        groups.append((OTHERS, np.flatnonzero(np.isin(place, order[most:]))))
    wanted, given = sentiment_answers(judged)
    crossing = crossing_masks(judged.probabilities, judged.bridge.model)
    return [
        _slice(name, judged, positions, (wanted, given), crossing) for name, positions in groups
    ]


def mistakes(judged: AlignedPredictions, most: int = 60) -> NDArray[np.int64]:
    """Which of the judged images were answered wrongly with most confidence, the worst first."""
    wrong = np.flatnonzero(~judged.right)
    order = np.argsort(-judged.confidence[wrong], kind="stable")
    return wrong[order[:most]]


def _slice(
    name: str,
    judged: AlignedPredictions,
    at: NDArray[np.int64],
    feelings: tuple[NDArray[np.int8], NDArray[np.int8]],
    crossing: tuple[NDArray[np.bool_], NDArray[np.bool_]],
) -> Slice:
    wanted, given = feelings[0][at], feelings[1][at]
    images = added_up(judged.take(at), None, USUAL)
    known = int((wanted != 0).sum())
    return Slice(
        name=name,
        n=len(at),
        accuracy=share(int(judged.right[at].sum()), len(at)),
        macro_f1=measured(images, USUAL, ["macro_f1"])["macro_f1"],
        sentiment_accuracy=share(
            int(((wanted == given) & (wanted != 0)).sum()), known, nothing="no label has one"
        ),
        cross_sentiment=share(
            int(crossing[1][at].sum()), int(crossing[0][at].sum()), nothing="no eligible image"
        ),
        positions=at,
    )
