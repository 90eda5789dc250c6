"""Vectors that somebody brings along: CSV, npz, npy or Parquet, with labels and names if there."""

import csv
import io
import math
import tokenize
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from emoviz.data.parquet_files import OpenedParquet
from emoviz.errors import TableError

# What a file may unpack to, as its own tables say before anything is: a million vectors of 500.
_MAX_UNPACKED, _MAX_ROWS, _MAX_COLUMNS = 2_000_000_000, 2_000_000, 20_000
# What zipfile, zlib and numpy's own reader of headers raise over files that are none.
UNREADABLE = (
    *(OSError, ValueError, TypeError, KeyError, EOFError, MemoryError, RuntimeError, SyntaxError),
    *(OverflowError, zipfile.BadZipFile, zlib.error, tokenize.TokenError),
)
_NUMBER = 4  # bytes of one as it is kept
_LABELS = ("label", "emotion", "class", "labels", "target")
_NAMES = ("path", "file", "filename", "image", "name", "paths", "files", "names")
_VECTORS = ("u", "embedding", "embeddings", "vector", "vectors", "features", "x")
_NUMBERS = ("", "index", "id", "row", "unnamed: 0", "__index_level_0__")  # rows counted, no value


@dataclass(frozen=True)
class Vectors:
    """N vectors that did not come from a checkpoint.

    Attributes:
        title: The file's name.
        values: (N, D) float32, finite.
        names: (N) the path or name of each row, or ``row 1``, ``row 2``, ...
        labels: (N) texts, "" where there is none; empty where the file has no labels.
        columns: (D) names of the values' columns; empty where they come as one array.
        left_out: Rows that cannot be used, counted from 1: (row, reason).
    """

    title: str
    values: NDArray[np.float32]
    names: tuple[str, ...]
    labels: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    left_out: tuple[tuple[int, str], ...] = ()

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True)
class _Found:
    """What a file holds before rows are checked: (N, D) with NaN where there is no number."""

    values: NDArray[np.floating]
    names: Sequence[str] = ()
    labels: Sequence[str] = ()
    columns: tuple[str, ...] = ()


def read_vectors(source: Path | bytes, name: str = "") -> Vectors:
    """Read vectors of one's own.

    Args:
        source: A file or its bytes. CSV or TSV (every column of numbers is a dimension, with or
            without a header), npy, npz (the array ``u``, ``embedding``, ``features`` or ``X``,
            else the only one of two dimensions) or Parquet (one column of lists, else every
            column of numbers). A column or array ``label``, ``emotion`` or ``class`` (in
            npz also ``y``) holds labels, ``path``, ``file`` or ``name`` names.
        name: The file's name, whose ending says its kind; of `source` where empty.

    Returns:
        The rows whose numbers are all finite; the others are listed with their number.

    Raises:
        TableError: The file cannot be read, has fewer than two dimensions, or no row that can
            be used.
    """
    title = name or (source.name if isinstance(source, Path) else "vectors")
    suffix = PurePath(title).suffix.casefold()
    if suffix not in _READERS:
        kinds = ", ".join(_READERS)
        raise TableError(f"'{title}' is of no kind that holds vectors here; wanted: {kinds}.")
    try:
        data = source if isinstance(source, bytes) else source.read_bytes()
    except OSError as error:
        raise TableError(f"'{title}' cannot be read: {error.strerror or error}.") from None
    return _checked(title, _READERS[suffix](title, data))


def _checked(title: str, found: _Found) -> Vectors:
    with np.errstate(over="ignore"):  # what float32 cannot hold is infinite, and told below
        values = np.asarray(found.values[: _MAX_ROWS + 1], np.float32)
    if values.ndim != 2 or values.shape[1] < 2:
        width = values.shape[1] if values.ndim == 2 else 0
        raise TableError(
            f"'{title}' has {width or 'no'} column{'s' * (width != 1)} of numbers; wanted two or "
            "more, one for each dimension."
        )
    if len(found.values) > _MAX_ROWS:
        count = len(found.values)
        raise TableError(f"'{title}' has {count:,} rows; at most {_MAX_ROWS:,} are read.")
    for what, column in (("names", found.names), ("labels", found.labels)):
        if column:
            _check_count(title, len(values), len(column), what)
    finite = np.isfinite(values).all(axis=1)
    good, bad = np.flatnonzero(finite).tolist(), np.flatnonzero(~finite).tolist()
    if not good:
        raise TableError(f"'{title}' has {len(values)} rows, none of which is all numbers.")
    names = found.names or [f"row {number}" for number in range(1, len(values) + 1)]
    every = not bad
    return Vectors(
        title,
        values if every else values[good],
        tuple(names if every else (names[i] for i in good)),
        tuple(found.labels if every else (found.labels[i] for i in good)) if found.labels else (),
        found.columns,
        tuple((i + 1, _why(values[i])) for i in bad),
    )


