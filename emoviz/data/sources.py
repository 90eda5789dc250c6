"""Where images come from: files, folders and ZIP archives; one `ImageSource` an image.

A source is read only when its turn comes, so a folder of any size costs no memory; what cannot
be read is an `ImageError` of that one source.
"""

import gzip
import io
import os
import re
import stat
import struct
import threading
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from emoviz.data import image_formats
from emoviz.data.dataset import Problem
from emoviz.data.images import SUFFIXES, Limits, read_file
from emoviz.errors import ImageError
from emoviz.settings import Settings

# A member that unpacks to more than this many times its packed size is a bomb: photographs and
# PNGs stay below 20, blank bitmaps reach several hundred but are small.
MAX_RATIO = 200
SMALL_MEMBER = 20_000_000
MAX_MEMBERS = 200_000
_MOST_TEXT = 2_000_000_000  # bytes that gzip may unpack to
_HEAD = 512  # bytes that tell what a file is
# What systems put beside people's files; nobody means it when they point at a folder.
_JUNK = frozenset(
    (
        *("thumbs.db", "ehthumbs.db", "thumbs.db:encryptable", "desktop.ini", "picasa.ini"),
        *("__macosx", "@eadir", "icon\r", "lost+found", "$recycle.bin"),
        "system volume information",
    )
)
# Of tables whose names say so, of workbooks, some of which are text, and of what may be tables.
JSON = (".jsonl", ".ndjson", ".json")
TEXT_TABLES = (".csv", ".tsv", ".tab", *JSON[:2])
TABLES_OF_ARROW = (".parquet", ".arrow", ".feather")
TABLES = (*TEXT_TABLES, *TABLES_OF_ARROW)
SHEETS = (".xlsx", ".xls", ".xlsm", ".ods", ".numbers")
LISTS = (".txt", *SHEETS)
_A_TABLE = "it is a table; open it by itself to have what it says of the images"
_A_TABLE_INSIDE = _A_TABLE.replace("open it", "unpack the ZIP and open it")
NAMED = (_A_TABLE, _A_TABLE_INSIDE)  # why a table is no image
WORKBOOKS = (b"PK", b"\xd0\xcf\x11\xe0", b"<")  # what those begin with that are no text
_TEXTS = frozenset((".txt", ".json", ".xml", ".html", ".md", ".yaml", ".yml", ".py"))
_BEGINNINGS = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"\0\0\0\x0cjP")


@dataclass(frozen=True)
class ImageSource:
    """One image that can be read when wanted.

    Attributes:
        name: What people see: a path as it was given, an uploaded file's name, or
            ``archive.zip/inside/name.jpg``.
        read: Gives the file's bytes, or raises `ImageError`.
    """

    name: str
    read: Callable[[], bytes]


def from_bytes(name: str, data: bytes) -> ImageSource:
    """A source over bytes that are already in memory."""
    return ImageSource(name, lambda: data)


def from_path(path: Path, limits: Limits, name: str | None = None) -> ImageSource:
    """A source over one file on disk."""
    return ImageSource(name or str(path), lambda: read_file(path, limits))


def refusal(name: str, reason: str) -> ImageSource:
    """A source that is known to be unreadable, so that it is listed with its reason."""

    def read() -> bytes:
        raise ImageError(reason)

    return ImageSource(name, read)


def is_address(place: str | Path) -> bool:
    """Whether it lies on the web; a `Path` has made one slash of two."""
    return re.match(r"https?:/", str(place), re.IGNORECASE) is not None


def as_address(place: str | Path) -> str:
    """An address with both of its slashes."""
    return re.sub("(?<=:)/+", "//", str(place), count=1)


def plain_suffix(name: str) -> str:
    """Of a file's name, in small letters; of a table packed by gzip that of the table."""
    suffix = PurePosixPath(name.casefold().removesuffix(".gz")).suffix
    return suffix if suffix in (*TABLES, *LISTS, *JSON) else PurePosixPath(name.casefold()).suffix


def parts_of(name: str) -> tuple[str, ...]:
    """The folders and the file of a relative name, whichever way its separators lean."""
    return tuple(part for part in re.split(r"[/\\]+", name) if part not in ("", "."))


def is_junk(parts: Iterable[str]) -> bool:
    """Whether a system put it there: hidden files, locks, Thumbs.db, __MACOSX and the like."""
    return any(part.startswith((".", "~$")) or part.casefold() in _JUNK for part in parts)


def why_no_image(name: str, head: Callable[[], bytes]) -> str:
    """Why a file is not taken for an image, "" where it is: by its suffix, else by its bytes.

    Args:
        name: Of the file.
        head: Gives its first bytes; asked only where the suffix does not say.
    """
    suffix = plain_suffix(name)
    if suffix in SUFFIXES:
        return ""
    if suffix == ".zip":
        return "it is a ZIP of its own; unpack it, or bring it in by itself"
    if suffix in TABLES:
        return _A_TABLE
    if suffix in _TEXTS:
        return f"it is no image by its name ({suffix})"
    try:
        begins = head()
        if is_image(begins):
            return ""
    except ImageError as error:
        return str(error)
    if suffix in SHEETS:
        is_workbook = begins.startswith(WORKBOOKS)
        return "it is a workbook; save its sheet as CSV" if is_workbook else _A_TABLE
    return image_formats.what_it_is(begins) if begins else "the file is empty"


