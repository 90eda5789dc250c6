"""A table of labels in a folder or a ZIP whose folders are no classes, beside its images."""

import random
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from emoviz.data.cells import kind_of_values, listed, plain_name
from emoviz.data.columns import BESIDE, Roles, Table, file_told, find_roles
from emoviz.data.dataset import (
    MOST_CLASSES,
    NO_LABEL,
    SPLIT_WORDS,
    Dataset,
    Problem,
    Record,
    Wish,
    one_hot,
)
from emoviz.data.named_files import Members, find_named
from emoviz.data.sources import (
    JSON,
    LISTS,
    NAMED,
    TEXT_TABLES,
    parts_of,
    plain_suffix,
    why_no_image,
)
from emoviz.data.table_records import read_records, tallied, with_folders
from emoviz.data.tables import read_held
from emoviz.errors import ImageError, TableError
from emoviz.labels import Taxonomy

_MOST = 10  # of each kind that are looked into: where there are more, each is of one image
_LOOKED_AT = 200  # rows that say first whether a table names what is here
_OF_LABELS = ("label", "shares", "valence", "arousal", "written")
_PREDICTIONS = frozenset(("predicted", "sha256"))  # columns of what a network answered


@dataclass(frozen=True)
class _Labels:
    """A table of labels, or several as one.

    Attributes:
        told: The problems that it was so far.
        table: Its rows that name images, by their paths in the place.
        roles: Of its columns.
        lost: A problem for each row that names none.
    """

    told: tuple[Problem, ...]
    table: Table
    roles: Roles
    lost: tuple[Problem, ...]


def read_beside(
    images: Mapping[str, Record],
    problems: Sequence[Problem],
    wish: Wish,
    record_of: Callable[[str], Record],
) -> tuple[Dataset | None, list[Problem]]:
    """Read images by the one table of labels among them, or by several that are called as splits.

    It has columns of files and labels by their names, labels in words, of `Wish.taxonomy` where
    that is given, and none of predictions. Half of its rows name images and half of the images
    are named, each once.

    Args:
        images: Path in the folder or ZIP, with ``/`` -> what it holds.
        problems: What else it holds; the tables are among it.
        wish: What it is opened for. Where labels are needed, an image that no row names is a
            problem; else it has no label.
        record_of: From a name in it to what is read there.

    Returns:
        The set, its images in their order, None where there is no such table; and the problems,
        a table's with the reason why it was not read.
    """
    found, reasons, made = list[_Labels](), dict[Problem, str](), None
    for problem, base in _candidates(images, problems):
        try:
            data = record_of(problem.key).read(wish.limits)
            found.append(_labels(problem, base, images, data, wish.taxonomy))
        except (TableError, ImageError) as error:
            if problem.reason in NAMED:
                reasons[problem] = str(error)
    told = [problem for one in found for problem in one.told]
    found = _as_one(found)
    if len(found) > 1:
        why = f"several tables could be meant: {', '.join(problem.key for problem in told)}"
        reasons |= dict.fromkeys(told, why)
    elif found:
        try:
            made = _records(found[0], images, wish)
        except TableError as error:
            reasons |= dict.fromkeys(told, str(error))
    left = [
        Problem(item.key, f"{item.reason} (not read here: {reasons[item].rstrip('.')})")
        if item in reasons
        else item
        for item in problems
        if made is None or item not in told
    ]
    if made is None:
        return None, left
    return replace(made, problems=(*left, *made.problems)), left


def _candidates(
    images: Mapping[str, Record], problems: Sequence[Problem]
) -> Iterator[tuple[Problem, str]]:
    """Tables, each with the folder of the images that it may name: its own, or the one around."""
    for kinds in (TEXT_TABLES, LISTS, JSON[2:]):
        some = [item for item in problems if plain_suffix(item.key) in kinds]
        some = [x for x in some if x.reason in (*NAMED, why_no_image(x.key, bytes))]
        if len(some) > _MOST:
            return
        for item in some:
            above = parts_of(item.key)[:-1]
            own = "/".join((*above, ""))
            beside = any(path.startswith(own) for path in images)
            yield item, own if beside else "/".join((*above[:-1], ""))


