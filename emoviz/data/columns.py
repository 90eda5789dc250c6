"""A table as columns of text, and which of its columns says what."""

import contextlib
import json
import math
import re
from collections import UserDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from emoviz.data.affect import Dimension, Scale, affect_columns
from emoviz.data.cells import NO_ANSWER, kind_of_values, plain_name, votes_in
from emoviz.data.named_files import name_images, names_image
from emoviz.errors import TableError
from emoviz.labels import TAXONOMIES, Taxonomy, taxonomy_of

MOST_COLUMNS = 5000
# Where a column is looked for by its name: in small letters, without spaces, "-" and "_".
FILE_COLUMNS = (
    *("file", "path", "image", "filename", "filepath", "imagefile", "imagepath", "imagename"),
    *("img", "imgpath", "imgfile", "imgname", "relativepath", "picture", "photo", "images"),
    *("imagefilename", "fname", "url", "imageurl", "link", "src"),
)
ID_COLUMNS = ("imageid", "id", "painting")  # name images where no other column does
LABEL_COLUMNS = ("label", "emotion", "class", "labels", "emotions", "classname", "labelname")
_GROUP, _SPLIT = ("group", "artist", "source"), ("split", "subset")
# What stands around the answer in the name of a column of votes.
_VOTED = frozenset(
    re.findall(
        "[^ ]+",
        "vote votes count counts n num number label emotion emotions is share shares"
        " % pct percent percentage freq frequency prop proportion ratio",
    )
)
_TOTALS = ("total", "all", "sum", "max")
BESIDE = ("neutral", "something else", "something_else")  # answers beside a taxonomy's labels