def is_image(begins: bytes) -> bool:
    """Whether a file that begins so is of a kind that is read."""
    webp = begins[:4] == b"RIFF" and begins[8:12] == b"WEBP"
    iso = image_formats.brands_of(begins) and len(image_formats.formats_of(begins)) == 1
    return begins.startswith(_BEGINNINGS) or webp or bool(iso)


def walk_files(folder: Path) -> Iterator[tuple[Path, str]]:
    """The files below a folder, sorted by path, each with why it is no image or "".

    Links are followed; a folder that two ways lead to is walked once, by the way without links,
    and the other way is told. What systems put there is left out without a word.
    """
    seen: set[tuple[int, int]] = set()
    links: list[Path] = []
    yield from _walk(folder, seen, links)
    root = os.path.realpath(folder)
    while links:
        link = links.pop(0)
        place = os.path.realpath(link)
        if root.startswith(os.path.join(place, "")):  # noqa: PTH118 - with the separator
            yield link, "it is a link to a folder around this one"
        elif _identity(place) in seen:
            yield link, "it is a link to a folder that is here already"
        else:
            yield from _walk(link, seen, links)


def _walk(
    folder: Path, seen: set[tuple[int, int]], links: list[Path]
) -> Iterator[tuple[Path, str]]:
    closed: list[tuple[Path, str]] = []

    def note(error: OSError) -> None:
        closed.append((Path(error.filename or folder), f"it cannot be opened: {error.strerror}"))

    seen.add(_identity(folder))
    for root, folders, files in os.walk(folder, onerror=note):
        kept = [Path(root, name) for name in sorted(folders) if not is_junk([name])]
        links += [path for path in kept if path.is_symlink()]
        own = {path.name: _identity(path) for path in kept if not path.is_symlink()}
        folders[:] = [name for name, identity in own.items() if identity not in seen]
        seen |= set(own.values())
        for name in sorted(files):
            if not is_junk(parts_of(name)):
                path = Path(root, name)
                try:
                    is_file = stat.S_ISREG(path.stat().st_mode)
                except OSError as error:
                    is_link = os.path.islink(path)  # noqa: PTH114 - no error
                    lost = is_link and not isinstance(error, PermissionError)
                    why = f"it cannot be read: {error.strerror}"
                    yield path, "it is a link that leads nowhere" if lost else why
                    continue
                reason = why_no_image(name, lambda path=path: first_bytes(path))  # type: ignore[misc]
                yield path, reason if is_file else "it is not an ordinary file"
    yield from closed


def _identity(folder: str | Path) -> tuple[int, int]:
    """What tells a folder from every other, whatever way leads to it."""
    try:
        status = os.stat(folder)  # noqa: PTH116 - a text or a path
    except OSError:
        return 0, hash(str(folder))
    return status.st_dev, status.st_ino


