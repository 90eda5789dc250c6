"""Tables of embeddings on disk: as Parquet, or as the same arrays in npz; the store at home.

A Parquet file has the columns ``path, sha256, predicted, label, p_<class>..., u``, then
``second``, ``novelty`` and ``meta_<column>``; what is known of the whole table is JSON in the
schema's metadata under ``emoviz``. An npz file has the same as arrays, see `write_embeddings`.
"""

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emoviz.data.dataset import NO_LABEL
from emoviz.data.parquet_files import OpenedParquet, opened_parquet
from emoviz.data.parts import Merged, texts_of
from emoviz.errors import TableError, TaxonomyError
from emoviz.files import arrow_file, made_of, replaced_file
from emoviz.inference.embedding_table import EmbeddingTable, Origin
from emoviz.inference.text_column import TextColumn, coded
from emoviz.inference.vectors import UNREADABLE, unpacked_size
from emoviz.labels import Taxonomy
from emoviz.settings import Settings

FORMAT = 1
_ABOUT, _META = b"emoviz", "meta_"
_ROW_GROUP = 4096
_MOST_REFUSALS = 10_000  # listed in a file; the count is of all
_MAPPED_FROM = 50_000  # rows; fewer are read within a second
_STAMP = b"emoviz_stamp"
# Arrays may not grow more than this many times when unpacked; emoviz itself packs none.
_BOMB, _SMALL_ARRAYS = 50, 200_000_000


@dataclass(frozen=True)
class StoredTable:
    """One table of the store, as its file says without being read whole."""

    path: Path
    origin: Origin
    count: int
    width: int


def write_embeddings(path: Path, parts: Iterable[EmbeddingTable]) -> None:
    """Write a table as Parquet, or as arrays where the path ends with ``.npz``.

    Args:
        path: Its ending decides.
        parts: At least one, with an `origin`; from `Embedded.parts`, or a whole table in a list.
            Parquet is written part after part, in memory that does not grow with the table; npz
            holds it whole: ``path, sha256, predicted, label, p, u, second, novelty, classes``,
            ``meta_<column>`` and ``emoviz``, the JSON of a Parquet file's metadata.

    Raises:
        TableError: The path ends with neither ``.parquet`` nor ``.npz``.
        OSError: The file cannot be written; what was there stays.
    """
    check_suffix(path)
    if path.suffix.casefold() == ".npz":
        _write_npz(path, list(parts))
    else:
        _write_parquet(path, iter(parts))


def record_batches(parts: Iterator[EmbeddingTable]) -> tuple[Any, Iterator[Any]]:
    """The schema of a table in parts, and its rows as Arrow record batches."""
    first = next(parts)
    schema = _schema(first)
    return schema, (_to_arrow(part, schema) for part in chain([first], parts))


def write_merged(path: Path, merged: Merged) -> None:
    """Write the table that embedding the whole collection at once would have written.

    Raises:
        TableError: The path ends with neither ``.parquet`` nor ``.npz``.
    """
    refused = tuple((item.key, item.reason) for item in merged.refused)
    about = replace(_about(path, merged.schema), refused=refused)
    write_embeddings(path, (_from_arrow(table, about) for table in merged.tables))


def check_suffix(path: Path) -> None:
    """Raise `TableError` unless a table can be written under such a name."""
    if path.suffix.casefold() not in (".parquet", ".npz"):
        raise TableError(f"'{path}' ends with neither .parquet nor .npz; a table is one of them.")


def table_path(settings: Settings, collection: str, title: str, checkpoint: str) -> Path:
    """Where the store keeps the table of a collection (its identity) and a checkpoint (its id)."""
    words = re.sub(r"[^\w.-]+", "-", title).strip("-.")[:40]
    digest = hashlib.sha256(collection.encode(errors="surrogateescape")).hexdigest()[:12]
    return settings.home / "tables" / f"{words}-{digest}" / f"{checkpoint}.parquet"


