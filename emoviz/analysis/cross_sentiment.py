"""Top-2 cross-sentiment: how often the two likeliest classes have opposite sentiments."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emoviz.labels import Taxonomy

Floats = NDArray[np.float64]
THRESHOLDS: Mapping[str, float | None] = {"none": None, "0.3": 0.3}  # of the tables
THETAS = tuple(round(step / 100, 2) for step in range(51))  # of the curve: 0 to 0.5


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


def at_thresholds(probabilities: Floats, taxonomy: Taxonomy) -> dict[str, CrossSentiment]:
    """`cross_sentiment` at each of `THRESHOLDS`."""
    found = THRESHOLDS.items()
    return {name: cross_sentiment(probabilities, taxonomy, theta) for name, theta in found}


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
