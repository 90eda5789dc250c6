"""Which points lie inside a polygon that somebody drew on a map, in two or three dimensions.

The map in the browser does the same arithmetic, in the same order, on the same numbers
(``frontend/map/src/geometry.js``), so that what looks selected is selected.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def project(points: NDArray[np.floating] | NDArray[np.integer], rotation: Floats) -> Floats:
    """Where points appear on the screen: orthographic, the screen's plane is that of two rows.

    Args:
        points: (N, 3), counted from the middle of the rotation.
        rotation: (2, 3): the directions of the screen's right and up.

    Returns:
        (N, 2).
    """
    x, y, z = np.asarray(points, dtype=np.float64).T
    # Written out instead of a matrix product: the sum's order must be the browser's.
    return np.stack([r[0] * x + r[1] * y + r[2] * z for r in rotation], axis=1)


def points_in_polygon(
    points: NDArray[np.floating] | NDArray[np.integer], polygon: Floats
) -> NDArray[np.bool_]:
    """Whether each point is inside, by the even-odd rule.

    Each edge is compared with the points between its two heights alone, so the time grows with
    the points and with how often a level line crosses the polygon, not with the corners.

    Args:
        points: (N, 2); a point with NaN is outside.
        polygon: (K, 2) corners in order; the last is joined to the first. It may cross itself.

    Returns:
        (N,). A point exactly on an edge is inside on left and lower edges alone, so that polygons
        side by side share no point.
    """
    points = np.asarray(points, dtype=np.float64)
    corners = np.asarray(polygon, dtype=np.float64).reshape(-1, 2)
    inside = np.zeros(len(points), dtype=np.bool_)
    if len(corners) < 3:
        return inside
    low, high = corners.min(axis=0), corners.max(axis=0)
    x, y = points.T
    near = np.flatnonzero((x >= low[0]) & (x <= high[0]) & (y >= low[1]) & (y <= high[1]))
    near = near[np.argsort(y[near])]
    inside[near] = _odd_crossings(x[near], y[near], corners)
    return inside


def _odd_crossings(x: Floats, y: Floats, corners: Floats) -> NDArray[np.bool_]:
    """Whether a ray to the right crosses the polygon an odd number of times; y ascends."""
    odd = np.zeros(len(x), dtype=np.bool_)
    ends = np.roll(corners, -1, axis=0)
    bottoms, tops = np.minimum(corners[:, 1], ends[:, 1]), np.maximum(corners[:, 1], ends[:, 1])
    firsts, lasts = np.searchsorted(y, bottoms), np.searchsorted(y, tops)
    for start, end, first, last in zip(corners, ends, firsts, lasts, strict=True):
        # Upwards, so that a point on two polygons' common edge is treated alike by both.
        (x0, y0), (x1, y1) = (start, end) if start[1] < end[1] else (end, start)
        px, py = x[first:last], y[first:last]
        # Multiplied out, because a quotient would be rounded.
        odd[first:last] ^= (px - x0) * (y1 - y0) < (py - y0) * (x1 - x0)
    return odd
