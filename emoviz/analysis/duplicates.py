"""Images that are one: equal bytes, perceptual hashes a few bits apart, vectors that coincide."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray

from emoviz.errors import AnalysisError

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
BITS = 64
_MOST_PAIRS = 20_000_000
_NEAR = 0.2  # share of the median distance to the nearest neighbour
_ALONE = 0.6  # share of the distance to the next nearest of either
_AT_ONCE = 1 << 24  # distances held at once
_SHARED = (2, 3, 4)  # parts that near hashes may be asked to agree in
_SORTING = 4  # comparisons that sorting takes the time of, a hash


@dataclass(frozen=True)
class Pairs:
    """Pairs of images, the smaller index first, each once, in order.

    Attributes:
        first: (P,) index.
        second: (P,) index.
        distance: (P,) how far apart, in the unit of what was compared.
    """

    first: Ints
    second: Ints
    distance: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.first)

    def take(self, rows: NDArray[np.bool_] | Ints) -> "Pairs":
        """Some of the pairs."""
        return Pairs(self.first[rows], self.second[rows], self.distance[rows])


def equal_pairs(keys: Sequence[str]) -> Pairs:
    """Each image with the first that has the same key; empty keys are no one's equals."""
    seen: dict[str, int] = {}
    found = [(seen[key], i) for i, key in enumerate(keys) if key and seen.setdefault(key, i) != i]
    pairs = np.array(sorted(found), np.int64).reshape(-1, 2)
    return Pairs(pairs[:, 0], pairs[:, 1], np.zeros(len(pairs)))


def near_pairs(hashes: NDArray[np.uint64], distance: int = 8) -> Pairs:
    """All pairs of hashes that differ in at most so many bits. Exact.

    Two hashes that differ in r bits agree in at least m of r + m parts of the 64, so only those
    that share m parts are compared: two, or more where there are so many hashes that sorting them
    more often costs less than comparing them. Equal hashes are compared once, and stand for each
    other: where many are equal, each is paired with the first of them alone.

    Args:
        hashes: (N,) 64 bits each.
        distance: Most bits that may differ, 0 to 31.

    Raises:
        AnalysisError: The distance is out of range, or there are more pairs than can be held.
    """
    if not 0 <= distance < BITS // 2:
        raise AnalysisError(f"A distance of {distance} bits was asked for; wanted 0 to 31.")
    values, first, place = np.unique(hashes, return_index=True, return_inverse=True)
    left, right = _near_values(values, distance)
    repeated = np.flatnonzero(first[place] != np.arange(len(hashes)))
    pairs = np.concatenate(
        [
            np.stack([first[left], first[right]], axis=1),
            np.stack([first[place[repeated]], repeated], axis=1),
        ]
    ).astype(np.int64)
    pairs.sort(axis=1)
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    apart = np.bitwise_count(hashes[pairs[:, 0]] ^ hashes[pairs[:, 1]])
    return Pairs(pairs[:, 0], pairs[:, 1], apart.astype(np.float64))


def near_vectors(vectors: NDArray[np.floating]) -> Pairs:
    """Pairs of vectors that are likely of one image.

    How far two images of a set lie apart differs from place to place, so two are a pair where they
    are each other's nearest and all others are much farther from both (`_ALONE`); and, which
    several copies of one image need, where they are far nearer than neighbours usually are
    (`_NEAR`).

    Args:
        vectors: (N, D), one an image.

    Returns:
        The pairs with their Euclidean distances.
    """
    data = np.asarray(vectors, np.float32)
    if len(data) < 3:
        return Pairs(*(np.zeros(0, np.int64),) * 2, np.zeros(0))
    squares = (data.astype(np.float64) ** 2).sum(axis=1)
    nearest, first, second = _nearest_two(data, squares)
    limit = _NEAR * np.sqrt(np.median(first))
    rounding = 1e-5 * squares.max()  # of products in single precision; `_close` is exact
    found = _close(data, np.flatnonzero(first <= limit**2 + rounding), limit)
    rows = np.arange(len(data))
    mutual = rows[(nearest[nearest] == rows) & (rows < nearest)]
    others = nearest[mutual]
    apart = ((data[mutual].astype(np.float64) - data[others]) ** 2).sum(axis=1)
    alone = apart <= _ALONE**2 * np.minimum(second[mutual], second[others])
    return _joined(found, Pairs(mutual[alone], others[alone], np.sqrt(apart[alone])))


