"""Tables in Parquet files, and the images that these may hold."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

from emoviz.data.cells import plain_name
from emoviz.data.columns import ArrowColumns, Table, check_width, repeated_names
from emoviz.data.images import Limits, read_file
from emoviz.data.named_files import Files
from emoviz.data.parquet_files import of_file, opened_parquet
from emoviz.errors import ImageError, TableError
from emoviz.files import arrow_file, read_json

_ROWS = 64  # of images that are held at a time


def table_of_parquet(path: Path) -> Table:
    """The columns of a Parquet file that can be written as text; that of images by their names."""
    with opened_parquet(path) as file:
        schema, count = file.schema, file.rows
        check_width(path, len(schema.names))
        images = next((item.name for item in schema if _holds_images(item)), None)
        flat = [item.name for item in schema if not _is_nested(item.type)]
        table = file.read(flat)
        columns = dict(zip(table.column_names, table.columns, strict=True))
        if images is not None:
            columns[images] = _image_names(file, path, images)
    names = schema.names
    hidden = re.compile(r"__index_level_|Unnamed:")
    shown = {n: columns[n] for n in names if n in columns and not hidden.match(n)}
    made = ArrowColumns(shown or {"row": [""] * count})
    return Table(
        path, made, repeated_names(names), images=images, classes=_class_names(path, schema)
    )


def read_images(path: Path, column: str) -> list[bytes | None]:
    """The images that a Parquet file holds, a row each; None where a row has none.

    Raises:
        TableError: They unpack to far more than images would.
    """
    with opened_parquet(path) as file:
        batches = file.batches(_ROWS, [column])
        return [_content(value.as_py()) for batch in batches for value in batch.column(0)]


def rows_without_image(path: Path, column: str) -> list[int]:
    """Rows of such a file that hold no image; none is read where the file says that all do."""
    with opened_parquet(path) as file:
        if file.is_full(column):
            return []
        batches = file.batches(_ROWS, [column], counted=False)
        values = (value.as_py() for batch in batches for value in batch.column(0))
        return [row for row, value in enumerate(values) if _content(value) is None]


class ParquetImages:
    """The images inside a Parquet file by their rows; a few rows are held at a time.

    Args:
        table: The file.
        column: That holds them.
        names: Of its rows; one that holds no image may name a file.
    """

    def __init__(self, table: Path, column: str, names: Sequence[str]) -> None:
        self._table, self._column, self._names = table, column, names
        self._next, self._held = 0, cast(Any, ())  # an Arrow column
        self._batches: Iterator[Any] = iter(())

    def read(self, inside: str, limits: Limits) -> bytes:
        """The encoded image of a row; quick where rows are asked for in their order."""
        from pyarrow import ArrowException

        row = int(inside)
        try:
            if row < self._next - len(self._held):
                self._next, self._held = 0, ()
            if not self._next:
                opened = of_file(self._table, arrow_file(self._table))
                self._batches = opened.batches(_ROWS, [self._column], counted=False)
            while row >= self._next:
                self._held = next(self._batches).column(0)
                self._next += len(self._held)
            data = _content(self._held[row - self._next].as_py())
        except (ArrowException, OSError, StopIteration, TableError) as error:
            self._next, self._held = 0, ()
            raise ImageError(f"it cannot be read from the table ({error})") from None
        if data is None:
            file = Files(self._table.parent).find(self._names[row])
            if file is None:
                raise ImageError("there is no such file")
            return read_file(file, limits)
        if len(data) > limits.max_bytes:
            raise ImageError(f"the image has {len(data) / 1e6:,.0f} MB")
        return data


def _content(value: Any) -> bytes | None:
    data = value.get("bytes") if isinstance(value, dict) else value
    return data if isinstance(data, bytes) and data else None


def _is_nested(kind: Any) -> bool:
    from pyarrow import types

    binary = (types.is_binary, types.is_large_binary, types.is_fixed_size_binary)
    if types.is_list(kind) or types.is_large_list(kind):
        return not types.is_string(kind.value_type)
    return bool(types.is_nested(kind) or any(is_so(kind) for is_so in binary))


def _holds_images(item: Any) -> bool:
    from pyarrow import types

    named = plain_name(item.name) in ("image", "img", "picture", "photo", "images")
    return named and _is_nested(item.type) and not types.is_list(item.type)


def _class_names(path: Path, schema: Any) -> dict[str, Sequence[str]]:
    """Column -> names of its numbers, as the Hugging Face library writes them."""
    try:
        told = (schema.metadata or {}).get(b"huggingface")
        beside = path.with_name("dataset_info.json")
        info = json.loads(told)["info"] if told else read_json(beside) or {}
        features = info["features"]
        return {
            column: [str(name) for name in feature["names"]]
            for column, feature in features.items()
            if "names" in feature
        }
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        return {}


def _image_names(file: Any, path: Path, column: str) -> list[str]:
    """The path that goes with each image, or ``<table>/<row>``."""
    count = file.rows
    digits = len(str(max(count - 1, 0)))
    given: Sequence[str | None] = [None] * count
    if f"{column}.path" in file.leaves:
        parts = file.read([f"{column}.path"]).column(0).to_pylist()
        given = [part and part["path"] for part in parts]
    return [name or f"{path.stem}/{row:0{digits}}" for row, name in enumerate(given)]
