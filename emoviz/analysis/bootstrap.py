"""How far measures would move with other images: percentile intervals by resampling images.

Images are drawn with replacement (Efron and Tibshirani 1993, chapter 13); **clusters and the
threshold delta stay as they were found**, so the intervals say nothing of another start of k-means
or another delta. A measure depends on the images only through how many there are of each kind (of
one label, cluster, ...), so the counts of the kinds are drawn, which is the same and far quicker.
"""

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emoviz.analysis.arrays import Floats
from emoviz.errors import AnalysisError

Labels = NDArray[np.int64]
Counts = NDArray[np.int64]

_CELLS_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class Outcomes:
    """What became of each of N images under one checkpoint.

    Attributes:
        labels: (N,) true label, 0 or more.
        predicted: (N,) predicted label.
        clusters: (N,) cluster in u, from `find_clusters`.
        ambiguous: (N,) within delta of more than one cluster center, from `ambiguous_images`.
    """

    labels: Labels
    predicted: Labels
    clusters: Labels
    ambiguous: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Interval:
    """A measure on the images at hand, and where it falls in most resamples of them.

    Attributes:
        value: On the images themselves.
        low: Lower end of the percentile interval.
        high: Upper end.
    """

    value: float
    low: float
    high: float


def intervals(
    outcomes: Outcomes, resamples: int = 1000, level: float = 0.95, seed: int = 0
) -> Mapping[str, Interval]:
    """Percentile intervals of accuracy, ARI, NMI (arithmetic mean) and ASR.

    Args:
        outcomes: Of one checkpoint.
        resamples: How often N images are drawn.
        level: Share of the resamples within the interval, in 0-1.
        seed: Of the draws.

    Returns:
        "accuracy", "ari", "nmi" and "asr", each a value with its interval.

    Raises:
        AnalysisError: There are no images, or the arrays differ in length.
    """
    _check(outcomes, level)
    kinds = _Kinds.of(outcomes)
    draws = np.concatenate([kinds.measures(counts) for counts in kinds.draws(resamples, seed)])
    return _intervals(kinds.measures(kinds.counts[None])[0], draws, level)


def paired_differences(
    one: Outcomes, other: Outcomes, resamples: int = 1000, level: float = 0.95, seed: int = 0
) -> Mapping[str, Interval]:
    """Percentile intervals of the second checkpoint's measures minus the first one's.

    Both are measured on the same images in each resample, so what makes an image hard for both
    cancels. An interval without zero tells the two apart at the level.

    Args:
        one: The first checkpoint's outcomes.
        other: The second one's, on the same images in the same order.
        resamples: How often N images are drawn.
        level: Share of the resamples within the interval, in 0-1.
        seed: Of the draws.

    Raises:
        AnalysisError: As `intervals`, or the two do not have the same labels.
    """
    _check(one, level)
    _check(other, level)
    if not np.array_equal(one.labels, other.labels):
        raise AnalysisError(
            f"The two checkpoints were measured on {len(one)} and {len(other)} images with "
            "different labels; wanted the same images in the same order."
        )
    first, second = _Kinds.of_both(one, other)
    draws = np.concatenate(
        [
            second.measures(counts) - first.measures(counts)
            for counts in first.draws(resamples, seed)
        ]
    )
    value = second.measures(second.counts[None])[0] - first.measures(first.counts[None])[0]
    return _intervals(value, draws, level)


