"""Clusters in the space of u: ARI, NMI, and the share of ambiguous samples (ASR)."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_BLOCK_BYTES = 64_000_000


@dataclass(frozen=True)
class Clustering:
    """How well k-means on u finds the labels again (dissertation, section 3.5.2).

    Attributes:
        ari: Adjusted Rand index.
        nmi: Normalised mutual information, arithmetic mean.
        asr: Share of the samples within delta of more than one cluster center, in 0-1.
        delta: The 10th percentile of the pairwise distances between the samples.
        clusters: As many as there are labels in the sample.
    """

    ari: float | None
    nmi: float | None
    asr: float | None
    delta: float | None
    clusters: int

    def to_dict(self) -> dict[str, float | int | None]:
        """Plain values for JSON."""
        return asdict(self)


def cluster_measures(
    embedding: NDArray[np.floating], labels: NDArray[np.int64], seed: int = 0
) -> Clustering:
    """k-means on u against the labels.

    Args:
        embedding: (N, D).
        labels: (N,) label indices.
        seed: Of k-means, which starts ten times.

    Returns:
        The measures; all None where there are fewer than two labels or no more samples than
        labels.
    """
    clusters = len(np.unique(labels))
    if clusters < 2 or len(labels) <= clusters:
        return Clustering(None, None, None, None, clusters)
    from sklearn.cluster import KMeans
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    points = np.asarray(embedding, dtype=np.float64)
    distinct = len(np.unique(points, axis=0))
    means = KMeans(min(clusters, distinct), n_init=10, random_state=seed).fit(points)
    delta = pairwise_percentile(points, 10.0)
    return Clustering(
        float(adjusted_rand_score(labels, means.labels_)),
        float(normalized_mutual_info_score(labels, means.labels_)),
        ambiguous_share(points, means.cluster_centers_, delta),
        delta,
        clusters,
    )


def ambiguous_share(points: Floats, centers: Floats, delta: float) -> float:
    """ASR: share of points (N, D) within `delta` of more than one of the centers (K, D)."""
    near = np.zeros(len(points), dtype=np.int64)
    for center in centers:
        near += np.linalg.norm(points - center, axis=1) <= delta
    return float((near > 1).mean())


def pairwise_percentile(points: Floats, percent: float) -> float:
    """Exact percentile of the distances of all pairs, never holding them all.

    A sample brackets the wanted order statistic; one pass counts what lies below the bracket and
    keeps what lies inside. If the bracket missed, it is widened and the pass repeated.

    Args:
        points: (N, D), N at least 2.
        percent: In 0-100, linear interpolation between order statistics as in NumPy.
    """
    count = len(points) * (len(points) - 1) // 2
    rank = percent / 100 * (count - 1)
    low_rank, high_rank = int(np.floor(rank)), int(np.ceil(rank))
    for width in (0.5, 4.0, 100.0):
        low, high = _bracket(points, percent, width)
        below, inside = _count_and_keep(points, low, high)
        if below <= low_rank and high_rank < below + len(inside):
            inside.partition((low_rank - below, high_rank - below))
            a, b = inside[low_rank - below], inside[high_rank - below]
            return float(np.sqrt(a) + (np.sqrt(b) - np.sqrt(a)) * (rank - low_rank))
    raise AssertionError("the widest bracket holds every distance")


def _bracket(points: Floats, percent: float, width: float) -> tuple[float, float]:
    """Squared distances that enclose the percentile, from sampled pairs; inf at 100 wide."""
    rng = np.random.default_rng(0)
    i = rng.integers(0, len(points), 100_000)
    j = rng.integers(0, len(points) - 1, 100_000)
    j = j + (j >= i)
    sample = np.square(points[i] - points[j]).sum(axis=1)
    if percent - width <= 0 or percent + width >= 100:
        return -np.inf, np.inf
    low, high = np.percentile(sample, (percent - width, percent + width))
    slack = 1e-9 * float(high)
    return float(low) - slack, float(high) + slack


def _count_and_keep(points: Floats, low: float, high: float) -> tuple[int, Floats]:
    below, kept = 0, []
    for block in _squared_distances(points):
        below += int((block < low).sum())
        kept.append(block[(block >= low) & (block <= high)])
    return below, np.concatenate(kept)


def _squared_distances(points: Floats) -> Iterator[Floats]:
    """Squared distances of all pairs i < j, a block of rows at a time."""
    centred = points - points.mean(axis=0)
    norms = np.square(centred).sum(axis=1)
    rows = max(1, _BLOCK_BYTES // (8 * len(points)))
    for start in range(0, len(points) - 1, rows):
        stop = min(start + rows, len(points) - 1)
        block = norms[start:stop, None] + norms[None, start:]
        block -= 2.0 * (centred[start:stop] @ centred[start:].T)
        offset = np.arange(stop - start)[:, None]
        upper = np.arange(len(points) - start)[None, :] > offset
        yield np.maximum(block[upper], 0.0)