def _why(row: NDArray[np.float32]) -> str:
    missing, endless = int(np.isnan(row).sum()), int(np.isinf(row).sum())
    parts = [f"{missing} of {len(row)} values missing or NaN"] if missing else []
    return " and ".join([*parts, *([f"{endless} infinite"] if endless else [])])


def _from_text(title: str, data: bytes) -> _Found:
    import pandas as pd

    encoding = "utf-8-sig" if _is_utf8(data) else "cp1252"
    first = data.split(b"\n", 1)[0].decode(encoding, errors="replace")
    delimiter = max(",;\t ", key=first.count)
    if (count := first.count(delimiter) + 1) > _MAX_COLUMNS:
        raise TableError(f"'{title}' has {count:,} columns; at most {_MAX_COLUMNS:,} are read.")
    header = None if all(_is_number(cell) for cell in first.split(delimiter)) else 0
    try:
        frame = pd.read_csv(
            io.BytesIO(data),
            sep=delimiter,
            header=header,
            encoding=encoding,
            encoding_errors="replace",
            skipinitialspace=True,
            low_memory=False,
        )
    except (ValueError, csv.Error) as error:  # pandas' own errors are ValueErrors
        raise TableError(f"'{title}' is no readable table: {error}.") from None
    return _from_frame(frame)


def _from_frame(frame: Any) -> _Found:
    """Columns of numbers are those that mostly hold numbers; single other cells become NaN."""
    import pandas as pd

    names, labels = _named(frame.columns, _NAMES), _named(frame.columns, _LABELS)
    kept = {}
    for column in frame.columns:
        if column in (names, labels) or str(column).strip().casefold() in _NUMBERS:
            continue
        numbers = pd.to_numeric(frame[column], errors="coerce")
        if 2 * numbers.count() > frame[column].count():
            kept[str(column)] = numbers.to_numpy(np.float64)
    return _Found(
        np.stack(list(kept.values()), axis=1) if kept else np.empty((len(frame), 0)),
        _texts(frame[names]) if names is not None else (),
        _texts(frame[labels]) if labels is not None else (),
        tuple(kept),
    )


def _from_parquet(title: str, data: bytes) -> _Found:
    import pyarrow as pa

    try:
        file = OpenedParquet(io.BytesIO(data), title)
        schema = file.schema
        names, labels = _named(schema.names, _NAMES), _named(schema.names, _LABELS)
        lists = [item.name for item in schema if _is_vector(item.type)]
        numbers = [item.name for item in schema if _is_number_like(item.type)]
        vector = _named(lists, _VECTORS) or (lists[0] if lists else None)
        wanted = [names, labels, *([vector] if lists else numbers)]
        kept = [column for column in dict.fromkeys(wanted) if column is not None]
        _check_size(title, _parquet_size(file.metadata, kept))
        frame = file.read(kept).to_pandas()
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = str(error).strip().split("\n")[0].rstrip(".")
        raise TableError(f"'{title}' is no readable Parquet file: {reason}.") from None
    if vector is None:
        return _from_frame(frame)
    return _Found(
        _stacked(frame[vector]),
        _texts(frame[names]) if names is not None else (),
        _texts(frame[labels]) if labels is not None else (),
    )


def _from_arrays(title: str, data: bytes) -> _Found:
    try:
        _check_size(title, unpacked_size(io.BytesIO(data)))
        loaded = np.load(io.BytesIO(data), allow_pickle=False)
        arrays = {"u": loaded} if isinstance(loaded, np.ndarray) else _arrays(loaded)
    except UNREADABLE as error:
        raise TableError(f"'{title}' holds no plain arrays of numbers or text: {error}.") from None
    flat = [name for name, array in arrays.items() if array.ndim == 2 and array.dtype.kind in "fiu"]
    vector = _named(flat, _VECTORS) or (flat[0] if len(flat) == 1 else None)
    if vector is None:
        told = ", ".join(f"{name} {array.shape}" for name, array in arrays.items()) or "nothing"
        raise TableError(
            f"'{title}' holds {told}; wanted one array (N, D) of numbers, called u, embedding, "
            "features or X where there are several."
        )
    names, labels = _named(arrays, _NAMES), _named(arrays, (*_LABELS, "y"))  # y beside X
    for what, name in (("names", names), ("labels", labels)):
        if name is not None:
            _check_count(title, len(arrays[vector]), arrays[name].size, what)
    return _Found(
        arrays[vector],
        _words(arrays[names]) if names is not None else (),
        _words(arrays[labels]) if labels is not None else (),
    )


