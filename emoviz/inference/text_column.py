"""A million texts without a million objects: a column of Arrow, read where it lies."""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

_AT_ONCE = 65_536
_MOST_HITS = 50_000  # looked up one by one; beyond, looking at every row is quicker


class TextColumn(Sequence[str]):
    """(N) texts, made into Python's own where they are asked for.

    Args:
        column: An Arrow array of strings, plain or as a dictionary, without nulls.
    """

    def __init__(self, column: Any) -> None:
        self._column = column

    def __len__(self) -> int:
        return len(self._column)

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return tuple(self._column[place].to_pylist())
        return self._column[int(place)].as_py()

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self), _AT_ONCE):
            yield from self._column.slice(start, _AT_ONCE).to_pylist()

    def __eq__(self, other: object) -> bool:
        if isinstance(other, TextColumn):
            return bool(self._column.equals(other._column)) or tuple(self) == tuple(other)
        return tuple(self) == other if isinstance(other, tuple) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __contains__(self, value: object) -> bool:
        return self._place(value) >= 0

    def index(self, value: str, *within: Any) -> int:
        """The first row that holds it."""
        place = self._place(value)
        if within or place < 0:
            return tuple(self).index(value, *within)
        return place

    def take(self, rows: NDArray[np.int64]) -> "TextColumn":
        """Some of the texts, in that order."""
        return TextColumn(self._column.take(rows))

    @cached_property
    def coded(self) -> tuple[NDArray[np.int64], tuple[str, ...]]:
        """(N,) index of each text among the different ones, and those."""
        found = self._column if self._is_coded else self._column.dictionary_encode()
        return found.indices.to_numpy().astype(np.int64), tuple(found.dictionary.to_pylist())

    def holding(self, word: str, among: NDArray[np.int64] | None = None) -> NDArray[np.bool_]:
        """(N,) or (M,) whether a text holds a word, whatever their capitals.

        Args:
            word: Not empty.
            among: (M,) rows to look at; all of them where None.
        """
        from pyarrow import compute

        wanted = word.casefold()
        if self._is_coded:
            codes, names = self.coded
            holds = np.array([wanted in name.casefold() for name in names], bool)
            return holds[codes if among is None else codes[among]]
        if among is not None:
            some = self._folded.take(among)
            return np.asarray(compute.match_substring(some, wanted).to_numpy(False))
        found = self._looked_up(wanted.encode())
        if found is None:
            found = compute.match_substring(self._folded, wanted).to_numpy(False)
        return np.asarray(found)

    def _looked_up(self, wanted: bytes) -> NDArray[np.bool_] | None:
        """The same by going from hit to hit in all the texts as one; None for very many hits."""
        ends = np.frombuffer(self._folded.buffers()[1], np.int32)[: len(self) + 1]
        data, hits, place = self._bytes, list[int](), -1
        while (place := data.find(wanted, place + 1)) >= 0:
            hits.append(place)
            if len(hits) > _MOST_HITS:
                return None
        starts = np.array(hits, np.int64)
        rows = np.searchsorted(ends, starts, side="right") - 1
        found = np.zeros(len(self), bool)
        found[rows[starts + len(wanted) <= ends[rows + 1]]] = True  # none from one text to the next
        return found

    @property
    def _is_coded(self) -> bool:
        from pyarrow import types

        return bool(types.is_dictionary(self._column.type))

    def _place(self, value: object) -> int:
        from pyarrow import compute

        if not isinstance(value, str):
            return -1
        column, wanted = self._column, value
        if self._is_coded:
            column = column.indices
            wanted = compute.index(self._column.dictionary, value).as_py()
        return int(compute.index(column, wanted).as_py())

    @cached_property
    def _folded(self) -> Any:
        """Without capitals; in Arrow again, at offset 0."""
        import pyarrow as pa
        from pyarrow import compute

        low = compute.ascii_lower(self._column)
        more = compute.invert(compute.string_is_ascii(self._column))
        others = [text.casefold() for text in self._column.filter(more).to_pylist()]
        return compute.replace_with_mask(low, more, pa.array(others, pa.string()))

    @cached_property
    def _bytes(self) -> bytes:
        texts = self._folded.buffers()[2]
        return texts.to_pybytes() if texts is not None else b""


def coded(values: Sequence[str]) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """(N,) index of each text among the different ones, and those, in the order of coming."""
    if isinstance(values, TextColumn):
        return values.coded
    place = {text: i for i, text in enumerate(dict.fromkeys(values))}
    return np.fromiter((place[text] for text in values), np.int64, len(values)), tuple(place)


def counted_texts(values: Sequence[str]) -> Counter[str]:
    """How often each text is there."""
    codes, names = coded(values)
    counts = np.bincount(codes, minlength=len(names))
    return Counter(dict(zip(names, counts.tolist(), strict=True)))


def varies(values: Sequence[str]) -> bool:
    """Whether two of the texts differ."""
    return any(text != values[0] for text in values)


def taken(values: Sequence[str], rows: NDArray[np.int64]) -> Sequence[str]:
    """Some texts, in that order; none where there are none."""
    if isinstance(values, TextColumn):
        return values.take(rows)
    return tuple(values[i] for i in rows) if values else ()


def rows_with(columns: Sequence[Sequence[str]], words: Sequence[str]) -> NDArray[np.bool_]:
    """(N,) whether each word is in one of the columns, whatever their capitals.

    Args:
        columns: (N) texts each; one at least.
        words: Without spaces.
    """
    found = np.ones(len(columns[0]), bool)
    for word in sorted(words, key=len, reverse=True):  # the rarest first, more or less
        open_ = np.flatnonzero(found)  # rows that may still hold it
        for column in columns:
            # Where few rows are left, only those are looked at.
            few = 4 * len(open_) < len(found)
            holds = _holding(column, word, open_ if few else None)
            open_ = open_[~(holds if few else holds[open_])]
        found[open_] = False
    return found


def _holding(
    column: Sequence[str], word: str, among: NDArray[np.int64] | None
) -> NDArray[np.bool_]:
    if isinstance(column, TextColumn):
        return column.holding(word, among)
    wanted, rows = word.casefold(), range(len(column)) if among is None else among
    return np.fromiter((wanted in column[i].casefold() for i in rows), bool, len(rows))
