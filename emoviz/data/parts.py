"""One of several parts of a set, made anywhere, and all of them together again.

Any machine can take any part, in any order, and no image is in two: a part holds what a hash of
the key says. Nothing is agreed upon while they work. A part is a Parquet file of the verb's own
columns and ``place``, where in the whole a row stands; the schema's metadata says under
``emoviz_part`` which part it is, of what, by which network, and what had no row (`PartHead`).
"""

import contextlib
import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from emoviz import __version__
from emoviz.data.dataset import Dataset
from emoviz.data.parquet_files import OpenedParquet
from emoviz.errors import TableError
from emoviz.files import arrow_file, made_of, replaced_file

_ABOUT, PLACE = b"emoviz_part", "place"
_WINDOW = 16_384  # places of the whole that are in memory at once
_NAMED = 20  # missing parts that a message names
_ROW_GROUP = 4096


@dataclass(frozen=True)
class Part:
    """Part `number` of `count`, from 1."""

    number: int
    count: int

    def holds(self, key: str) -> bool:
        """Whether the image or problem of that key belongs here."""
        digest = hashlib.sha256(_bytes(key)).digest()
        return int.from_bytes(digest[:8], "big") % self.count == self.number - 1

    def of(self, keys: Iterable[str]) -> list[int]:
        """The places of the keys that belong here."""
        return [place for place, key in enumerate(keys) if self.holds(key)]


@dataclass(frozen=True)
class Whole:
    """What all parts of one work have in common.

    Attributes:
        verb: What made them.
        fingerprint: Of all that decides over the numbers: checkpoint, preprocessing, options.
        found: Images and problems of the whole.
        keys: Digest of all keys, in order: parts of a folder that changed meanwhile differ.
        version: Of emoviz.
        about: What else the result says of itself; may differ between machines.
    """

    verb: str
    fingerprint: str
    found: int
    keys: str
    version: str = __version__
    about: Mapping[str, Any] = field(default_factory=dict, compare=False)


class Refused(NamedTuple):
    """What has no row: its place in the whole, its key, and why."""

    place: int
    key: str
    reason: str


@dataclass(frozen=True)
class PartHead:
    """What the file of a part says of itself.

    Attributes:
        part: Which part it is.
        whole: Of what.
        held: Images and problems of this part.
        refused: Those of them that have no row.
    """

    part: Part
    whole: Whole
    held: int
    refused: tuple[Refused, ...]


@dataclass(frozen=True)
class PartRows:
    """What a verb makes of one part.

    Attributes:
        places: (n) of the rows, rising.
        schema: The columns; its metadata goes into the file as well.
        batches: Record batches, all n rows in that order.
        refused: What has no row.
    """

    places: Sequence[int]
    schema: Any
    batches: Iterable[Any]
    refused: Sequence[Refused] = ()


@dataclass(frozen=True)
class PartWork:
    """A verb's work that can be done in parts: what all have in common, and what makes one."""

    whole: Whole
    rows: Callable[[Part], PartRows]


@dataclass(frozen=True)
class Merged:
    """All parts as one.

    Attributes:
        whole: What they were of.
        schema: The columns, with the metadata of the first part's file.
        count: How many rows there are.
        refused: What has no row, in the order of the whole.
        tables: The rows as Arrow tables, in the order of the whole; can be read once.
    """

    whole: Whole
    schema: Any
    count: int
    refused: tuple[Refused, ...]
    tables: Iterator[Any]


def parse_part(text: str) -> Part:
    """Read ``2/7``.

    Raises:
        TableError: It is no part of a whole.
    """
    number, separator, count = text.strip().partition("/")
    digits = number.isdecimal() and count.isdecimal() and len(number + count) < 13
    if not separator or not digits or not 1 <= int(number) <= int(count):
        raise TableError(f"'{text}' is no part; wanted: I/N, such as 2/7 for the second of seven.")
    return Part(int(number), int(count))


def keys_of(whole: Dataset) -> list[str]:
    """(N + problems) the keys of a set: names without the folder as somebody typed it."""
    names = [name.removeprefix(whole.shown) for name in whole.names]
    return [*names, *(problem.key for problem in whole.problems)]


def digest_of(values: Iterable[str]) -> str:
    """SHA-256 of texts in their order."""
    digest = hashlib.sha256()
    for value in values:
        digest.update(_bytes(value) + b"\0")
    return digest.hexdigest()


def whole_of(verb: str, found: Dataset, *fingerprint: str, **about: Any) -> Whole:
    """What all parts of a verb's work on a set have in common.

    Args:
        verb: What makes them.
        found: The set.
        fingerprint: All that decides over the numbers.
        about: What else the result says of itself.
    """
    keys = keys_of(found)
    return Whole(verb, digest_of(fingerprint), len(keys), digest_of(keys), about=about)


