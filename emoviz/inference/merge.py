"""The parts of a collection, embedded anywhere, as the one table that they are."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emoviz.errors import TableError
from emoviz.inference.embedding_table import PLACE, EmbeddingTable, Origin, PartOrigin
from emoviz.inference.stored import read_embeddings, write_embeddings

_ROWS = 4096


def merge_parts(paths: Sequence[Path], out: Path) -> Origin:
    """Write the table that embedding the whole collection at once would have written.

    The rows stand in the collection's order, whichever machine made them and in however many
    parts.

    Args:
        paths: Tables of all parts (``embed --part I/N``), in any order.
        out: Ends with ``.parquet`` or ``.npz``.

    Returns:
        What the table says of itself.

    Raises:
        TableError: A part is missing, given twice, cut short or no part; or the parts are of
            another checkpoint, or of a collection that changed between them.
    """
    tables: dict[Path, EmbeddingTable] = {path: read_embeddings(path) for path in paths}
    parts = {path: _part_of(path, table) for path, table in tables.items()}
    _check_whole(parts)
    _check_same(tables, parts)
    places = [_places(path, table) for path, table in tables.items()]
    _check_rows(np.concatenate(places), tables, parts)
    first = next(iter(tables.values()))
    assert first.origin is not None
    origin = replace(first.origin, part=None)
    refused = tuple(sorted(row for table in tables.values() for row in table.refused))
    write_embeddings(
        out,
        (replace(rows, origin=origin, refused=refused) for rows in _ordered(tables, places)),
    )
    return origin


def _part_of(path: Path, table: EmbeddingTable) -> PartOrigin:
    if table.origin is None or table.origin.part is None or PLACE not in table.metadata:
        raise TableError(f"'{path}' holds no part of a collection; embed --part I/N writes one.")
    return table.origin.part


def _check_whole(parts: Mapping[Path, PartOrigin]) -> None:
    counts = {part.count for part in parts.values()}
    if len(counts) != 1:
        told = " and ".join(f"one of {count}" for count in sorted(counts))
        raise TableError(
            f"The parts are of different cuts: {told}." if counts else "No part given."
        )
    (count,) = counts
    given = Counter(part.number for part in parts.values())
    missing = [str(number) for number in range(1, count + 1) if not given[number]]
    if missing:
        raise TableError(f"Of {count} parts, these are missing: {', '.join(missing)}.")
    twice = [str(number) for number, times in given.items() if times > 1]
    if twice:
        raise TableError(f"Parts given more than once: {', '.join(sorted(twice))}.")


def _check_same(tables: Mapping[Path, EmbeddingTable], parts: Mapping[Path, PartOrigin]) -> None:
    """All parts must be of one collection, as it then was, by one checkpoint and version."""
    first = next(iter(tables))
    for path, table in tables.items():
        one, other = tables[first].origin, table.origin
        assert one is not None
        assert other is not None
        if (one.fingerprint, one.version) != (other.fingerprint, other.version):
            raise TableError(
                f"'{path}' was made by checkpoint '{other.checkpoint}' of emoviz {other.version}, "
                f"'{first}' by '{one.checkpoint}' of {one.version}, or their weights differ: "
                "embed both anew with the same."
            )
        if (parts[first].keys, parts[first].found) != (parts[path].keys, parts[path].found):
            raise TableError(
                f"'{path}' was made when the collection had other images ({parts[path].found:,}) "
                f"than '{first}' ({parts[first].found:,}): embed the older one anew."
            )


def _places(path: Path, table: EmbeddingTable) -> NDArray[np.int64]:
    try:
        return np.array(table.metadata[PLACE], np.int64)
    except (ValueError, OverflowError):
        raise TableError(f"'{path}' has places that are no numbers; embed it anew.") from None


def _check_rows(
    places: NDArray[np.int64],
    tables: Mapping[Path, EmbeddingTable],
    parts: Mapping[Path, PartOrigin],
) -> None:
    found = next(iter(parts.values())).found
    if len(np.unique(places)) < len(places):
        raise TableError("Some images are in two parts; embed the parts anew.")
    told = len(places) + sum(part.refused for part in parts.values())
    if told != found:
        raise TableError(
            f"The collection has {found:,} images and problems, its parts tell of {told:,}: one "
            "was cut short. Embed it anew."
        )


def _ordered(
    tables: Mapping[Path, EmbeddingTable], places: Sequence[NDArray[np.int64]]
) -> Iterator[EmbeddingTable]:
    """Rows in the collection's order, so many at a time; at least one table, maybe empty."""
    source = np.concatenate([np.full(len(rows), i) for i, rows in enumerate(places)])
    row = np.concatenate([np.arange(len(rows)) for rows in places])
    order = np.argsort(np.concatenate(places))
    every = list(tables.values())
    for start in range(0, max(len(order), 1), _ROWS):
        here = order[start : start + _ROWS]
        chosen = [every[i].take(row[here[source[here] == i]]) for i in range(len(every))]
        back = np.argsort(np.argsort(source[here], kind="stable"))
        yield _joined(chosen).take(back)


def _joined(tables: Sequence[EmbeddingTable]) -> EmbeddingTable:
    first = tables[0]

    def texts(name: str) -> tuple[str, ...]:
        return tuple(text for table in tables for text in getattr(table, name))

    return replace(
        first,
        paths=texts("paths"),
        sha256=texts("sha256"),
        label_names=texts("label_names"),
        embedding=np.concatenate([table.embedding for table in tables]),
        probabilities=np.concatenate([table.probabilities for table in tables]),
        novelty=np.concatenate([table.novelty for table in tables]),
        labels=np.concatenate([table.labels for table in tables]),
        metadata={
            name: tuple(text for table in tables for text in table.metadata[name])
            for name in first.metadata
            if name != PLACE
        },
    )
