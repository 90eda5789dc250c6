"""Images inside tables: Parquet and Arrow files as the Hugging Face library writes them."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from emoviz.data.parquet_files import opened_parquet
from emoviz.data.tables import columns_told
from emoviz.errors import TableError
from emoviz.files import arrow_file

_BATCH = 512
_IMAGE = ("image", "img", "picture")
_LABEL = ("label", "labels", "emotion", "class")


class InsideRow(NamedTuple):
    """One image of a table.

    Attributes:
        place: ``train.parquet, row 12``, counted from 0.
        number: Of the row.
        name: The path that goes with the image; "" where there is none.
        label: A name, or a number as text.
        content: The encoded image; None where the table names a file alone.
        cells: The other columns as texts.
    """

    place: str
    number: int
    name: str
    label: str
    content: bytes | None
    cells: Mapping[str, str]


def parquet_images(
    table: Path, names: Sequence[str] = (), label: str | None = None
) -> Iterator[InsideRow]:
    """The rows of a Parquet file with images inside, a batch at a time.

    Args:
        table: The file.
        names: Of the labels, where they are numbers.
        label: The column of labels; found by its name where None.

    Raises:
        TableError: It is no Parquet file, or lacks a column.
    """
    with opened_parquet(table) as file:
        yield from _rows(table, file.schema, file.batches(_BATCH), names, label)


def arrow_images(
    table: Path, names: Sequence[str] = (), label: str | None = None
) -> Iterator[InsideRow]:
    """The same of an Arrow file, the stream that ``save_to_disk`` writes."""
    import pyarrow as pa

    try:
        with arrow_file(table) as source, pa.ipc.open_stream(source) as reader:
            yield from _rows(table, reader.schema, iter(reader), names, label)
    except (pa.ArrowException, OSError) as error:
        reason = str(error).strip().split("\n")[0].rstrip(".")
        raise TableError(f"'{table}' is no readable Arrow file: {reason}.") from None


def label_column(names: Sequence[str]) -> str | None:
    """Which of some columns holds labels."""
    by_lower = {name.casefold(): name for name in names}
    return next((by_lower[name] for name in _LABEL if name in by_lower), None)


def _rows(
    table: Path, schema: Any, batches: Iterator[Any], names: Sequence[str], label: str | None
) -> Iterator[InsideRow]:
    by_lower = {name.casefold(): name for name in schema.names}
    image = next((by_lower[name] for name in _IMAGE if name in by_lower), None)
    label = label or label_column(schema.names)
    if image is None or label is None:
        told = columns_told(schema.names, "images" if image is None else "labels")
        raise TableError(f"'{table}' has {told}; wanted image and label.")
    others = [name for name in schema.names if name not in (image, label)]
    rows = (batch.slice(i, 1).to_pylist()[0] for batch in batches for i in range(len(batch)))
    for number, row in enumerate(rows):
        content, name = _image(row[image])
        cells = {key: str(row[key]) for key in others if _is_plain(row[key])}
        place = f"{table.name}, row {number}"
        yield InsideRow(place, number, name, _label(row[label], names), content, cells)


def _label(value: Any, names: Sequence[str]) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(names):
        return names[value]
    return "" if value is None else str(value)


def _image(value: Any) -> tuple[bytes | None, str]:
    parts = value if isinstance(value, dict) else {"bytes": value}
    content, path = parts.get("bytes"), parts.get("path")
    name = path if isinstance(path, str) else value if isinstance(value, str) else ""
    return content if isinstance(content, bytes) and content else None, name


def _is_plain(value: Any) -> bool:
    with contextlib.suppress(TypeError):
        return isinstance(value, str | int | float) and len(str(value)) < 500
    return False