def of_part(whole: Dataset, part: Part) -> tuple[list[int], list[Refused]]:
    """Which images of a set belong to a part, and which of its problems."""
    held, count = part.of(keys_of(whole)), len(whole)
    problems = [Refused(i, *whole.problems[i - count]) for i in held if i >= count]
    return [i for i in held if i < count], problems


def texts_of(values: Sequence[str | None]) -> Any:
    """An Arrow column of text; bytes of a name that are no text become U+FFFD."""
    import pyarrow as pa

    try:
        return pa.array(values, pa.string())
    except UnicodeEncodeError:
        return pa.array([value and os.fsencode(value).decode(errors="replace") for value in values])


def write_part(path: Path, work: PartWork, part: Part) -> PartHead:
    """Make one part and write it, whole or not at all.

    Raises:
        OSError: It cannot be written.
    """
    import pyarrow as pa
    from pyarrow import parquet

    made = work.rows(part)
    head = PartHead(part, work.whole, len(made.places) + len(made.refused), tuple(made.refused))
    about = {**(made.schema.metadata or {}), _ABOUT: json.dumps(asdict(head)).encode()}
    schema = made.schema.append(pa.field(PLACE, pa.int64())).with_metadata(about)
    written = 0
    with (
        replaced_file(path) as aside,
        arrow_file(aside, "wb") as stream,
        parquet.ParquetWriter(stream, schema, compression="zstd") as writer,
    ):
        for batch in made.batches:
            places = pa.array(made.places[written : written + len(batch)], pa.int64())
            writer.write_batch(
                pa.record_batch([*batch.columns, places], schema=schema), row_group_size=_ROW_GROUP
            )
            written += len(batch)
    return head


def read_head(path: Path) -> PartHead:
    """What a part's file says of itself, once it holds as many rows as it says.

    Raises:
        TableError: It is missing, no part, or was cut short.
    """
    with contextlib.ExitStack() as stack:
        return _File(path, stack).head


@contextlib.contextmanager
def merged(paths: Sequence[Path]) -> Iterator[Merged]:
    """All parts as one, in the order of the whole, whatever machines made them.

    Args:
        paths: The files of all parts, in any order.

    Raises:
        TableError: A part is missing, given twice, cut short or no part; or the parts are of
            another checkpoint or version, or of a set that changed between them.
    """
    with contextlib.ExitStack() as stack:
        files = sorted((_File(path, stack) for path in paths), key=lambda f: f.head.part.number)
        _check_whole(files)
        _check_same(files)
        refused = tuple(sorted(chain.from_iterable(file.head.refused for file in files)))
        _check_places(files, refused)
        whole, schema = files[0].head.whole, files[0].schema
        about = {name: text for name, text in schema.metadata.items() if name != _ABOUT}
        columns = schema.remove(schema.get_field_index(PLACE)).with_metadata(about)
        count = sum(file.rows for file in files)
        yield Merged(whole, columns, count, refused, _ordered(files, whole.found))


class _File:
    """One part's file, read from its beginning to its end."""

    def __init__(self, path: Path, stack: contextlib.ExitStack) -> None:
        import pyarrow as pa

        self.path = path
        try:
            stream = stack.enter_context(arrow_file(path))
            self._file = OpenedParquet(stream, str(path))
        except FileNotFoundError:
            raise TableError(f"There is no part '{path}'.") from None
        except (pa.ArrowException, OSError, ValueError, TableError) as error:
            reason = str(error).strip().split("\n")[0].rstrip(".")
            raise TableError(
                f"'{path}' cannot be read, perhaps it was cut short ({reason}). Make this part "
                "anew."
            ) from None
        self.schema = self._file.schema
        self.rows = self._file.metadata.num_rows
        self.head = _head(path, self.schema)
        if self.rows + len(self.head.refused) != self.head.held:
            raise TableError(
                f"'{path}' tells of {self.rows + len(self.head.refused):,} images and problems, "
                f"its part has {self.head.held:,}: it was cut short. Make this part anew."
            )

    def places(self) -> NDArray[np.int64]:
        column = self._file.read([PLACE]).column(PLACE)
        return np.asarray(column.fill_null(-1).to_numpy(), np.int64)

    def tables(self, rows: int) -> Iterator[Any]:
        import pyarrow as pa

        try:
            for batch in self._file.batches(rows):
                yield pa.Table.from_batches([batch]).cast(self.schema)
        except (pa.ArrowException, OSError) as error:
            raise TableError(f"'{self.path}' is damaged: {error}. Make this part anew.") from None


