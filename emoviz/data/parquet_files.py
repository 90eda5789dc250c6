"""Parquet files, which may be anybody's: what they unpack to is known before it is.

A value that is repeated stands once in such a file, and a run of equal numbers takes a few bytes:
7 KB can hold 20 GB. Texts are therefore read as references to their distinct values, and counted.
"""

import contextlib
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import IO, Any

from emoviz.errors import TableError
from emoviz.files import arrow_file

_FOOTER = 64_000_000  # bytes of a file's description of itself, at most
_BOMB, _SMALL = 200, 200_000_000  # columns may not grow more than this many times when unpacked
_NUMBER = 8  # bytes of one


class OpenedParquet:
    """A Parquet file whose columns are counted before they are handed out.

    Args:
        source: Its bytes, which can be sought in.
        title: In messages.
    """

    def __init__(self, source: IO[bytes] | Any, title: str) -> None:
        from pyarrow import parquet

        size = source.seek(0, 2) or source.tell()
        source.seek(max(size - 8, 0))
        footer = int.from_bytes(source.read(8)[:4], "little")
        if footer > min(_FOOTER, size):
            raise TableError(
                f"'{title}' is no readable Parquet file: its description of itself would take "
                f"{footer / 1e6:,.0f} MB."
            )
        self._refuse = partial(_refuse_bomb, title, max(_SMALL, _BOMB * size))
        plain = parquet.ParquetFile(source)
        self.metadata, self.schema = plain.metadata, plain.schema_arrow
        self.rows = int(plain.metadata.num_rows)
        leaves = [plain.schema.column(i) for i in range(plain.metadata.num_columns)]
        self.leaves = [leaf.path for leaf in leaves]
        self._widths = [leaf.length if "FIXED" in leaf.physical_type else 0 for leaf in leaves]
        texts = [leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY"]
        self._plain = plain
        self._file = parquet.ParquetFile(source, metadata=self.metadata, read_dictionary=texts)

    def read(self, columns: Iterable[str] | None = None) -> Any:
        """Columns as an Arrow table, in which texts refer to their distinct values.

        Raises:
            TableError: They unpack to far more than the file holds.
        """
        import pyarrow as pa

        wanted, total, groups = self._checked(columns), 0, []
        for number in range(self.metadata.num_row_groups):  # Arrow joins no nested ones itself
            groups.append(self._file.read_row_group(number, columns=wanted))
            total = self._count(total, groups[-1].columns)
        return pa.concat_tables(groups) if groups else self._file.read(columns=wanted)

    def batches(
        self, rows: int, columns: Iterable[str] | None = None, counted: bool = True
    ) -> Iterator[Any]:
        """The same by some rows at a time; what is not `counted` may be repeated at will."""
        wanted, total = self._checked(columns), 0
        file = self._file if counted else self._plain
        for batch in file.iter_batches(rows, columns=wanted):
            total = self._count(total, batch.columns) if counted else 0
            yield batch

    def is_full(self, column: str) -> bool:
        """Whether the file itself says that each row has something in a column, or its bytes."""
        places = [i for i, leaf in enumerate(self.leaves) if leaf in (column, f"{column}.bytes")]
        groups = map(self.metadata.row_group, range(self.metadata.num_row_groups))
        told = [group.column(i).statistics for group in groups for i in places]
        return bool(places) and all(known and known.null_count == 0 for known in told)

    def _checked(self, columns: Iterable[str] | None) -> list[str] | None:
        """The columns, once what the file says of their sizes fits."""
        wanted = None if columns is None else list(dict.fromkeys(columns))
        places = [
            i
            for i, leaf in enumerate(self.leaves)
            if wanted is None or leaf in wanted or leaf.partition(".")[0] in wanted
        ]
        total = _NUMBER * self.metadata.num_rows
        for number in range(self.metadata.num_row_groups):
            group = self.metadata.row_group(number)
            for i in places:
                part, width = group.column(i), max(_NUMBER, self._widths[i])
                values = max(part.num_values, group.num_rows)
                total += max(part.total_uncompressed_size, width * values)
        self._refuse(total)
        return wanted

    def _count(self, total: int, columns: Iterable[Any]) -> int:
        for column in columns:
            for chunk in getattr(column, "chunks", [column]):
                total += _written_out(chunk)
                self._refuse(total)
        return total


class OpenedArrow:
    """Arrow, a file or a stream as Hugging Face's ``save_to_disk`` writes it; the same methods."""

    def __init__(self, source: Any, title: str) -> None:
        import pyarrow as pa

        most, total, batches = max(_SMALL, _BOMB * source.size()), 0, []
        is_file = source.read(6) == b"ARROW1"
        source.seek(0)
        with (pa.ipc.open_file if is_file else pa.ipc.open_stream)(source) as reader:
            numbers = range(reader.num_record_batches) if is_file else ()
            for batch in map(reader.get_batch, numbers) if is_file else reader:
                total += batch.nbytes + sum(map(_written_out, batch.columns))
                _refuse_bomb(title, most, total)
                batches.append(batch)
            self.schema = reader.schema
        self._table = pa.Table.from_batches(batches, self.schema)
        self.rows = len(self._table)
        structs = [field for field in self.schema if pa.types.is_struct(field.type)]
        self.leaves = [f"{field.name}.{inner.name}" for field in structs for inner in field.type]

    def read(self, columns: Iterable[str] | None = None) -> Any:
        """Columns as an Arrow table; of a column of structs, all of it."""
        names = columns if columns is not None else self.schema.names
        return self._table.select([name.partition(".")[0] for name in names])

    def batches(
        self, rows: int, columns: Iterable[str] | None = None, counted: bool = True
    ) -> Iterator[Any]:
        """The same by some rows at a time."""
        return iter(self.read(columns).to_batches(rows))

    def is_full(self, column: str) -> bool:
        """It does not say."""
        return False


def of_file(path: Path, source: Any) -> OpenedParquet | OpenedArrow:
    """An opened file of Parquet, or of Arrow by its name."""
    return (OpenedArrow if _is_arrow(path) else OpenedParquet)(source, str(path))


@contextlib.contextmanager
def opened_parquet(path: Path) -> Iterator[Any]:
    """Open a Parquet file, or one of Arrow by its name.

    Raises:
        TableError: It is none that can be read, or unpacks to far more than it holds.
    """
    import pyarrow as pa

    try:
        with arrow_file(path) as source:
            yield of_file(path, source)
    except (pa.ArrowException, OSError, ValueError, RecursionError, MemoryError) as error:
        reason = str(error).strip().split("\n")[0].rstrip(".") or "it is too deeply nested"
        kind = "Arrow" if _is_arrow(path) else "Parquet"
        raise TableError(f"'{path}' is no readable {kind} file: {reason}.") from None


def _is_arrow(path: Path) -> bool:
    return path.suffix.casefold() in (".arrow", ".feather")


def _refuse_bomb(title: str, most: int, total: int) -> None:
    if total > most:
        told = f"{total / 1e6:,.0f} MB, far more than it holds"
        raise TableError(f"'{title}' would unpack to {told}.")


def _written_out(array: Any) -> int:
    """Bytes of an array's texts once each row has its own."""
    from pyarrow import compute, types

    if types.is_struct(array.type):
        return sum(_written_out(array.field(i)) for i in range(array.type.num_fields))
    if types.is_list(array.type) or types.is_large_list(array.type):
        return _written_out(array.flatten())
    if not types.is_dictionary(array.type):
        return 0
    kind = array.type.value_type
    texts = types.is_string(kind) or types.is_large_string(kind) or types.is_binary(kind)
    if not (texts or types.is_large_binary(kind)):
        return 0
    lengths = compute.take(compute.binary_length(array.dictionary), array.indices)
    return int(compute.sum(lengths.cast("int64")).as_py() or 0)
