"""Class centers in the space of u: how far apart they are, what they stand for, who is near.

The centers are those that the contrastive-center loss learned (dissertation, chapter 4), or the
class means of labelled images. All distances are Euclidean, in units of u.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emoviz.analysis.arrays import Floats, checked_vectors
from emoviz.errors import AnalysisError

Labels = NDArray[np.int64]


@dataclass(frozen=True)
class CenterPair:
    """Two classes, by index, and the distance between their centers."""

    first: int
    second: int
    distance: float


@dataclass(frozen=True)
class CenterSummary:
    """Distances over the C (C - 1) / 2 pairs of centers.

    Attributes:
        smallest: The two centers that are nearest to each other.
        mean: Mean distance.
        largest: The two centers that are farthest from each other.
        short: Pairs nearer than the margin m, nearest first; L_inter still pushes them apart.
    """

    smallest: CenterPair
    mean: float
    largest: CenterPair
    short: tuple[CenterPair, ...]


@dataclass(frozen=True)
class ClassMeans:
    """Mean u of each class.

    Attributes:
        means: (C, D); NaN for a class without images.
        counts: (C,) images of each class.
    """

    means: Floats
    counts: Labels


@dataclass(frozen=True)
class CenterOffsets:
    """How far each learned center lies from the mean of its class.

    Attributes:
        distances: (C,) ||c_i - mean_i||; NaN for a class without images.
        relative: (C,) the same in units of the mean distance between the centers.
    """

    distances: Floats
    relative: Floats


@dataclass(frozen=True)
class Dendrogram:
    """Average-linkage tree over the centers.

    Attributes:
        merges: (C - 1, 4) as SciPy's `linkage` gives them: the two nodes, the height, the leaves.
        leaves: (C,) class indices in drawing order; branches never cross, and neighbours in the
            order are as near as the tree allows.
        x: (C - 1, 4) of each merge's bracket; leaf number i of the order stands at i.
        y: (C - 1, 4) of each merge's bracket: heights in units of u.
    """

    merges: Floats
    leaves: Labels
    x: Floats
    y: Floats


@dataclass(frozen=True)
class Between:
    """Images whose two nearest centers are nearly equally far, most undecided first.

    Attributes:
        rows: (M,) indices of the images.
        first: (M,) class index of the nearest center.
        second: (M,) class index of the second nearest.
        gap: (M,) (d2 - d1) / ||c1 - c2||, in 0-1: 0 in the middle, 1 on the far side of or at a
            center, in line with the two.
    """

    rows: Labels
    first: Labels
    second: Labels
    gap: Floats


def center_distances(centers: Any) -> Floats:
    """(C, C) symmetric matrix ||c_i - c_j|| of centers (C, D), with a zero diagonal.

    Raises:
        AnalysisError: The centers are no finite table of numbers.
    """
    centers = checked_vectors(centers, "the centers")
    return _distances(centers, centers)


def summarise_centers(centers: Any, margin: float | None = None) -> CenterSummary | None:
    """Smallest, mean and largest distance between centers, and pairs that miss the margin.

    Args:
        centers: (C, D).
        margin: m of the contrastive-center loss; None for none.

    Returns:
        None where there are fewer than two centers.

    Raises:
        AnalysisError: The centers are no finite table of numbers.
    """
    distances = center_distances(centers)
    if len(distances) < 2:
        return None
    rows, columns = np.triu_indices(len(distances), 1)
    values = distances[rows, columns]
    pairs = [
        CenterPair(int(rows[k]), int(columns[k]), float(values[k])) for k in np.argsort(values)
    ]
    short = () if margin is None else tuple(pair for pair in pairs if pair.distance < margin)
    return CenterSummary(pairs[0], float(values.mean()), pairs[-1], short)


def class_means(u: Any, labels: Labels, classes: int) -> ClassMeans:
    """Mean u of each class.

    Args:
        u: (N, D).
        labels: (N,) class indices; those below 0 count for none.
        classes: C.

    Raises:
        AnalysisError: u is no finite table of numbers, or the labels do not fit.
    """
    u = checked_vectors(u)
    labels = np.asarray(labels, np.int64)
    if labels.shape != (len(u),) or (labels >= classes).any():
        raise AnalysisError(
            f"{len(u)} vectors came with labels of shape {labels.shape}, the largest "
            f"{labels.max(initial=-1)}; wanted one label a vector, below {classes}."
        )
    counts = np.bincount(labels[labels >= 0], minlength=classes)
    means = np.full((classes, u.shape[1]), np.nan)
    for c in np.flatnonzero(counts):
        means[c] = u[labels == c].mean(axis=0, dtype=np.float64)
    return ClassMeans(means, counts.astype(np.int64))


def center_offsets(centers: Any, means: ClassMeans) -> CenterOffsets:
    """How far the learned centers (C, D) lie from the class means.

    Raises:
        AnalysisError: The two have different shapes.
    """
    centers = checked_vectors(centers, "the centers")
    if centers.shape != means.means.shape:
        raise AnalysisError(
            f"Centers {centers.shape} cannot be compared with class means {means.means.shape}; "
            "wanted the same classes and width."
        )
    distances = np.linalg.norm(centers - means.means, axis=1)
    summary = summarise_centers(centers)
    unit = summary.mean if summary is not None and summary.mean > 0 else np.nan
    return CenterOffsets(distances, distances / unit)


def dendrogram(centers: Any) -> Dendrogram | None:
    """Which centers belong together: average linkage on their distances (UPGMA).

    Args:
        centers: (C, D).

    Returns:
        None where there are fewer than two centers.

    Raises:
        AnalysisError: The centers are no finite table of numbers.
    """
    distances = center_distances(centers)
    if len(distances) < 2:
        return None
    from scipy.cluster import hierarchy
    from scipy.spatial.distance import squareform

    condensed = squareform(distances, checks=False)
    merges = hierarchy.linkage(condensed, "average", optimal_ordering=True)
    drawn = hierarchy.dendrogram(merges, no_plot=True)
    # SciPy places leaf i at 5 + 10 i.
    return Dendrogram(
        merges,
        np.array(drawn["leaves"], np.int64),
        (np.array(drawn["icoord"]) - 5) / 10,
        np.array(drawn["dcoord"]),
    )


def nearest_to_centers(u: Any, centers: Any, k: int = 12) -> tuple[Labels, Floats]:
    """The images that are nearest to each center, whatever they are labelled.

    Args:
        u: (N, D).
        centers: (C, D).
        k: Images wanted for each; N where there are fewer.

    Returns:
        (C, k) rows of u, nearest first, and their distances (C, k).

    Raises:
        AnalysisError: The arrays do not fit each other.
    """
    distances = _distances(u, centers)
    rows = np.argsort(distances, axis=0, kind="stable")[:k].T
    return rows.astype(np.int64), np.take_along_axis(distances.T, rows, axis=1)


def caught_between(u: Any, centers: Any, k: int = 12) -> Between:
    """The images that lie most evenly between their two nearest centers.

    Args:
        u: (N, D).
        centers: (C, D), C at least 2 and no two alike.
        k: Images wanted; N where there are fewer.

    Raises:
        AnalysisError: The arrays do not fit each other, or there are no two distinct centers.
    """
    distances = _distances(u, centers)
    between = center_distances(centers)
    apart = between[~np.eye(len(between), dtype=bool)]
    if not len(apart) or not apart.all():
        raise AnalysisError(
            f"Nothing lies between {len(between)} centers of which two are alike or one is alone; "
            "wanted at least two different ones."
        )
    order = np.argsort(distances, axis=1, kind="stable")[:, :2]
    near = np.take_along_axis(distances, order, axis=1)
    gap = (near[:, 1] - near[:, 0]) / between[order[:, 0], order[:, 1]]
    rows = np.argsort(gap, kind="stable")[:k]
    return Between(
        rows.astype(np.int64), order[rows, 0], order[rows, 1], np.minimum(gap[rows], 1.0)
    )


def _distances(u: Any, centers: Any) -> Floats:
    """(N, C) from the differences themselves, so that equal vectors are at zero."""
    u, centers = checked_vectors(u), checked_vectors(centers, "the centers")
    if u.shape[1] != centers.shape[1]:
        raise AnalysisError(
            f"Vectors of width {u.shape[1]} cannot be compared with centers of width "
            f"{centers.shape[1]}; wanted those of one network."
        )
    distances = np.empty((len(u), len(centers)))
    for c, center in enumerate(centers.astype(np.float64)):
        difference = u - center
        distances[:, c] = np.sqrt(np.einsum("nd,nd->n", difference, difference))
    return distances