def first_bytes(path: Path, count: int = _HEAD) -> bytes:
    """What tells what a file is, or `ImageError` where it is no ordinary file."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ImageError("it is not an ordinary file")
        with path.open("rb") as stream:
            return stream.read(count)
    except OSError as error:
        raise ImageError(f"it cannot be read: {error.strerror}") from None


def walk_images(folder: Path) -> Iterator[Path]:
    """The images below a folder, sorted by path; see `walk_files`."""
    return (path for path, reason in walk_files(folder) if not reason)


def unpacked(data: bytes) -> bytes:
    """What was packed by gzip; other bytes as they are.

    Raises:
        ImageError: It is damaged, or unpacks to far more than a text would.
    """
    if not data.startswith(b"\x1f\x8b"):
        return data
    most = min(max(SMALL_MEMBER, 40 * len(data)), _MOST_TEXT)  # tables shrink to a tenth or so
    try:
        with gzip.open(io.BytesIO(data)) as packed:
            data = packed.read(most + 1)
    except (OSError, EOFError, zlib.error):
        raise ImageError("it is damaged or cut short, gzip cannot unpack it") from None
    if len(data) > most:
        raise ImageError("it unpacks to far more than a text would")
    return data


class ZipImages:
    """The images of a ZIP, read in memory one at a time; nothing is unpacked to disk.

    Members that climb out of the archive (``../``), links, encrypted members and bombs are
    problems, as is all that is no image.

    Args:
        archive: Where it is, or its bytes.
        settings: Caps for each image, and on what it may unpack to.

    Attributes:
        names: Of its images, in the encoding that makes sense, in order.
        problems: What else it holds.
        notes: In what encoding the names were read, where they do not say.

    Raises:
        ImageError: It is no ZIP, is damaged, or goes beyond a cap.
    """

    def __init__(self, archive: Path | bytes, settings: Settings) -> None:
        limits = Limits.of(settings)
        self._archive, self._process, self._lock = archive, -1, threading.Lock()
        try:
            members = self._opened().infolist()
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
            begins = archive if isinstance(archive, bytes) else first_bytes(archive)
            kind = "" if begins.startswith(b"PK") else image_formats.kind_told(begins)
            told = (
                f"it is no ZIP, but {kind}" if kind else "it is not a ZIP archive, or a damaged one"
            )
            raise ImageError(told) from None
        if len(members) > MAX_MEMBERS:
            raise ImageError(f"the ZIP lists {len(members):,} files; at most {MAX_MEMBERS:,}")
        names, self.notes = member_names(members)
        self.names: list[str] = []
        self.problems: list[Problem] = []
        self._members: dict[str, zipfile.ZipInfo] = {}
        total, places = 0, set[tuple[str, ...]]()
        for name, member in zip(names, members, strict=True):
            parts = parts_of(name)
            if not parts or name.endswith(("/", "\\")) or is_junk(p for p in parts if p != ".."):
                continue
            reason = _why_unsafe(name, member, limits)
            if not reason and parts in places:
                reason = "the ZIP holds two files of this name; the first one counts"
            if not reason:
                self._members[name] = member
                places.add(parts)
                head = partial(self._unpacked, member, _HEAD)
                reason = why_no_image(parts[-1], head)
            if reason:
                reason = _A_TABLE_INSIDE if reason == _A_TABLE else reason
                self.problems.append(Problem(name, reason))
                continue
            self.names.append(name)
            total += member.file_size
        if total > settings.max_archive_mb * 1e6:
            raise ImageError(
                f"the ZIP would unpack to {total / 1e6:,.0f} MB; at most "
                f"{settings.max_archive_mb:,.0f} MB are read (EMOVIZ_MAX_ARCHIVE_MB)"
            )

    def read(self, inside: str, limits: Limits) -> bytes:
        """The bytes of an image or a table, or `ImageError` with the reason."""
        member = self._members.get(inside)
        if member is None:
            raise ImageError("the ZIP no longer holds it")
        return self._unpacked(member, limits.max_bytes + 1)

    def _unpacked(self, member: zipfile.ZipInfo, most: int) -> bytes:
        try:
            with self._opened().open(member) as stream:
                return stream.read(most)
        except NotImplementedError:
            raise ImageError("it is packed in a way that is not read here") from None
        except Exception as error:  # zipfile, zlib, bz2 and lzma raise what each of them likes
            raise ImageError(f"it cannot be unpacked from the ZIP ({error})") from None

    def _opened(self) -> zipfile.ZipFile:
        """One open archive a process: reading its list anew costs 0.1 s at 5,000 members, and
        processes that share one would read where the other one is."""
        with self._lock:
            if self._process != os.getpid():
                given = self._archive
                file = io.BytesIO(given) if isinstance(given, bytes) else given
                self._zip = zipfile.ZipFile(file)
                self._process = os.getpid()
            return self._zip


def member_names(members: Sequence[zipfile.ZipInfo]) -> tuple[list[str], tuple[str, ...]]:
    """The members' names as they were written, and a note where the encoding had to be guessed.

    A name in UTF-8 often does not say so; one in a code page never says in which. `zipfile` reads
    both as code page 437, which loses nothing: the bytes are had back from it.
    """
    names = [_unicode_path(member) or member.filename for member in members]
    asked = [
        i
        for i, member in enumerate(members)
        if not member.flag_bits & 0x800 and names[i] == member.filename and not names[i].isascii()
    ]
    if not asked:
        return names, ()
    raw = {i: members[i].orig_filename.encode("cp437", errors="replace") for i in asked}
    from emoviz.data.encodings import guess_encoding

    encoding = guess_encoding(list(raw.values()))
    for i, data in raw.items():
        text = data.decode(encoding, errors="replace").split("\0")[0]
        names[i] = unicodedata.normalize("NFC", text)
    if encoding == "utf-8":
        return names, ()
    return names, (f"Names in the ZIP do not say how they are written; they were read as "
                   f"{encoding}.",)  # fmt: skip


def _unicode_path(member: zipfile.ZipInfo) -> str:
    """The name in UTF-8 that Info-ZIP and 7-Zip put beside one in a code page."""
    extra = member.extra
    while len(extra) >= 4:
        kind, size = struct.unpack("<HH", extra[:4])
        if kind == 0x7075 and size > 5:
            return extra[9 : 4 + size].decode("utf-8", errors="replace")
        extra = extra[4 + size :]
    return ""


def _why_unsafe(name: str, member: zipfile.ZipInfo, limits: Limits) -> str:
    parts = re.split(r"[/\\]", name)
    if name.startswith(("/", "\\")) or ".." in parts or ":" in parts[0]:
        return "its name leads out of the ZIP; it is left out for safety"
    if stat.S_ISLNK(member.external_attr >> 16):
        return "it is a link, not an image"
    if member.flag_bits & 0x1:
        return "it is encrypted"
    if member.file_size > limits.max_bytes:
        return f"it would unpack to {member.file_size / 1e6:,.0f} MB"
    packed = max(member.compress_size, 1)
    if member.file_size > SMALL_MEMBER and member.file_size / packed > MAX_RATIO:
        return "it unpacks to far more than an image would; it looks like a ZIP bomb"
    return ""
