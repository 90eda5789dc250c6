"""A table in a folder or a ZIP, beside the images that it names: it says what they are."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from emoviz.data.dataset import SPLIT_WORDS, Dataset, Problem, Record, Wish
from emoviz.data.sources import LISTS, TABLES, parts_of, why_no_image
from emoviz.data.table_records import read_records
from emoviz.data.tables import Members, Roles, Table, find_roles, read_held
from emoviz.errors import ImageError, TableError

_MOST = 10  # of each kind that are looked into: where there are more, each is of one image
_LOOKED_AT = 200  # rows, spread over a table


@dataclass(frozen=True)
class _Naming:
    """A table, or several as one, and the images that it may name.

    Attributes:
        told: The problems that it was so far.
        table: Whose rows have its name in their places.
        roles: Of its columns.
        files: That it may name.
        base: Their folder in the place, with a ``/`` at its end.
    """

    told: tuple[Problem, ...]
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
    images: Mapping[str, Record],
    problems: Sequence[Problem],
    wish: Wish,
    classes: bool,
    record_of: Callable[[str], Record],
) -> tuple[Dataset | None, list[Problem]]:
    """Read images by the one table among them, or by several that are called as splits.

    Args:
        images: Path in the folder or ZIP, with ``/`` -> what it holds.
        problems: What else it holds; the tables are among it.
        wish: What it is opened for. Where labels are needed, an image that no row names is a
            problem.
        classes: Whether the folders are classes: then a table without labels says less.
        record_of: From a name in it to what is read there.

    Returns:
        The set, None where there is no such table; and the problems, a table's with the reason why
        it was not read.
    """
    found, reasons = list[_Naming](), dict[Problem, str]()
    for problem, base in _candidates(images, problems):
        try:
            one = _naming(problem, base, images, record_of(problem.key).read(wish.limits), wish)
        except (TableError, ImageError) as error:
            if problem.key.casefold().endswith(TABLES):
                reasons[problem] = f"it is a table that is not read here: {error}"
            continue
        if one.is_named():
            found.append(one)
        else:
            reasons[problem] = "it is a table, and more than half of its rows name no image here"
    found = _as_one([one for one in found if one.roles.label or one.roles.votes] or found)
    told = list(chain.from_iterable(one.told for one in found))
    names, why, made = ", ".join(problem.key for problem in told), "", None
    if len(found) > 1:
        why = f"several tables name images here ({names}): open the one that counts by itself"
    elif found:
        try:
            made = _records(found[0], images, wish)
        except TableError as error:
            why = str(error)
        if made is not None and classes and not len(made.taxonomy):
            why, made = "it is a table without words for labels; the folders are classes", None
    reasons |= dict.fromkeys(told, why)
    read = told if made is not None else ()
    left = [Problem(x.key, reasons.get(x, x.reason)) for x in problems if x not in read]
    if made is None:
        return None, left
    note = f"What the images are was read from {names}. To read the folders alone"
    notes = (f"{note}, take folder level 0.", *made.notes)
    return replace(made, problems=(*left, *made.problems), notes=notes, other_level=0), left


def _candidates(
    images: Mapping[str, Record], problems: Sequence[Problem]
) -> Iterator[tuple[Problem, str]]:
    """Tables, each with the folder of the images that it may name: its own, or the one around it,
    where all of them are."""
    for kind in (TABLES, LISTS):
        some = [item for item in problems if item.key.casefold().endswith(kind)]
        some = [item for item in some if item.reason == why_no_image(item.key, bytes)]
        for item in some if len(some) <= _MOST else ():
            above = parts_of(item.key)[:-1]
            own = "/".join((*above, ""))
            beside = any(path.startswith(own) for path in images)
            base = own if beside else "/".join((*above[:-1], ""))
            if all(path.startswith(base) for path in images):
                yield item, base


def _naming(
    problem: Problem, base: str, images: Mapping[str, Record], data: bytes, wish: Wish
) -> _Naming:
    files = Members(Path("/here", base), [path.removeprefix(base) for path in images])
    table = read_held(Path(problem.key), data, files)
    if table.images is not None:
        raise TableError("it holds images of its own")
    roles, said = find_roles(table, wish.taxonomy), table.place
    table = replace(table, place=lambda row: f"{problem.key}, {said(row)}")
    return _Naming((problem,), table, roles, files, base)


def _as_one(found: list[_Naming]) -> list[_Naming]:
    """Tables called train, val and test, with the same columns, as one; else as they are."""
    stems = [one.table.path.stem.casefold() for one in found]
    pairs = zip(stems, found, strict=True)
    parts = [(SPLIT_WORDS[stem], one) for stem, one in pairs if stem in SPLIT_WORDS]
    kinds = {(one.base, *one.table.columns) for _, one in parts}
    if len(parts) < 2 or len(kinds) > 1 or len(dict(parts)) < len(parts) or found[0].roles.split:
        return found
    first, tables = parts[0][1], [one.table for _, one in parts]
    columns = {
        name: list(chain.from_iterable(table.columns[name] for table in tables))
        for name in first.table.columns
    }
    columns["split"] = [split for split, one in parts for _ in range(one.table.count)]
    places = [table.place(row) for table in tables for row in range(table.count)]
    notes = tuple(chain.from_iterable(table.notes for table in tables))
    whole = replace(first.table, columns=columns, place=places.__getitem__, notes=notes)
    told = tuple(chain.from_iterable(one.told for _, one in parts))
    return [replace(first, told=told, table=whole, roles=replace(first.roles, split="split"))]


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
    taken = set(named.values())
    left = [image for path, image in images.items() if path not in taken]
    problems = list(told.problems)
    if wish.labelled:
        tables = " or ".join(problem.key for problem in one.told)
        problems += [Problem(image.name, f"it is not named in {tables}") for image in left]
    else:
        records += [replace(image, group=image.name) for image in left]
    return replace(told, records=tuple(records), problems=tuple(problems))