def list_tables(settings: Settings) -> tuple[list[StoredTable], list[str]]:
    """The tables of the store, newest first, and the reasons why others cannot be used."""
    found, refused = [], []
    for path in sorted((settings.home / "tables").glob("*/[!.]*.parquet")):
        try:
            found.append(describe(path))
        except TableError as error:
            refused.append(str(error))
    return sorted(found, key=lambda item: item.origin.created, reverse=True), refused


def describe(path: Path) -> StoredTable:
    """What a table's file says of itself; its rows are not read.

    Raises:
        TableError: It is no table of emoviz.
    """
    with _opened(path) as file:
        about = _about(path, file.schema)
        return StoredTable(path, about.origin, file.metadata.num_rows, about.width)


def read_embeddings(path: Path) -> EmbeddingTable:
    """Read a table that `write_embeddings` wrote, as Parquet or as npz.

    Rows whose numbers are not finite are left out and listed among the refused.

    Raises:
        TableError: The file is missing, no table of emoviz, or does not fit what it says of
            itself.
    """
    if path.suffix.casefold() == ".npz":
        return _read_npz(path)
    with _opened(path) as file:
        about, schema = _about(path, file.schema), file.schema
        table = file.read()
    try:
        _check_columns(schema, about.taxonomy)
        return _finite(_from_arrow(table, about))
    except ValueError as error:
        raise TableError(f"'{path}' does not fit what it says of itself: {error}.") from None


def mapped_embeddings(path: Path) -> EmbeddingTable:
    """The same table; a large one lies in a mapped file, and its texts are read when asked for.

    That file, ``.<name>.arrow`` beside the table, is made at the first reading, larger than the
    table; it may be deleted. A million rows then open in well under a second, in memory that all
    processes share and the system can take back.

    Raises:
        TableError: As `read_embeddings`.
    """
    if path.suffix.casefold() == ".npz" or describe(path).count < _MAPPED_FROM:
        return read_embeddings(path)
    beside, status = path.with_name(f".{path.stem}.arrow"), path.stat()
    stamp = f"{FORMAT} {status.st_size} {status.st_mtime_ns}".encode()
    table = _mapped(beside, stamp)
    if table is None:
        try:
            _write_columns(beside, path, stamp)
        except OSError:  # a full disk, a folder of somebody else's
            return read_embeddings(path)
        table = _mapped(beside, stamp)
    return read_embeddings(path) if table is None else table


def _mapped(beside: Path, stamp: bytes) -> EmbeddingTable | None:
    """None where the file is not there, damaged, or of a table that has changed since."""
    import pyarrow as pa

    try:
        # Nobody writes into the file; it is replaced, and whoever has mapped it keeps the old one.
        table = pa.ipc.open_file(pa.memory_map(os.fsencode(beside))).read_all()
        if table.schema.metadata[_STAMP] != stamp:
            return None
        table.validate(full=True)  # places of texts are used unseen; 40 ms for a million rows
        if any(column.null_count for column in table.columns):
            return None
        return _from_arrow(table, _about(beside, table.schema), TextColumn)
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError, TableError):
        return None


def _write_columns(beside: Path, path: Path, stamp: bytes) -> None:
    import pyarrow as pa

    table = _columns(path)
    table = table.replace_schema_metadata({**table.schema.metadata, _STAMP: stamp})
    with (
        replaced_file(beside) as aside,
        arrow_file(aside, "wb") as stream,
        pa.ipc.new_file(stream, table.schema) as writer,
    ):
        writer.write_table(table)