def _arrays(loaded: Any) -> dict[str, NDArray[Any]]:
    """The arrays of an npz; whatever else the ZIP holds is none."""
    with loaded:
        found = {name: loaded[name] for name in loaded.files}
    return {name: array for name, array in found.items() if isinstance(array, np.ndarray)}


def _check_count(title: str, vectors: int, count: int, what: str) -> None:
    if vectors != count:
        raise TableError(f"'{title}' has {vectors} vectors, but {count} {what}.")


def _check_size(title: str, size: int) -> None:
    if size > _MAX_UNPACKED:
        raise TableError(
            f"'{title}' unpacks to {size / 1e6:,.0f} MB; at most {_MAX_UNPACKED / 1e6:,.0f} MB "
            "are read. Bring fewer rows, or float32 in the place of float64."
        )


def unpacked_size(source: IO[bytes]) -> int:
    """Bytes of all arrays of an npz, or of an npy as its header has it; none of them is read.

    Raises:
        UNREADABLE: It is neither.
    """
    is_npy = source.read(2) != b"PK"
    source.seek(0)
    if is_npy:
        return _npy_size(source)
    total = 0
    with zipfile.ZipFile(source) as archive:
        for member in archive.infolist():
            size = member.file_size
            if member.filename.endswith(".npy") and total <= _MAX_UNPACKED:
                with archive.open(member) as stream:  # its header may claim more than it holds
                    size = max(size, _npy_size(stream))
            total += size
    return total


def _npy_size(stream: Any) -> int:
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0
    shape, _, kind = (read if version == (1, 0) else np.lib.format.read_array_header_2_0)(stream)
    return math.prod(int(side) for side in shape) * max(int(kind.itemsize), _NUMBER)


def _parquet_size(metadata: Any, wanted: Iterable[str]) -> int:
    """Bytes that columns take once repeated values are written out, at eight a value."""
    names, rows = set(wanted), range(metadata.num_row_groups)
    every = (metadata.row_group(r).column(c) for r in rows for c in range(metadata.num_columns))
    return 8 * sum(
        int(one.num_values) for one in every if one.path_in_schema.split(".")[0] in names
    )


def _named(columns: Iterable[Any], wanted: Sequence[str]) -> Any:
    """The first of the wanted names that is there, as it is spelt; None where none is."""
    known = {str(column).strip().casefold(): column for column in columns}
    return next((known[name] for name in wanted if name in known), None)


def _texts(column: Any) -> list[str]:
    return [str(value) for value in column.astype(object).where(column.notna(), "")]


def _words(array: NDArray[Any]) -> list[str]:
    values = array.ravel()[: _MAX_ROWS + 1].tolist()
    return [v.decode(errors="replace") if isinstance(v, bytes) else str(v) for v in values]


def _stacked(column: Any) -> NDArray[np.float32]:
    """(N, D) of lists; a row of another length than most becomes NaN."""
    lengths = Counter(len(row) for row in column if row is not None)
    width = lengths.most_common(1)[0][0] if lengths else 0
    nothing = np.full(width, np.nan)
    fits = (row if row is not None and len(row) == width else nothing for row in column)
    return np.array(list(fits), np.float32).reshape(len(column), width)


def _is_vector(kind: Any) -> bool:
    from pyarrow import types

    listed = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    return bool(
        listed and (types.is_floating(kind.value_type) or types.is_integer(kind.value_type))
    )


def _is_number_like(kind: Any) -> bool:
    from pyarrow import types

    numbers = (types.is_integer, types.is_floating, types.is_boolean, types.is_decimal)
    return any(is_so(kind) for is_so in numbers)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _is_number(text: str) -> bool:
    try:
        float(text.strip().strip('"'))
    except ValueError:
        return False
    return True


_READERS: Mapping[str, Callable[[str, bytes], _Found]] = {
    ".csv": _from_text,
    ".tsv": _from_text,
    ".txt": _from_text,
    ".npz": _from_arrays,
    ".npy": _from_arrays,
    ".parquet": _from_parquet,
}
