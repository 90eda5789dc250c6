"""Tables as columns of text: CSV, TSV, text of spreadsheets, JSON lines, Parquet. Read here alone.

A text table may be in UTF-8 (also with a damaged byte), UTF-16 or a regional code page: of these
the one is taken under which the files exist that the table names. Cells may be separated by commas,
semicolons, tabs or bars; a first line ``sep=;`` says so.

No message quotes what a table holds, for it may be a file of another kind that a path of the
machine names: it says the line, the column where its name is known, and the kind of fault. Of cells
it names images alone.
"""

import contextlib
import csv
import io
import json
import math
import os
import re
import unicodedata
from collections import Counter, UserDict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import chain, islice, repeat, takewhile
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote

import numpy as np

from emoviz.data.affect import Dimension, Scale, affect_columns
from emoviz.data.cells import NO_ANSWER, kind_of_values, plain_name, votes_in
from emoviz.data.encodings import OTHER_PAGES, PAGES, WIDE_PAGES, guess_page
from emoviz.data.image_formats import kind_told
from emoviz.data.images import SUFFIXES, Limits, read_file
from emoviz.data.parquet_files import of_file, opened_parquet
from emoviz.data.sources import (
    JSON,
    TABLES_OF_ARROW,
    parts_of,
    plain_suffix,
    unpacked,
)
from emoviz.errors import ImageError, TableError
from emoviz.files import arrow_file, read_json
from emoviz.labels import TAXONOMIES, Taxonomy, taxonomy_of

