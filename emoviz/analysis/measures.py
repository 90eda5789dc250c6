"""Measures of predictions: right and wrong, cross-sentiment, calibration."""

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from emoviz.labels import Taxonomy

Labels = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ClassScore:
    """Precision, recall and F1 of one label in 0-1, and how many samples have it.

    A precision or recall with nothing to divide by is 0.
    """

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class CrossSentiment:
    """Top-2 cross-sentiment at one threshold (dissertation, section 3.5.4).

    Attributes:
        eligible: Samples whose first and second probabilities both reach the threshold, and
            whose two top classes both have a sentiment.
        pos_neg: First positive, second negative.
        neg_pos: First negative, second positive.
        pos_pos: Both positive.
        neg_neg: Both negative.
        rate: Share of the eligible samples whose two top classes are opposite, in 0-1; None
            where there is no eligible sample.
    """

    eligible: int
    pos_neg: int
    neg_pos: int
    pos_pos: int
    neg_neg: int
    rate: float | None

    def to_dict(self) -> dict[str, int | float | None]:
        """Plain values for JSON."""
        return asdict(self)


def accuracy(truth: Labels, predicted: Labels) -> float | None:
    """Share of right answers in 0-1; None without samples."""
    return float((truth == predicted).mean()) if len(truth) else None


def confusion_matrix(truth: Labels, predicted: Labels, classes: int) -> NDArray[np.int64]:
    """(C, C) counts: row = true label, column = predicted label."""
    flat = np.bincount(truth * classes + predicted, minlength=classes * classes)
    return flat.reshape(classes, classes).astype(np.int64)


def class_scores(truth: Labels, predicted: Labels, classes: int) -> dict[int, ClassScore]:
    """Scores of each label that occurs, in the truth or among the predictions."""
    counts = confusion_matrix(truth, predicted, classes)
    hits, support, called = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    scores = {}
    for c in np.flatnonzero(support + called):
        precision = hits[c] / called[c] if called[c] else 0.0
        recall = hits[c] / support[c] if support[c] else 0.0
        f1 = 2 * hits[c] / (support[c] + called[c])
        scores[int(c)] = ClassScore(float(precision), float(recall), float(f1), int(support[c]))
    return scores


def macro_f1(scores: dict[int, ClassScore]) -> float | None:
    """Mean F1 over the labels that occur; None without any."""
    return float(np.mean([score.f1 for score in scores.values()])) if scores else None


def cross_sentiment(
    probabilities: Floats, taxonomy: Taxonomy, threshold: float | None = None
) -> CrossSentiment:
    """How often the model wavers between opposite feelings.

    Args:
        probabilities: (N, C).
        taxonomy: Gives each class's sentiment; classes without one take no part.
        threshold: theta, which both top probabilities must reach; None for no threshold.
    """
    if len(taxonomy) < 2 or not len(probabilities):
        return CrossSentiment(0, 0, 0, 0, 0, None)
    top = np.argsort(-probabilities, axis=1, kind="stable")[:, :2]
    second = np.take_along_axis(probabilities, top[:, 1:2], axis=1)[:, 0]
    signs = taxonomy.signs[top]
    eligible = (signs != 0).all(axis=1) & (second >= (threshold or 0.0))
    one, two = signs[eligible, 0], signs[eligible, 1]
    pos_neg, neg_pos = int(((one > 0) & (two < 0)).sum()), int(((one < 0) & (two > 0)).sum())
    pos_pos, neg_neg = int(((one > 0) & (two > 0)).sum()), int(((one < 0) & (two < 0)).sum())
    count = int(eligible.sum())
    rate = (pos_neg + neg_pos) / count if count else None
    return CrossSentiment(count, pos_neg, neg_pos, pos_pos, neg_neg, rate)


def expected_calibration_error(
    confidence: Floats, right: NDArray[np.bool_], bins: int = 15
) -> float:
    """ECE: the mean gap between confidence and accuracy over equal-width bins (Guo et al. 2017).

    Args:
        confidence: (N,) probability of the predicted answer, in 0-1.
        right: (N,) whether the answer was right.
        bins: Number of equal-width bins (a, b] over 0-1.
    """
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    total = 0.0
    for b in np.unique(place):
        inside = place == b
        total += inside.mean() * abs(confidence[inside].mean() - right[inside].mean())
    return float(total)


def negative_log_likelihood(scores: Floats, targets: Floats) -> float:
    """Mean of -sum_s t_s log score_s over rows whose targets are not all zero."""
    used = targets.sum(axis=1) > 0
    logs = np.log(np.clip(scores[used], 1e-12, None))
    return float(-(targets[used] * logs).sum(axis=1).mean())
