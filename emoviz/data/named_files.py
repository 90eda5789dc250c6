"""Finds the files that a table or a label names, in a folder or in a ZIP."""

import os
import random
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice, takewhile
from pathlib import Path
from urllib.parse import unquote

from emoviz.data.images import SUFFIXES
from emoviz.data.sources import parts_of, walk_files
from emoviz.data.structure import OF_IMAGES

ADDRESS = re.compile(r"(?i)(?!file:)[a-z][a-z0-9+.-]+:/|data:")  # of whatever kind
_LOOKED_AT = 500  # names of which one at least must be where the others are looked for, too
_MOST_FILES = 50_000  # that are looked at for a table none of whose images is where it should be
_TAIL = 8  # folders and file at the end of a path by which it is found


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


def image_folders(around: Path) -> Iterator[Files]:
    """A folder, and those of images in it."""
    own = Files(around)
    yield own
    below = (name for name in own.listing() if name.casefold() in OF_IMAGES)
    yield from (Files(around / name) for name in sorted(below))


def find_named(
    folders: Sequence[Files], names: Collection[str], there: Collection[str], elsewhere: bool
) -> tuple[dict[str, Path], str]:
    """Where files are that are not there as a table names them: in the first folder that has one.

    Of two names that would mean one file of another kind or number, none has it.

    Args:
        folders: Where they may be.
        names: That are not there as they are written.
        there: Other names of the table, which are there in the first folder.
        elsewhere: Whether to look around the first folder and below it too, where none is
            anywhere; what has half of them is taken.

    Returns:
        Name -> file; and the first name whose file lies in other folders or is of another kind
        than it says, "" for none.
    """
    found, alone, is_away = dict[str, Path](), not there, False
    for files in folders:
        lost = [name for name in names if name not in found]
        if files is folders[0] or files.located(_some(lost), alone and not found):
            found |= files.located(lost, alone and not found)
    if names and alone and not found and elsewhere:
        some = _some(names)
        for files in _elsewhere(folders[0].root):
            if is_away := 2 * len(files.located(some, alone)) >= len(some):
                found = files.located(names, alone)
                break
    times, used = Counter(found.values()), {folders[0].root / name for name in there if found}
    found = {
        name: path
        for name, path in found.items()
        if (times[path] == 1 and path not in used)
        or folded(path.name) == folded(parts_of(unquote(name.strip()))[-1])
    }
    return found, next((x for x, path in found.items() if is_away or _is_other(x, path)), "")


def _some(names: Collection[str]) -> list[str]:
    return random.Random(0).sample([*names], min(len(names), _LOOKED_AT))


def _elsewhere(folder: Path) -> Iterator[Files]:
    """Around a folder; and below it, so many as are looked at quickly."""
    yield from image_folders(folder.parent)
    some = islice(walk_files(folder), _MOST_FILES)
    yield Members(folder, [file.relative_to(folder).as_posix() for file, why in some if not why])


def _is_other(name: str, path: Path) -> bool:
    """Whether a file lies in other folders, or is of another kind, than its name says."""
    text = folded(unquote(name.strip()))
    end = "/".join(parts_of(text))
    return text.endswith(tuple(SUFFIXES)) and not folded(path.as_posix()).endswith(end)


def folded(name: str) -> str:
    """A name whatever its capitals and however its accents are composed."""
    return unicodedata.normalize("NFC", name).casefold()


def names_image(cell: str) -> bool:
    """Whether it ends as the name of an image does."""
    return cell.strip().casefold().endswith(tuple(SUFFIXES))


def name_images(cells: Sequence[str]) -> bool:
    """Whether most of them do."""
    return 2 * sum(map(names_image, cells)) > len(cells)


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
