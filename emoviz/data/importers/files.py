"""Folders and ZIPs of images as items."""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from emoviz.data.images import Limits
from emoviz.data.importers import Found, Item, Place, Problem
from emoviz.data.sources import list_zip, walk_images
from emoviz.errors import TableError

# ``vincent-van-gogh_starry-night-1889``: how collections of art for research often name files.
_ARTIST_TITLE = re.compile(r"([^\W_]+(?:-[^\W_]+)*)_([^_]+)")
_YEAR = re.compile(r"-((?:1[0-9]|20)\d\d)(?:\(\d+\))?$")
_MOSTLY = 0.8  # of the names must be so, before they are read so


def read_folder(folder: Path) -> Iterator[Found]:
    """The images below a folder; artist and title where the names hold them.

    Raises:
        TableError: There is no such folder.
    """
    if not os.path.isdir(folder):  # noqa: PTH112 - answers no where Path raises
        raise TableError(f"There is no folder '{folder}'.")
    root = Path(os.path.abspath(folder))  # noqa: PTH100 - links stay as they were given
    names = [path.relative_to(root) for path in walk_images(root)]
    reads = _named_by_artist([name.stem for name in names])
    for name in names:
        yield _item(name.as_posix(), Place(path=str(root / name)), reads)
    if not names:
        yield Problem(str(folder), "the folder holds no images")


def read_zip(archive: Path, limits: Limits, archive_bytes: int) -> Iterator[Found]:
    """The images in a ZIP; members that climb out of it, links and bombs are problems."""
    members = list_zip(archive, limits, archive_bytes)
    reads = _named_by_artist([PurePosixPath(name).stem for name, reason in members if not reason])
    path = os.path.abspath(archive)  # noqa: PTH100
    for name, reason in members:
        if reason:
            yield Problem(name, reason)
        else:
            yield _item(name, Place(path=path, inside=name), reads)


def _item(name: str, place: Place, artist_in_name: bool) -> Item:
    path = PurePosixPath(name)
    artist, title, date = _parts(path.stem) if artist_in_name else ("", path.stem, "")
    folder = path.parts[0] if len(path.parts) > 1 else ""
    return Item(
        key=name,
        place=place,
        title=_words(title),
        artist=_words(artist).title(),
        style=folder.replace("_", " "),
        date=date,
        metadata={"folder": path.parent.as_posix()} if folder else {},
    )


def _named_by_artist(stems: Sequence[str]) -> bool:
    fitting = [stem for stem in stems if _ARTIST_TITLE.fullmatch(stem)]
    hyphens = [stem for stem in fitting if "-" in stem.partition("_")[0]]
    return len(fitting) >= _MOSTLY * len(stems) and 2 * len(hyphens) > len(stems)


def _parts(stem: str) -> tuple[str, str, str]:
    found = _ARTIST_TITLE.fullmatch(stem)
    if found is None:
        return "", stem, ""
    year = _YEAR.search(found[2])
    title = found[2][: year.start()] if year else re.sub(r"\(\d+\)$", "", found[2])
    return found[1], title, year[1] if year else ""


def _words(slug: str) -> str:
    text = " ".join(slug.replace("-", " ").replace("_", " ").split())
    return text[:1].upper() + text[1:]