MOST_COLUMNS = 5000
_MOST_CELLS = 20_000_000  # of JSON, each row of which may have names of its own
_MOST_JSON = 20_000_000  # bytes of a document, which costs forty times as many at worst
# Where a column is looked for by its name: in small letters, without spaces, "-" and "_".
_FILE = (
    *("file", "path", "image", "filename", "filepath", "imagefile", "imagepath", "imagename"),
    *("img", "imgpath", "imgfile", "imgname", "relativepath", "picture", "photo", "images"),
    *("imagefilename", "fname", "url", "imageurl", "link", "src"),
)
_ID = ("imageid", "id", "painting")  # name images where no other column does
_LABEL = ("label", "emotion", "class", "labels", "emotions", "classname", "labelname")
_GROUP, _SPLIT = ("group", "artist", "source"), ("split", "subset")
# What stands around the answer in the name of a column of votes.
_VOTED = frozenset(
    re.findall(
        "[^ ]+",
        "vote votes count counts n num number label emotion emotions is share shares"
        " % pct percent percentage freq frequency prop proportion ratio",
    )
)
_TOTALS = ("total", "all", "sum", "max")
BESIDE = ("neutral", "something else", "something_else")  # answers beside a taxonomy's labels
ADDRESS = re.compile(r"(?i)(?!file:)[a-z][a-z0-9+.-]+:/|data:")  # of whatever kind
# What may stand above the names of columns: empty lines, the separator, a remark.
_ABOVE = re.compile(rb'[\r\n]+|\s*"?sep=(.)"?[ ,;\t]*\r?\n|(#[^\r\n]*)[\r\n]+', re.IGNORECASE)
_LOOKED_AT = 500  # names of which one at least must be where the others are looked for, too
_TAIL = 8  # folders and file at the end of a path by which it is found
_ROWS = 64  # of images that are held at a time
# Blocks as pyarrow reads them; large enough for a cell as long as Python's csv takes one.
_BLOCK = 1 << 22
_OF_DOS = ("cp437", "cp850", "cp852", "cp866", "cp775", "cp737", "cp857", "cp862")
_MARKS = {b"\xff\xfe\0\0": "utf-32", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_IMAGE_BELOW = rf"(?i)[\r\n].*\.(?:{'|'.join(suffix[1:] for suffix in SUFFIXES)})"


@dataclass(frozen=True)
class Roles:
    """Which column says what, as the table spells them.

    Attributes:
        file: Of the image's file or address, or of the image itself.
        label: Of its label; None where votes are given instead, or nothing.
        group: Of what keeps images together in one split.
        split: Of the split.
        votes: Column -> the answer whose share of the votes it holds.
        affect: ``valence`` and ``arousal`` -> the column and the scale that its name gives.
        notes: How columns were found whose names do not say what they are.
    """

    file: str
    label: str | None = None
    group: str | None = None
    split: str | None = None
    votes: Mapping[str, str] = field(default_factory=dict)
    affect: Mapping[Dimension, tuple[str, Scale]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """A table as columns of text, "" where there is nothing.

    Attributes:
        path: Of the file.
        columns: By their names, in order; those of Arrow are lists once they are asked for.
        repeated: Names that several columns have; the first of them is read.
        place: Where people find a row, counted from 0: its line, or its row.
        images: The column that holds the images themselves.
        classes: Names of the numbers in columns, where the file gives them.
        notes: How it was read, where it might have been read in another way.
    """

    path: Path
    columns: Mapping[str, Sequence[str]]
    repeated: tuple[str, ...] = ()
    place: Callable[[int], str] = lambda row: f"row {row}"
    images: str | None = None
    classes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """Of its rows."""
        return len(next(iter(self.columns.values()), ()))

    def rows(self) -> Iterator[tuple[str, dict[str, str]]]:
        """(place, cells by the columns' names in small letters) of each row."""
        names = [name.strip().casefold() for name in self.columns]
        for row, cells in enumerate(zip(*self.columns.values(), strict=True)):
            place = f"{self.path.name}, {self.place(row)}"
            yield place, dict(zip(names, map(str.strip, cells), strict=True))


def read_table(path: Path, quotes: bool = True) -> Table:
    """Read a text table, or a Parquet file's columns that can be written as text.

    Args:
        path: Of the file; what it is shows in its bytes.
        quotes: Whether quotation marks enclose cells.

    Raises:
        TableError: It cannot be read, is no table, or has more than 5,000 columns.
    """
    if path.suffix.casefold() in TABLES_OF_ARROW and path.is_file():
        return _parquet(path)
    data = _data(path)
    if data.startswith(b"PAR1"):
        return _parquet(path)
    return _text(path, *_plain(path, data, Files(path.absolute().parent)), quotes)


def read_held(path: Path, data: bytes, files: "Files") -> Table:
    """Read a table that lies in a ZIP, or beside the images of a folder.

    Args:
        path: What it is called in messages.
        data: What it holds.
        files: Those that it may name: they say its code page.

    Raises:
        TableError: It is no table, or has more than 5,000 columns.
    """
    return _text(path, *_plain(path, data, files))


def find_roles(
    table: Table, taxonomy: Taxonomy | None = None, labelled: bool = False, image: bool = True
) -> Roles:
    """Find the columns by their names, whatever their capitals, spaces and underscores.

    Args:
        table: Any.
        taxonomy: Of the labels, where it is known.
        labelled: Whether there must be labels or votes.
        image: Whether there must be a column of files.

    Raises:
        TableError: A column is missing, or two of one name could be meant.
    """
    known = [name for name in table.columns if name]
    by_name: dict[str, str] = {}
    for name in known:
        by_name.setdefault(plain_name(name), name)

    def first_of(wanted: Iterable[str]) -> str | None:
        return next((by_name[name] for name in wanted if name in by_name), None)

    file, notes = first_of(_FILE), list[str]()
    labels = [by_name[name] for name in _LABEL if name in by_name]
    label = labels[0] if labels else None
    if label and taxonomy is None and label not in table.classes:
        words = _first_column(table, partial(_are_labels, None), labels[1:])
        if words and _first_column(table, lambda x: kind_of_values(x) == "numbers", [label]):
            notes.append(f"The labels are in '{words}'; '{label}' holds numbers.")
            label = words
    if table.images is not None and (file is None or plain_name(file) == "image"):
        file = table.images
    voted = re.compile(r"(?i)\s*p_(?!max\s*\Z)").match
    votes = {name: name.strip()[2:] for name in known if voted(name)}
    words = None if label or votes else _first_column(table, partial(_are_labels, taxonomy))
    if not (label or votes) and (votes := _bare_votes(table, taxonomy, words is not None)):
        told = f"The columns {', '.join(votes)} were taken for people's votes"
        notes.append(f"{told}; a column 'label' would count before them.")
    if file is None and image and (file := _first_column(table, _name_images)):
        notes.append(f"The column '{file}' was taken for the images' files: it names images.")
    file = file or first_of(_ID)
    if not (label or votes) and (label := words):
        notes.append(f"The column '{label}' was taken for the labels: it holds emotions.")
    lacking = ["files"] if image and not file else []
    lacking += ["labels"] if labelled and not (label or votes) else []
    if lacking:
        wanted = "file, and label or vote shares p_<label>" if labelled else "file (or image, url)"
        told = columns_told(known, " or ".join(lacking))
        raise TableError(f"'{table.path}' has {told}; wanted: {wanted}.")
    affect = affect_columns(known)
    roles = Roles(
        file or "", label, first_of(_GROUP), first_of(_SPLIT), votes, affect, tuple(notes)
    )
    used = {plain_name(x) for x in (roles.file, roles.label, roles.group, roles.split) if x}
    for name in table.repeated:
        if plain_name(name) in used or name in roles.votes:
            raise TableError(
                f"'{table.path}' has two columns called '{name}'. Give one of them another name, "
                "so that it is clear which one counts."
            )
    return roles


def columns_told(names: Sequence[str], lacking: str) -> str:
    """How many columns there are, and of what there is none, for a message."""
    return f"{len(names):,} column{'s' * (len(names) != 1)}, none of them of {lacking}"


def file_told(cell: str) -> str:
    """A cell before the words of a message, where it names an image; "" where it may not."""
    return f"{cell.strip()}: " if _names_image(cell) and len(cell) < 300 else ""


def read_text(path: Path) -> str:
    """A text file as text, in whatever encoding it is.

    Raises:
        TableError: It cannot be read, or is no text.
    """
    return _plain(path, _data(path), Files(path.absolute().parent))[0].decode()


class Files:
    """Finds files below a folder, whatever the capitals and however accents are composed.

    Each folder is listed once, so that 118,102 questions cost about as many as there are folders.
    A name that is there as it is written comes first; one that several files might be is none.

    Args:
        root: What names are relative to.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._known: dict[str, tuple[frozenset[str], dict[str, str]]] = {}

    def find(self, relative: str) -> Path | None:
        """The file or folder of that name, or None; names that lead outside have none."""
        parts, here = _below(relative), str(self.root)
        if parts is None:
            return None
        for part in parts:
            exact, known = self.listed(here)
            name = part if part in exact else _hit(known, part)
            if not name:
                return None
            here = f"{here}/{name}"
        return self.root / os.path.relpath(here, self.root) if parts else self.root

    def first(self, *names: str) -> Path | None:
        """The first of some names that is there, as `find` has it."""
        return next((path for name in names if (path := self.find(name)) is not None), None)

    def locate(self, name: str) -> Path | None:
        """The file that a table means, no address: relative, absolute, as elsewhere."""
        text = name.strip().removeprefix("file://")
        if ADDRESS.match(text):
            return None
        spelt = (text, unquote(text)) if "%" in text else (text,)
        if found := self.first(*spelt):
            return found
        if outside := self._outside(text):
            return outside
        parts = parts_of(text)
        if len(parts) > 1 and (text.startswith(("/", "\\")) or ":" in parts[0]):
            return self.first(*("/".join(parts[start:]) for start in range(1, len(parts))))
        return None

    def located(self, names: Collection[str], alone: bool) -> dict[str, Path]:
        """Where those of some names are that are found by `locate`.

        Args:
            names: Of one table.
            alone: Whether these are all of its names; then folders around them all may be missing.
        """
        found = {name: self.locate(name) for name in names}
        if alone and not any(found.values()):
            inside = {name: parts_of(name) for name in names if not ADDRESS.match(name.strip())}
            above = [*zip(*(parts[:-1] for parts in inside.values()), strict=False)]
            around = len(list(takewhile(lambda names: len(set(names)) == 1, above)))
            for row, (name, parts) in enumerate(inside.items()):
                if row == _LOOKED_AT and not any(found.values()):
                    break
                found[name] = self.first(*("/".join(parts[i:]) for i in range(1, around + 1)))
        return {name: path for name, path in found.items() if path}

    def _outside(self, text: str) -> Path | None:
        try:
            path = Path(text.replace("\\", "/"))
            if (path.is_absolute() or ".." in path.parts) and (self.root / path).is_file():
                return self.root / path
        except (OSError, ValueError):
            pass
        return None

    def there(self, names: Iterable[str]) -> set[str]:
        """Those of some names that are there as they are written; each folder is listed once."""
        distinct = set(names)
        folders = {name.rpartition("/")[0] for name in distinct}
        listed = {
            f"{folder}/{name}" if folder else name
            for folder in folders
            if not folder.startswith("/") and "\\" not in folder and ".." not in folder
            for name in self.listed(f"{self.root}/{folder}".rstrip("/"))[0]
        }
        return distinct & listed

    def listing(self) -> list[str]:
        """What the root holds, hidden names left out."""
        return [name for name in self.listed(str(self.root))[0] if not name.startswith(".")]

    def name(self, path: Path) -> str:
        """The relative name, with ``/``."""
        return path.relative_to(self.root).as_posix()

    def listed(self, folder: str) -> tuple[frozenset[str], Mapping[str, str]]:
        """The names in a folder, and folded name -> name ("" where several are folded to it)."""
        if folder not in self._known:
            try:
                with os.scandir(folder) as items:
                    names = [item.name for item in items if _exists(item)]
            except (OSError, ValueError):
                names = []
            self._known[folder] = _listing(names)
        return self._known[folder]


class Members(Files):
    """Files of which the names are known: those of a ZIP, or the images of a folder.

    A name that none has as it is written is that of the one file whose path ends so.

    Args:
        root: What they are relative to.
        names: With ``/`` between folders.
    """

    def __init__(self, root: Path, names: Sequence[str]) -> None:
        super().__init__(root)
        self._exact, self._composed = _listing(names)
        self._ends: dict[str, str] = {}  # "" where several paths end so
        for name in names:
            for key in _keys(name):
                parts = key.split("/")[-_TAIL:]
                for end in ("/".join(parts[start:]) for start in range(len(parts))):
                    self._ends[end] = "" if end in self._ends else name

    def find(self, relative: str) -> Path | None:
        """As `Files.find`, files alone."""
        name = "/".join(_below(relative) or ())
        hit = name if name in self._exact else _hit(self._composed, name)
        return self.root / hit if hit else None

    def locate(self, name: str) -> Path | None:
        """As `Files.locate`; nothing outside is any."""
        if (found := super().locate(name)) or ADDRESS.match(name):
            return found
        parts = [part for part in parts_of(name.strip()) if part.strip(".")]
        hit = _hit(self._ends, "/".join(parts))
        return self.root / hit if hit else None

    def there(self, names: Iterable[str]) -> set[str]:
        """As `Files.there`, files alone."""
        return set(self._exact.intersection(names))

    def _outside(self, text: str) -> Path | None:
        return None


def _below(relative: str) -> tuple[str, ...] | None:
    """The folders and the file of a name; None where it leads outside."""
    text = relative.strip()
    parts = parts_of(text)
    outside = text.startswith(("/", "\\")) or ".." in parts or (parts and ":" in parts[0])
    return None if outside else parts


def _listing(names: Sequence[str]) -> tuple[frozenset[str], dict[str, str]]:
    known: dict[str, str] = {}
    for name in names:
        for key in _keys(name):
            known[key] = "" if key in known else name
    return frozenset(names), known


def _keys(name: str) -> list[str]:
    """By what names a file is found; by its stem where it is an image."""
    is_image = name.casefold().endswith(tuple(SUFFIXES))
    return [folded(name), _stem(name)] if is_image else [folded(name)]


def _hit(known: Mapping[str, str], name: str) -> str | None:
    """What a name means among those known, also without its suffix, or with that of another kind
    of image; "" where there are several."""
    return known.get(folded(name)) or known.get(_stem(name))


def unshared(found: Mapping[str, Path], there: Collection[Path]) -> dict[str, Path]:
    """The files found by names, without those of another kind or number that two names would mean.

    Args:
        found: Name -> file, as `Files.located` has it.
        there: Files that are there as other names have them.
    """
    known, times = frozenset(there), Counter(found.values())
    return {
        name: path
        for name, path in found.items()
        if (times[path] == 1 and path not in known)
        or folded(path.name) == folded(parts_of(unquote(name.strip()))[-1])
    }


def folded(name: str) -> str:
    """A name whatever its capitals and however its accents are composed."""
    return unicodedata.normalize("NFC", name).casefold()


def _stem(name: str) -> str:
    """A name with ``.*`` for the suffix of an image, which no file is called; a number without
    zeros in front, or as ``1.0``."""
    folder, slash, file = folded(name).rpartition("/")
    stem, dot, suffix = file.rpartition(".")
    stem = stem if f"{dot}{suffix}" in SUFFIXES else file
    number = re.fullmatch(r"0*(\d+)(?:\.0+)?", stem) if stem[:1].isdecimal() else None
    return f"{folder}{slash}{number[1] if number else stem}.*"


def _exists(item: "os.DirEntry[str]") -> bool:
    """Not a link that leads nowhere or in a circle."""
    try:
        return not item.is_symlink() or bool(item.stat())
    except OSError:
        return False


def _bare_votes(table: Table, taxonomy: Taxonomy | None, all_of_it: bool) -> dict[str, str]:
    """Columns of votes called as labels of one taxonomy: ``joy``, ``joy_votes``, ``n_joy``.

    With them come other columns of ``_votes``, neutral, and where a taxonomy is wanted labels of
    a larger one. Where `all_of_it`, each label of a taxonomy has to have a column.
    """
    marks: dict[str, dict[str, str]] = {}
    for name in filter(None, table.columns):
        words = re.findall(r"[^\W_]+|%", name)
        mark = " ".join(word for word in words if word.casefold() in _VOTED)
        answer = " ".join(word for word in words if word.casefold() not in _VOTED)
        if answer:
            marks.setdefault(mark.casefold(), {})[name] = answer
    votes, most = dict[str, str](), 1
    for mark, answers in marks.items():
        sets = list(TAXONOMIES.values()) if taxonomy is None else [taxonomy]
        if all_of_it:
            folded = {answer.casefold() for answer in answers.values()}
            sets = [item for item in sets if folded.issuperset(item.names)]

        def called(item: Taxonomy, answers: Mapping[str, str] = answers) -> set[str]:
            return {name for name, answer in answers.items() if item.holds(answer)}

        held = max(map(called, sets), key=len, default=set())
        larger = max(
            (x for x in map(called, TAXONOMIES.values()) if x >= held), key=len, default=held
        )
        beside = {n for n, x in answers.items() if "vote" in mark or x.casefold() in BESIDE}
        if len(held) > most:
            some = larger | {n for n in beside if answers[n].casefold() not in _TOTALS}
            some = {name for name in some if _first_column(table, _are_numbers, [name])}
            if len(held & some) > most:
                votes, most = {n: answers[n] for n in answers if n in some}, len(held & some)
    return votes if _are_votes(table, votes) else {}


def _first_column(
    table: Table, fits: Callable[[Sequence[str]], bool], names: Iterable[str] | None = None
) -> str | None:
    """The first of some columns whose first cells are such, empty ones left out."""
    for name in table.columns if names is None else names:
        some = [cell.strip() for cell in table.columns[name][:50]]
        some = [cell for cell in some if cell.casefold() not in NO_ANSWER]
        if some and fits(some):
            return name
    return None


def _name_images(cells: Sequence[str]) -> bool:
    return 2 * sum(map(_names_image, cells)) > len(cells)


def _names_image(cell: str) -> bool:
    return cell.strip().casefold().endswith(tuple(SUFFIXES))


def _are_numbers(cells: Sequence[str]) -> bool:
    return 2 * sum(kind_of_values([cell]) != "" for cell in cells) >= len(cells)


def _are_votes(table: Table, names: Iterable[str]) -> bool:
    """Whether half of the first rows are shares, counts or percentages, not scores or ratings."""
    fits = list[bool]()
    for cells in islice(zip(*(table.columns[name] for name in names), strict=True), 50):
        row = [math.nan]
        with contextlib.suppress(TableError):
            row = [votes_in(cell.strip(), "vote") for cell in cells]
        whole = all(x % 1 == 0 for x in row)
        fits.append(whole or max(row) <= 1 or abs(sum(row) - 100) <= 1)
    return 2 * sum(fits) >= len(fits)


def _are_labels(taxonomy: Taxonomy | None, cells: Sequence[str]) -> bool:
    """Whether they are labels of one taxonomy of the field, or of the one that is wanted."""
    return all(map(taxonomy.holds, cells)) if taxonomy else taxonomy_of(cells) is not None


# Text --------------------------------------------------------------------------------------------


class _Columns(UserDict[str, Any]):
    """Columns, of which those of Arrow become lists of text when they are asked for."""

    def __getitem__(self, name: str) -> Sequence[str]:
        if not isinstance(self.data[name], list):
            self.data[name] = _texts(self.data[name])
        texts: list[str] = self.data[name]
        return texts


def _data(path: Path) -> bytes:
    try:
        return read_file(path, Limits(max_bytes=4_000_000_000))
    except ImageError as error:
        if str(error) == "the file is empty":
            return b""
        reason = str(error).removeprefix("it cannot be read: ")
        raise TableError(f"'{path}' cannot be read: {reason}.") from None


def _plain(path: Path, data: bytes, files: Files) -> tuple[bytes, tuple[str, ...]]:
    """The text in UTF-8, unpacked where it is packed by gzip, and notes on how it was read."""
    try:
        data = unpacked(data)
    except ImageError as error:
        raise TableError(f"'{path}': {error}.") from None
    if kind := kind_told(data):
        raise TableError(f"'{path}' is no table: it is {kind}.")
    data, notes = _as_utf8(path, data, files)
    data = data.rstrip(b"\x00\x1a").replace(b"\xe2\x80\x8b", b"")  # ends of old; blanks unseen
    if b"\x00" in data:
        raise TableError(f"'{path}' is no text table (CSV or TSV).")
    return data, notes


def _text(path: Path, data: bytes, notes: tuple[str, ...], quotes: bool = True) -> Table:
    if plain_suffix(path.name) in JSON:
        return _json(path, data, notes)
    start, told, is_titled = _header_place(data)
    if is_titled:
        notes = (*notes, f"'{path.name}': what stands above the names of columns was left out.")
    skipped, data = len(re.findall(rb"\r\n|\r|\n", data[:start])), data[start:]
    data = _of_blanks(data) if not told else data
    data = _doubled(data) if quotes else data
    # The first line; a quoted cell may hold ends of lines.
    top = re.match(rb'(?:"[^"]*"|[^\r\n"])*' if quotes else rb"[^\r\n]*", data[:10_000_000])
    first = top[0] if top else b""
    above = told or _delimiter(first.decode("utf-8"), quotes)
    _check_width(path, first.count(above.encode()) + 1)
    delimiter = _delimiter_of_rows(data[len(first) : 10_000], first.count(above.encode()), above)
    if delimiter != above:
        data = first.replace(above.encode(), delimiter.encode()) + data[len(first) :]
    data = _unspaced(data, delimiter) if quotes and delimiter != " " else data
    try:
        header = next(_rows(data, delimiter, quotes), [])
        if any(map(_names_image, header)):
            header = [f"column {i}" for i in range(1, len(header) + 1)]
            data, skipped = f"{delimiter.join(header)}\n".encode() + data, skipped - 1
            notes = (*notes, f"'{path.name}' has no names of columns: its first line is an image.")
        made = _by_arrow(data, delimiter, len(header), quotes)
        made = made or _by_csv(data, delimiter, len(header), quotes)
    except csv.Error as error:
        line = max(_line_numbers(data, delimiter, quotes), default=0) + skipped + 1
        raise TableError(f"'{path}', line {line}: {error}. Is a quote open?") from None

    line_numbers = cache(partial(_line_numbers, data, delimiter, quotes))

    def place(row: int) -> str:
        lines = line_numbers()
        return f"line {lines[row] + skipped}" if row < len(lines) else f"row {row}"

    names = [name.strip() for name in header]
    columns = _Columns()
    for i, (name, column) in enumerate(zip(names, made, strict=True), 1):
        if not name and len(column) and _names_image(str(column[0])):  # an index of images
            name = f"column {i}"
        if name and not name.startswith("Unnamed:"):
            columns.setdefault(name, column)
    if quotes and (row := _swallowing(data, made, delimiter, line_numbers)) is not None:
        raise TableError(
            f"'{path}', {place(row)}: a cell ends here that holds whole lines. Is a quote open?"
        )
    return Table(path, columns, _repeated(names), place, notes=notes)


def _reader(data: bytes, delimiter: str, quotes: bool) -> Any:
    stream = io.TextIOWrapper(io.BytesIO(data), "utf-8", newline="")
    plain: dict[str, Any] = {} if quotes else {"quoting": csv.QUOTE_NONE}
    return csv.reader(stream, delimiter=delimiter, **plain)


def _rows(data: bytes, delimiter: str, quotes: bool) -> Iterator[list[str]]:
    """Those that hold anything, that of the columns' names first."""
    return filter(None, _reader(data, delimiter, quotes))


def _by_arrow(data: bytes, delimiter: str, count: int, quotes: bool) -> list[Any]:
    """The columns, read by pyarrow; none where a row has too few or too many cells."""
    import pyarrow as pa
    from pyarrow import csv as arrow

    names = [str(i) for i in range(count)]
    try:
        table = arrow.read_csv(
            io.BytesIO(data),
            arrow.ReadOptions(column_names=names, skip_rows_after_names=1, block_size=_BLOCK),
            arrow.ParseOptions(
                delimiter=delimiter,
                quote_char='"' if quotes else False,
                newlines_in_values=quotes and b'"' in data,
            ),
            arrow.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                strings_can_be_null=False,
                quoted_strings_can_be_null=False,
            ),
        )
    except pa.ArrowException:
        return []
    return list(table.columns)


def _by_csv(data: bytes, delimiter: str, count: int, quotes: bool) -> list[list[str]]:
    """The columns with short rows filled up and the rest of long ones left out."""
    shared: dict[str, str] = {}  # an artist's name is kept once
    columns: list[list[str]] = [[] for _ in range(count)]
    for row in islice(_rows(data, delimiter, quotes), 1, None):
        for column, cell in zip(columns, chain(row, repeat("")), strict=False):
            column.append(shared.setdefault(cell, cell))
    return columns


def _line_numbers(data: bytes, delimiter: str, quotes: bool) -> list[int]:
    """The line on which each row ends, as an editor counts."""
    reader = _reader(data, delimiter, quotes)
    lines: list[int] = []
    with contextlib.suppress(csv.Error):  # a cell that is longer than Python's csv takes
        lines.extend(reader.line_num for row in reader if row)
    return lines[1:]


def _texts(column: Any) -> list[str]:
    """A column's texts, "" for nothing; equal ones are one object where many are equal."""
    from pyarrow import large_string, string, types

    kind = column.type
    if types.is_list(kind) or types.is_large_list(kind):
        return [json.dumps(value) if value else "" for value in column.to_pylist()]
    if not (types.is_dictionary(kind) and kind.value_type in (string(), large_string())):
        column = column.cast(string())
        some = column.slice(0, 1000)
        if 2 * len(some.unique()) > len(some):
            return list(column.fill_null("").to_pylist())
        column = column.dictionary_encode()
    texts: list[str] = []
    for chunk in column.chunks:
        known = chunk.dictionary.fill_null("").to_pylist()
        indices = chunk.indices.fill_null(len(known)) if chunk.null_count else chunk.indices
        # `to_numpy` would load pandas first, for a second
        texts += np.array([*known, ""], object)[np.from_dlpack(indices)].tolist()
    return texts


def _header_place(data: bytes) -> tuple[int, str, bool]:
    """Where the names of columns begin, the separator that a line above says, and whether lines of
    one cell stand above names of which one is of files."""
    start, told = 0, ""
    while above := _ABOVE.match(data, start):
        names = re.split(r"[,;\t|]", (above[2] or b"").decode(errors="replace"))
        if set(map(plain_name, names)) & set(_FILE):  # an index column, or names after a "#"
            break
        start, told = above.end(), told or (above[1] or b"").decode("latin-1")
    end = start
    for line in data[start : start + 10_000].splitlines(keepends=True)[:10]:
        cells = [cell.strip(b' "\r\n') for cell in re.split(rb"[,;\t|]", line)]
        filled = [cell.decode(errors="replace") for cell in cells if cell]
        named = any(plain_name(cell) in (*_FILE, *_ID) for cell in filled)
        known = named or any(plain_name(cell) in _LABEL or _names_image(cell) for cell in filled)
        if len(filled) > 1 and named:
            return end, told, end > start
        if len(filled) > 1 or known or line.count(b'"') % 2:
            break
        end += len(line)
    return start, told, False


def _unspaced(data: bytes, delimiter: str) -> bytes:
    """Without the spaces around quoted cells: ``a.jpg, "joy"``.

    A cell whose quotation marks enclose a part of it stays as it is, and so does one that is open.
    """
    mark = delimiter.encode()
    around = (mark + b' "', b'\n "', b'\r "', b'  "', b'" ' + mark, b'" \n', b'" \r', b'"  ')
    if b'"' not in data or not any(sign in data for sign in around):
        return data
    ends = re.escape("\r\n" + delimiter)
    cell = rf'(?<![^{ends}]) *("[^"]*(?:""[^"]*)*") *(?=[{ends}]|\Z)'.encode()
    return re.sub(cell, rb"\1", data)


def _doubled(data: bytes) -> bytes:
    """With quotation marks in the place of single ones, where these enclose the cells.

    They do where all of the first line below the names of columns stand in them, but numbers.
    """
    cell = rb"(?:'((?:[^']|'')*)'|[\d.+-]*)"
    row = rb"[^\r\n]*(?:\r\n?|\n) *(?=')%b(?: *[,;\t|] *%b)* *(?:[\r\n]|\Z)" % (cell, cell)
    if b"'" not in data[:10_000] or not re.match(row, data[:10_000]):
        return data
    return re.sub(
        rb"(?<![^,;\t|\r\n])( *)'((?:[^']|'')*)'(?= *(?:[,;\t|\r\n]|\Z))",
        lambda found: b'%b"%b"' % (found[1], found[2].replace(b"''", b"'").replace(b'"', b'""')),
        data,
    )


def _of_blanks(data: bytes) -> bytes:
    """With tabs in the place of blanks, where these alone separate cells: ``a.jpg  joy``.

    As many in every line, the image first; a name of a column that holds blanks is one.
    """
    header, *rows = data[:10_000].splitlines()[:2] or [b""]
    first, names = rows[0].split() if rows else [], header.split()
    if len(names) < 2 or len(first) != len(names) or re.search(rb'[,;\t|"]', data):
        return data
    name, whole, image = (x.decode(errors="replace") for x in (names[0], header, first[0]))
    known = plain_name(name) in _FILE or _names_image(name)
    if not (known and _names_image(image)) or plain_name(whole) in _FILE:
        return data
    if {len(line.split()) for line in data.splitlines()} - {0} != {len(names)}:
        return data
    return re.sub(rb"(?m)^ +| +$", b"", re.sub(rb" +", b" ", data)).replace(b" ", b"\t")


def _swallowing(
    data: bytes, columns: Sequence[Any], delimiter: str, ends: Callable[[], Sequence[int]]
) -> int | None:
    """The first row with a cell that holds whole rows, for its quote was never closed, or only by
    one that opens another cell."""
    if len(columns) < 2 or max(map(data.rstrip().count, (b"\n", b"\r"))) <= len(columns[0]):
        return None  # no cell holds an end of a line
    from pyarrow import array, compute

    lines = list[bytes]()
    for column in columns:
        texts = array(column) if isinstance(column, list) else column
        for index in compute.indices_nonzero(compute.match_substring_regex(texts, _IMAGE_BELOW)):
            row = index.as_py()
            below = [line.split(delimiter) for line in texts[row].as_py().splitlines()[1:]]
            whole = (cells for cells in below if len(cells) == len(columns))
            if any(any(map(_names_image, cells)) for cells in whole):
                lines = lines or data.splitlines(keepends=True)
                known = [0, *ends()]
                some = [line.decode() for line in lines[slice(*known[row : row + 2])]]
                try:
                    list(csv.reader(some, delimiter=delimiter, strict=True))
                except csv.Error:
                    return int(row)
    return None


def _json(path: Path, data: bytes, notes: tuple[str, ...]) -> Table:
    """A table of an object a line, or of rows in one document; what holds no text, number, truth
    or texts is left out."""
    columns, places, repeated = dict[str, list[str]](), list[str](), list[str]()
    for place, row in _json_rows(path, data):
        if not isinstance(row, tuple):
            raise TableError(f"'{path}', {place}: it is no object of JSON.")
        for name, value in row:
            inside = value if isinstance(value, tuple) else [("", value)]
            for key, one in inside:  # the votes in {"votes": {"joy": 3}}
                texts = isinstance(one, list) and set(map(type, one)) == {str}
                whole = _whole(f"{name.strip()} {key}".strip())
                if whole and (texts or isinstance(one, str | int | float)):
                    column = columns.setdefault(whole, [])
                    column += [""] * (len(places) - len(column))
                    repeated += [whole] if len(column) > len(places) else []
                    column.append(_whole(one if isinstance(one, str) else json.dumps(one)))
                    del column[len(places) + 1 :]
        places.append(place)
        _check_width(path, len(columns))
        if len(columns) * len(places) > _MOST_CELLS:
            raise TableError(
                f"'{path}' has {len(columns):,} names in its first {len(places):,} rows; at most "
                f"{_MOST_CELLS:,} cells are read. Keep the names of files, labels and what else "
                "you want to see."
            )
    for column in columns.values():
        column += [""] * (len(places) - len(column))
    told = tuple(dict.fromkeys(repeated))
    return Table(path, columns, told, place=places.__getitem__, notes=notes)


def _json_rows(path: Path, data: bytes) -> Iterator[tuple[str, Any]]:
    """(place, object as pairs) of each row."""
    lines = data.splitlines()
    begins = next(filter(bytes.strip, lines), b"")
    is_json = plain_suffix(path.name) == ".json"
    is_row = not (is_json and len(data) < _MOST_JSON) and isinstance(_parsed(begins), tuple)
    if len(data) >= _MOST_JSON and not is_row:
        most = f"{_MOST_JSON / 1e6:.0f} MB"
        raise TableError(f"'{path}' is a document of JSON above {most}; write an object a line.")
    whole = None if is_row else _parsed(data)
    rows = _rows_in(whole)
    if rows:
        yield from ((f"entry {number}", row) for number, row in enumerate(rows, 1))
    elif whole is not None and is_json:
        raise TableError(f"'{path}' holds no rows; wanted: a list of objects with file and label.")
    else:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield f"line {number}", _parsed(line)


def _parsed(text: bytes) -> Any:
    """JSON with objects as tuples of pairs; None where it is none."""
    try:
        return json.loads(text, object_pairs_hook=tuple, strict=False)
    except (ValueError, RecursionError):
        return None


def _rows_in(whole: Any) -> list[Any]:
    """The rows of a document, objects as pairs, in the ways in which programs write them."""
    if isinstance(whole, tuple):
        known = dict(whole)
        names, values = list(known), list(known.values())
        lists = [x for x in values if isinstance(x, list)]
        objects = (x for x in lists if x and isinstance(x[0], tuple))
        if isinstance(known.get("columns"), list) and isinstance(known.get("data"), list):
            whole = [known["columns"], *known["data"]]
        elif rows := max(objects, key=lambda x: (_row_names_image(x[0]), len(x)), default=[]):
            whole = rows  # {"images": [{"file": ...}, ...]}
        elif _name_images(names):  # {"a.jpg": "joy"}, or {"a.jpg": {"label": "joy"}}
            inner = (x if isinstance(x, tuple) else (("label", x),) for x in values)
            whole = [(("file", name), *pairs) for name, pairs in zip(names, inner, strict=True)]
        elif lists and all(isinstance(x, list) and _name_images(list(map(str, x))) for x in values):
            pairs = ((file, name) for name, files in known.items() for file in files)
            whole = [(("file", file), ("label", name)) for file, name in pairs]
        else:  # {"file": ["a.jpg", ...], "label": [...]}, or numbers of rows in the lists' place
            cells = [[y for _, y in x] if isinstance(x, tuple) else x for x in values]
            alike = all(isinstance(x, list) and len(x) == len(cells[0]) for x in cells)
            columns = zip(*cells, strict=True) if alike else ()
            whole = [tuple(zip(names, row, strict=True)) for row in columns]
    if whole and isinstance(whole, list) and isinstance(whole[0], list):
        header = list(map(str, whole[0]))
        if any(map(_names_image, header)):  # [["joy", "a.jpg"], ...]
            header = [f"column {i}" for i in range(1, len(header) + 1)]
        rows = whole if header[:1] == ["column 1"] else whole[1:]
        whole = [tuple(zip(header, row, strict=False)) for row in rows if isinstance(row, list)]
    return whole if isinstance(whole, list) and whole and isinstance(whole[0], tuple) else []


def _row_names_image(row: tuple[tuple[str, Any], ...]) -> bool:
    return any(isinstance(value, str) and _names_image(value) for _, value in row)


def _whole(text: str) -> str:
    """With "?" for the halves of letters, which JSON can hold alone."""
    return text.encode(errors="replace").decode()


def _delimiter(line: str, quotes: bool) -> str:
    """What separates most cells outside quotation marks, and leaves a column of files."""
    bare = re.sub(r'"(?:[^"]|"")*"', "x", line) if quotes else line

    def fits(mark: str) -> tuple[bool, int]:
        names = {plain_name(cell.strip().strip('"')) for cell in line[:100_000].split(mark)}
        return bool(names & set(_FILE)) and mark in bare, bare.count(mark)

    return max(",;\t|", key=fits)


def _delimiter_of_rows(below: bytes, count: int, above: str) -> str:
    """What separates the cells of the first rows: another mark than that of the names above, where
    all of them hold as many of it, and none as many of that."""
    bare = re.sub(rb'"[^"]*"', b"", below.rpartition(b"\n")[0]).decode(errors="replace")
    lines = [line for line in bare.splitlines() if line.strip()]
    marks = [x for x in ",;\t|" if lines and all(line.count(x) == count for line in lines)]
    return marks[0] if marks and all(line.count(above) != count for line in lines) else above


def _as_utf8(path: Path, data: bytes, files: Files) -> tuple[bytes, tuple[str, ...]]:
    """The table in UTF-8 without a mark before it, and how it was read where that is no matter of
    course."""
    wide = next((encoding for mark, encoding in _MARKS.items() if data.startswith(mark)), "")
    some = data[:4000]
    if not wide and some.count(0) > len(some) / 4:  # Latin letters in UTF-16 are half zeros
        wide = "utf-16-le" if some[1::2].count(0) > some[::2].count(0) else "utf-16-be"
    if wide:
        return data.decode(wide, errors="replace").encode(), ()
    marked = data.startswith(b"\xef\xbb\xbf")
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        if not data.isascii():
            data.decode()
        return data, ()
    except UnicodeDecodeError:
        text = data.decode(errors="replace")
    damaged = text.count("\ufffd")
    if marked or sum(map(len, re.findall(r"[^\x00-\x7f\ufffd]", text))) > damaged:
        line = text[: text.index("\ufffd")].count("\n") + 1
        note = f"'{path.name}' is in UTF-8 with {damaged} damaged byte(s), the first in line {line}"
        return text.encode(), (f"{note}; '\ufffd' stands for them.",)
    encoding, why = _code_page(data, files)
    note = f"'{path.name}' was read as {encoding}, {why}."
    return data.decode(encoding, errors="replace").encode(), (note,)


def _code_page(data: bytes, files: Files) -> tuple[str, str]:
    """The regional code page, and why this one."""
    # Whole lines, for a cut might fall inside a letter.
    blocks = (block for block in io.BytesIO(data) if not block.isascii())
    foreign = (line for block in blocks for line in block.splitlines() if not line.isascii())
    lines = list(islice(foreign, 2000))
    names = [
        cell
        for line in lines
        for cell in re.split(rb'[,;\t|"]', line)
        if not cell.isascii() and cell.strip().lower().endswith(tuple(s.encode() for s in SUFFIXES))
    ]

    def there(encoding: str) -> int:
        try:
            return sum(files.locate(name.decode(encoding)) is not None for name in names[:200])
        except UnicodeDecodeError:
            return 0

    some = lines[:200]  # each of 25 pages is tried on them
    pages = (*PAGES, *WIDE_PAGES, *OTHER_PAGES) if names else ()
    found = {page: count for page in pages if (count := there(page))}
    if not found:
        # Of those in which letters make as much sense, Windows' before those of DOS.
        likely = sorted((*PAGES, *WIDE_PAGES), key=_OF_DOS.__contains__)
        return guess_page(some, likely), "which its letters look like"
    best = [page for page, count in found.items() if count == max(found.values())]
    return guess_page(some, best), "under which the files exist that it names"


# Parquet -----------------------------------------------------------------------------------------


def _parquet(path: Path) -> Table:
    with opened_parquet(path) as file:
        schema, count = file.schema, file.rows
        _check_width(path, len(schema.names))
        images = next((item.name for item in schema if _holds_images(item)), None)
        flat = [item.name for item in schema if not _is_nested(item.type)]
        table = file.read(flat)
        columns = dict(zip(table.column_names, table.columns, strict=True))
        if images is not None:
            columns[images] = _image_names(file, path, images)
    names = schema.names
    hidden = re.compile(r"__index_level_|Unnamed:")
    shown = {n: columns[n] for n in names if n in columns and not hidden.match(n)}
    made = _Columns(shown or {"row": [""] * count})
    return Table(path, made, _repeated(names), images=images, classes=_class_names(path, schema))


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


def _check_width(path: Path, count: int) -> None:
    if count > MOST_COLUMNS:
        raise TableError(
            f"'{path}' has {count:,} columns; at most {MOST_COLUMNS:,} are read. Keep the columns "
            "of files, labels and what else you want to see."
        )


def _repeated(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in dict.fromkeys(names) if name and names.count(name) > 1)


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
