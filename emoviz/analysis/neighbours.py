"""Exact nearest neighbours in the space of u, by Euclidean distance."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emoviz.analysis.arrays import Floats, checked_vectors
from emoviz.errors import AnalysisError

Share = Callable[[float], None]

# Up to so many queries are compared directly: no import of scikit-learn (about a second), no
# cancellation in |a|^2 + |b|^2 - 2ab, so that an equal vector is at distance zero exactly.
_FEW = 8
_ROWS, _QUERIES = 1024, 2048


@dataclass(frozen=True)
class Neighbours:
    """The k nearest of N vectors to each of M queries, nearest first.

    Attributes:
        indices: (M, k) rows of the vectors that were searched.
        distances: (M, k) Euclidean distances.
    """

    indices: NDArray[np.int64]
    distances: Floats


def nearest(u: Any, queries: Any, k: int = 15, progress: Share | None = None) -> Neighbours:
    """The k nearest vectors to each query; of equally near ones the earlier row comes first.

    A query that is itself among the vectors finds itself; see `nearest_others`.

    Args:
        u: (N, D) vectors to search.
        queries: (M, D), or (D,) for one.
        k: Neighbours wanted; N where there are fewer.
        progress: Called with the share that is done, in 0-1; may raise to stop.

    Raises:
        AnalysisError: The arrays do not fit each other or hold NaN, or k is below 1.
    """
    u = checked_vectors(u)
    queries = checked_vectors(np.atleast_2d(queries), "the queries")
    if not len(u) or queries.shape[1] != u.shape[1] or k < 1:
        raise AnalysisError(
            f"Cannot search {len(u)} vectors of width {u.shape[1]} for the {k} nearest to vectors "
            f"of width {queries.shape[1]}; wanted equal widths, a vector and a neighbour at least."
        )
    k = min(k, len(u))
    if len(queries) <= _FEW:
        found = [_nearest_to_one(u, query, k) for query in queries]
        indices = np.array(found, np.int64).reshape(-1, k)
    else:
        indices = _nearest_to_many(u, queries, k, progress)
    return _sorted_by_distance(u, queries, indices)


def nearest_others(u: Any, rows: Any, k: int = 15) -> Neighbours:
    """The k nearest vectors to some of the vectors themselves, each without itself.

    Args:
        u: (N, D).
        rows: (M,) indices into u, or one.
        k: Neighbours wanted; N - 1 where there are fewer.

    Raises:
        AnalysisError: As `nearest`; or there is only one vector.
    """
    rows = np.atleast_1d(np.asarray(rows, np.int64))
    if len(u) < 2:
        raise AnalysisError("A single image has no neighbours; wanted at least two.")
    found = nearest(u, np.asarray(u)[rows], min(k + 1, len(u)))
    itself = found.indices == rows[:, None]
    # Among more than k copies of a vector it may not find itself: then the last one goes.
    itself[~itself.any(axis=1), -1] = True
    shape = (len(rows), found.indices.shape[1] - 1)
    return Neighbours(
        found.indices[~itself].reshape(shape), found.distances[~itself].reshape(shape)
    )


def best_matches(
    u: NDArray[np.floating], query: NDArray[np.floating], k: int, among: NDArray[np.bool_] | None
) -> tuple[NDArray[np.int64], Floats]:
    """The k of N vectors of length 1 whose cosine with a query (D,) is largest, largest first.

    Args:
        u: (N, D).
        query: Of length 1.
        k: How many; fewer where there are fewer.
        among: (N,) which may be found; all where None.

    Returns:
        Their rows (k,), of equal ones the earlier first, and cosines (k,).

    Raises:
        AnalysisError: The query is of another width.
    """
    if u.shape[1:] != query.shape:
        raise AnalysisError(
            f"A query of width {query.size} was compared with vectors of width {u.shape[1]}."
        )
    cosines = u @ query
    held = cosines if among is None else cosines[among]
    limit = np.partition(held, len(held) - k)[len(held) - k] if len(held) > k else -np.inf
    rows = np.flatnonzero(cosines >= limit if among is None else (cosines >= limit) & among)
    order = rows[np.argsort(-cosines[rows], kind="stable")[:k]]
    return order, cosines[order].astype(np.float64)


def _nearest_to_one(
    u: NDArray[np.floating], query: NDArray[np.floating], k: int
) -> NDArray[np.int64]:
    """Rough squared distances to all in the vectors' own precision, exact ones to who may be near.

    The terms of a squared distance are all positive, so the rough one is within D + 2 roundings of
    the exact one; whoever is farther than the k-th by more than that is out.
    """
    rough = np.empty(len(u), u.dtype)
    with np.errstate(over="ignore", under="ignore"):
        for start in range(0, len(u), _ROWS):
            difference = np.subtract(u[start : start + _ROWS], query, dtype=u.dtype)
            np.einsum("nd,nd->n", difference, difference, out=rough[start : start + _ROWS])
    doubt, least = 4 * (u.shape[1] + 2), np.finfo(u.dtype)
    reach = np.partition(rough, k - 1)[k - 1] * (1 + doubt * least.eps) + doubt * least.tiny
    within = np.flatnonzero(rough <= reach)
    difference = np.subtract(u[within], query, dtype=np.float64)
    exact = np.einsum("nd,nd->n", difference, difference)
    return within[np.argsort(exact, kind="stable")[:k]]


def _nearest_to_many(
    u: NDArray[np.floating], queries: NDArray[np.floating], k: int, progress: Share | None
) -> NDArray[np.int64]:
    from sklearn.neighbors import NearestNeighbors

    search = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(u)
    indices = np.empty((len(queries), k), np.int64)
    for start in range(0, len(queries), _QUERIES):
        block = slice(start, start + _QUERIES)
        indices[block] = search.kneighbors(queries[block], return_distance=False)
        if progress is not None:
            progress(min(1.0, (start + _QUERIES) / len(queries)))
    return indices


def _sorted_by_distance(
    u: NDArray[np.floating], queries: NDArray[np.floating], indices: NDArray[np.int64]
) -> Neighbours:
    """Distances from the differences themselves, and the order that follows from them."""
    indices = np.sort(indices, axis=1)
    distances = np.empty(indices.shape)
    for start in range(0, len(queries), _ROWS):
        block = slice(start, start + _ROWS)
        difference = np.subtract(u[indices[block]], queries[block, None], dtype=np.float64)
        distances[block] = np.sqrt(np.einsum("mkd,mkd->mk", difference, difference))
    order = np.argsort(distances, axis=1, kind="stable")
    return Neighbours(
        np.take_along_axis(indices, order, axis=1), np.take_along_axis(distances, order, axis=1)
    )
