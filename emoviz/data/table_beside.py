"""A table in a folder or a ZIP, beside the images that it names: it says what they are."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from emoviz.data.dataset import SPLIT_WORDS, Dataset, Problem, Record, Wish
from emoviz.data.sources import LISTS, TABLES, parts_of
from emoviz.data.table_records import read_records
from emoviz.data.tables import Members, Roles, Table, find_roles, read_held
from emoviz.errors import ImageError, TableError

_MOST = 10  # of each kind that are looked into: where there are more, each is of one image
_LOOKED_AT = 200  # rows, spread over a table


@dataclass(frozen=True)
class _Naming:
    """A table, or several as one, and the images that it names.

    Attributes:
        keys: What the place calls it.
        table: Whose rows have its name in their places.
        roles: Of its columns.
        files: That it may name.
        base: Their folder in the place, with a ``/`` at its end.
    """

    keys: tuple[str, ...]
    table: Table
    roles: Roles
    files: Members
    base: str

    def is_named(self) -> bool:
        """Whether half of its rows at least name images."""
        cells = self.table.columns[self.roles.file]
        some = cells[:: max(1, len(cells) // _LOOKED_AT)]
        return 2 * sum(self.files.locate(cell) is not None for cell in some) >= len(some) > 0

    def named(self) -> dict[str, str]:
        """Cell -> path in the place, of those that name images."""
        cells = {cell.strip() for cell in self.table.columns[self.roles.file]}
        there = self.files.there(cells)
        found = {cell: self.files.locate(cell) for cell in cells - there}
        more = {cell: self.base + self.files.name(path) for cell, path in found.items() if path}
        return {cell: self.base + cell for cell in there} | more


def read_beside(
    place: Path,
    images: Mapping[str, Record],
    problems: Sequence[Problem],
    wish: Wish,
    classes: bool,
    content: Callable[[str], bytes],
) -> tuple[Dataset | None, list[Problem]]:
    """Read images by the one table among them, or by several that are called as splits.

    Args:
        place: The folder or ZIP.
        images: Path in it, with ``/`` -> what it holds.
        problems: What else it holds; the tables are among it.
        wish: What it is opened for. Where labels are needed, an image that no row names is a
            problem.
        classes: Whether the folders are classes: then a table without labels says less.
        content: Gives a file of the place by its name, or raises `ImageError`.

    Returns:
        The set, None where there is no such table; and the problems, a table's with the reason why
        it was not read.
    """
    found, reasons = list[_Naming](), dict[str, str]()
    for key, base in _candidates(images, [problem.key for problem in problems]):
        try:
            one = _naming(place, key, base, images, content(key), wish)
        except ImageError:  # its reason is known
            continue
        except TableError as error:
            if key.casefold().endswith(TABLES):
                reasons[key] = f"it is a table that is not read here: {error}"
            continue
        if one.is_named():
            found.append(one)
        else:
            reasons[key] = "it is a table, and more than half of its rows name no image here"
    found = _as_one([one for one in found if one.roles.label or one.roles.votes] or found)
    keys = [key for one in found for key in one.keys]
    told, why, made = ", ".join(keys), "", None
    if len(found) > 1:
        why = f"several tables name images here ({told}): open the one that counts by itself"
    elif found:
        try:
            made = _records(found[0], images, wish)
        except TableError as error:
            why = str(error)
        if made is not None and classes and not len(made.taxonomy):
            why, made = "it is a table without words for labels; the folders are classes", None
    reasons |= dict.fromkeys(keys, why)
    read = keys if made is not None else ()
    left = [Problem(key, reasons.get(key, reason)) for key, reason in problems if key not in read]
    if made is None:
        return None, left
    note = (
        f"What the images are was read from {told}. To read the folders without it, take folder "
        "level 0."
    )
    notes, every = (note, *made.notes), (*left, *made.problems)
    return replace(made, problems=every, notes=notes, other_level=0), left


def _candidates(images: Mapping[str, Record], others: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Tables, each with the folder of the images that it may name: its own, or the one around it,
    where all of them are."""
    for kind in (TABLES, LISTS):
        keys = [key for key in others if key.casefold().endswith(kind)]
        for key in keys if len(keys) <= _MOST else ():
            above = parts_of(key)[:-1]
            own = "/".join([*above, ""])
            base = (
                own if any(path.startswith(own) for path in images) else "/".join([*above[:-1], ""])
            )
            if all(path.startswith(base) for path in images):
                yield key, base


def _naming(
    place: Path, key: str, base: str, images: Mapping[str, Record], data: bytes, wish: Wish
) -> _Naming:
    files = Members(place / base, [path.removeprefix(base) for path in images])
    table = read_held(Path(key), data, files)
    if table.images is not None:
        raise TableError("it holds images of its own")
    roles = find_roles(table, wish.taxonomy)
    said = table.place
    table = replace(table, place=lambda row: f"{key}, {said(row)}")
    return _Naming((key,), table, roles, files, base)


def _as_one(found: list[_Naming]) -> list[_Naming]:
    """Tables called train, val and test, with the same columns, as one; else as they are."""
    every = found
    found = [one for one in every if one.table.path.stem.casefold() in SPLIT_WORDS]
    if len(found) < 2:
        return every
    first = found[0]
    splits = [SPLIT_WORDS[one.table.path.stem.casefold()] for one in found]
    columns = list(first.table.columns)
    alike = all(
        list(one.table.columns) == columns and one.files.root == first.files.root for one in found
    )
    if not alike or len(set(splits)) < len(found) or first.roles.split:
        return every
    tables = [one.table for one in found]
    places = [table.place(row) for table in tables for row in range(table.count)]
    joined = {name: [cell for table in tables for cell in table.columns[name]] for name in columns}
    joined["split"] = [
        split for table, split in zip(tables, splits, strict=True) for _ in range(table.count)
    ]
    notes = tuple(note for table in tables for note in table.notes)
    whole = replace(first.table, columns=joined, place=places.__getitem__, notes=notes)
    return [
        _Naming(
            tuple(key for one in found for key in one.keys),
            whole,
            replace(first.roles, split="split"),
            first.files,
            first.base,
        )
    ]


def _records(one: _Naming, images: Mapping[str, Record], wish: Wish) -> Dataset:
    """The set by its table, its images by their names in the place."""
    # Images of the place alone can be named; none leads out of it.
    anywhere = replace(wish, sent=False, settings=replace(wish.settings, paths=""))
    told = read_records(one.table, anywhere, one.roles, [one.files])
    records, named = [], one.named()
    for record in told.records:
        image = images.get(named.get(record.name, ""))
        if image is not None:
            record = replace(
                record,
                name=image.name,
                path=image.path,
                inside=image.inside,
                holder=image.holder,
                group=image.name if record.group == record.name else record.group,
                split=record.split or image.split,
            )
        records.append(record)
    problems, taken = list(told.problems), set(named.values())
    for path, image in images.items():
        if path not in taken and wish.labelled:
            problems.append(Problem(image.name, f"it is not named in {' or '.join(one.keys)}"))
        elif path not in taken:
            records.append(replace(image, group=image.name))
    return replace(told, records=tuple(records), problems=tuple(problems))
