"""A table's rows as the images of a set: where each file is, its label or votes, what cannot be."""

import contextlib
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from emoviz.data.cells import (
    NO_ANSWER,
    by_number,
    kind_of_values,
    listed,
    number,
    plain_name,
    votes_in,
)
from emoviz.data.columns import BESIDE, Roles, Table, file_told, find_roles
from emoviz.data.dataset import (
    MOST_CLASSES,
    NO_LABEL,
    SENT,
    SPLIT_WORDS,
    UNLABELLED,
    Dataset,
    Problem,
    Record,
    Split,
    Wish,
    absolute,
    any_taxonomy,
    count_votes,
    not_of,
    one_hot,
)
from emoviz.data.named_files import ADDRESS, Files, find_named, image_folders
from emoviz.data.parquet_tables import ParquetImages, read_images, rows_without_image
from emoviz.data.sources import as_address, is_address
from emoviz.data.tables import read_table
from emoviz.errors import TableError
from emoviz.labels import TAXONOMIES, Taxonomy, taxonomy_of

T = TypeVar("T")
_FOLDERS = ("folder", "foldername", "subfolder", "dir", "directory", "path", "artstyle")
_ADDRESS = "only addresses that begin with http:// or https:// are read"
_SEVERAL = "it has several labels; one is read. For several, write their shares: p_<label>"


def read_sample(wish: Wish) -> Dataset:
    """The shipped images with what ``images.csv`` says of them, labels where they have one."""
    folder = wish.settings.sample_data
    table = read_table(folder / "images.csv")
    labels = read_table(folder / "labels.csv").columns
    label = dict(zip(labels["file"], labels["label"], strict=True))
    column = [label.get(file, "") for file in table.columns["file"]]
    found = read_records(replace(table, columns={**table.columns, "label": column}), wish)
    return replace(found, path=absolute(folder), name="sample images")


def read_records(
    table: Table, wish: Wish, roles: Roles | None = None, folders: Sequence[Files] = ()
) -> Dataset:
    """The images that a table names or holds; its rows become records when they are asked for.

    Args:
        table: Any.
        wish: What it is opened for.
        roles: Of its columns; found by their names where None.
        folders: Absolute, of its files, the first that has one; its own and ``images`` if empty,
            and where these have none of its files, but others most, the one around or any below.

    Raises:
        TableError: A column is missing or stands twice, or the labels have to be asked about.
    """
    if not table.count:
        raise TableError(f"'{table.path}' has no rows; wanted: one for each image.")
    roles = roles or find_roles(table, wish.taxonomy, wish.labelled)
    elsewhere = not folders and not wish.sent
    folders = folders or [*image_folders(absolute(table.path.parent))]
    table = with_folders(table, roles, () if wish.sent else folders)
    table, roles = tallied(table, roles)
    rows = _Rows(table, roles, wish, folders, elsewhere)
    title = "/".join(absolute(table.path).parts[-2:])
    return Dataset(
        title,
        rows.taxonomy,
        rows,
        tuple(Problem(table.place(row), rows.refused[row]) for row in sorted(rows.refused)),
        bool(roles.votes) and roles.label is None,
        root=folders[0].root,
        notes=(*table.notes, *roles.notes, *rows.notes),
        unknown=dict(rows.unknown.most_common()),
    )


def with_folders(table: Table, roles: Roles, folders: Sequence[Files]) -> Table:
    """The table with paths for its images, where a column of folders and one of names make them."""
    column = next((name for name in table.columns if plain_name(name) in _FOLDERS), None)
    if column in (None, roles.file) or table.images is not None:
        return table
    files = table.columns[roles.file]
    pairs = zip(table.columns[column], files, strict=True)
    paths = [f"{folder.strip()}/{file.strip()}".strip("/") for folder, file in pairs]

    def are_there(names: Sequence[str]) -> bool:
        return any(each.located(set(names[:50]), alone=False) for each in folders)

    if are_there(files) or not are_there(paths):
        return table
    return replace(table, columns={**table.columns, roles.file: paths})


