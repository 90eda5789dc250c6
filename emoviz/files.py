"""Writing so that a full disk or a killed process leaves the old file or the new one, whole.

And reading what was written so.
"""

import contextlib
import ctypes
import json
import os
import re
import shutil
import tempfile
import time
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

Kind = TypeVar("Kind")
# Of JSON: no such file, no text, no JSON, a number of 5,000 digits, 100,000 brackets.
_UNREADABLE = (OSError, ValueError, RecursionError)

_ASIDE = re.compile(r"\..+\.[a-z0-9_]{8}", re.DOTALL)  # as `tempfile` calls what stands aside


@contextlib.contextmanager
def replaced_file(path: Path) -> Iterator[Path]:
    """Give a path beside `path` to write to; rename it over `path` once that went well.

    Raises:
        OSError: The disk is full or the folder is not writable; `path` is then as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(handle)
    aside = Path(name)
    try:
        yield aside
        _sync(aside)
        aside.chmod(0o644)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


@contextlib.contextmanager
def replaced_folder(path: Path) -> Iterator[Path]:
    """Give an empty folder beside `path` to fill; put it in the place of `path` afterwards.

    Linux exchanges the two in one step, so that a reader always finds the old one or the new one.
    Elsewhere the old one is moved away first and removed last. A process killed in between leaves
    a hidden folder beside it and loses nothing.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        yield aside
        for file in aside.iterdir():
            _sync(file)
            file.chmod(0o644)
        aside.chmod(0o755)
        _swap(aside, path)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


# Signs that set the direction of writing: "gpj.exe" could be made to look like "exe.jpg".
_TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def printable(text: str, lines: bool = False) -> str:
    """Foreign text without the signs that a terminal obeys or that hide what follows.

    Args:
        text: Such as a file's name.
        lines: Whether it may have several lines.
    """
    return "".join(
        "\N{REPLACEMENT CHARACTER}"
        if (unicodedata.category(sign) in ("Cc", "Cs") and not (lines and sign == "\n"))
        or sign in _TURNING
        else sign
        for sign in text
    )


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    with replaced_file(path) as aside:
        aside.write_text(text, encoding="utf-8")


def write_json(path: Path, values: Any) -> None:
    """Write values as indented JSON, whole or not at all.

    Names of files that are no UTF-8 are written as escapes, and read again as they were.
    """
    text = json.dumps(values, indent=2, ensure_ascii=False)
    if re.search("[\ud800-\udfff]", text):
        text = json.dumps(values, indent=2)
    write_text(path, text + "\n")


def arrow_file(path: Path, mode: str = "rb") -> Any:
    """A file for pyarrow, which by itself opens no path whose bytes are no UTF-8.

    Raises:
        OSError: It cannot be opened.
    """
    import pyarrow

    return pyarrow.OSFile(os.fsencode(path), mode)


def read_json(path: Path) -> dict[str, Any] | None:
    """The JSON object in a file; None where there is none that can be read."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except _UNREADABLE:
        return None
    return values if isinstance(values, dict) else None


def read_lines(path: Path) -> tuple[list[dict[str, Any]], list[int]]:
    """The JSON objects of a file with one a line, and the numbers of the lines that are none.

    The last line may be half, as a killed process leaves it, and is then not counted.
    """
    rows, damaged = [], []
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError:
        return [], [1] if path.exists() else []
    for number, line in enumerate(lines, 1):
        try:
            values = json.loads(line) if line.strip() else None
        except _UNREADABLE:
            values = () if number < len(lines) else None
        if isinstance(values, dict):
            rows.append(values)
        elif values is not None:
            damaged.append(number)
    return rows, damaged


def made_of(kind: type[Kind], values: Mapping[str, Any]) -> Kind:
    """A dataclass of values that were read from a file, once they are of its fields' types.

    Raises:
        TypeError: A field is missing, unknown, or of another type.
    """
    for item in fields(kind):  # type: ignore[arg-type]
        if item.name in values and not _is_a(values[item.name], item.type):
            raise TypeError(f"{item.name} is of another type")
    return kind(**values)


def _is_a(value: Any, wanted: Any) -> bool:
    """Whether a plain value is of an annotated type; what is not plain is not looked at."""
    if get_origin(wanted) is Literal:
        return value in get_args(wanted)
    if get_origin(wanted) in (UnionType, Union):
        return any(_is_a(value, part) for part in get_args(wanted))
    if get_origin(wanted) is Mapping:
        kinds = get_args(wanted)
        return isinstance(value, Mapping) and all(
            _is_a(key, kinds[0]) and _is_a(item, kinds[1]) for key, item in value.items()
        )
    if wanted is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15
    if wanted in (str, bool, type(None)):
        return isinstance(value, wanted)
    return wanted is not int or (isinstance(value, int) and not isinstance(value, bool))


def _swap(aside: Path, path: Path) -> None:
    if not path.exists():
        aside.replace(path)
        return
    if _exchanged(aside, path):
        return
    old = Path(tempfile.mkdtemp(prefix=f".{path.name}.old.", dir=path.parent))
    path.replace(old / path.name)
    try:
        aside.replace(path)
    except OSError:
        (old / path.name).replace(path)
        old.rmdir()
        raise
    shutil.rmtree(old, ignore_errors=True)


def _exchanged(one: Path, two: Path) -> bool:
    """Exchange two paths in one step; False, with nothing done, where the system cannot."""
    here, exchange = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of Linux
    try:
        renameat2 = ctypes.CDLL(None).renameat2
    except (AttributeError, OSError, TypeError):  # another system, or an older C library
        return False
    return bool(renameat2(here, os.fsencode(one), here, os.fsencode(two), exchange) == 0)


def _sync(path: Path) -> None:
    if path.is_file():
        with path.open("rb") as stream:
            os.fsync(stream.fileno())


def unwritable(folder: Path) -> bool:
    """Whether nothing can be put into a folder, or the folder cannot be made where it is missing.

    A disk that is read-only counts for the administrator as well; one that is full is not noticed.
    """
    there = next((p for p in (folder, *folder.absolute().parents) if os.path.lexists(p)), folder)
    return not (there.is_dir() and os.access(there, os.W_OK | os.X_OK))


def read_only(file: Path) -> str:
    """The address under which SQLite reads a file whose folder cannot be written.

    While another user writes, its log lies beside it and is read too; else nothing changes it.
    """
    is_written = file.with_name(f"{file.name}-wal").exists()
    return f"{file.absolute().as_uri()}?{'mode=ro' if is_written else 'immutable=1'}"


def sweep(root: Path, older_than: float = 3600.0) -> int:
    """Remove what `replaced_file` and `replaced_folder` left when their process was killed.

    Args:
        root: Folder that is looked through.
        older_than: Seconds; what is younger may be being written.

    Returns:
        How many files and folders were removed.
    """
    latest, removed = time.time() - older_than, 0
    for folder, names, files in os.walk(root):
        for name in [*names, *files]:
            path = Path(folder, name)
            with contextlib.suppress(OSError):
                if not _ASIDE.fullmatch(name) or path.lstat().st_mtime > latest:
                    continue
                if name in names:
                    names.remove(name)
                    shutil.rmtree(path)
                else:
                    path.unlink()
                removed += 1
    return removed
