"""Measures of predictions: right and wrong, cross-sentiment, calibration."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emoviz.labels import Taxonomy

Labels = NDArray[np.int64]
Floats = NDArray[np.float64]
THETAS = tuple(round(step / 100, 2) for step in range(51))  # of the curve: 0 to 0.5


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
    signs, second = _top_two(probabilities, taxonomy)
    eligible = (signs != 0).all(axis=1) & (second >= (threshold or 0.0))
    return _counted(signs[eligible])


def crossing_masks(
    probabilities: Floats, taxonomy: Taxonomy, threshold: float | None = None
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(N,) which images are eligible, and which of these have opposite top classes."""
    signs, second = _top_two(probabilities, taxonomy)
    eligible = (signs != 0).all(axis=1) & (second >= (threshold or 0.0))
    return eligible, eligible & (signs[:, 0] * signs[:, 1] < 0)


@dataclass(frozen=True)
class CrossingCurve:
    """Top-2 cross-sentiment over thresholds.

    Attributes:
        thresholds: (T,) theta.
        counts: At each of them.
        shares: (T,) eligible images of all, 0 to 1.
    """

    thresholds: tuple[float, ...]
    counts: tuple[CrossSentiment, ...]
    shares: tuple[float, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def crossing_curve(
    probabilities: Floats, taxonomy: Taxonomy, thresholds: Sequence[float] = THETAS
) -> CrossingCurve:
    """`cross_sentiment` at every threshold.

    Args:
        probabilities: (N, C).
        taxonomy: As there.
        thresholds: theta; above 0.5 no two probabilities can both be.
    """
    signs, second = _top_two(probabilities, taxonomy)
    both = (signs != 0).all(axis=1)
    found = tuple(_counted(signs[both & (second >= theta)]) for theta in thresholds)
    images = max(len(probabilities), 1)
    shares = tuple(item.eligible / images for item in found)
    return CrossingCurve(tuple(map(float, thresholds)), found, shares)


def _top_two(probabilities: Floats, taxonomy: Taxonomy) -> tuple[NDArray[np.int8], Floats]:
    """(N, 2) signs of the two likeliest classes, (N,) the second's probability."""
    if len(taxonomy) < 2 or not len(probabilities):
        return np.zeros((len(probabilities), 2), np.int8), np.zeros(len(probabilities))
    top = np.argsort(-probabilities, axis=1, kind="stable")[:, :2]
    second = np.take_along_axis(probabilities, top[:, 1:2], axis=1)[:, 0]
    return taxonomy.signs[top], second


def _counted(signs: NDArray[np.int8]) -> CrossSentiment:
    """The four counts of eligible images, by the signs (N, 2) of their two likeliest classes."""
    one, two = signs[:, 0], signs[:, 1]
    pos_neg, neg_pos = int(((one > 0) & (two < 0)).sum()), int(((one < 0) & (two > 0)).sum())
    pos_pos, neg_neg = int(((one > 0) & (two > 0)).sum()), int(((one < 0) & (two < 0)).sum())
    rate = (pos_neg + neg_pos) / len(signs) if len(signs) else None
    return CrossSentiment(len(signs), pos_neg, neg_pos, pos_pos, neg_neg, rate)


def confidence_bins(confidence: Floats, bins: int) -> NDArray[np.int64]:
    """(N,) which of the equal bins (a, b] over 0-1 each falls into."""
    place: Labels = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    return place


def expected_calibration_error(
    confidence: Floats, right: NDArray[np.bool_], bins: int = 15
) -> float:
    """ECE: the mean gap between confidence and accuracy over equal-width bins (Guo et al. 2017).

    Args:
        confidence: (N,) probability of the predicted answer, in 0-1.
        right: (N,) whether the answer was right.
        bins: Number of equal-width bins (a, b] over 0-1.
    """
    place = confidence_bins(confidence, bins)
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