def _labels(
    problem: Problem,
    base: str,
    images: Mapping[str, Record],
    data: bytes,
    taxonomy: Taxonomy | None,
) -> _Labels:
    """A table of labels; `TableError` says why it is none."""
    below = [path.removeprefix(base) for path in images if path.startswith(base)]
    files = Members(Path("/here", base), below)
    table = read_held(Path(problem.key), data, files)
    # Without cells columns are found by their names alone.
    by_name = find_roles(replace(table, columns=dict.fromkeys(table.columns, ())))
    roles = find_roles(table, taxonomy)
    table, place = with_folders(table, roles, [files]), table.place
    votes = map(str.strip, chain.from_iterable(table.columns[name] for name in roles.votes))
    counts = roles.label is None and any(x.isdecimal() and x not in "01" for x in votes)
    if not counts and (by_name.label is None or roles.label is None):
        raise TableError("it has no column of labels")
    if not _PREDICTIONS.isdisjoint(map(plain_name, table.columns)):
        raise TableError("it holds predictions")
    words = set(roles.votes.values()).difference(BESIDE)
    if roles.label is not None:
        words = {word for cell in set(table.columns[roles.label]) for word in listed(cell.strip())}
    if not words:
        raise TableError("it has no label")
    kinds = {kind_of_values({word}) for word in words}
    if "numbers" in kinds or "" not in kinds:
        raise TableError(f"its labels are {max(kinds)}")
    if taxonomy is not None and not all(map(taxonomy.holds, words)):
        raise TableError(f"not all of its labels are of taxonomy '{taxonomy.name}'")
    cells = [cell.strip() for cell in table.columns[roles.file]]
    # A catalogue of a million works is looked up whole only where it may well be of these images.
    some = random.Random(0).sample(cells, min(len(cells), _LOOKED_AT))
    paths = _paths(some, files, base, images)
    few = 4 * sum(cell in paths for cell in some) < len(some)
    paths = paths if few else _paths(cells, files, base, images)
    rows = [row for row, cell in enumerate(cells) if cell in paths]
    if few or 2 * len(rows) < len(cells):
        raise TableError("more than half of its rows name no image here")
    lost = tuple(
        Problem(f"{problem.key}, {place(row)}", f"{file_told(cell)}it names no image here")
        for row, cell in enumerate(cells)
        if cell not in paths
    )
    columns = {name: [column[row] for row in rows] for name, column in table.columns.items()}
    columns[roles.file] = [paths[cells[row]] for row in rows]
    named = replace(table, columns=columns, place=lambda row: f"{problem.key}, {place(rows[row])}")
    named, roles = tallied(named, roles)
    return _Labels((problem,), named, roles, lost)


def _paths(
    cells: Sequence[str], files: Members, base: str, images: Collection[str]
) -> dict[str, str]:
    """Cell -> path in the place, of those that name images, from the table's folder or from the
    place itself; an address names none."""
    there = files.there(cells)
    outer = {cell: cell for cell in set(cells) - there if cell in images}
    others, _ = find_named([files], set(cells) - there - outer.keys(), there, elsewhere=False)
    found = {cell: base + files.name(path) for cell, path in others.items()}
    return found | outer | {cell: base + cell for cell in there}


def _as_one(found: list[_Labels]) -> list[_Labels]:
    """Tables called train, val and test, or in such folders, with the same columns, as one."""
    names = ([one.table.path.stem, one.table.path.parent.name] for one in found)
    words = ((SPLIT_WORDS.get(name.casefold()) for name in pair) for pair in names)
    splits = [next(filter(None, pair), None) for pair in words]
    alike = {tuple(one.table.columns) for one in found}
    if len(found) < 2 or None in splits or len(set(splits)) < len(found) or len(alike) > 1:
        return found
    first, tables = found[0], [one.table for one in found]
    if first.roles.split or any(one.roles != first.roles for one in found):
        return found
    columns = {
        name: list(chain.from_iterable(table.columns[name] for table in tables))
        for name in first.table.columns
    }
    columns["split"] = [
        str(split) for split, x in zip(splits, tables, strict=True) for _ in range(x.count)
    ]
    places = [table.place(row) for table in tables for row in range(table.count)]
    notes = tuple(chain.from_iterable(table.notes for table in tables))
    whole = replace(first.table, columns=columns, place=places.__getitem__, notes=notes)
    told, lost = (
        tuple(chain.from_iterable(problems))
        for problems in zip(*((one.told, one.lost) for one in found), strict=True)
    )
    return [_Labels(told, whole, replace(first.roles, split="split"), lost)]


def _records(one: _Labels, images: Mapping[str, Record], wish: Wish) -> Dataset:
    """The set by its table; `TableError` says why it is none."""
    paths = set(one.table.columns[one.roles.file])
    if len(paths) < one.table.count:
        raise TableError("several rows name one image")
    if 2 * len(paths) < len(images):
        raise TableError("it names fewer than half of the images here")
    # Images of the place alone can be named; none leads out of it.
    anywhere = replace(wish, sent=False, settings=replace(wish.settings, paths=""))
    told = read_records(one.table, anywhere, one.roles, [Members(Path("/here"), list(images))])
    if not len(told.taxonomy):
        raise TableError(f"it has more than {MOST_CLASSES:,} different labels")
    taken = {record.name: record for record in told.records}
    tables = " and ".join(problem.key for problem in one.told)
    none = one_hot(NO_LABEL, len(told.taxonomy))
    records, unnamed = list[Record](), list[Problem]()
    for path, image in images.items():
        if row := taken.get(path):
            records.append(
                replace(
                    image,
                    group=image.name if row.group == path else row.group,
                    split=row.split or image.split,
                    metadata={**image.metadata, **row.metadata},
                    **{name: getattr(row, name) for name in _OF_LABELS},
                )
            )
        elif path in paths:
            pass  # its row is a problem
        elif wish.labelled:
            unnamed.append(Problem(image.name, f"it is not named in {tables}"))
        else:
            records.append(replace(image, shares=none, group=image.name))
    notes = (f"The labels were read from {tables}.", *told.notes)
    problems = (*told.problems, *one.lost, *unnamed)
    return replace(told, records=tuple(records), problems=problems, notes=notes)
