"""Where images come from: files, folders and ZIP archives, one `ImageSource` an image.

A source is read only when its turn comes, so a folder of any size costs no memory; what cannot
be read is an `ImageError` of that one source.
"""

import io
import os
import stat
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from emoviz.data.images import SUFFIXES, Limits, read_file
from emoviz.errors import ImageError, TableError

# A member that unpacks to more than this many times its packed size is a bomb: photographs and
# PNGs stay below 20, blank bitmaps reach several hundred but are small.
MAX_RATIO = 200
SMALL_MEMBER = 20_000_000
MAX_MEMBERS = 200_000


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


def expand(paths: Iterable[Path], limits: Limits, archive_bytes: int) -> list[ImageSource]:
    """Turn files, folders and ZIPs into image sources, in the order given.

    Args:
        paths: Files are taken whatever their name; a folder gives the images below it (by
            suffix, sorted, links to folders not followed, hidden ones left out).
        limits: Caps for each image.
        archive_bytes: Cap on what one ZIP may unpack to.

    Returns:
        The sources. A path that does not exist, an empty folder or a broken ZIP is a source
        that cannot be read, so nothing asked for goes unmentioned.
    """
    sources: list[ImageSource] = []
    for path in paths:
        # os.path answers no where Path raises: a name too long, a folder that is closed to us
        if os.path.isdir(path):  # noqa: PTH112
            found = [from_path(item, limits) for item in walk_images(path)]
            sources += found or [refusal(str(path), "the folder holds no images")]
        elif path.suffix.casefold() == ".zip" and os.path.isfile(path):  # noqa: PTH113
            sources += from_zip(str(path), path, limits, archive_bytes)
        else:
            sources.append(from_path(path, limits))
    return sources


def walk_images(folder: Path) -> Iterator[Path]:
    """Images below a folder by suffix, sorted by path; links to folders are not followed."""
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith(".") and Path(name).suffix.casefold() in SUFFIXES:
                yield Path(root, name)


def from_zip(
    name: str, archive: Path | bytes, limits: Limits, archive_bytes: int
) -> list[ImageSource]:
    """The images inside a ZIP, read in memory one at a time; nothing is unpacked to disk.

    Members that climb out of the archive (``../``), links, encrypted members and bombs are
    sources that refuse with the reason; folders and files that are no images by their name are
    left out without a word.
    """
    found = _images_in(archive, archive_bytes)
    if isinstance(found, str):
        return [refusal(name, found)]
    opened, wanted = found
    return [_member_source(name, opened, member, limits) for member in wanted]


def list_zip(archive: Path | bytes, limits: Limits, archive_bytes: int) -> list[tuple[str, str]]:
    """The names of the images inside a ZIP, each with the reason why it is refused, or "".

    Raises:
        TableError: The whole ZIP is refused, or holds no images.
    """
    found = _images_in(archive, archive_bytes)
    if isinstance(found, str):
        raise TableError(f"{'The ZIP' if isinstance(archive, bytes) else archive}: {found}.")
    opened, wanted = found
    with opened:
        return [(member.filename, _why_unsafe(member, limits) or "") for member in wanted]


def _images_in(
    archive: Path | bytes, archive_bytes: int
) -> tuple[zipfile.ZipFile, list[zipfile.ZipInfo]] | str:
    """The open archive with its members that are images by their names, or why it is refused."""
    try:
        # One open archive for all its members: reading its list anew costs 0.1 s at 5,000 members.
        opened = zipfile.ZipFile(_opened(archive))
        members = opened.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return "it is not a ZIP archive, or a damaged one"
    if len(members) > MAX_MEMBERS:
        return f"the ZIP lists {len(members):,} files; at most {MAX_MEMBERS:,}"
    wanted = [member for member in members if _is_image_name(member)]
    if not wanted:
        return "the ZIP holds no images"
    total = sum(member.file_size for member in wanted)
    if total > archive_bytes:
        return (
            f"the ZIP would unpack to {total / 1e6:,.0f} MB; at most "
            f"{archive_bytes / 1e6:,.0f} MB are read (EMOVIZ_MAX_ARCHIVE_MB)"
        )
    return opened, wanted


def _opened(archive: Path | bytes) -> Path | io.BytesIO:
    return io.BytesIO(archive) if isinstance(archive, bytes) else archive


def _is_image_name(member: zipfile.ZipInfo) -> bool:
    path = PurePosixPath(member.filename.replace("\\", "/"))
    if not path.name or member.is_dir():  # in this order: `is_dir` may stumble over an empty name
        return False
    if path.name.startswith(".") or "__MACOSX" in path.parts:
        return False
    return path.suffix.casefold() in SUFFIXES


def _member_source(
    name: str, opened: zipfile.ZipFile, member: zipfile.ZipInfo, limits: Limits
) -> ImageSource:
    label = f"{name}/{member.filename}"
    reason = _why_unsafe(member, limits)
    if reason is not None:
        return refusal(label, reason)

    def read() -> bytes:
        try:
            with opened.open(member) as stream:
                data = stream.read(limits.max_bytes + 1)
        except NotImplementedError:
            raise ImageError("it is packed in a way that is not read here") from None
        except Exception as error:  # zipfile, zlib, bz2 and lzma raise what each of them likes
            raise ImageError(f"it cannot be unpacked from the ZIP ({error})") from None
        return data

    return ImageSource(label, read)


def _why_unsafe(member: zipfile.ZipInfo, limits: Limits) -> str | None:
    path = PurePosixPath(member.filename.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
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
    return None