def tallied(table: Table, roles: Roles) -> tuple[Table, Roles]:
    """One row an image with shares of votes, where each of three columns that are called alike, or
    each row of three or more that most images have, holds one person's answer.

    Answers are labels of one taxonomy; some agree and some differ, else they are ranks or tags.
    """
    if roles.label is None or table.images is not None:
        return table, roles
    bare = roles.label.rstrip("0123456789")
    asked = [x for x in table.columns if x.rstrip("0123456789") == bare and x != roles.file]
    asked = asked if len(asked) > 2 else [roles.label]
    files = table.columns[roles.file]
    times = sorted(Counter(files).values())
    if len(asked) == 1 and not (len(times) > 1 and times[len(times) // 2] > 2):
        return table, roles
    counts = defaultdict[str, Counter[str]](Counter)
    for name in asked:
        for file, cell in zip(files, map(str.strip, table.columns[name]), strict=True):
            if cell.casefold() not in NO_ANSWER:
                counts[cell][file] += 1
    if taxonomy_of(counts.keys() - BESIDE) is None:
        return table, roles
    totals = sum(counts.values(), Counter[str]())
    given = Counter(file for some in counts.values() for file in some)
    agree = any(times > 1 for some in counts.values() for times in some.values())
    if not agree or max(given.values()) < 2:
        return table, roles
    first = {file: row for row, file in reversed(list(enumerate(files)))}
    rows, votes = sorted(first.values()), {f"votes {answer}": answer for answer in counts}
    columns = {
        name: [column[row] for row in rows]
        for name, column in table.columns.items()
        if name not in asked
    }
    for name, answer in votes.items():
        pairs = ((counts[answer][files[row]], totals[files[row]]) for row in rows)
        columns[name] = [str(some / max(every, 1)) for some, every in pairs]
    for name, _ in roles.affect.values() if len(rows) < table.count else ():
        columns[name] = _means(files, table.columns[name], columns[roles.file])
    notes = (*table.notes, f"Each image's labels were counted as votes: {', '.join(asked)}.")
    made = replace(table, columns=columns, place=lambda row: table.place(rows[row]), notes=notes)
    return made, replace(roles, label=None, votes=votes)


def _means(files: Sequence[str], cells: Sequence[str], wanted: Iterable[str]) -> list[str]:
    """The mean of each file's numbers; "" where it has none."""
    values = defaultdict[str, list[float]](list)
    for file, cell in zip(files, cells, strict=True):
        with contextlib.suppress(TableError):
            if (value := number(cell, "")) is not None:
                values[file].append(value)
    return [str(fmean(values[file])) if values[file] else "" for file in wanted]


class _Rows(Sequence[Record]):
    """The rows of a table as records, made when they are asked for: a million cost columns alone.

    Attributes:
        taxonomy: Of the labels.
        refused: Row -> why it cannot be taken.
        unknown: Labels that the taxonomy lacks -> how many rows have them.
        notes: How votes were read that are no shares.
    """

    def __init__(
        self, table: Table, roles: Roles, wish: Wish, folders: Sequence[Files], elsewhere: bool
    ) -> None:
        self._table, self._roles, self._wish, self._elsewhere = table, roles, wish, elsewhere
        self.refused: dict[int, str] = {}
        self.unknown: Counter[str] = Counter()
        self.notes: tuple[str, ...] = ()
        self._root, self._folders = folders[0].root, folders
        self._names = self._image_names()
        self._written: list[str] = []
        self._shares: NDArray[np.float64] | None = None
        self._outside: dict[str, NDArray[np.float64]] = {}
        self.taxonomy = UNLABELLED
        self._labels: Sequence[int] = [NO_LABEL] * table.count
        self._locate()
        if roles.label is not None:
            self._read_labels(roles.label)
        elif roles.votes:
            self._read_votes()
        self._splits = self._column(roles.split, _split_of, None)
        self._affect = {
            name: self._column(column, partial(scale.turned, name=column), None)
            for name, (column, scale) in roles.affect.items()
        }
        self._kept = np.delete(np.arange(table.count), list(self.refused))
        used = {roles.file, roles.label, roles.split, table.images}
        used |= {column for column, _ in roles.affect.values()}
        used |= set() if roles.label else set(roles.votes)
        self._others = [name for name in table.columns if name not in used]

    def __len__(self) -> int:
        return len(self._kept)

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Record]: ...
    def __getitem__(self, index: int | slice) -> Record | Sequence[Record]:
        """A record, or several."""
        if isinstance(index, slice):
            return [self._record(int(row)) for row in self._kept[index]]
        return self._record(int(self._kept[index]))

    def _record(self, row: int) -> Record:
        name, label, columns = self._names[row], int(self._labels[row]), self._table.columns
        file, shares = self._files[row], self._shares
        content = self._contents[row] if self._contents else None
        others = [(key, columns[key][row].strip()) for key in self._others]
        others += [(key, f"{column[row]:.6g}") for key, column in self._outside.items()]
        is_inside = self._holder is not None or content is not None
        return Record(
            name,
            self._table.path if is_inside else self._root / file,
            label,
            one_hot(label, len(self.taxonomy)) if shares is None else tuple(shares[row].tolist()),
            group=(columns[self._roles.group][row].strip() if self._roles.group else "") or name,
            split=self._splits[row] if self._splits else None,
            content=content,
            metadata={key: text for key, text in others if text},
            inside=str(row) if self._holder else "",
            holder=self._holder,
            written=self._written[row] if self._written else "",
            url=as_address(file) if is_address(file) else "",
            **{dimension: values[row] for dimension, values in self._affect.items()},
        )

    def _column(self, name: str | None, read: Callable[[str], T], otherwise: T) -> list[T]:
        return self._each(self._table.columns[name], read, otherwise) if name else []

    def _each(self, cells: Sequence[str], read: Callable[[str], T], otherwise: T) -> list[T]:
        """What `read` makes of each cell, equal ones once; where it raises `TableError`, the row
        is refused."""
        values, wrong = dict[str, T](), dict[str, str]()
        for cell in set(cells):
            try:
                values[cell] = read(cell.strip())
            except TableError as error:
                values[cell], wrong[cell] = otherwise, str(error)
        for row, cell in enumerate(cells) if wrong else ():
            if cell in wrong:
                self.refused.setdefault(row, wrong[cell])
        return [values[cell] for cell in cells]

    def _image_names(self) -> list[str]:
        names = [name.strip() for name in self._table.columns[self._roles.file]]
        if self._table.images:
            inside = self._table.columns[self._table.images]
            names = [a or b.strip() for a, b in zip(names, inside, strict=True)]
        lacking = (row for row, name in enumerate(names) if not name.strip("./\\"))
        self.refused |= dict.fromkeys(lacking, "the row has no image")
        return names

    def _read_labels(self, column: str) -> None:
        """Labels as they are written, numbers by the names that the file gives; their indices."""
        given, wanted = self._table.classes.get(column, ()), self._wish.taxonomy
        numbered = given or (wanted.names if wanted is not None else ())

        several = set[str]()

        def written(text: str) -> str:
            labels = [text] if wanted is not None and wanted.holds(text) else listed(text)
            if len(labels) > 1:
                several.add(text)
            if len(labels) != 1:
                return text if labels else ""
            known = wanted is not None and wanted.holds(labels[0])
            return labels[0] if known else by_number(labels[0], numbered)

        self._written = self._column(column, written, "")
        # A row of totals, or of the columns' names once more, makes no class.
        lost = set(self.refused) if len(self.refused) < self._table.count else ()
        taken = {text for row, text in enumerate(self._written) if row not in lost}
        found = taken - {"", *several}
        self.taxonomy = taxonomy = self._taxonomy_of(found, column)

        def index(text: str) -> int:
            if text in several and self._wish.labelled:
                raise TableError(_SEVERAL)
            if text and not taxonomy.holds(text) and self._wish.labelled:
                raise TableError(not_of(taxonomy))
            return taxonomy.index(text) if text and taxonomy.holds(text) else NO_LABEL

        self._labels = self._each(self._written, index, NO_LABEL)
        if self._wish.labelled:
            rows = enumerate(zip(self._written, self._labels, strict=True))
            self.unknown.update(
                text
                for row, (text, label) in rows
                if text and label == NO_LABEL and row not in lost
            )

    def _taxonomy_of(self, found: set[str], column: str) -> Taxonomy:
        known = self._wish.taxonomy or taxonomy_of(found, self._wish.likely)
        if known is not None:
            return known
        kind = kind_of_values(found)
        if not self._wish.labelled and (kind or len(found) > MOST_CLASSES):
            return UNLABELLED
        if kind:
            raise TableError(
                f"The labels of '{self._table.path}' are {kind}. "
                "Say of which taxonomy they are, in whose order they count from 0: "
                f"{', '.join(TAXONOMIES)}. Or write the classes' names in the table."
            )
        if len(found) > MOST_CLASSES:
            raise TableError(
                f"'{self._table.path}' has {len(found):,} different labels in the column "
                f"'{column}'; at most {MOST_CLASSES:,} are read."
            )
        return any_taxonomy(self._table.path.stem, found) if found else UNLABELLED

    def _read_votes(self) -> None:
        """Shares of people's votes, or counts turned to shares, and the label of most."""
        answers = self._roles.votes
        found = {answer for answer in answers.values() if answer.casefold() not in BESIDE}
        self.taxonomy = taxonomy = self._wish.taxonomy or any_taxonomy(
            self._table.path.stem, found, self._wish.likely
        )
        columns = [self._column(name, partial(votes_in, name=name), 0.0) for name in answers]
        shares = np.array(columns).T
        taken = np.delete(shares, list(self.refused), axis=0)
        given, sums = taken[taken > 0], taken.sum(axis=1)
        whole = 2 * (given % 1 == 0).sum() > given.size
        if (given > 1).any() and (whole or np.allclose(sums[sums > 0], 100, atol=1)):
            sums = shares.sum(axis=1, keepdims=True)
            shares /= np.where(sums > 0, sums, 1)
            told = "The votes are counts or percentages: each row was divided by its sum."
            self.notes += (f"{told} Shares are numbers from 0 to 1.",)
        for row, at in np.argwhere(shares > 1).tolist():
            reason = f"{list(answers)[at]} is not a share between 0 and 1"
            self.refused.setdefault(row, reason)
        outside = [(i, x) for i, x in enumerate(answers.values()) if not taxonomy.holds(x)]
        self._outside = {f"p_{answer}": shares[:, i] for i, answer in outside}
        labels, self._shares = count_votes(taxonomy, answers.values(), shares)
        self._labels = labels.tolist()

    def _locate(self) -> None:
        """Where each image is: inside the table, at an address, or a file (relative to the table's
        folder where it is below)."""
        table, wish = self._table, self._wish
        self._files, self._holder = list(self._names), None
        self._contents: Sequence[bytes | None] = ()
        rows: Iterable[int] = range(table.count)
        if table.images is not None and wish.labelled:  # all of them for training
            self._contents = read_images(table.path, table.images)
            rows = [row for row, data in enumerate(self._contents) if data is None]
        elif table.images is not None:
            self._holder = ParquetImages(table.path, table.images, self._names)
            rows = rows_without_image(table.path, table.images)
        there = set() if wish.sent else self._folders[0].there(self._names[row] for row in rows)
        if wish.folders:
            there = {name for name in there if wish.allows(self._root / name)}
        named = ((row, self._names[row]) for row in rows if row not in self.refused)
        lost = {row: name for row, name in named if name not in there and not is_address(name)}
        found, odd = find_named(
            () if wish.sent else self._folders,
            dict.fromkeys(lost.values()),
            there,
            self._elsewhere,
        )
        if odd:
            other = os.path.relpath(found[odd], self._root)
            told = f"'{other}' was taken in the place of '{odd}', for one"
            self.notes = (f"Files are not there as the table names them: {told}.",)
        for row, name in lost.items():
            self._files[row] = self._file(row, name, found.get(name))

    def _file(self, row: int, name: str, found: Path | None) -> str:
        """The file that a row means, once it is there and may be named."""
        unnamed = self._table.images is not None and name.startswith(f"{self._table.path.stem}/")
        why = _ADDRESS if ADDRESS.match(name) else "there is no such file"
        reason = f"{file_told(name)}{why}"
        if unnamed and found is None:
            reason = "the row has no image"
        elif self._wish.sent:
            reason = SENT
        elif found is not None:
            why = self._wish.refusal(self._root / found)
            reason = why and f"{file_told(name)}{why}"
        if reason:
            self.refused[row] = reason
        return name if found is None else str(found)


def _split_of(text: str) -> Split | None:
    """An unknown word would let test images slip into training: such rows are refused."""
    split = SPLIT_WORDS.get(text.casefold())
    if split is None and text.casefold() not in NO_ANSWER:
        raise TableError("its split is none that is known; wanted: train, validation or test")
    return split