def resampled_counts(images: int, resamples: int = 1000, seed: int = 0) -> Iterator[Floats]:
    """How often each image is drawn in resamples of all of them, some resamples at a time.

    For measures that depend on more than an image's kind; `intervals` needs less.

    Args:
        images: N, 1 or more.
        resamples: How often N images are drawn.
        seed: Of the draws. The same images under another model are drawn alike.

    Yields:
        (R, N), every row adding up to N.
    """
    rng = np.random.default_rng(seed)
    step = max(1, _CELLS_AT_ONCE // (2 * images))
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        drawn = rng.integers(0, images, (size, images))
        yield np.stack([np.bincount(row, minlength=images) for row in drawn]).astype(np.float64)


def percentile_ends(draws: Floats, level: float = 0.95) -> tuple[Floats, Floats]:
    """(M,) lower and upper ends of the intervals of M measures in R resamples (R, M).

    Resamples in which a measure is not defined (NaN) do not count; the ends are NaN where that
    are all.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # "All-NaN slice encountered"
        low, high = np.nanquantile(draws, ((1 - level) / 2, (1 + level) / 2), axis=0)
    return low, high


def _intervals(value: Floats, draws: Floats, level: float) -> Mapping[str, Interval]:
    ends = np.quantile(draws, ((1 - level) / 2, (1 + level) / 2), axis=0)
    return {
        name: Interval(float(value[m]), float(ends[0, m]), float(ends[1, m]))
        for m, name in enumerate(("accuracy", "ari", "nmi", "asr"))
    }


def _check(outcomes: Outcomes, level: float) -> None:
    lengths = {len(array) for array in vars(outcomes).values()}
    if len(lengths) != 1 or not len(outcomes) or not 0 < level < 1:
        raise AnalysisError(
            f"Outcomes of lengths {sorted(lengths)} cannot be resampled at level {level}; wanted "
            "one entry an image in each array, an image at least, and a level between 0 and 1."
        )


@dataclass(frozen=True)
class _Kinds:
    """K kinds of images and how many there are of each; all images of a kind are alike.

    Attributes:
        counts: (K,) images of each kind.
        right: (K,) whether the prediction is right.
        ambiguous: (K,).
        labels: (K,) label, from 0 without gaps.
        clusters: (K,) cluster, from 0 without gaps.
    """

    counts: Counts
    right: NDArray[np.bool_]
    ambiguous: NDArray[np.bool_]
    labels: Labels
    clusters: Labels

    @classmethod
    def of(cls, outcomes: Outcomes) -> "_Kinds":
        """The kinds of one checkpoint's outcomes."""
        kinds, counts = np.unique(_columns(outcomes), axis=0, return_counts=True)
        return cls._from_rows(kinds, counts)

    @classmethod
    def of_both(cls, one: Outcomes, other: Outcomes) -> tuple["_Kinds", "_Kinds"]:
        """Kinds that are alike under both checkpoints, as each of them sees these."""
        rows = np.hstack([_columns(one), _columns(other)])
        kinds, counts = np.unique(rows, axis=0, return_counts=True)
        return cls._from_rows(kinds[:, :4], counts), cls._from_rows(kinds[:, 4:], counts)

    @classmethod
    def _from_rows(cls, rows: Labels, counts: Counts) -> "_Kinds":
        labels, clusters = (np.unique(rows[:, c], return_inverse=True)[1] for c in (2, 3))
        return cls(counts, rows[:, 0] == 1, rows[:, 1] == 1, labels, clusters)

    def draws(self, resamples: int, seed: int) -> Iterator[Counts]:
        """(R, K) counts of the kinds in R resamples, some at a time."""
        rng = np.random.default_rng(seed)
        total, step = int(self.counts.sum()), max(1, _CELLS_AT_ONCE // len(self.counts))
        for start in range(0, resamples, step):
            size = min(step, resamples - start)
            yield rng.multinomial(total, self.counts / total, size=size)

    def measures(self, counts: Counts) -> Floats:
        """(R, 4) accuracy, ARI, NMI and ASR of images in these numbers (R, K)."""
        total = counts.sum(axis=1)
        tables = self._tables(counts)
        return np.column_stack(
            [
                counts @ self.right / total,
                adjusted_rand_indices(tables),
                normalised_mutual_informations(tables),
                counts @ self.ambiguous / total,
            ]
        )

    def _tables(self, counts: Counts) -> Floats:
        """(R, labels, clusters) contingency tables."""
        labels, clusters = int(self.labels.max()) + 1, int(self.clusters.max()) + 1
        cell = self.labels * clusters + self.clusters
        order = np.argsort(cell, kind="stable")
        starts = np.flatnonzero(np.diff(cell[order], prepend=-1))
        tables = np.zeros((len(counts), labels * clusters))
        tables[:, cell[order][starts]] = np.add.reduceat(counts[:, order], starts, axis=1)
        return tables.reshape(len(counts), labels, clusters)


def _columns(outcomes: Outcomes) -> Labels:
    """(N, 4) right, ambiguous, label, cluster."""
    right = outcomes.labels == outcomes.predicted
    columns = (right, outcomes.ambiguous, outcomes.labels, outcomes.clusters)
    return np.column_stack(columns).astype(np.int64)


def adjusted_rand_indices(tables: Floats) -> Floats:
    """(R,) ARI of contingency tables (R, labels, clusters): Hubert and Arabie 1985."""

    def pairs(counts: Floats) -> Floats:
        return counts * (counts - 1) / 2

    together = pairs(tables).sum(axis=(1, 2))
    by_label = pairs(tables.sum(axis=2)).sum(axis=1)
    by_cluster = pairs(tables.sum(axis=1)).sum(axis=1)
    all_pairs = pairs(tables.sum(axis=(1, 2)))
    expected = np.zeros_like(together)
    np.divide(by_label * by_cluster, all_pairs, out=expected, where=all_pairs > 0)
    largest = (by_label + by_cluster) / 2
    # Both groupings are one group, or all are single images: they agree.
    result: Floats = np.ones_like(together)
    np.divide(together - expected, largest - expected, out=result, where=largest != expected)
    return result


def normalised_mutual_informations(tables: Floats) -> Floats:
    """(R,) NMI of contingency tables (R, labels, clusters), over the mean of the two entropies.

    1 where neither has any entropy.
    """
    p = tables / tables.sum(axis=(1, 2), keepdims=True)
    by_label, by_cluster = _entropy(p.sum(axis=2)), _entropy(p.sum(axis=1))
    shared = by_label + by_cluster - _entropy(p.reshape(len(p), -1))
    mean = (by_label + by_cluster) / 2
    result: Floats = np.ones_like(mean)
    np.divide(np.maximum(shared, 0.0), mean, out=result, where=mean > 0)
    return result


def _entropy(p: Floats) -> Floats:
    """(R,) of distributions (R, K), in nats."""
    terms: Floats = p * np.log(p, out=np.zeros_like(p), where=p > 0)
    total: Floats = terms.sum(axis=1)
    return -total
