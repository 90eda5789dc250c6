"""Clusters in the space of u: ARI, NMI, the share of ambiguous samples (ASR), silhouette."""

import contextlib
import math
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emoviz.analysis.arrays import checked_vectors
from emoviz.errors import AnalysisError

Floats = NDArray[np.float64]
Share = Callable[[float], None]

# Squared distances come in panels, since large products are quick, and are looked through in
# pieces that stay in the processor's cache.
_BLOCK_BYTES, _PIECE_BYTES = 64_000_000, 1_000_000
_CHUNK = 100_000

DELTA_PERCENT = 10.0
# Up to here the exact threshold takes a few seconds; at 118,102 images it takes a minute.
EXACT_UP_TO = 40_000
_SAMPLED_PAIRS = 2_000_000


@dataclass(frozen=True)
class Clustering:
    """How well k-means on u finds the labels again (dissertation, section 3.5.2).

    Attributes:
        ari: Adjusted Rand index: 0 by chance.
        ami: Adjusted mutual information: 0 by chance (Vinh, Epps and Bailey 2010).
        nmi: Normalised mutual information, arithmetic mean; by chance it is `nmi_by_chance`.
        asr: Share of the samples nearer than delta to more than one cluster center, in 0-1.
        delta: The largest of the smallest 10 % of the pairwise distances, or the one given.
        clusters: As many as there are labels in the sample.
        delta_error: Standard error of delta: 0 where it is exact over all pairs or was given, above
            0 where it comes from two million random pairs.
        nmi_by_chance: What clusters of these sizes reach where they know nothing of the labels.
        silhouette: Mean silhouette width of the labels in u, -1 to 1; above 4,000 images of a
            sample of them.
    """

    ari: float | None
    ami: float | None
    nmi: float | None
    asr: float | None
    delta: float | None
    clusters: int
    delta_error: float | None = None
    nmi_by_chance: float | None = None
    silhouette: float | None = None

    def to_dict(self) -> dict[str, float | int | None]:
        """Plain values for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Clusters:
    """A k-means clustering of N vectors.

    Attributes:
        indices: (N,) cluster of each vector.
        centers: (K, D).
    """

    indices: NDArray[np.int64]
    centers: Floats


@dataclass(frozen=True)
class Silhouette:
    """How much nearer vectors are to their own group than to the next (Rousseeuw 1987).

    Attributes:
        mean: Mean silhouette width, in -1 to 1.
        error: Standard error that comes from looking at some images only; 0 where all were.
        images: How many were looked at, each against all others.
        total: How many there are.
    """

    mean: float
    error: float
    images: int
    total: int


@dataclass(frozen=True)
class DeltaRule:
    """Where the threshold delta of ASR comes from.

    Attributes:
        percent: The largest of so many per cent of the pairwise distances, the smallest ones.
        given: Delta itself, in units of u; None to find it.
        exact: Over all pairs also where there are so many that it takes minutes.
    """

    percent: float = DELTA_PERCENT
    given: float | None = None
    exact: bool = False


@dataclass(frozen=True)
class Grouping:
    """Clusters of N vectors beside their labels, image by image.

    Attributes:
        indices: (N,) cluster of each vector.
        measures: Against the labels.
        rule: Where delta came from.
    """

    indices: NDArray[np.int64]
    measures: Clustering
    rule: DeltaRule = DeltaRule()


@dataclass(frozen=True)
class Subsamples:
    """Clusters found anew in parts of the images, drawn without replacement.

    Attributes:
        values: (R, M) the metrics of `CLUSTER_METRICS` in each part.
        size: Images of each part.
        images: N, of which they are parts.
    """

    values: Floats
    size: int
    images: int


CLUSTER_METRICS = ("ari", "ami", "nmi", "asr", "silhouette")
EACH_CLUSTER = 20  # images a cluster below which parts of them say nothing of other images
_SUBSAMPLES, _LARGEST_SUBSAMPLE, _SUBSAMPLE_STARTS = 20, 1000, 3


# k-means against the labels ------------------------------------------------------------------


def group_images(
    embedding: NDArray[np.floating],
    labels: NDArray[np.int64],
    seed: int = 0,
    rule: DeltaRule | None = None,
) -> Grouping | None:
    """k-means on u, as many clusters as labels, beside the labels.

    Args:
        embedding: (N, D).
        labels: (N,) label indices.
        seed: Of k-means, which starts ten times, and of the sampled pairs.
        rule: Of ASR's threshold: exact up to 40,000 samples and sampled above, where left out.

    Returns:
        None where there are fewer than two labels or no more samples than labels.

    Raises:
        AnalysisError: The vectors hold NaN or infinity, or delta is negative.
    """
    rule = rule or DeltaRule()
    clusters = len(np.unique(labels))
    if clusters < 2 or len(labels) <= clusters:
        return None
    points = checked_vectors(embedding).astype(np.float64, copy=False)
    with _one_thread_each(), ThreadPoolExecutor(1) as beside:
        clustered = beside.submit(find_clusters, points, clusters, seed, 10)
        threshold, error = _threshold(points, rule, seed)
        width = silhouette(points, labels, seed=seed).mean
        found = clustered.result()
    ambiguous = ambiguous_images(points, found.centers, threshold)
    agreement = cluster_agreement(labels, found.indices)
    measures = Clustering(
        **agreement,
        asr=float(ambiguous.mean()),
        delta=threshold,
        clusters=clusters,
        delta_error=error,
        silhouette=width,
    )
    return Grouping(found.indices, measures, rule)


def cluster_agreement(labels: NDArray[np.int64], clusters: NDArray[np.int64]) -> dict[str, float]:
    """ARI, AMI and NMI of two groupings of the same samples, and NMI by chance."""
    from sklearn.metrics import (
        adjusted_mutual_info_score,
        adjusted_rand_score,
        normalized_mutual_info_score,
    )

    # Rounded, since equal groupings come out as 1 less the last bit.
    ami = round(float(adjusted_mutual_info_score(labels, clusters)), 12)
    nmi = round(float(normalized_mutual_info_score(labels, clusters)), 12)
    # AMI = (NMI - chance) / (1 - chance) where both are divided by the mean of the entropies.
    return {
        "ari": float(adjusted_rand_score(labels, clusters)),
        "ami": ami,
        "nmi": nmi,
        "nmi_by_chance": (nmi - ami) / (1 - ami) if ami < 1 else 0.0,
    }


def subsample_clusters(
    embedding: NDArray[np.floating],
    labels: NDArray[np.int64],
    rule: DeltaRule | None = None,
    seed: int = 0,
) -> Subsamples | None:
    """Clusters, delta and their metrics found anew in halves of the images, for intervals.

    Halves hold no copies, unlike resamples with replacement, and another half finds other clusters,
    as other images would (Politis, Romano and Wolf 1999). Parts are of 1,000 images at most.

    Args:
        embedding: (N, D).
        labels: (N,).
        rule: Of delta; the same percentile is found anew in each part.
        seed: Of the parts: the same images of another model are drawn alike.

    Returns:
        None where there are fewer than 20 images for each cluster.
    """
    rule = rule or DeltaRule()
    kinds = len(np.unique(labels))
    if kinds < 2 or len(labels) < EACH_CLUSTER * kinds:
        return None
    points = checked_vectors(embedding).astype(np.float64, copy=False)
    size = min(len(points) // 2, _LARGEST_SUBSAMPLE)
    rng = np.random.default_rng(seed)
    drawn = [rng.permutation(len(points))[:size] for _ in range(_SUBSAMPLES)]

    def measured(part: NDArray[np.int64]) -> list[float]:
        return _part_metrics(points[part], labels[part], kinds, rule, seed)

    with _one_thread_each(), ThreadPoolExecutor(2) as pool:
        return Subsamples(np.array(list(pool.map(measured, drawn))), size, len(points))


def _part_metrics(
    points: Floats, labels: NDArray[np.int64], kinds: int, rule: DeltaRule, seed: int
) -> list[float]:
    """The metrics of `CLUSTER_METRICS`, of clusters found in these points alone."""
    found = find_clusters(points, kinds, seed, _SUBSAMPLE_STARTS)
    left, right = _factors(points)
    squared = left @ right.T
    delta = _percentile(squared, rule.percent) if rule.given is None else rule.given
    values = cluster_agreement(labels, found.indices)
    values["asr"] = float(ambiguous_images(points, found.centers, delta).mean())
    names, place, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    widths = np.zeros(1)
    if len(names) > 1:
        widths = _widths(squared, np.arange(len(points)), place, sizes)
    values["silhouette"] = float(widths.mean())
    return [values[name] for name in CLUSTER_METRICS]


class _OneBlasThread:
    """Products take one thread as long as anybody is inside, and as many as before after the last.

    Two limits that overlap and end in the order in which they began would leave the second's, which
    is one thread, to all that comes after.
    """

    def __init__(self) -> None:
        self._lock, self._inside = threading.Lock(), 0
        self._limits: Any = None

    def __enter__(self) -> None:
        from threadpoolctl import threadpool_limits

        with self._lock:
            self._limits = self._limits or threadpool_limits(1, "blas")
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._limits.restore_original_limits()
                self._limits = None


_ONE_BLAS_THREAD = _OneBlasThread()


@contextlib.contextmanager
def _one_thread_each() -> Iterator[None]:
    """A context in which products and k-means take one thread.

    Several wait for each other by spinning, which on a busy machine takes ten times as long as it
    saves on an idle one.
    """
    from threadpoolctl import threadpool_limits

    with _ONE_BLAS_THREAD, threadpool_limits(1, "openmp"):  # OpenMP's is of each thread by itself
        yield


def _percentile(squared: Floats, percent: float) -> float:
    """As `pairwise_percentile`, of (N, N) squared distances, whose diagonal is changed."""
    np.fill_diagonal(squared, np.inf)
    rank = 2 * _rank(math.comb(len(squared), 2), percent)  # each pair is there twice
    return math.sqrt(max(float(np.partition(squared, rank, axis=None)[rank]), 0.0))


def find_clusters(u: Any, clusters: int, seed: int = 0, starts: int = 1) -> Clusters:
    """k-means on u, for measures and for colouring a map.

    Args:
        u: (N, D), N at least 1.
        clusters: K; fewer where there are fewer different vectors.
        seed: Of the starts.
        starts: How many; the one with the smallest sum of squares is kept.

    Raises:
        AnalysisError: The vectors hold NaN or infinity, or there are none, or K is below 1.
    """
    points = checked_vectors(u).astype(np.float64, copy=False)
    if not len(points) or clusters < 1:
        raise AnalysisError(
            f"{len(points)} vectors cannot be put into {clusters} clusters; wanted one vector and "
            "one cluster at least."
        )
    from sklearn.cluster import KMeans

    clusters = min(clusters, len(np.unique(points, axis=0)))
    with _one_thread_each():
        means = KMeans(clusters, n_init=starts, random_state=seed).fit(points)
    return Clusters(means.labels_.astype(np.int64), means.cluster_centers_)


def ambiguous_images(points: Floats, centers: Floats, delta: float) -> NDArray[np.bool_]:
    """(N,) whether each point is nearer than `delta` to more than one of the centers (K, D).

    Strictly nearer: dissertation, eq. 4.16.
    """
    near = np.zeros(len(points), dtype=np.int64)
    for center in centers:
        near += np.linalg.norm(points - center, axis=1) < delta
    return near > 1


def _threshold(points: Floats, rule: DeltaRule, seed: int) -> tuple[float, float]:
    """Delta and its standard error."""
    if rule.given is not None:
        if not rule.given >= 0:
            raise AnalysisError(
                f"The threshold delta is {rule.given}; wanted 0 or more, in units of u."
            )
        return float(rule.given), 0.0
    if rule.exact or len(points) <= EXACT_UP_TO:
        return pairwise_percentile(points, rule.percent), 0.0
    return sampled_percentile(points, rule.percent, _SAMPLED_PAIRS, seed)


# Silhouette ----------------------------------------------------------------------------------


def silhouette(u: Any, groups: NDArray[np.int64], most: int = 4_000, seed: int = 0) -> Silhouette:
    """Mean silhouette width of groups in u: labels, predictions or clusters.

    Each image that is looked at is compared with all others; above `most` images a random sample
    is looked at. A group of one has width 0, as in scikit-learn.

    Args:
        u: (N, D).
        groups: (N,) group of each vector.
        most: How many images to look at.
        seed: Of the sample.

    Raises:
        AnalysisError: The vectors hold NaN or infinity, or there are fewer than two groups.
    """
    points = checked_vectors(u).astype(np.float64, copy=False)
    names, place, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    if len(names) < 2 or place.shape != (len(points),):
        raise AnalysisError(
            f"{len(points)} vectors came with {place.size} labels of {len(names)} groups; wanted "
            "one label a vector and at least two groups."
        )
    looked_at = np.arange(len(points))
    if len(points) > most:
        looked_at = np.sort(np.random.default_rng(seed).choice(len(points), most, replace=False))
    widths = _silhouette_widths(points, place, sizes, looked_at)
    share_left_out = 1 - len(looked_at) / len(points)
    error = math.sqrt(share_left_out * float(widths.var()) / len(widths))
    return Silhouette(float(widths.mean()), error, len(looked_at), len(points))


def _silhouette_widths(
    points: Floats,
    place: NDArray[np.int64],
    sizes: NDArray[np.int64],
    looked_at: NDArray[np.int64],
) -> Floats:
    left, right = _factors(points)
    widths = np.empty(len(looked_at))
    room, done = _Room(len(points)), 0
    for start in range(0, len(looked_at), room.rows):
        chosen = looked_at[start : start + room.rows]
        squared = room.product(left[chosen], right)
        widths[done : done + len(chosen)] = _widths(squared, chosen, place, sizes)
        done += len(chosen)
    return widths


def _widths(
    squared: Floats, chosen: NDArray[np.int64], place: NDArray[np.int64], sizes: NDArray[np.int64]
) -> Floats:
    """(R,) silhouette widths of the chosen images (R,), from squared distances (R, N) to all.

    The distances take the place of their squares.
    """
    squared[np.arange(len(chosen)), chosen] = 0.0
    sums = np.empty((len(chosen), len(sizes)))
    member = np.eye(len(sizes))[place]
    for start, piece in _pieces(squared):
        np.maximum(piece, 0.0, out=piece)
        np.sqrt(piece, out=piece)
        sums[start : start + len(piece)] = piece @ member
    own = np.arange(len(chosen)), place[chosen]
    within = sums[own] / np.maximum(sizes[place[chosen]] - 1, 1)
    means = sums / sizes
    means[own] = np.inf
    beside = means.min(axis=1)
    larger = np.maximum(within, beside)
    width = np.divide(beside - within, larger, out=np.zeros_like(larger), where=larger > 0)
    widths: Floats = np.where(sizes[place[chosen]] > 1, width, 0.0)
    return widths


# Percentiles of the pairwise distances -------------------------------------------------------


def pairwise_percentile(points: Any, percent: float, progress: Share | None = None) -> float:
    """The largest of the smallest `percent` of the distances of all pairs, never holding them all.

    A distance that occurs, as the dissertation has it (section 4.2), not one between two.

    A sample brackets the wanted order statistic; one pass counts what lies below the bracket and
    keeps what lies inside. If the bracket missed, it is widened and the pass repeated.

    Args:
        points: (N, D), N at least 2.
        percent: In 0-100; of so few pairs that it is less than one, the smallest.
        progress: Called with the share of the pass that is done, in 0-1; may raise to stop.

    Raises:
        AnalysisError: The points hold NaN or infinity, there are fewer than two, or the percent
            is impossible.
    """
    points = _checked_points(points, percent)
    count = math.comb(len(points), 2)
    rank = _rank(count, percent)
    # Five standard errors of the sampled percentile.
    narrow = 500 * math.sqrt(percent / 100 * (1 - percent / 100) / _bracket_pairs(len(points)))
    for width in (narrow, 4.0, 100.0):
        low, high = _bracket(points, percent, width)
        below, inside = _count_and_keep(points, low, high, progress)
        if below <= rank < below + len(inside):
            return math.sqrt(np.partition(inside, rank - below)[rank - below])
    raise AssertionError("the widest bracket holds every distance")


def sampled_percentile(
    points: Any, percent: float, pairs: int = _SAMPLED_PAIRS, seed: int = 0
) -> tuple[float, float]:
    """Percentile of the distances of randomly drawn pairs, and its standard error.

    The error is half the way between the sample's order statistics one binomial standard deviation
    to either side. Where there are no more than `pairs` pairs all are taken, and it is 0.

    Args:
        points: (N, D), N at least 2.
        percent: In 0-100.
        pairs: How many are drawn, with replacement.
        seed: Of the draw.

    Raises:
        AnalysisError: As `pairwise_percentile`.
    """
    points = _checked_points(points, percent)
    if math.comb(len(points), 2) <= pairs:
        return pairwise_percentile(points, percent), 0.0
    distances = np.sqrt(_sampled_squares(points, pairs, seed))
    share = percent / 100
    step = 100 * math.sqrt(share * (1 - share) / pairs)
    wanted = np.clip((percent - step, percent, percent + step), 0, 100)
    low, value, high = np.percentile(distances, wanted)
    return float(value), float(high - low) / 2


def _rank(count: int, percent: float) -> int:
    """Place, from 0, of the largest among the smallest per cent of so many numbers."""
    return max(math.floor(percent / 100 * count + 1e-9), 1) - 1


def _checked_points(points: Any, percent: float) -> Floats:
    checked: Floats = checked_vectors(points).astype(np.float64, copy=False)
    if len(checked) < 2 or not 0 <= percent <= 100:
        raise AnalysisError(
            f"Percentile {percent} of the distances between {len(checked)} vectors was asked for; "
            "wanted 0 to 100, and two vectors at least."
        )
    return checked


def _bracket_pairs(count: int) -> int:
    """How many pairs to draw so that few lie within the bracket, and drawing stays cheap."""
    return int(np.clip(count * count // 2000, 100_000, 2_000_000))


def _bracket(points: Floats, percent: float, width: float) -> tuple[float, float]:
    """Squared distances that enclose the percentile, from sampled pairs; inf at 100 wide."""
    if percent - width <= 0 or percent + width >= 100:
        return -np.inf, np.inf
    sample = _sampled_squares(points, _bracket_pairs(len(points)), seed=0)
    low, high = np.percentile(sample, (percent - width, percent + width))
    slack = 1e-9 * float(high)
    return float(low) - slack, float(high) + slack


def _sampled_squares(points: Floats, pairs: int, seed: int) -> Floats:
    """Squared distances of pairs i != j drawn with replacement."""
    rng = np.random.default_rng(seed)
    squares = np.empty(pairs)
    for start in range(0, pairs, _CHUNK):
        block = squares[start : start + _CHUNK]
        i = rng.integers(0, len(points), len(block))
        j = rng.integers(0, len(points) - 1, len(block))
        difference = points[i] - points[j + (j >= i)]
        np.einsum("nd,nd->n", difference, difference, out=block)
    return squares


def _count_and_keep(
    points: Floats, low: float, high: float, progress: Share | None
) -> tuple[int, Floats]:
    below, kept, seen = 0, [], 0
    for panel in _squared_distances(points):
        for _, piece in _pieces(panel):
            below += int(np.count_nonzero(piece < low))
            kept.append(piece[(piece >= low) & (piece <= high)])
        seen += panel.size
        if progress is not None:
            progress(min(1.0, seen / (math.comb(len(points) + 1, 2))))
    return below, np.maximum(np.concatenate(kept), 0.0)


def _squared_distances(points: Floats) -> Iterator[Floats]:
    """Squared distances of all pairs i < j, a panel of rows i at a time; NaN where j <= i.

    Each panel lies where the one before it lay.
    """
    left, right = _factors(points)
    room = _Room(len(points))
    for start in range(0, len(points), room.rows):
        panel = room.product(left[start : start + room.rows], right[start:])
        panel[np.tril_indices(len(panel))] = np.nan
        yield panel


class _Room:
    """Memory for one panel after another: fresh memory for each takes as long as half the product.

    Attributes:
        rows: How many of them, of `width` numbers each, there is room for.
    """

    def __init__(self, width: int) -> None:
        self.rows = max(1, _BLOCK_BYTES // (8 * width))
        self._room = np.empty(self.rows * width)

    def product(self, left: Floats, right: Floats) -> Floats:
        """(R, N) products of rows (R, D) and (N, D), until the next is asked for."""
        panel = self._room[: len(left) * len(right)].reshape(len(left), len(right))
        return np.matmul(left, right.T, out=panel)


def _pieces(panel: Floats) -> Iterator[tuple[int, Floats]]:
    """Rows that stay in the processor's cache, and which is their first."""
    rows = max(1, _PIECE_BYTES // panel[:1].nbytes)
    for start in range(0, len(panel), rows):
        yield start, panel[start : start + rows]


def _factors(points: Floats) -> tuple[Floats, Floats]:
    """Two (N, D + 2) arrays whose product is |a|^2 + |b|^2 - 2ab, centred against cancellation."""
    centred = points - points.mean(axis=0)
    norms = np.einsum("nd,nd->n", centred, centred)[:, None]
    ones = np.ones_like(norms)
    return np.hstack([-2.0 * centred, norms, ones]), np.hstack([centred, ones, norms])
