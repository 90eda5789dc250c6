"""Principal components: the quickest map, and the one that works for any number of vectors."""

import numpy as np
from numpy.typing import NDArray

from emoviz.analysis.arrays import Floats


def fit(u: NDArray[np.floating], dimensions: int) -> tuple[NDArray[np.float32], tuple[float, ...]]:
    """Coordinates (N, d) along the axes of largest variance, and each axis's share of it, in 0-1.

    Axes that u does not have (a single vector, all alike, one column) are zero. Signs are chosen
    so that the largest entry of each axis is positive.
    """
    centred = u - u.mean(axis=0, dtype=np.float64)
    axes, variance = axes_of(centred, dimensions)
    # Axes of no variance are directions of rounding errors.
    used = variance > 1e-20 * max(float(np.square(u, dtype=np.float64).sum()), 1e-300)
    coordinates = np.zeros((len(u), dimensions), np.float32)
    coordinates[:, : len(axes)] = centred @ (axes * used[:, None]).T
    shares = np.zeros(dimensions)
    if used.any():
        shares[: len(axes)] = variance * used / np.square(centred).sum()
    return coordinates, tuple(float(share) for share in shares)


def axes_of(centred: Floats, dimensions: int) -> tuple[Floats, Floats]:
    """Up to d unit axes (d, D), and the sum of squares along each, largest first."""
    if len(centred) > centred.shape[1]:
        values, vectors = np.linalg.eigh(centred.T @ centred)
        axes, variance = vectors.T[::-1][:dimensions], values[::-1][:dimensions]
    else:
        _, singular, axes = np.linalg.svd(centred, full_matrices=False)
        axes, variance = axes[:dimensions], np.square(singular[:dimensions])
    largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=1)[:, None], axis=1)
    return axes * np.where(largest < 0, -1.0, 1.0), variance
