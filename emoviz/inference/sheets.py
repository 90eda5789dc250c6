"""Tables as columns of text: CSV, TSV and Parquet, every column that can be written as text."""

import contextlib
import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path
from typing import Any

from emoviz.data.columns import find_columns
from emoviz.data.dataset_file import META, SetHead, read_head
from emoviz.data.readers import table_text
from emoviz.errors import TableError
from emoviz.labels import Taxonomy

_IMAGE = "image"


@dataclass(frozen=True)
class Sheet:
    """A table as columns of text, "" where there is nothing.

    Attributes:
        columns: By their names.
        images: The column of bytes.
        head: What a set of the library says of itself.
    """

    columns: Mapping[str, Sequence[str]]
    images: str | None = None
    head: SetHead | None = None

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))


def text_sheet(path: Path) -> Sheet:
    """Read a CSV or TSV in UTF-8 or Windows-1252; short rows are filled up, blank ones left out.

    Raises:
        TableError: It cannot be read, is no text, or no table.
    """
    text, delimiter = table_text(path)
    shared: dict[str, str] = {}  # an artist's name is kept once
    try:
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        header = next(rows, [])
        columns: list[list[str]] = [[] for _ in header]
        for row in filter(None, rows):
            for column, cell in zip(columns, chain(row, repeat("")), strict=False):
                column.append(shared.setdefault(cell, cell))
    except csv.Error as error:
        raise TableError(f"'{path}' is no readable table: {error}.") from None
    return Sheet({name: column for name, column in zip(header, columns, strict=True) if name})


def parquet_sheet(path: Path, taxonomy: Taxonomy | None) -> Sheet:
    """Read the columns of a Parquet file that are text or can be written as text.

    Images inside are not read; their column holds their names: the path that goes with each, or
    ``<table>/<row>``. Numbers in a column of labels become the names that the file gives them, or
    those of the taxonomy in its order.

    Raises:
        TableError: It is no Parquet file, or a damaged one.
    """
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            schema = file.schema_arrow
            images = next((item.name for item in schema if _holds_images(item)), None)
            flat = [item.name for item in schema if not _is_nested(item.type)]
            table = file.read(columns=flat)
            columns = {name: _as_text(table.column(name)) for name in flat}
            columns |= _named_labels(path, table, _class_names(schema), taxonomy)
            if images is not None:
                columns[images] = _image_names(file, path, images)
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = str(error).strip().split("\n")[0].rstrip(".")
        raise TableError(f"'{path}' is no readable Parquet file: {reason}.") from None
    head = read_head(path)
    return Sheet(columns if head is None else dict(_of_set(columns)), images, head)


def _of_set(columns: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, Sequence[str]]]:
    """The columns of a set of the library: metadata under their own names, empty ones left out."""
    for name, column in columns.items():
        own = name.removeprefix(META)
        if name == "name" or (name == "split" and not any(column)):
            continue
        if name == "group" and len(set(column)) == len(column):  # each image by itself
            continue
        yield name if own in columns else own, column


def _is_nested(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_nested(kind) or types.is_binary(kind) or types.is_large_binary(kind))


def _holds_images(item: Any) -> bool:
    from pyarrow import types

    named = item.name.strip().casefold() == _IMAGE
    return named and _is_nested(item.type) and not types.is_list(item.type)


def _as_text(column: Any) -> list[str]:
    """Texts, equal ones one object; "" where there is nothing."""
    from pyarrow import compute, string

    coded = compute.fill_null(column.cast(string()), "").dictionary_encode().combine_chunks()
    values = coded.dictionary.to_pylist()
    return [values[i] for i in coded.indices.to_numpy()]


def _named_labels(
    path: Path, table: Any, names: Mapping[str, Sequence[str]], taxonomy: Taxonomy | None
) -> dict[str, list[str]]:
    """The column of labels, where it holds numbers that the file or the taxonomy gives names to."""
    from pyarrow import types

    with contextlib.suppress(TableError):
        label = find_columns(path, [_IMAGE, *table.column_names], taxonomy).label
        classes = names.get(label or "") or (taxonomy.names if taxonomy is not None else ())
        if label is not None and classes and types.is_integer(table.column(label).type):
            known = dict(enumerate(classes))
            numbers = table.column(label).to_pylist()
            return {label: ["" if i is None else known.get(i, str(i)) for i in numbers]}
    return {}


def _class_names(schema: Any) -> dict[str, Sequence[str]]:
    """Column -> names of its numbers, as the Hugging Face library writes them."""
    try:
        features = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
        return {
            column: [str(name) for name in feature["names"]]
            for column, feature in features.items()
            if "names" in feature
        }
    except (AttributeError, KeyError, TypeError, ValueError):
        return {}


def _image_names(file: Any, path: Path, column: str) -> list[str]:
    """The path that goes with each image, or ``<table>/<row>``."""
    count = file.metadata.num_rows
    digits = len(str(max(count - 1, 0)))
    given: Sequence[str | None] = [None] * count
    if f"{column}.path" in {item.path for item in file.schema}:
        parts = file.read(columns=[f"{column}.path"]).column(0).to_pylist()
        given = [part and part["path"] for part in parts]
    return [name or f"{path.stem}/{row:0{digits}}" for row, name in enumerate(given)]
