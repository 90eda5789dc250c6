"""Maps of vectors that move: each is turned so that its points lie where they lay before.

For watching a network learn: the principal axes of u change their order and their sign from one
epoch to the next, and a map that jumps shows nothing.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emoviz.analysis.arrays import Floats, checked_vectors
from emoviz.analysis.projection.pca import axes_of


@dataclass(frozen=True)
class MovingMap:
    """Places of N vectors and of K others on the plane of the N vectors' principal axes.

    Attributes:
        places: (N, 2), centred on their mean.
        others: (K, 2).
        variance: Shares of the variance along the two axes, before the map was turned.
    """

    places: NDArray[np.float32]
    others: NDArray[np.float32]
    variance: tuple[float, float]


def moving_map(u: Any, others: Any, before: NDArray[np.floating] | None = None) -> MovingMap:
    """Draw a map of u by its principal components and turn it towards an earlier one.

    Args:
        u: (N, D) vectors, N at least 1.
        others: (K, D) vectors that are shown but do not decide on the axes, such as centers.
        before: (N, 2) places of the same images earlier. The map is turned and mirrored, never
            stretched, so that the sum of squared distances to them is least (orthogonal
            Procrustes, Schönemann 1966); None or other shapes leave it as it is.

    Raises:
        AnalysisError: A vector holds NaN or infinity.
    """
    vectors = checked_vectors(u).astype(np.float64, copy=False)
    further = np.asarray(others, np.float64).reshape(-1, vectors.shape[1])
    mean = vectors.mean(axis=0)
    centred = vectors - mean
    axes, squares, total = axes_of(vectors, mean, 2)
    plane = np.zeros((2, vectors.shape[1]))
    plane[: len(axes)] = axes
    places, placed = centred @ plane.T, (further - mean) @ plane.T
    turn = _turn(places, before)
    shares = [*(float(s) / max(total, 1e-300) for s in squares), 0.0, 0.0][:2]
    return MovingMap(
        np.asarray(places @ turn, np.float32),
        np.asarray(placed @ turn, np.float32),
        (shares[0], shares[1]),
    )


def _turn(places: Floats, before: NDArray[np.floating] | None) -> Floats:
    """(2, 2) orthogonal matrix that brings the places nearest to where they were."""
    if before is None or before.shape != places.shape:
        return np.eye(2)
    left, _, right = np.linalg.svd(places.T @ np.asarray(before, np.float64))
    return np.asarray(left @ right)