@dataclass(frozen=True)
class Roles:
    """Which column says what, as the table spells them.

    Attributes:
        file: Of the image's file or address, or of the image itself.
        label: Of its label; None where votes are given instead, or nothing.
        group: Of what keeps images together in one split.
        split: Of the split.
        votes: Column -> the answer whose share of the votes it holds.
        affect: ``valence`` and ``arousal`` -> the column and the scale that its name gives.
        notes: How columns were found whose names do not say what they are.
    """

    file: str
    label: str | None = None
    group: str | None = None
    split: str | None = None
    votes: Mapping[str, str] = field(default_factory=dict)
    affect: Mapping[Dimension, tuple[str, Scale]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """A table as columns of text, "" where there is nothing.

    Attributes:
        path: Of the file.
        columns: By their names, in order; those of Arrow are lists once they are asked for.
        repeated: Names that several columns have; the first of them is read.
        place: Where people find a row, counted from 0: its line, or its row.
        images: The column that holds the images themselves.
        classes: Names of the numbers in columns, where the file gives them.
        notes: How it was read, where it might have been read in another way.
    """

    path: Path
    columns: Mapping[str, Sequence[str]]
    repeated: tuple[str, ...] = ()
    place: Callable[[int], str] = lambda row: f"row {row}"
    images: str | None = None
    classes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """Of its rows."""
        return len(next(iter(self.columns.values()), ()))

    def rows(self) -> Iterator[tuple[str, dict[str, str]]]:
        """(place, cells by the columns' names in small letters) of each row."""
        names = [name.strip().casefold() for name in self.columns]
        for row, cells in enumerate(zip(*self.columns.values(), strict=True)):
            place = f"{self.path.name}, {self.place(row)}"
            yield place, dict(zip(names, map(str.strip, cells), strict=True))


class ArrowColumns(UserDict[str, Any]):
    """Columns, of which those of Arrow become lists of text when they are asked for."""

    def __getitem__(self, name: str) -> Sequence[str]:
        if not isinstance(self.data[name], list):
            self.data[name] = _texts(self.data[name])
        texts: list[str] = self.data[name]
        return texts


def find_roles(
    table: Table, taxonomy: Taxonomy | None = None, labelled: bool = False, image: bool = True
) -> Roles:
    """Find the columns by their names, whatever their capitals, spaces and underscores.

    Args:
        table: Any.
        taxonomy: Of the labels, where it is known.
        labelled: Whether there must be labels or votes.
        image: Whether there must be a column of files.

    Raises:
        TableError: A column is missing, or two of one name could be meant.
    """
    known = [name for name in table.columns if name]
    by_name: dict[str, str] = {}
    for name in known:
        by_name.setdefault(plain_name(name), name)

    def first_of(wanted: Iterable[str]) -> str | None:
        return next((by_name[name] for name in wanted if name in by_name), None)

    file, notes = first_of(FILE_COLUMNS), list[str]()
    if table.images is not None and (file is None or plain_name(file) == "image"):
        file = table.images
    if file is None and image and (file := _first_column(table, name_images)):
        notes.append(f"The column '{file}' was taken for the images' files: it names images.")
    file = file or first_of(ID_COLUMNS)
    named = [by_name[name] for name in LABEL_COLUMNS if name in by_name]
    label, votes, note = _label_or_votes(table, taxonomy, named)
    notes += [note] if note else []
    lacking = ["files"] if image and not file else []
    lacking += ["labels"] if labelled and not (label or votes) else []
    if lacking:
        wanted = "file, and label or vote shares p_<label>" if labelled else "file (or image, url)"
        told = columns_told(known, " or ".join(lacking))
        raise TableError(f"'{table.path}' has {told}; wanted: {wanted}.")
    affect = affect_columns(known)
    roles = Roles(
        file or "", label, first_of(_GROUP), first_of(_SPLIT), votes, affect, tuple(notes)
    )
    used = {plain_name(x) for x in (roles.file, roles.label, roles.group, roles.split) if x}
    for name in table.repeated:
        if plain_name(name) in used or name in roles.votes:
            raise TableError(
                f"'{table.path}' has two columns called '{name}'. Give one of them another name, "
                "so that it is clear which one counts."
            )
    return roles


def columns_told(names: Sequence[str], lacking: str) -> str:
    """How many columns there are, and of what there is none, for a message."""
    return f"{len(names):,} column{'s' * (len(names) != 1)}, none of them of {lacking}"


def file_told(cell: str) -> str:
    """A cell before the words of a message, where it names an image; "" where it may not."""
    return f"{cell.strip()}: " if names_image(cell) and len(cell) < 300 else ""


def check_width(path: Path, count: int) -> None:
    """Raise `TableError` where a table has more columns than are read."""
    if count > MOST_COLUMNS:
        raise TableError(
            f"'{path}' has {count:,} columns; at most {MOST_COLUMNS:,} are read. Keep the columns "
            "of files, labels and what else you want to see."
        )


def repeated_names(names: Sequence[str]) -> tuple[str, ...]:
    """Those that several columns have."""
    return tuple(name for name in dict.fromkeys(names) if name and names.count(name) > 1)


def _label_or_votes(
    table: Table, taxonomy: Taxonomy | None, named: Sequence[str]
) -> tuple[str | None, dict[str, str], str]:
    """The column of labels, those of votes, and a note where their names do not say so.

    Args:
        table: Any.
        taxonomy: Of the labels, where it is known.
        named: Columns that are called as one of labels is, the likeliest first.
    """
    called_votes = re.compile(r"(?i)\s*p_(?!max\s*\Z)").match
    votes = {name: name.strip()[2:] for name in filter(called_votes, table.columns)}
    if named:
        label, *others = named
        if taxonomy is None and label not in table.classes:
            words = _first_column(table, partial(_are_labels, None), others)
            if words and _first_column(table, lambda x: kind_of_values(x) == "numbers", [label]):
                return words, votes, f"The labels are in '{words}'; '{label}' holds numbers."
        return label, votes, ""
    if votes:
        return None, votes, ""
    words = _first_column(table, partial(_are_labels, taxonomy))
    if votes := _bare_votes(table, taxonomy, words is not None):
        told = f"The columns {', '.join(votes)} were taken for people's votes"
        return None, votes, f"{told}; a column 'label' would count before them."
    told = f"The column '{words}' was taken for the labels: it holds emotions."
    return words, {}, told if words else ""


def _bare_votes(table: Table, taxonomy: Taxonomy | None, all_of_it: bool) -> dict[str, str]:
    """Columns of votes called as labels of one taxonomy: ``joy``, ``joy_votes``, ``n_joy``.

    With them come other columns of ``_votes``, neutral, and where a taxonomy is wanted labels of
    a larger one. Where `all_of_it`, each label of a taxonomy has to have a column.
    """
    marks: dict[str, dict[str, str]] = {}
    for name in filter(None, table.columns):
        words = re.findall(r"[^\W_]+|%", name)
        mark = " ".join(word for word in words if word.casefold() in _VOTED)
        answer = " ".join(word for word in words if word.casefold() not in _VOTED)
        if answer:
            marks.setdefault(mark.casefold(), {})[name] = answer
    votes, most = dict[str, str](), 1
    for mark, answers in marks.items():
        sets = list(TAXONOMIES.values()) if taxonomy is None else [taxonomy]
        if all_of_it:
            folded = {answer.casefold() for answer in answers.values()}
            sets = [item for item in sets if folded.issuperset(item.names)]

        def called(item: Taxonomy, answers: Mapping[str, str] = answers) -> set[str]:
            return {name for name, answer in answers.items() if item.holds(answer)}

        held = max(map(called, sets), key=len, default=set())
        larger = max(
            (x for x in map(called, TAXONOMIES.values()) if x >= held), key=len, default=held
        )
        beside = {n for n, x in answers.items() if "vote" in mark or x.casefold() in BESIDE}
        if len(held) > most:
            some = larger | {n for n in beside if answers[n].casefold() not in _TOTALS}
            some = {name for name in some if _first_column(table, _are_numbers, [name])}
            if len(held & some) > most:
                votes, most = {n: answers[n] for n in answers if n in some}, len(held & some)
    return votes if _are_votes(table, votes) else {}


def _first_column(
    table: Table, fits: Callable[[Sequence[str]], bool], names: Iterable[str] | None = None
) -> str | None:
    """The first of some columns whose first cells are such, empty ones left out."""
    for name in table.columns if names is None else names:
        some = [cell.strip() for cell in table.columns[name][:50]]
        some = [cell for cell in some if cell.casefold() not in NO_ANSWER]
        if some and fits(some):
            return name
    return None


def _are_numbers(cells: Sequence[str]) -> bool:
    return 2 * sum(kind_of_values([cell]) != "" for cell in cells) >= len(cells)


def _are_votes(table: Table, names: Iterable[str]) -> bool:
    """Whether half of the first rows are shares, counts or percentages, not scores or ratings."""
    fits = list[bool]()
    for cells in islice(zip(*(table.columns[name] for name in names), strict=True), 50):
        row = [math.nan]
        with contextlib.suppress(TableError):
            row = [votes_in(cell.strip(), "vote") for cell in cells]
        whole = all(x % 1 == 0 for x in row)
        fits.append(whole or max(row) <= 1 or abs(sum(row) - 100) <= 1)
    return 2 * sum(fits) >= len(fits)


def _are_labels(taxonomy: Taxonomy | None, cells: Sequence[str]) -> bool:
    """Whether they are labels of one taxonomy of the field, or of the one that is wanted."""
    return all(map(taxonomy.holds, cells)) if taxonomy else taxonomy_of(cells) is not None


def _texts(column: Any) -> list[str]:
    """A column's texts, "" for nothing; equal ones are one object where many are equal."""
    from pyarrow import large_string, string, types

    kind = column.type
    if types.is_list(kind) or types.is_large_list(kind):
        return [json.dumps(value) if value else "" for value in column.to_pylist()]
    if not (types.is_dictionary(kind) and kind.value_type in (string(), large_string())):
        column = column.cast(string())
        some = column.slice(0, 1000)
        if 2 * len(some.unique()) > len(some):
            return list(column.fill_null("").to_pylist())
        column = column.dictionary_encode()
    texts: list[str] = []
    for chunk in column.chunks:
        known = chunk.dictionary.fill_null("").to_pylist()
        indices = chunk.indices.fill_null(len(known)) if chunk.null_count else chunk.indices
        # `to_numpy` would load pandas first, for a second
        texts += np.array([*known, ""], object)[np.from_dlpack(indices)].tolist()
    return texts
