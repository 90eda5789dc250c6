"""Nearest neighbours against a full sort of all distances."""

from typing import Any

import numpy as np
import pytest

from emoviz.analysis import neighbours
from emoviz.analysis.neighbours import best_matches, nearest, nearest_others
from emoviz.errors import AnalysisError


def drawn(size: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(size, width)).astype(np.float32)


def slow_nearest(u: np.ndarray, query: np.ndarray, k: int) -> list[tuple[float, int]]:
    rows = []
    for i, row in enumerate(u):
        squared = sum((float(a) - float(b)) ** 2 for a, b in zip(row, query, strict=True))
        rows.append((squared**0.5, i))
    return sorted(rows)[:k]


@pytest.mark.parametrize("queries", [1, 3, 8, 9, 40])
@pytest.mark.parametrize("k", [1, 5, 60, 100])
def test_neighbours_equal_a_full_sort(queries: int, k: int) -> None:
    u, asked = drawn(60, 4), drawn(queries, 4, seed=1)
    found = nearest(u, asked, k)
    assert found.indices.shape == found.distances.shape == (queries, min(k, 60))
    for m in range(queries):
        wanted = slow_nearest(u, asked[m], k)
        assert found.indices[m].tolist() == [i for _, i in wanted]
        assert found.distances[m].tolist() == pytest.approx([d for d, _ in wanted])


@pytest.mark.parametrize("size", [1, 20])
def test_a_vector_finds_itself_at_exactly_zero(size: int) -> None:
    u = drawn(50, 7) + 1000  # far from the origin, where |a|^2 + |b|^2 - 2ab loses digits
    found = nearest(u, u[:size], 3)
    assert found.indices[:, 0].tolist() == list(range(size))
    assert (found.distances[:, 0] == 0).all()
    assert (found.distances[:, 1] > 0).all()


def test_one_query_may_come_as_a_row() -> None:
    u = drawn(30, 3)
    np.testing.assert_array_equal(nearest(u, u[4], 5).indices, nearest(u, u[4:5], 5).indices)


def test_equally_near_ones_come_in_their_order() -> None:
    u = np.array([[1.0], [-1.0], [1.0], [5.0], [-1.0]])
    assert nearest(u, [0.0], 3).indices.tolist() == [[0, 1, 2]]


@pytest.mark.parametrize("rows", [1, 7, 64])
def test_blocks_change_nothing(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    u = drawn(65, 5)
    few, many = nearest(u, u[:2], 6), nearest(u, u, 6)
    monkeypatch.setattr(neighbours, "_ROWS", rows)
    monkeypatch.setattr(neighbours, "_QUERIES", rows)
    np.testing.assert_array_equal(nearest(u, u[:2], 6).indices, few.indices)
    np.testing.assert_array_equal(nearest(u, u, 6).indices, many.indices)


def test_progress_ends_at_one_and_may_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "_QUERIES", 20)
    u, seen = drawn(50, 3), []
    nearest(u, u, 2, seen.append)
    assert seen == pytest.approx([0.4, 0.8, 1.0])

    def stop(share: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        nearest(u, u, 2, stop)


# Others than itself --------------------------------------------------------------------------


def test_others_leave_the_image_itself_out() -> None:
    u = drawn(40, 4)
    for rows in ([7], list(range(40))):
        found = nearest_others(u, rows, 5)
        for m, row in enumerate(rows):
            wanted = [i for _, i in slow_nearest(u, u[row], 41) if i != row][:5]
            assert found.indices[m].tolist() == wanted


def test_a_copy_is_another_image() -> None:
    u = drawn(10, 3)
    u[6] = u[2]
    found = nearest_others(u, [2, 6], 1)
    assert found.indices.tolist() == [[6], [2]]
    assert found.distances.tolist() == [[0.0], [0.0]]


@pytest.mark.parametrize("rows", [[9], list(range(12))])
def test_among_many_copies_there_are_as_many_as_asked(rows: list[int]) -> None:
    found = nearest_others(np.ones((12, 2)), rows, 3)
    assert found.indices.shape == (len(rows), 3)
    assert (found.distances == 0).all()
    for row, others in zip(rows, found.indices.tolist(), strict=True):
        assert row not in others
        assert len(set(others)) == 3


def test_more_others_than_there_are() -> None:
    assert nearest_others(drawn(3, 2), 1, 15).indices.shape == (1, 2)


# Bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("u", "queries", "k", "words"),
    [
        (np.zeros((0, 3)), np.zeros((1, 3)), 1, "0 vectors"),
        (np.zeros((2, 3)), np.zeros((1, 4)), 1, "width 3 .* width 4"),
        (np.zeros((2, 3)), np.zeros((1, 3)), 0, "the 0 nearest"),
        (np.array([[1.0], [np.nan], [np.inf]]), np.zeros((1, 1)), 1, "2 of 3 rows .* row 1"),
        (np.zeros((2, 1)), np.array([[np.inf]]), 1, "1 of 1 rows of the queries"),
        (np.zeros(3), np.zeros(3), 1, "table of numbers"),
        (np.array([["a"]]), np.zeros((1, 1)), 1, "table of numbers"),
    ],
)
def test_what_cannot_be_searched_is_refused(u: Any, queries: Any, k: int, words: str) -> None:
    with pytest.raises(AnalysisError, match=words):
        nearest(u, queries, k)


def test_best_matches_are_the_largest_cosines() -> None:
    rng = np.random.default_rng(0)
    u = rng.normal(size=(500, 7)).astype(np.float32)
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    u[400] = u[3]
    among = rng.random(500) < 0.5
    among[[3, 400]] = True
    for k, allowed in ((10, None), (10, among), (900, among), (3, np.zeros(500, bool))):
        rows, cosines = best_matches(u, u[3], k, allowed)
        held = range(500) if allowed is None else np.flatnonzero(allowed)
        slow = sorted(held, key=lambda i: -round(float(u[i] @ u[3]), 6))[:k]
        assert rows.tolist() == slow
        np.testing.assert_allclose(cosines, u[rows] @ u[3], atol=1e-6)
    with pytest.raises(AnalysisError, match=r"width 6 .* width 7"):
        best_matches(u, u[3, :6], 1, None)


def test_a_single_image_has_no_others() -> None:
    with pytest.raises(AnalysisError, match="no neighbours"):
        nearest_others(np.zeros((1, 3)), 0)
