"""What the folders above images mean: wrappers, splits and classes."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from emoviz.data.dataset import SPLIT_WORDS, Split
from emoviz.labels import taxonomy_of

# Folders of images, whatever these show.
OF_IMAGES = frozenset(("images", "image", "imgs", "img", "pictures", "photos", "jpg", "png"))
_Folders = tuple[str, ...]


@dataclass(frozen=True)
class Structure:
    """What the folders above images mean.

    Attributes:
        places: (label or "", split) for each image.
        notes: Which reading was taken, where there are two, and how to have the other.
        other: The level that gives the other reading; None where there is none.
    """

    places: Sequence[tuple[str, Split | None]]
    notes: tuple[str, ...] = ()
    other: int | None = None


def read_structure(folders: Sequence[_Folders], level: int | None = None) -> Structure:
    """Which folders are wrappers, splits and classes.

    ``train``, ``val``, ``test`` are splits above the classes; below them only where no other folder
    stands beside them. Folders that hold one folder alone are wrappers, unless their name is a
    label. Classes are the folders that come
    then; where the field knows none of them and knows all the folders in them, those are.

    Args:
        folders: (N) those above each image, from the outermost.
        level: Which of them is the class, counted from 1; found where None.
    """
    at = _split_level(folders)
    splits = [SPLIT_WORDS.get("".join(above[at : at + 1]).casefold()) for above in folders]
    if level is not None:
        labels = [above[level - 1] if len(above) >= level else "" for above in folders]
        return Structure(list(zip(labels, splits, strict=True)))
    # Splits that hold folders and stand in one may each have wrappers of their own.
    pairs = zip(folders, splits, strict=True)
    around = {above[:at] for above, split in pairs if split and len(above) > at + 1}
    base = next(iter(around), ())
    apart = len(around) == 1 and all(above[: len(base)] == base for above in folders)
    skip = len(base) if apart else 0
    if any(splits):
        folders = [tuple("" if _is_split(name) else name for name in above) for above in folders]
    groups: dict[Split | None, list[int]] = {}
    for row, split in enumerate(splits):
        groups.setdefault(split if apart else None, []).append(row)
    beside = groups.pop(None, []) if apart else []
    labels, notes, others = [""] * len(folders), dict[str, None](), list[int]()
    for rows in groups.values():
        read, note, other = _read_classes([folders[row] for row in rows], skip)
        for row, label in zip(rows, read, strict=True):
            labels[row] = label
        notes |= {note: None} if note else {}
        others += [] if other is None else [other]
    if beside:  # a class may stand beside the splits, and much else
        known = set(labels) - {""}
        read, _, _ = _read_classes([folders[row] for row in beside], skip)
        for row, label in zip(beside, read, strict=True):
            labels[row] = label if label in known or _known({*known, label}) else ""
    places = list(zip(labels, splits, strict=True))
    return Structure(places, tuple(notes), next(iter(others), None))


def _split_level(folders: Sequence[_Folders]) -> int:
    """How many folders stand above the splits; above all the images where there are no splits.

    Past the wrappers one folder that is a split is enough. A level below, all folders have to be;
    and further down, each image has to lie in one.
    """
    first = len(list(takewhile(lambda name: not _is_split(name), _base(folders))))
    deepest = max(map(len, folders), default=0)
    for level in range(first, deepest):
        told = [_is_split(above[level]) for above in folders if len(above) > level]
        enough = any(told) if level == first else all(told)
        if enough and (level <= first + 1 or len(told) == len(folders)):
            return level
    return deepest


def _read_classes(folders: Sequence[_Folders], skip: int) -> tuple[list[str], str, int | None]:
    """The class of each image ("" for none), the note, and the level of the other reading.

    Args:
        folders: Those above each image, splits as "".
        skip: How many of them are wrappers for sure.
    """
    paths = [tuple(filter(None, above[skip:])) for above in folders]
    base = _base(paths)
    inner = [path[len(base) :] if path[: len(base)] == base else () for path in paths]
    first, second = ({path[i] for path in inner if len(path) > i} for i in (0, 1))
    names, at, other, note = ", ".join(sorted(first)[:4]), 0, 0, ""
    if _known(first) or not (base or second):
        pass
    elif second and _known(second):
        at, other = 1, len(base) + 1
        note = (
            f"The classes are the folders {', '.join(sorted(second)[:4])} inside {names}. To take "
            "the outer folders as classes instead"
        )
    elif base and first:
        other = len(base)
        note = (
            f"'{'/'.join(base)}' was taken for a folder around the classes ({names}). To take "
            f"'{base[-1]}' as a class instead"
        )
    elif second:
        other = len(base) + 2
        note = (
            f"The classes are the folders {names}; folders in them count to them. To take those "
            "as classes instead"
        )
    labels = [path[at] if len(path) > at else "" for path in inner]
    if not note:
        return labels, "", None
    deep = next(x for x, path in zip(folders, paths, strict=True) if len(path) >= other)
    level = [i for i, name in enumerate(deep, 1) if i > skip and name][other - 1]
    return labels, f"{note}, take folder level {level}.", level


def _base(paths: Sequence[_Folders]) -> _Folders:
    """The folder in which the classes lie: past those that hold one folder alone."""
    base: _Folders = ()
    while True:
        inside = [path[len(base) :] for path in paths if path[: len(base)] == base]
        names = {path[0] for path in inside if path}
        if len(names) != 1 or _known(names):
            return base
        (name,) = names
        deep = sum(len(path) > 1 for path in inside)
        if name.casefold() not in OF_IMAGES and 2 * deep <= sum(map(bool, inside)):
            return base
        base = (*base, name)


def _known(names: set[str]) -> bool:
    return taxonomy_of(names) is not None


def _is_split(name: str) -> bool:
    return name.casefold() in SPLIT_WORDS
