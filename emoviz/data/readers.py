"""Text tables, Parquet files and folders of classes as rows of text, each with its place."""

import csv
import io
import json
from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from emoviz.data.columns import Columns, find_columns
from emoviz.data.sources import walk_images
from emoviz.errors import TableError
from emoviz.labels import Taxonomy

_IN_FOLDERS = Columns("file", label="label", split="split")


class Row(NamedTuple):
    """One row of a table, of which nothing has been checked.

    Attributes:
        place: Where people find it: its line, its row or its folder.
        cells: Text by column; "" where there is nothing.
        content: The image, where the table holds it.
    """

    place: str
    cells: Mapping[str, str]
    content: bytes | None = None


def table_text(path: Path) -> tuple[str, str]:
    """A text table as text, from UTF-8 or Windows-1252, and what separates its cells.

    Raises:
        TableError: It cannot be read, or is no text.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise TableError(f"'{path}' cannot be read: {error.strerror or error}.") from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", errors="replace")
    if "\x00" in text:
        raise TableError(f"'{path}' is no text table (CSV or TSV).")
    return text, max(",;\t", key=text.split("\n", 1)[0].count)


def text_rows(path: Path, taxonomy: Taxonomy | None) -> tuple[Columns, list[Row]]:
    """Read a CSV or TSV in UTF-8 or Windows-1252; a row's place is the line on which it ends.

    Raises:
        TableError: It cannot be read, is no text, or lacks a column.
    """
    text, delimiter = table_text(path)
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
        columns = find_columns(path, reader.fieldnames or (), taxonomy)
        return columns, [
            Row(f"line {reader.line_num}", {name: row[name] or "" for name in columns.names})
            for row in reader
        ]
    except csv.Error as error:
        raise TableError(f"'{path}' is no readable table: {error}.") from None


def parquet_rows(path: Path, taxonomy: Taxonomy | None) -> tuple[Columns, list[Row]]:
    """Read the columns of a Parquet file that are needed; rows are counted from 0.

    An image may be inside, as bytes or as the struct of bytes and path that the Hugging Face
    library writes; it goes by that path, or by ``<table>/<row>``. Labels that are numbers become
    the names that the file itself gives to them, or else those of the taxonomy in its order.

    Raises:
        TableError: It cannot be read, is no Parquet file, or lacks a column.
    """
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            schema = file.schema_arrow
            columns = find_columns(path, schema.names, taxonomy)
            inside = next((name for name in schema.names if _holds_images(schema, name)), None)
            wanted = list(dict.fromkeys([*columns.names, *([inside] if inside else [])]))
            batches = file.iter_batches(columns=wanted)
            rows = [row for batch in batches for row in batch.to_pylist()]
            classes = _class_names(schema, columns.label) or (taxonomy.names if taxonomy else ())
    except FileNotFoundError:
        raise TableError(f"'{path}' cannot be read: No such file or directory.") from None
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = str(error).strip().split("\n")[0].rstrip(".")
        raise TableError(f"'{path}' is no readable Parquet file: {reason}.") from None
    digits = len(str(max(len(rows) - 1, 0)))
    return columns, [
        _parquet_row(row, columns, inside, classes, f"{path.stem}/{number:0{digits}}", number)
        for number, row in enumerate(rows)
    ]


def folder_rows(path: Path, splits: Container[str]) -> tuple[Columns, list[Row]]:
    """The images of a folder with one sub-folder a class, or with such folders for each split.

    Args:
        path: Of the folder.
        splits: Names, in small letters, of folders above the classes that are splits.

    Raises:
        TableError: The folder holds no images.
    """
    rows = list(_folder_rows(path, splits))
    if not rows:
        raise TableError(
            f"The folder '{path}' holds no images; wanted: one sub-folder of images a class."
        )
    return _IN_FOLDERS, rows


def _folder_rows(root: Path, splits: Container[str]) -> Iterator[Row]:
    for image in walk_images(root):
        name = image.relative_to(root)
        folders = list(name.parts[:-1])
        has_split = bool(folders) and folders[0].casefold() in splits
        split = folders.pop(0) if has_split else ""
        label = folders[0] if folders else ""
        place = (Path(split) / label if label else name).as_posix()
        yield Row(place, {"file": name.as_posix(), "label": label, "split": split})


def _holds_images(schema: Any, name: str) -> bool:
    from pyarrow import types

    kind = schema.field(name).type
    binary = types.is_binary(kind) or types.is_large_binary(kind)
    return name.strip().casefold() == "image" and (binary or types.is_struct(kind))


def _class_names(schema: Any, label: str | None) -> Sequence[str]:
    """Names of the numbers in a column of labels, as the Hugging Face library writes them."""
    try:
        features = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
        return [str(name) for name in features[label]["names"]]
    except (KeyError, TypeError, ValueError):
        return ()


def _parquet_row(
    values: Mapping[str, Any],
    columns: Columns,
    inside: str | None,
    classes: Sequence[str],
    numbered: str,
    number: int,
) -> Row:
    cells = {name: "" if values[name] is None else str(values[name]) for name in columns.names}
    if columns.label is not None:
        cells[columns.label] = _label(values[columns.label], classes)
    content, name = _image(values[inside]) if inside else (None, "")
    given = values[columns.file]
    named = given if isinstance(given, str) else name
    cells[columns.file] = named or (numbered if content else "")
    return Row(f"row {number}", cells, content)


def _label(value: Any, classes: Sequence[str]) -> str:
    """A number becomes its name; whatever else stands there is refused as text by the taxonomy."""
    whole = isinstance(value, int | float) and not isinstance(value, bool) and value == value // 1
    if whole and 0 <= value < len(classes):
        return classes[int(value)]
    return "" if value is None else str(value)


def _image(value: Any) -> tuple[bytes | None, str]:
    """The bytes and the path of one cell, as far as it has them."""
    parts = value if isinstance(value, dict) else {"bytes": value}
    content, path = parts.get("bytes"), parts.get("path")
    return (
        content if isinstance(content, bytes) and content else None,
        path if isinstance(path, str) else "",
    )