def groups_of(count: int, *pairs: Pairs) -> Ints:
    """(N,) number of each image's group; those joined by pairs, however indirectly, share one."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    first = np.concatenate([item.first for item in pairs]) if pairs else np.zeros(0, np.int64)
    second = np.concatenate([item.second for item in pairs]) if pairs else np.zeros(0, np.int64)
    graph = coo_array((np.ones(len(first)), (first, second)), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)


def alike(pairs: Pairs, pictures: NDArray[np.uint8], most: float = 16.0) -> NDArray[np.bool_]:
    """(P,) whether two images agree in colour too, which a hash of grey does not see.

    Args:
        pairs: Of images.
        pictures: (N, H, W, 3) small pictures in 0-255.
        most: Mean difference, in grey levels, once each has its mean colour taken away.
    """
    result = np.zeros(len(pairs), bool)
    for start in range(0, len(pairs), 65_536):
        rows = slice(start, start + 65_536)
        one, two = (
            part - part.mean(axis=(1, 2), keepdims=True)
            for part in (
                pictures[pairs.first[rows]].astype(np.float32),
                pictures[pairs.second[rows]].astype(np.float32),
            )
        )
        result[rows] = np.abs(one - two).mean(axis=(1, 2, 3)) <= most
    return result


def _near_values(values: NDArray[np.uint64], distance: int) -> tuple[Ints, Ints]:
    """Index pairs of distinct hashes at most so far apart."""
    keys = np.zeros(0, np.int64)
    for mask in min(map(partial(_masks, distance), _SHARED), key=partial(_cost, values)):
        keys = np.union1d(keys, _within_part(values, values & mask, distance))
        if len(keys) > _MOST_PAIRS:
            raise AnalysisError(
                f"More than {_MOST_PAIRS:,} pairs are at most {distance} bits apart; ask for a "
                "smaller distance."
            )
    count = len(values)
    return keys // max(count, 1), keys % max(count, 1)


def _masks(distance: int, shared: int) -> list[np.uint64]:
    """Each choice of so many parts, as the bits that two hashes then share."""
    edges = np.linspace(0, BITS, distance + shared + 1).round().astype(int).tolist()
    parts = [((1 << (high - low)) - 1) << low for low, high in pairwise(edges)]
    return [np.uint64(sum(chosen)) for chosen in combinations(parts, shared)]


def _cost(values: NDArray[np.uint64], masks: Sequence[np.uint64]) -> float:
    """About how many comparisons sorting by each mask and comparing what shares it cost."""
    pairs = []
    for mask in (masks[0], masks[len(masks) // 2]):
        _, counts = np.unique(values & mask, return_counts=True)
        pairs.append(float((counts * (counts - 1.0)).sum() / 2))
    return len(masks) * (_SORTING * len(values) + max(pairs))


def _within_part(values: NDArray[np.uint64], keys: NDArray[np.uint64], distance: int) -> Ints:
    """Pairs, as first * N + second, among hashes of equal keys."""
    order = np.argsort(keys, kind="stable")
    ordered, data = keys[order], values[order]
    found = [np.zeros(0, np.int64)]
    rows = np.arange(len(order))
    for shift in range(1, len(order)):
        # each round goes on with those that have one more of the same key behind them
        rows = rows[rows + shift < len(order)]
        rows = rows[ordered[rows] == ordered[rows + shift]]
        if not len(rows):
            break
        near = rows[np.bitwise_count(data[rows] ^ data[rows + shift]) <= distance]
        if len(near):
            one, two = order[near], order[near + shift]
            found.append(np.minimum(one, two) * len(order) + np.maximum(one, two))
    return np.concatenate(found)


def _nearest_two(data: NDArray[np.float32], squares: Floats) -> tuple[Ints, Floats, Floats]:
    """(N,) index of the nearest, (N,) squared distance to it and (N,) to the next nearest."""
    block = max(16, _AT_ONCE // len(data))
    nearest = np.zeros(len(data), np.int64)
    distances = np.zeros((2, len(data)))
    for start in range(0, len(data), block):
        apart = _squared(data, squares, start, block)
        rows = slice(start, start + len(apart))
        nearest[rows] = apart.argmin(axis=1)
        distances[:, rows] = np.partition(apart, 1, axis=1)[:, :2].T
    return nearest, distances[0], distances[1]


def _joined(one: Pairs, other: Pairs) -> Pairs:
    """The pairs of either, each once, in order."""
    first = np.concatenate([one.first, other.first])
    second = np.concatenate([one.second, other.second])
    distance = np.concatenate([one.distance, other.distance])
    _, kept = np.unique(np.stack([first, second], axis=1), axis=0, return_index=True)
    return Pairs(first[kept], second[kept], distance[kept])


def _squared(
    data: NDArray[np.float32], squares: NDArray[np.float64], start: int, block: int
) -> NDArray[np.float64]:
    """Squared distances from a block of rows to all, infinite to themselves."""
    rows = np.arange(start, min(start + block, len(data)))
    apart = squares[rows, None] + squares[None, :] - 2.0 * (data[rows] @ data.T)
    apart[np.arange(len(rows)), rows] = np.inf
    return np.asarray(apart.clip(0.0), np.float64)


def _close(data: NDArray[np.float32], rows: Ints, limit: float) -> Pairs:
    """Pairs among some rows within a distance, which is taken exactly: differences, no products."""
    found = []
    for place, i in enumerate(rows):
        others = rows[place + 1 :]
        apart = np.sqrt(((data[others].astype(np.float64) - data[i]) ** 2).sum(axis=1))
        near = np.flatnonzero(apart <= limit)
        found += [(int(i), int(others[k]), float(apart[k])) for k in near]
    table = np.array(found, np.float64).reshape(-1, 3)
    return Pairs(table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), table[:, 2])
