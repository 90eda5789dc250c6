"""Principal components: the quickest map, and the one that works for any number of vectors."""

import numpy as np
from numpy.typing import NDArray

from emoviz.analysis.arrays import Floats

_ROWS = 65_536  # centred at once, in float64


def fit(u: NDArray[np.floating], dimensions: int) -> tuple[NDArray[np.float32], tuple[float, ...]]:
    """Coordinates (N, d) along the axes of largest variance, and each axis's share of it, in 0-1.

    Axes that u does not have (a single vector, all alike, one column) are zero. Signs are chosen
    so that the largest entry of each axis is positive.
    """
    mean = u.mean(axis=0, dtype=np.float64)
    axes, variance, total = axes_of(u, mean, dimensions)
    # Axes of no variance are directions of rounding errors.
    used = variance > 1e-20 * max(total + len(u) * float(mean @ mean), 1e-300)
    columns = (axes * used[:, None]).T
    coordinates = np.zeros((len(u), dimensions), np.float32)
    for start in range(0, len(u), _ROWS):
        rows = slice(start, start + _ROWS)
        coordinates[rows, : len(axes)] = (u[rows] - mean) @ columns
    shares = np.zeros(dimensions)
    if used.any():
        shares[: len(axes)] = variance * used / total
    return coordinates, tuple(float(share) for share in shares)


def axes_of(u: NDArray[np.floating], mean: Floats, dimensions: int) -> tuple[Floats, Floats, float]:
    """Up to d unit axes (d, D) through the mean (D,), the sum of squares along each, largest
    first, and along all axes there are.
    """
    if len(u) > u.shape[1]:
        squares = np.zeros((u.shape[1], u.shape[1]))
        for start in range(0, len(u), _ROWS):
            centred = u[start : start + _ROWS] - mean
            squares += centred.T @ centred
        values, vectors = np.linalg.eigh(squares)
        axes, variance, total = vectors.T[::-1], values[::-1], float(np.trace(squares))
    else:
        _, singular, axes = np.linalg.svd(u - mean, full_matrices=False)
        variance = np.square(singular)
        total = float(variance.sum())
    axes, variance = axes[:dimensions], variance[:dimensions]
    largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=1)[:, None], axis=1)
    return axes * np.where(largest < 0, -1.0, 1.0), variance, total
