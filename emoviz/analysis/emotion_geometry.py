"""Do the centers lie as psychology arranges the emotions?

Two arrangements are known here:

- **Sentiment**: classes of one polarity are at 0 from each other, of opposite polarity at 1.
- **Mikels' wheel**: the eight emotions of Mikels et al. (2005) on a circle, the distance between
  two being the steps from one to the other (Zhao et al., "Predicting personalized emotion
  perceptions of social images", ACM Multimedia 2016). The order is the one that public
  implementations of learning with the wheel agree on.

The agreement is Spearman's rank correlation over the pairs of classes. Pairs share classes and are
not independent, so the probability comes from permuting the classes (Mantel 1967), no table.
"""

import contextlib
import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emoviz.analysis.arrays import Floats
from emoviz.analysis.centers import center_distances
from emoviz.errors import AnalysisError, TaxonomyError
from emoviz.labels import Taxonomy

MIKELS_WHEEL = (
    "amusement",
    "contentment",
    "awe",
    "excitement",
    "fear",
    "sadness",
    "disgust",
    "anger",
)

_FEWEST_CLASSES = 4
# 8! = 40,320 orders of the classes are all looked at; above that a sample is.
_ALL_ORDERS_UP_TO, _SAMPLED_ORDERS = 8, 9_999


@dataclass(frozen=True)
class Arrangement:
    """Distances between emotions as psychology has them.

    Attributes:
        name: "sentiment" or "wheel".
        classes: (K,) indices of the taxonomy's classes that it knows.
        distances: (K, K) in the order of `classes`.
    """

    name: str
    classes: NDArray[np.int64]
    distances: Floats


@dataclass(frozen=True)
class GeometryAgreement:
    """How far distances between centers follow an arrangement.

    Attributes:
        spearman: Rank correlation over the pairs of classes, in -1 to 1.
        p_value: Share of the orders of the classes that correlate at least as much.
        orders: How many orders were looked at.
        exact: Whether those were all there are.
    """

    spearman: float
    p_value: float
    orders: int
    exact: bool


def arrangements(taxonomy: Taxonomy) -> tuple[Arrangement, ...]:
    """The arrangements that know at least four of the taxonomy's classes and tell them apart."""
    found = (_by_sentiment(taxonomy), _on_the_wheel(taxonomy))
    return tuple(
        item
        for item in found
        if len(item.classes) >= _FEWEST_CLASSES and len(np.unique(_pairs(item.distances))) > 1
    )


def agreement(centers: Any, arrangement: Arrangement, seed: int = 0) -> GeometryAgreement | None:
    """Compare the distances between centers with an arrangement.

    Args:
        centers: (C, D), one for each class of the taxonomy.
        arrangement: From `arrangements` of the same taxonomy.
        seed: Of the sampled orders, where there are too many to look at all.

    Returns:
        None where all centers are equally far from each other.

    Raises:
        AnalysisError: There are fewer centers than the arrangement has classes.
    """
    distances = center_distances(centers)
    known = arrangement.classes
    if known.max(initial=-1) >= len(distances):
        raise AnalysisError(
            f"The arrangement speaks of class {known.max()} and there are {len(distances)} "
            "centers; wanted a center for each class of the taxonomy."
        )
    return mantel_test(distances[np.ix_(known, known)], arrangement.distances, seed)


def mantel_test(one: Floats, other: Floats, seed: int = 0) -> GeometryAgreement | None:
    """Spearman's correlation of two distance matrices (K, K), and its permutation probability.

    One-sided: the share of the orders of the K items in which the correlation is at least as large
    as in the given one, which is among them. All K! orders are looked at up to K = 8, else 9,999
    random ones and the given one.

    Returns:
        None where the pairs of either matrix are all alike.
    """
    size, a, b = len(one), _centred_ranks(_pairs(one)), _centred_ranks(_pairs(other))
    length = math.sqrt(float((a @ a) * (b @ b)))
    if length == 0:
        return None
    ranks = np.zeros((size, size))
    ranks[np.triu_indices(size, 1)] = b
    ranks += ranks.T
    orders = _orders(size, seed)
    rows, columns = np.triu_indices(size, 1)
    sums = ranks[orders[:, rows], orders[:, columns]] @ a
    # The first order is the given one; rounding must not count an equal one as smaller.
    reached = sums >= sums[0] - 1e-9 * length
    exact = size <= _ALL_ORDERS_UP_TO
    return GeometryAgreement(float(sums[0] / length), float(reached.mean()), len(orders), exact)


def _centred_ranks(values: Floats) -> Floats:
    """Ranks less their mean; values that only rounding tells apart share one."""
    from scipy.stats import rankdata

    unit = float(np.abs(values).max(initial=0.0)) or 1.0
    ranks: Floats = rankdata(np.round(values / unit, 12))
    return np.asarray(ranks - ranks.mean())


def _orders(size: int, seed: int) -> NDArray[np.int64]:
    """(P, K) orders of the items, the given one first."""
    if size <= _ALL_ORDERS_UP_TO:
        return np.array(list(itertools.permutations(range(size))), np.int64)
    rng = np.random.default_rng(seed)
    drawn = rng.permuted(np.tile(np.arange(size), (_SAMPLED_ORDERS, 1)), axis=1)
    return np.vstack([np.arange(size), drawn])


def _by_sentiment(taxonomy: Taxonomy) -> Arrangement:
    classes = np.flatnonzero(taxonomy.signs)
    signs = taxonomy.signs[classes]
    return Arrangement("sentiment", classes, (signs[:, None] != signs).astype(np.float64))


def _on_the_wheel(taxonomy: Taxonomy) -> Arrangement:
    places: dict[int, int] = {}
    for place, name in enumerate(MIKELS_WHEEL):
        with contextlib.suppress(TaxonomyError):  # another taxonomy lacks some of the eight
            places[taxonomy.index(name)] = place
    classes = np.array(sorted(places), np.int64)
    steps = np.array([[abs(places[c] - places[d]) for d in sorted(places)] for c in sorted(places)])
    steps = steps.reshape(len(classes), len(classes))
    return Arrangement(
        "wheel", classes, np.minimum(steps, len(MIKELS_WHEEL) - steps).astype(np.float64)
    )


def _pairs(matrix: Floats) -> Floats:
    return matrix[np.triu_indices(len(matrix), 1)]
