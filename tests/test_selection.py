"""Points in polygons against a slow loop, by hand, and at the edges."""

import numpy as np
import pytest
from numpy.typing import NDArray

from emoviz.analysis.selection import points_in_polygon, project

SQUARE = np.array([[0, 0], [4, 0], [4, 4], [0, 4]])


def winding_loop(points: NDArray[np.float64], polygon: NDArray[np.float64]) -> list[bool]:
    """The sum of the angles under which a point sees the edges, odd multiples of 360 degrees."""
    found = []
    for point in points:
        angle = 0.0
        for a, b in zip(polygon - point, np.roll(polygon, -1, axis=0) - point, strict=True):
            angle += np.arctan2(a[0] * b[1] - a[1] * b[0], a @ b)
        found.append(round(angle / (2 * np.pi)) % 2 == 1)
    return found


@pytest.mark.parametrize("seed", range(5))
def test_random_polygons_agree_with_the_angles(seed: int) -> None:
    random = np.random.default_rng(seed)
    points = random.normal(size=(400, 2))
    polygon = random.normal(size=(int(random.integers(3, 40)), 2))
    assert points_in_polygon(points, polygon).tolist() == winding_loop(points, polygon)


def test_a_square_by_hand() -> None:
    points = np.array([[1, 1], [3.9, 3.9], [-1, 2], [5, 2], [2, 5], [2, -1]])
    assert points_in_polygon(points, SQUARE).tolist() == [True, True, False, False, False, False]


def test_squares_side_by_side_share_no_point_and_lose_none() -> None:
    x, y = np.meshgrid(np.arange(9), np.arange(5))
    points = np.stack([x.ravel(), y.ravel()], axis=1)
    left, right = (
        points_in_polygon(points, SQUARE),
        points_in_polygon(points, SQUARE + np.array([4, 0])),
    )
    assert not (left & right).any()
    assert int((left | right).sum()) == 8 * 4


def test_a_polygon_that_crosses_itself_is_empty_where_it_counts_twice() -> None:
    star = np.array([[np.sin(k * 4 * np.pi / 5), np.cos(k * 4 * np.pi / 5)] for k in range(5)])
    middle_and_arm = np.array([[0.0, 0.0], [0.0, 0.8]])
    assert points_in_polygon(middle_and_arm, star).tolist() == [False, True]


def test_missing_positions_and_polygons_without_area_select_nothing() -> None:
    points = np.array([[1.0, 1.0], [np.nan, 1.0], [np.nan, np.nan]])
    assert points_in_polygon(points, SQUARE).tolist() == [True, False, False]
    assert not points_in_polygon(points, np.array([[0, 0], [4, 4]])).any()
    assert not points_in_polygon(points, np.array([[0, 1], [4, 1], [2, 1]])).any()
    assert points_in_polygon(np.empty((0, 2)), SQUARE).shape == (0,)


def test_projection_is_the_matrix_product() -> None:
    random = np.random.default_rng(0)
    points = random.integers(-32767, 32767, (200, 3))
    rotation = np.linalg.qr(random.normal(size=(3, 3)))[0][:2]
    np.testing.assert_allclose(
        project(points, rotation), points @ rotation.T, rtol=1e-12, atol=1e-6
    )
