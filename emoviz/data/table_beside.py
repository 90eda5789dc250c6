"""A table of labels in a folder or a ZIP whose folders are no classes, beside its images."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from emoviz.data.cells import NO_ANSWER, number, plain_name
from emoviz.data.dataset import (
    NO_LABEL,
    SPLIT_WORDS,
    Dataset,
    Problem,
    Record,
    Wish,
    one_hot,
)
from emoviz.data.sources import LISTS, NAMED, TEXT_TABLES, is_address, parts_of, why_no_image
from emoviz.data.table_records import read_records
from emoviz.data.tables import Members, Roles, Table, file_told, find_roles, read_held
from emoviz.errors import ImageError, TableError
from emoviz.labels import Taxonomy

_MOST = 10  # of each kind that are looked into: where there are more, each is of one image
_LOOKED_AT = 200  # rows, spread over a table
_PREDICTIONS = frozenset(("predicted", "sha256"))  # columns of what a network answered


@dataclass(frozen=True)
class _Naming:
    """A table of labels, or several as one, and the images that it may name.

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

    def named(self, cells: Sequence[str]) -> dict[str, str]:
        """Cell -> path in the place, of those that name images; an address names none."""
        distinct = {cell.strip() for cell in cells if not is_address(cell.strip())}
        there = self.files.there(distinct)
        found = {cell: self.files.locate(cell) for cell in distinct - there}
        more = {cell: self.base + self.files.name(path) for cell, path in found.items() if path}
        return {cell: self.base + cell for cell in there} | more


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
    found, reasons, made = list[_Naming](), dict[Problem, str](), None
    for problem, base in _candidates(images, problems):
        try:
            data = record_of(problem.key).read(wish.limits)
            found.append(_naming(problem, base, images, data, wish.taxonomy))
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
    """Tables, each with the folder of the images that it may name: its own, or the one around it,
    where all of them are."""
    for kinds in (TEXT_TABLES, LISTS):
        some = [item for item in problems if item.key.casefold().endswith(kinds)]
        some = [x for x in some if x.reason in (*NAMED, why_no_image(x.key, bytes))]
        if len(some) > _MOST:
            return
        for item in some:
            above = parts_of(item.key)[:-1]
            own = "/".join((*above, ""))
            beside = any(path.startswith(own) for path in images)
            base = own if beside else "/".join((*above[:-1], ""))
            if all(path.startswith(base) for path in images):
                yield item, base


def _naming(
    problem: Problem,
    base: str,
    images: Mapping[str, Record],
    data: bytes,
    taxonomy: Taxonomy | None,
) -> _Naming:
    """A table of labels; `TableError` says why it is none."""
    if data.startswith(b"PAR1"):
        raise TableError("it is a Parquet file")
    files = Members(Path("/here", base), [path.removeprefix(base) for path in images])
    table = read_held(Path(problem.key), data, files)
    # Without cells columns are found by their names alone.
    named = find_roles(replace(table, columns=dict.fromkeys(table.columns, ())))
    roles, place = find_roles(table, taxonomy), table.place
    if named.label is None or roles.label is None:
        raise TableError("it has no column of labels")
    if not _PREDICTIONS.isdisjoint(map(plain_name, table.columns)):
        raise TableError("it holds predictions")
    _check_words(table.columns[roles.label], taxonomy)
    table = replace(table, place=lambda row: f"{problem.key}, {place(row)}")
    one = _Naming((problem,), table, roles, files, base)
    some = table.columns[roles.file][:: max(1, table.count // _LOOKED_AT)]
    _check_half(one, some)
    return one


def _check_words(cells: Sequence[str], taxonomy: Taxonomy | None) -> None:
    words = {cell.strip() for cell in set(cells)}
    words = {word for word in words if word.casefold() not in NO_ANSWER}
    if not words:
        raise TableError("it has no label")
    if any(map(_is_number, words)):
        raise TableError("its labels are numbers")
    if taxonomy is not None and not all(map(taxonomy.holds, words)):
        raise TableError(f"not all of its labels are of taxonomy '{taxonomy.name}'")


def _is_number(word: str) -> bool:
    try:
        return number(word, "label") is not None
    except TableError:
        return False


def _check_half(one: _Naming, cells: Sequence[str]) -> dict[str, str]:
    """What `_Naming.named` says of some of its cells, half of which have to name images."""
    named = one.named(cells)
    if 2 * sum(cell.strip() in named for cell in cells) < len(cells):
        raise TableError("more than half of its rows name no image here")
    return named


def _as_one(found: list[_Naming]) -> list[_Naming]:
    """Tables called train, val and test, with the same columns, as one; else as they are."""
    splits = [SPLIT_WORDS.get(one.table.path.stem.casefold()) for one in found]
    alike = {(one.base, *one.table.columns) for one in found}
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
    told = tuple(chain.from_iterable(one.told for one in found))
    return [replace(first, told=told, table=whole, roles=replace(first.roles, split="split"))]


def _records(one: _Naming, images: Mapping[str, Record], wish: Wish) -> Dataset:
    """The set by its table; `TableError` says why it is none."""
    cells = [cell.strip() for cell in one.table.columns[one.roles.file]]
    named = _check_half(one, cells)
    rows = [row for row, cell in enumerate(cells) if cell in named]
    paths = [named[cells[row]] for row in rows]
    if len(set(paths)) < len(paths):
        raise TableError("several rows name one image")
    if 2 * len(paths) < len(images):
        raise TableError("it names fewer than half of the images here")
    columns = {name: [column[row] for row in rows] for name, column in one.table.columns.items()}
    place = one.table.place
    table = replace(
        one.table, columns={**columns, one.roles.file: paths}, place=lambda row: place(rows[row])
    )
    # Images of the place alone can be named; none leads out of it.
    anywhere = replace(wish, sent=False, settings=replace(wish.settings, paths=""))
    told = read_records(table, anywhere, one.roles, [Members(Path("/here"), list(images))])
    count = len(told.taxonomy)
    if not count:
        raise TableError("its labels are no words")
    lost = [
        Problem(place(row), f"{file_told(cell)}it names no image here")
        for row, cell in enumerate(cells)
        if cell not in named
    ]
    taken = {record.name: record for record in told.records}
    tables = " and ".join(problem.key for problem in one.told)
    records, told_of = list[Record](), set(paths)
    for path, image in images.items():
        if row := taken.get(path):
            group = image.name if row.group == path else row.group
            split, metadata = row.split or image.split, {**image.metadata, **row.metadata}
            records.append(
                replace(
                    image,
                    group=group,
                    split=split,
                    metadata=metadata,
                    label=row.label,
                    shares=row.shares,
                    valence=row.valence,
                    arousal=row.arousal,
                    written=row.written,
                )
            )
        elif path in told_of:
            pass  # its row is a problem
        elif wish.labelled:
            lost.append(Problem(image.name, f"it is not named in {tables}"))
        else:
            records.append(replace(image, shares=one_hot(NO_LABEL, count), group=image.name))
    notes = (f"The labels were read from {tables}.", *told.notes)
    problems = (*told.problems, *lost)
    return replace(told, records=tuple(records), problems=problems, notes=notes)