def _columns(path: Path) -> Any:
    """The columns that `_from_arrow` takes, each in one piece, u as one array of numbers."""
    import pyarrow as pa
    from pyarrow import compute

    with _opened(path) as file:
        about = _about(path, file.schema)
        u = np.empty((file.metadata.num_rows, about.width), np.float32)
        batches, refused, done = [], list(about.refused), 0
        try:
            _check_columns(file.schema, about.taxonomy)
            for rows in file.batches(16 * _ROW_GROUP):
                part = _finite(_from_arrow(pa.Table.from_batches([rows]), about))
                refused += part.refused[len(about.refused) :]
                u[done : done + len(part)] = part.embedding
                done += len(part)
                batch = pa.Table.from_batches([_to_arrow(part, _schema(part))])
                batches.append(batch.drop_columns(["u", "predicted", "second"]))
        except ValueError as error:
            raise TableError(f"'{path}' does not fit what it says of itself: {error}.") from None
    table = pa.concat_tables(batch.replace_schema_metadata() for batch in batches).combine_chunks()
    for place, column in enumerate(table.columns):
        if column.type == pa.string():
            texts = compute.fill_null(column.combine_chunks(), "")
            few = texts.dictionary_encode()
            shorter = few if 2 * len(few.dictionary) < done else texts
            table = table.set_column(place, table.column_names[place], shorter)
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(u[:done].reshape(-1)), about.width)
    told = json.dumps(replace(about, refused=tuple(refused)).to_dict()).encode()
    return table.append_column("u", vectors).replace_schema_metadata({_ABOUT: told})


