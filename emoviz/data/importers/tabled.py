"""Rows of text tables for importers: file, label, every other cell by its name in small letters."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from emoviz.data.columns import find_columns
from emoviz.data.readers import table_text
from emoviz.errors import TableError
from emoviz.labels import Taxonomy


class TableRow(NamedTuple):
    """One row.

    Attributes:
        place: ``labels.csv, line 7``.
        file: As the table names the image.
        label: "" where the table has none.
        cells: All cells by the columns' names in small letters.
    """

    place: str
    file: str
    label: str
    cells: Mapping[str, str]


def rows_of(table: Path, taxonomy: Taxonomy | None) -> Iterator[TableRow]:
    """The rows of a CSV or TSV, one after the other.

    Raises:
        TableError: It cannot be read, or lacks a column.
    """
    text, delimiter = table_text(table)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, restval="")
    columns = find_columns(table, reader.fieldnames or (), taxonomy)
    try:
        for row in reader:
            cells = {name.strip().casefold(): (row[name] or "").strip() for name in row if name}
            file = (row[columns.file] or "").strip()
            label = (row[columns.label] or "").strip() if columns.label else ""
            yield TableRow(f"{table.name}, line {reader.line_num}", file, label, cells)
    except csv.Error as error:
        raise TableError(f"'{table}', line {reader.line_num}: {error}.") from None


def plain_rows(
    table: Path, wanted: Sequence[str], title: str
) -> Iterator[tuple[str, Mapping[str, str]]]:
    """(``file, line n``, cells by the columns' names in small letters) of a CSV or TSV.

    Raises:
        TableError: It cannot be read, or lacks a column of `wanted`.
    """
    text, delimiter = table_text(table)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, restval="")
    names = {name.strip().casefold(): name for name in reader.fieldnames or () if name}
    missing = [name for name in wanted if name not in names]
    if missing:
        raise TableError(f"'{table}' lacks the columns {', '.join(missing)}; is it of {title}?")
    try:
        for row in reader:
            cells = {name: (row[column] or "").strip() for name, column in names.items()}
            yield f"{table.name}, line {reader.line_num}", cells
    except csv.Error as error:
        raise TableError(f"'{table}', line {reader.line_num}: {error}.") from None
