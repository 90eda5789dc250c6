"""CSV, TSV and Parquet tables of images and labels; labels of any words, other columns kept."""

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from emoviz.data.columns import Columns, find_columns
from emoviz.data.importers.common import Files, Gathered, Importer, any_taxonomy, number
from emoviz.data.readers import table_text
from emoviz.data.records import SPLIT_WORDS, LabelledSet, Split, read_table
from emoviz.errors import TableError
from emoviz.labels import get_taxonomy


def read(path: Path, labels: str = "") -> LabelledSet:
    """Bring in a table.

    Args:
        path: CSV or TSV with ``file`` and ``label`` (or shares ``p_<label>``), or Parquet.
        labels: Name of the taxonomy; found from the labels where empty, or made of them.

    Raises:
        TableError: It cannot be read, lacks a column, or no row fits.
    """
    if path.is_dir():
        raise TableError(f"'{path}' is a folder; wanted a CSV, TSV or Parquet file.")
    taxonomy = get_taxonomy(labels) if labels else None
    if path.suffix.casefold() == ".parquet":
        return replace(read_table(path, taxonomy), name=path.stem)
    text, delimiter = table_text(path)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, restval="")
    columns = find_columns(path, reader.fieldnames or (), taxonomy)
    if taxonomy is None:
        names = (
            columns.votes.values() if columns.label is None else _labels(text, delimiter, columns)
        )
        taxonomy = any_taxonomy("table", set(names) - ({"neutral"} if not columns.label else set()))
    found, files = Gathered(taxonomy), Files(path.absolute().parent)
    try:
        for row in reader:
            place = f"{path.name}, line {reader.line_num}"
            try:
                _take(found, files, place, row, columns)
            except TableError as error:
                found.refuse(place, str(error))
    except csv.Error as error:
        raise TableError(f"'{path}', line {reader.line_num}: {error}. Is a quote open?") from None
    return found.finish(path, path.stem, votes=columns.label is None)


def _take(found: Gathered, files: Files, place: str, row: dict[str, str], columns: Columns) -> None:
    name = (row[columns.file] or "").strip()
    if not name:
        raise TableError("the row has no image")
    used = {columns.file, columns.label, columns.split, *columns.votes}
    votes = {answer: number(row[column] or "0", column) for column, answer in columns.votes.items()}
    given = Path(name)
    path = given if given.is_absolute() and given.is_file() else files.find(name)
    found.add(
        place,
        name,
        path,
        (row[columns.label] or "").strip() if columns.label else None,
        None if columns.label else votes,
        _split((row[columns.split] or "").strip() if columns.split else ""),
        (row[columns.group] or "").strip() if columns.group else "",
        {key: text.strip() for key, text in row.items() if key and key not in used and text},
        affect={
            key: scale.turned(row[col] or "", key) for key, (col, scale) in columns.affect.items()
        },
    )


def _split(text: str) -> Split | None:
    if text and text.casefold() not in SPLIT_WORDS:
        raise TableError(f"split is '{text}'; wanted: train, validation or test")
    return SPLIT_WORDS[text.casefold()] if text else None


def _labels(text: str, delimiter: str, columns: Columns) -> Iterator[str]:
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, restval="")
    try:
        yield from (row[columns.label or ""] or "" for row in reader)
    except csv.Error:  # told with its line when the rows are taken
        return


IMPORTER = Importer(
    kind="table",
    title="A table (CSV, TSV, Parquet)",
    layout="columns file and label, or p_<label>; artist or group, and split, if wanted",
    source="your own",
    terms="",
    citation="",
    read=read,
    takes_taxonomy=True,
)