@dataclass(frozen=True)
class _About:
    """What a file says of the whole table."""

    taxonomy: Taxonomy
    label_taxonomy: Taxonomy | None
    width: int
    origin: Origin
    refused: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, table: EmbeddingTable) -> "_About":
        assert table.origin is not None
        width = table.embedding.shape[1]
        return cls(table.taxonomy, table.label_taxonomy, width, table.origin, table.refused)

    def to_dict(self) -> dict[str, Any]:
        labels = self.label_taxonomy
        return {
            "format": FORMAT,
            "taxonomy": self.taxonomy.to_dict(),
            "label_taxonomy": labels.to_dict() if labels is not None else None,
            "width": self.width,
            "origin": asdict(self.origin),
            "refused": sorted(self.refused)[:_MOST_REFUSALS],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "_About":
        if values["format"] != FORMAT:
            raise ValueError(f"it is of format {values['format']}, this version reads {FORMAT}")
        labels = values["label_taxonomy"]
        return cls(
            Taxonomy.from_dict(values["taxonomy"]),
            Taxonomy.from_dict(labels) if labels is not None else None,
            int(values["width"]),
            made_of(Origin, {k: v for k, v in dict(values["origin"]).items() if k != "part"}),
            tuple((str(name), str(reason)) for name, reason in values["refused"]),
        )


def _about(path: Path, schema: Any) -> _About:
    return _read_about(path, (schema.metadata or {}).get(_ABOUT))


def _read_about(path: Path, text: str | bytes | None) -> _About:
    if text is None:
        raise TableError(
            f"'{path}' is no table of embeddings that emoviz wrote (python -m emoviz embed writes "
            "one). Vectors of your own are opened as such."
        )
    try:
        return _About.from_dict(json.loads(text))
    except (KeyError, TypeError, ValueError, RecursionError, TaxonomyError) as error:
        raise TableError(f"'{path}' cannot be read: {error}. Make it anew with embed.") from None


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[OpenedParquet]:
    if not path.exists():
        raise TableError(f"There is no table '{path}'.")
    with opened_parquet(path) as file:
        yield file


def _write_parquet(path: Path, parts: Iterator[EmbeddingTable]) -> None:
    from pyarrow import parquet, string

    schema, batches = record_batches(parts)
    repeated = [item.name for item in schema if item.type == string()][2:]  # not path and hash
    with (
        replaced_file(path) as aside,
        arrow_file(aside, "wb") as stream,
        parquet.ParquetWriter(
            stream, schema, compression="zstd", use_dictionary=repeated
        ) as writer,
    ):
        for batch in batches:
            writer.write_batch(batch, row_group_size=_ROW_GROUP)


def _kinds(taxonomy: Taxonomy) -> dict[str, Any]:
    """Columns that every table has, in order, with their Arrow types."""
    import pyarrow as pa

    return {
        **dict.fromkeys(("path", "sha256", "predicted", "label"), pa.string()),
        **{f"p_{name}": pa.float64() for name in taxonomy.names},
        "u": pa.list_(pa.float32()),
        "second": pa.string(),
        "novelty": pa.float64(),
    }


def _schema(table: EmbeddingTable) -> Any:
    import pyarrow as pa

    kinds = {
        **_kinds(table.taxonomy),
        **{_META + name: pa.string() for name in table.metadata},
    }
    about = json.dumps(_About.of(table).to_dict())
    return pa.schema(list(kinds.items()), metadata={_ABOUT: about.encode()})


def _check_columns(schema: Any, taxonomy: Taxonomy) -> None:
    given = dict(zip(schema.names, schema.types, strict=True))
    for name, kind in _kinds(taxonomy).items():
        if given.get(name) != kind:
            raise ValueError(f"column {name} is {given.get(name, 'missing')}, wanted {kind}")


def _to_arrow(table: EmbeddingTable, schema: Any) -> Any:
    import pyarrow as pa

    names, width = table.taxonomy.names, table.embedding.shape[1]
    offsets = np.arange(len(table) + 1, dtype=np.int32) * width
    columns = [
        texts_of(table.paths),
        pa.array(table.sha256, pa.string()),
        texts_of([names[i] for i in table.predicted]),
        texts_of([name or None for name in table.label_names]),
        *(pa.array(column) for column in table.probabilities.T),
        pa.ListArray.from_arrays(offsets, np.ascontiguousarray(table.embedding).reshape(-1)),
        texts_of([names[i] for i in table.second]),
        pa.array(table.novelty),
        *(texts_of(column) for column in table.metadata.values()),
    ]
    return pa.record_batch(columns, schema=schema)


def _write_npz(path: Path, parts: Sequence[EmbeddingTable]) -> None:
    names = np.array(parts[0].taxonomy.names)
    columns: dict[str, Any] = {
        "path": np.array([text for part in parts for text in part.paths], np.str_),
        "sha256": np.array([text for part in parts for text in part.sha256], np.str_),
        "predicted": np.concatenate([names[part.predicted] for part in parts]),
        "label": np.array([text for part in parts for text in part.label_names], np.str_),
        "p": np.concatenate([part.probabilities for part in parts]),
        "u": np.concatenate([part.embedding for part in parts]),
        "second": np.concatenate([names[part.second] for part in parts]),
        "novelty": np.concatenate([part.novelty for part in parts]),
        "classes": names,
        **{
            _META + name: np.array([text for part in parts for text in part.metadata[name]])
            for name in parts[0].metadata
        },
        _ABOUT.decode(): np.array(json.dumps(_About.of(parts[0]).to_dict())),
    }
    with replaced_file(path) as aside, aside.open("wb") as stream:
        np.savez(stream, **columns)


def _read_npz(path: Path) -> EmbeddingTable:
    try:
        with path.open("rb") as stream:
            size = unpacked_size(stream)
            if size > max(_SMALL_ARRAYS, _BOMB * path.stat().st_size):
                raise TableError(
                    f"'{path}' would unpack to {size / 1e6:,.0f} MB, far more than it holds."
                )
            stream.seek(0)
            with np.load(stream, allow_pickle=False) as arrays:
                held = {name: np.asarray(arrays[name]) for name in arrays.files}
    except FileNotFoundError:
        raise TableError(f"There is no table '{path}'.") from None
    except UNREADABLE as error:
        raise TableError(f"'{path}' is no readable npz file: {error}.") from None
    count = len(held["u"]) if "u" in held and held["u"].ndim == 2 else -1
    for name, column in held.items():  # counted before each text becomes an object
        if name not in ("classes", _ABOUT.decode()) and column.shape[:1] != (count,):
            raise TableError(f"'{path}' does not fit what it says of itself: rows of '{name}'.")
    known = held.get(_ABOUT.decode())
    about = _read_about(path, None if known is None else str(known))
    try:
        labels = tuple(held["label"].tolist())
        return _finite(
            EmbeddingTable(
                taxonomy=about.taxonomy,
                paths=tuple(held["path"].tolist()),
                sha256=tuple(held["sha256"].tolist()),
                embedding=np.asarray(held["u"], np.float32).reshape(-1, about.width),
                probabilities=np.asarray(held["p"], np.float64).reshape(-1, len(about.taxonomy)),
                novelty=np.asarray(held["novelty"], np.float64),
                labels=_label_indices(labels, about),
                refused=about.refused,
                label_names=labels,
                label_taxonomy=about.label_taxonomy,
                metadata={
                    name.removeprefix(_META): tuple(column.tolist())
                    for name, column in held.items()
                    if name.startswith(_META)
                },
                origin=about.origin,
            )
        )
    except (KeyError, ValueError, TypeError) as error:
        raise TableError(f"'{path}' does not fit what it says of itself: {error}.") from None


def _label_indices(names: Sequence[str], about: _About) -> NDArray[np.int64]:
    labels = about.label_taxonomy.names if about.label_taxonomy is not None else ()
    index = {name: i for i, name in enumerate(labels)}
    codes, different = coded(names)
    return np.array([index.get(name, NO_LABEL) for name in different], np.int64)[codes]


def _from_arrow(
    table: Any, about: _About, texts: Callable[[Any], Sequence[str]] | None = None
) -> EmbeddingTable:
    """Rows as a table; `texts` makes columns of text of those that are in one piece."""
    names = about.taxonomy.names

    def column(name: str) -> Sequence[str]:
        one = table.column(name)
        return _tuple(one) if texts is None else texts(one.chunk(0))

    label_names = column("label")
    probabilities = [_numbers(table.column(f"p_{name}")) for name in names]
    return EmbeddingTable(
        taxonomy=about.taxonomy,
        paths=column("path"),
        sha256=column("sha256"),
        embedding=_matrix(table.column("u"), about.width),
        probabilities=np.stack(probabilities, axis=1),
        novelty=_numbers(table.column("novelty")),
        labels=_label_indices(label_names, about),
        refused=about.refused,
        label_names=label_names,
        label_taxonomy=about.label_taxonomy,
        metadata={
            name.removeprefix(_META): column(name)
            for name in table.column_names
            if name.startswith(_META)
        },
        origin=about.origin,
    )


def _numbers(column: Any) -> NDArray[np.float64]:
    """What is missing becomes NaN."""
    return np.asarray(column.to_numpy(), np.float64)


def _tuple(column: Any) -> tuple[str, ...]:
    """Texts, "" where there is none; equal ones are one object."""
    from pyarrow import compute, string

    texts = compute.fill_null(column.cast(string()), "")
    coded = texts.combine_chunks().dictionary_encode()
    values = coded.dictionary.to_pylist()
    return tuple(map(values.__getitem__, coded.indices.to_numpy()))


def _matrix(column: Any, width: int) -> NDArray[np.float32]:
    """(N, D) out of lists of D numbers."""
    from pyarrow import compute, types

    if types.is_fixed_size_list(column.type) and column.type.list_size == width:
        values = column.chunk(0).values.to_numpy()
        return np.asarray(values, np.float32).reshape(-1, width)
    lengths = compute.unique(compute.list_value_length(column)).to_pylist()
    if column.null_count or (lengths and lengths != [width]):
        told = " or ".join(map(str, lengths))
        raise ValueError(f"column u has {told} numbers a row, wanted {width} in each")
    flat = compute.list_flatten(column).to_numpy()
    return np.asarray(flat, np.float32).reshape(-1, width)


def _finite(table: EmbeddingTable) -> EmbeddingTable:
    """The table without rows whose numbers are not finite, which are listed."""
    good = np.isfinite(table.embedding).all(axis=1) & np.isfinite(table.probabilities).all(axis=1)
    if good.all():
        return table
    lost = tuple(
        (table.paths[i], "the table holds no number") for i in np.flatnonzero(~good).tolist()
    )
    return replace(table.take(np.flatnonzero(good)), refused=(*table.refused, *lost))
