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
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain, islice, repeat
from pathlib import Path
from typing import Any

from emoviz.data.cells import plain_name
from emoviz.data.columns import (
    FILE_COLUMNS,
    ID_COLUMNS,
    LABEL_COLUMNS,
    ArrowColumns,
    Table,
    check_width,
    repeated_names,
)
from emoviz.data.encodings import OTHER_PAGES, PAGES, WIDE_PAGES, guess_page
from emoviz.data.image_formats import kind_told
from emoviz.data.images import SUFFIXES, Limits, read_file
from emoviz.data.json_tables import table_of_json
from emoviz.data.named_files import Files, names_image
from emoviz.data.parquet_tables import table_of_parquet
from emoviz.data.sources import JSON, TABLES_OF_ARROW, plain_suffix, unpacked
from emoviz.errors import ImageError, TableError

# What may stand above the names of columns: empty lines, the separator, a remark.
_ABOVE = re.compile(rb'[\r\n]+|\s*"?sep=(.)"?[ ,;\t]*\r?\n|(#[^\r\n]*)[\r\n]+', re.IGNORECASE)
# Blocks as pyarrow reads them; large enough for a cell as long as Python's csv takes one.
_BLOCK = 1 << 22
_OF_DOS = ("cp437", "cp850", "cp852", "cp866", "cp775", "cp737", "cp857", "cp862")
_MARKS = {b"\xff\xfe\0\0": "utf-32", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_IMAGE_BELOW = rf"(?i)[\r\n].*\.(?:{'|'.join(suffix[1:] for suffix in SUFFIXES)})"


def read_table(path: Path, quotes: bool = True) -> Table:
    """Read a text table, or a Parquet file's columns that can be written as text.

    Args:
        path: Of the file; what it is shows in its bytes.
        quotes: Whether quotation marks enclose cells.

    Raises:
        TableError: It cannot be read, is no table, or has more than 5,000 columns.
    """
    if path.suffix.casefold() in TABLES_OF_ARROW and path.is_file():
        return table_of_parquet(path)
    data = _data(path)
    if data.startswith(b"PAR1"):
        return table_of_parquet(path)
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


def read_text(path: Path) -> str:
    """A text file as text, in whatever encoding it is.

    Raises:
        TableError: It cannot be read, or is no text.
    """
    return _plain(path, _data(path), Files(path.absolute().parent))[0].decode()


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
        return table_of_json(path, data, notes)
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
    check_width(path, first.count(above.encode()) + 1)
    delimiter = _delimiter_of_rows(data[len(first) : 10_000], first.count(above.encode()), above)
    if delimiter != above:
        data = first.replace(above.encode(), delimiter.encode()) + data[len(first) :]
    data = _unspaced(data, delimiter) if quotes and delimiter != " " else data
    text = _Text(data, delimiter, quotes)
    try:
        header = next(text.rows(), [])
        if any(map(names_image, header)):
            header = [f"column {i}" for i in range(1, len(header) + 1)]
            text = replace(text, data=f"{delimiter.join(header)}\n".encode() + data)
            skipped -= 1
            notes = (*notes, f"'{path.name}' has no names of columns: its first line is an image.")
        read = text.by_arrow(len(header)) or text.by_csv(len(header))
    except csv.Error as error:
        line = max(text.line_ends, default=0) + skipped + 1
        raise TableError(f"'{path}', line {line}: {error}. Is a quote open?") from None

    def place(row: int) -> str:
        ends = text.line_ends
        return f"line {ends[row] + skipped}" if row < len(ends) else f"row {row}"

    names = [name.strip() for name in header]
    columns = ArrowColumns()
    for i, (name, column) in enumerate(zip(names, read, strict=True), 1):
        if not name and len(column) and names_image(str(column[0])):  # an index of images
            name = f"column {i}"
        if name and not name.startswith("Unnamed:"):
            columns.setdefault(name, column)
    if quotes and (row := text.swallowing(read)) is not None:
        raise TableError(
            f"'{path}', {place(row)}: a cell ends here that holds whole lines. Is a quote open?"
        )
    return Table(path, columns, repeated_names(names), place, notes=notes)


@dataclass(frozen=True)
class _Text:
    """A table in UTF-8 from the names of its columns on.

    Attributes:
        data: The text.
        delimiter: What separates cells.
        quotes: Whether quotation marks enclose them.
    """

    data: bytes
    delimiter: str
    quotes: bool

    def _reader(self) -> Any:
        stream = io.TextIOWrapper(io.BytesIO(self.data), "utf-8", newline="")
        plain: dict[str, Any] = {} if self.quotes else {"quoting": csv.QUOTE_NONE}
        return csv.reader(stream, delimiter=self.delimiter, **plain)

    def rows(self) -> Iterator[list[str]]:
        """Those that hold anything, that of the columns' names first."""
        return filter(None, self._reader())

    def by_arrow(self, count: int) -> list[Any]:
        """The columns, read by pyarrow; none where a row has too few or too many cells."""
        import pyarrow as pa
        from pyarrow import csv as arrow

        names = [str(i) for i in range(count)]
        try:
            table = arrow.read_csv(
                io.BytesIO(self.data),
                arrow.ReadOptions(column_names=names, skip_rows_after_names=1, block_size=_BLOCK),
                arrow.ParseOptions(
                    delimiter=self.delimiter,
                    quote_char='"' if self.quotes else False,
                    newlines_in_values=self.quotes and b'"' in self.data,
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

    def by_csv(self, count: int) -> list[list[str]]:
        """The columns with short rows filled up and the rest of long ones left out."""
        shared: dict[str, str] = {}  # an artist's name is kept once
        columns: list[list[str]] = [[] for _ in range(count)]
        for row in islice(self.rows(), 1, None):
            for column, cell in zip(columns, chain(row, repeat("")), strict=False):
                column.append(shared.setdefault(cell, cell))
        return columns

    @cached_property
    def line_ends(self) -> list[int]:
        """The line on which each row ends, as an editor counts."""
        reader = self._reader()
        lines: list[int] = []
        with contextlib.suppress(csv.Error):  # a cell that is longer than Python's csv takes
            lines.extend(reader.line_num for row in reader if row)
        return lines[1:]

    def swallowing(self, columns: Sequence[Any]) -> int | None:
        """The first row with a cell that holds whole rows, for its quote was never closed, or only
        by one that opens another cell."""
        ends = max(map(self.data.rstrip().count, (b"\n", b"\r")))
        if len(columns) < 2 or ends <= len(columns[0]):
            return None  # no cell holds an end of a line
        from pyarrow import array, compute

        lines = list[bytes]()
        for column in columns:
            texts = array(column) if isinstance(column, list) else column
            holds = compute.match_substring_regex(texts, _IMAGE_BELOW)
            for row in compute.indices_nonzero(holds).to_pylist():
                below = [x.split(self.delimiter) for x in texts[row].as_py().splitlines()[1:]]
                whole = (cells for cells in below if len(cells) == len(columns))
                if any(any(map(names_image, cells)) for cells in whole):
                    lines = lines or self.data.splitlines(keepends=True)
                    known = [0, *self.line_ends]
                    some = [line.decode() for line in lines[slice(*known[row : row + 2])]]
                    try:
                        list(csv.reader(some, delimiter=self.delimiter, strict=True))
                    except csv.Error:
                        return int(row)
        return None


def _header_place(data: bytes) -> tuple[int, str, bool]:
    """Where the names of columns begin, the separator that a line above says, and whether lines of
    one cell stand above names of which one is of files."""
    start, told = 0, ""
    while above := _ABOVE.match(data, start):
        names = re.split(r"[,;\t|]", (above[2] or b"").decode(errors="replace"))
        if set(map(plain_name, names)) & set(FILE_COLUMNS):  # an index column, or names after a "#"
            break
        start, told = above.end(), told or (above[1] or b"").decode("latin-1")
    end = start
    for line in data[start : start + 10_000].splitlines(keepends=True)[:10]:
        cells = [cell.strip(b' "\r\n') for cell in re.split(rb"[,;\t|]", line)]
        filled = [cell.decode(errors="replace") for cell in cells if cell]
        named = any(plain_name(cell) in (*FILE_COLUMNS, *ID_COLUMNS) for cell in filled)
        known = named or any(
            plain_name(cell) in LABEL_COLUMNS or names_image(cell) for cell in filled
        )
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
    known = plain_name(name) in FILE_COLUMNS or names_image(name)
    if not (known and names_image(image)) or plain_name(whole) in FILE_COLUMNS:
        return data
    if {len(line.split()) for line in data.splitlines()} - {0} != {len(names)}:
        return data
    return re.sub(rb"(?m)^ +| +$", b"", re.sub(rb" +", b" ", data)).replace(b" ", b"\t")


def _delimiter(line: str, quotes: bool) -> str:
    """What separates most cells outside quotation marks, and leaves a column of files."""
    bare = re.sub(r'"(?:[^"]|"")*"', "x", line) if quotes else line

    def fits(mark: str) -> tuple[bool, int]:
        names = {plain_name(cell.strip().strip('"')) for cell in line[:100_000].split(mark)}
        return bool(names & set(FILE_COLUMNS)) and mark in bare, bare.count(mark)

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