def _head(path: Path, schema: Any) -> PartHead:
    text, at = (schema.metadata or {}).get(_ABOUT), schema.get_field_index(PLACE)
    if text is None or at < 0 or str(schema.field(at).type) != "int64":
        raise TableError(f"'{path}' holds no part of a whole; a verb with --part I/N writes one.")
    try:
        values = json.loads(text)
        return PartHead(
            made_of(Part, values["part"]),
            made_of(Whole, values["whole"]),
            int(values["held"]),
            tuple(
                Refused(int(np.int64(place)), str(key), str(why))
                for place, key, why in values["refused"]
            ),
        )
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise TableError(f"'{path}' cannot be read: {error}. Make this part anew.") from None


def _check_whole(files: Sequence[_File]) -> None:
    counts = {file.head.part.count for file in files}
    if len(counts) != 1:
        told = " and ".join(f"one of {count}" for count in sorted(counts))
        raise TableError(
            f"The parts are of different cuts: {told}." if counts else "No part given."
        )
    (count,) = counts
    given = Counter(file.head.part.number for file in files)
    absent = (str(number) for number in range(1, count + 1) if not given[number])
    missing = list(islice(absent, _NAMED))  # of the billions that a file may speak of
    if missing:
        more = count - sum(1 <= number <= count for number in given) - len(missing)
        rest = f" and {more:,} more" if more else ""
        raise TableError(f"Of {count:,} parts, these are missing: {', '.join(missing)}{rest}.")
    twice = [str(number) for number, times in given.items() if times > 1]
    if twice:
        raise TableError(f"Parts given more than once: {', '.join(twice)}.")


def _check_same(files: Sequence[_File]) -> None:
    """All parts must be of one whole, as it then was, made in one way."""
    first = files[0]
    for file in files[1:]:
        one, other = first.head.whole, file.head.whole
        if one.verb != other.verb:
            told = f"'{file.path}' was made by {other.verb}, '{first.path}' by {one.verb}"
            raise TableError(f"{told}: they are parts of two works.")
        if (one.fingerprint, one.version) != (other.fingerprint, other.version):
            raise TableError(
                f"'{file.path}' was made by emoviz {other.version} and '{first.path}' by "
                f"{one.version}, or with another network or other options: make both anew with "
                "the same."
            )
        if one != other:
            raise TableError(
                f"'{file.path}' was made when the set had other images ({other.found:,}) than "
                f"'{first.path}' ({one.found:,}): make the older one anew."
            )
        if not file.schema.equals(first.schema, check_metadata=False):
            raise TableError(
                f"'{file.path}' has other columns than '{first.path}': make both anew."
            )


def _check_places(files: Sequence[_File], refused: Sequence[Refused]) -> None:
    """Each image and problem of the whole is in one part, once."""
    rows = [file.places() for file in files]
    for file, places in zip(files, rows, strict=True):
        if (np.diff(places) <= 0).any():
            raise TableError(f"'{file.path}' has an image twice; make this part anew.")
    every = np.concatenate([*rows, np.array([item.place for item in refused], np.int64)])
    if len(np.unique(every)) < len(every):
        raise TableError("Some images are in two parts; make the parts anew.")
    found = files[0].head.whole.found
    if len(every) != found or (found and (every.min() < 0 or every.max() >= found)):
        raise TableError(
            f"The set has {found:,} images and problems, its parts tell of {len(every):,}. Make "
            "the parts anew."
        )


def _ordered(files: Sequence[_File], found: int) -> Iterator[Any]:
    """Rows in the order of the whole; memory holds a window of them, and a little of each part."""
    import pyarrow as pa

    ends = range(_WINDOW, max(found, 1) + _WINDOW, _WINDOW)  # one, even where nothing was found
    readers = [_below(file, ends, max(64, _WINDOW // len(files))) for file in files]
    for pieces in zip(*readers, strict=True):
        table = pa.concat_tables(pieces)
        yield table.take(np.argsort(table.column(PLACE).to_numpy())).drop_columns([PLACE])


def _below(file: _File, ends: Iterable[int], rows: int) -> Iterator[Any]:
    """For each end in turn, the rows before it that were not given yet."""
    import pyarrow as pa

    tables, waiting = file.tables(rows), file.schema.remove_metadata().empty_table()
    for end in ends:
        while not len(waiting) or waiting.column(PLACE)[-1].as_py() < end:
            more = next(tables, None)
            if more is None:
                break
            waiting = pa.concat_tables([waiting, more.replace_schema_metadata()])
        count = int(np.searchsorted(waiting.column(PLACE).to_numpy(), end))
        yield waiting.slice(0, count)
        waiting = waiting.slice(count)


def _bytes(key: str) -> bytes:
    return key.encode("utf-8", "surrogateescape")
