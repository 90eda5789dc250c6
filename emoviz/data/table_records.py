"""A table's rows as the images of a set: where each file is, its label or votes, what cannot be."""

import contextlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import overload

import numpy as np
from numpy.typing import NDArray

from emoviz.data import tables
from emoviz.data.affect import Scale
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
    majority,
    not_of,
    one_hot,
)
from emoviz.data.tables import Files, Roles, Table, file_told, find_roles, read_table
from emoviz.errors import TableError
from emoviz.labels import TAXONOMIES, Taxonomy, taxonomy_of

_BESIDE = "neutral"  # an answer that people may give beside the labels of a taxonomy


def read_sample(wish: Wish) -> Dataset:
    """The shipped images with what ``images.csv`` says of them, labels where they have one."""
    folder = wish.settings.sample_data
    table = read_table(folder / "images.csv")
    labels = read_table(folder / "labels.csv").columns
    label = dict(zip(labels["file"], labels["label"], strict=True))
    column = [label.get(file, "") for file in table.columns["file"]]
    found = read_records(replace(table, columns={**table.columns, "label": column}), wish)
    return replace(found, path=absolute(folder), name="sample images")


def read_records(table: Table, wish: Wish) -> Dataset:
    """The images that a table names or holds; its rows become records when they are asked for.

    Raises:
        TableError: A column is missing or stands twice, or the labels have to be asked about.
    """
    roles = find_roles(table, wish.taxonomy, wish.labelled)
    rows = _Rows(table, roles, wish)
    title = "/".join(absolute(table.path).parts[-2:])
    return Dataset(
        title,
        rows.taxonomy,
        rows,
        tuple(Problem(table.place(row), rows.refused[row]) for row in sorted(rows.refused)),
        bool(roles.votes) and roles.label is None,
        root=absolute(table.path).parent,
        notes=(*table.notes, *roles.notes),
        unknown=dict(rows.unknown.most_common()),
    )


class _Rows(Sequence[Record]):
    """The rows of a table as records, made when they are asked for: a million cost columns alone.

    Args:
        table: Any.
        roles: Of its columns.
        wish: What it is opened for.

    Attributes:
        taxonomy: Of the labels.
        refused: Row -> why it cannot be taken.
        unknown: Labels that the taxonomy lacks -> how many rows have them.
    """

    def __init__(self, table: Table, roles: Roles, wish: Wish) -> None:
        self._table, self._roles = table, roles
        self.refused: dict[int, str] = {}
        self.unknown: Counter[str] = Counter()
        self._root = absolute(table.path).parent
        self._names = self._image_names()
        self._written = self._label_texts(wish)
        self._shares: NDArray[np.float64] | None = None
        if roles.label is not None:
            self.taxonomy = self._taxonomy_of_labels(wish)
            self._labels = self._label_indices(wish)
        elif roles.votes:
            self.taxonomy, self._shares, self._labels = self._votes(wish)
        else:
            self.taxonomy = UNLABELLED
            self._labels = np.full(len(self._names), NO_LABEL)
        self._splits = self._split_words()
        self._affect = {name: self._turned(*given) for name, given in roles.affect.items()}
        self._images = self._held_images(wish)
        self._files = self._located(wish)
        self._kept = np.delete(np.arange(len(self._names)), list(self.refused))
        used = {roles.file, roles.label, roles.split, table.images}
        used |= {column for column, _ in roles.affect.values()}
        if roles.label is None:  # a vote for an answer that is no label stays to be seen
            used |= {
                column for column, answer in roles.votes.items() if self.taxonomy.holds(answer)
            }
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
        name, label, count = self._names[row], int(self._labels[row]), len(self.taxonomy)
        shares = self._shares
        group = self._table.columns[self._roles.group][row].strip() if self._roles.group else ""
        file, content, holder = self._files[row], None, None
        if isinstance(self._images, list):
            content = self._images[row]
        else:
            holder = self._images
        others = ((key, self._table.columns[key][row].strip()) for key in self._others)
        return Record(
            name,
            self._table.path if content is not None or holder is not None else self._root / file,
            label,
            one_hot(label, count) if shares is None else tuple(shares[row].tolist()),
            group or name,
            self._splits[row] if self._splits else None,
            content,
            {key: text for key, text in others if text},
            self._affect["valence"][row] if "valence" in self._affect else None,
            self._affect["arousal"][row] if "arousal" in self._affect else None,
            str(row) if holder is not None else "",
            holder,
            self._written[row] if self._written else "",
            file if _is_address(file) else "",
        )

    def _image_names(self) -> list[str]:
        column = self._table.columns[self._roles.file]
        names = [name.strip() for name in column]
        if self._table.images:
            inside = self._table.columns[self._table.images]
            names = [a or b.strip() for a, b in zip(names, inside, strict=True)]
        if "" in names:
            empty = (row for row, name in enumerate(names) if not name)
            self.refused |= dict.fromkeys(empty, "the row has no image")
        return names

    def _label_texts(self, wish: Wish) -> list[str]:
        """Labels as they are written, "" for none; numbers by the names that the file gives."""
        if self._roles.label is None:
            return []
        column = self._table.columns[self._roles.label]
        given = self._table.classes.get(self._roles.label, ())
        numbered = list(given or (wish.taxonomy.names if wish.taxonomy is not None else ()))
        taxonomy = wish.taxonomy

        def read(text: str) -> str:
            bare = text.strip()
            if bare.casefold() in tables.NO_ANSWER:
                return ""
            known = taxonomy is not None and taxonomy.holds(bare)
            return bare if known else tables.by_number(bare, numbered)

        meaning = {text: read(text) for text in set(column)}
        return [meaning[text] for text in column]

    def _taxonomy_of_labels(self, wish: Wish) -> Taxonomy:
        found = set(self._written) - {""}
        known = wish.taxonomy or taxonomy_of(found, wish.likely)
        if known is not None:
            return known
        kind = _are_numbers(found)
        if kind and wish.labelled:
            raise TableError(
                f"The labels of '{self._table.path}' are {kind}. "
                "Say of which taxonomy they are, in whose order they count from 0: "
                f"{', '.join(TAXONOMIES)}. Or write the classes' names in the table."
            )
        if not found or kind or len(found) > MOST_CLASSES:
            if len(found) > MOST_CLASSES and wish.labelled:
                raise TableError(
                    f"'{self._table.path}' has {len(found):,} different labels in the column "
                    f"'{self._roles.label}'; at most {MOST_CLASSES:,} are read."
                )
            return UNLABELLED
        return any_taxonomy(self._table.path.stem, found)

    def _label_indices(self, wish: Wish) -> NDArray[np.int64]:
        places = {
            text: self.taxonomy.index(text) if text and self.taxonomy.holds(text) else NO_LABEL
            for text in set(self._written)
        }
        if wish.labelled:
            unknown = not_of(self.taxonomy)
            reasons = {x: unknown for x, i in places.items() if x and i < 0}
            self.unknown.update(text for text in self._written if text in reasons)
            self._refuse(self._written, reasons)
        return np.array([places[text] for text in self._written], np.int64)

    def _votes(self, wish: Wish) -> tuple[Taxonomy, NDArray[np.float64], NDArray[np.int64]]:
        """The taxonomy, (N, S) shares and (N,) labels of people's votes."""
        answers = self._roles.votes
        found = set(answers.values()) - {_BESIDE}
        taxonomy = wish.taxonomy or any_taxonomy(self._table.path.stem, found, wish.likely)
        shares = np.zeros((len(self._names), len(taxonomy)))
        outside = np.zeros(len(self._names))
        for column, answer in answers.items():
            values = self._vote_shares(column)
            if taxonomy.holds(answer):
                shares[:, taxonomy.index(answer)] += values
            else:
                outside = np.maximum(outside, values)
        return taxonomy, shares, majority(shares, outside)

    def _vote_shares(self, column: str) -> NDArray[np.float64]:
        def share(cell: str) -> float:
            try:
                value = tables.number(cell)
            except ValueError:
                raise TableError(f"{column} is not a share") from None
            if not 0 <= value <= 1:
                raise TableError(f"{column} is not a share between 0 and 1")
            return value

        shares = self._numbers(column, share)
        return np.array([0.0 if value is None else value for value in shares])

    def _split_words(self) -> list[Split | None]:
        """An unknown word would let test images slip into training: such rows are refused."""
        if self._roles.split is None:
            return []
        column = self._table.columns[self._roles.split]
        known: dict[str, Split | None] = {
            text: SPLIT_WORDS.get(text.strip().casefold()) for text in set(column)
        }
        self._refuse(
            column,
            {
                text: "its split is none that is known; wanted: train, validation or test"
                for text, split in known.items()
                if split is None and text.strip().casefold() not in tables.NO_ANSWER
            },
        )
        return [known[text] for text in column]

    def _refuse(self, cells: Sequence[str], reasons: Mapping[str, str]) -> None:
        """Refuse the rows whose cells have a reason, if they are not refused already."""
        if reasons:
            for row, cell in enumerate(cells):
                if cell in reasons:
                    self.refused.setdefault(row, reasons[cell])

    def _turned(self, column: str, scale: Scale) -> list[float | None]:
        """Valence or arousal of each row, on -1 to 1."""
        return self._numbers(column, lambda cell: scale.turned(cell, column))

    def _numbers(self, column: str, read: Callable[[str], float | None]) -> list[float | None]:
        """Of each row, None where `read` raises `TableError`: such rows are refused."""
        values, wrong = dict[str, float | None](), dict[str, str]()
        cells = self._table.columns[column]
        for cell in set(cells):
            try:
                values[cell] = read(cell)
            except TableError as error:
                values[cell], wrong[cell] = None, str(error)
        self._refuse(cells, wrong)
        return [values[cell] for cell in cells]

    def _located(self, wish: Wish) -> list[str]:
        """Where the file of each row is, relative to the table's folder where it is below."""
        files, names = Files(self._root), self._names
        if isinstance(self._images, list):
            held = zip(names, self._images, strict=True)
            return [
                self._file(files, wish, row, name) if data is None else name
                for row, (name, data) in enumerate(held)
            ]
        if self._images is not None and self._table.images is not None:
            for row in tables.rows_without_image(self._table.path, self._table.images):
                self._file(files, wish, row, names[row])
            return names
        if wish.sent:
            for row, name in enumerate(names):
                if not _is_address(name):
                    self.refused.setdefault(row, SENT)
            return names
        distinct = set(names)
        folders = {name.rpartition("/")[0] for name in distinct}
        there = {
            f"{folder}/{name}" if folder else name
            for folder in folders
            if not folder.startswith("/") and "\\" not in folder and ".." not in folder
            for name in files.listed(f"{self._root}/{folder}".rstrip("/"))[0]
        }
        if wish.folders:
            there = {name for name in there if wish.allows(self._root / name)}
        if distinct <= there:
            return names
        return [
            name if name in there or row in self.refused else self._file(files, wish, row, name)
            for row, name in enumerate(names)
        ]

    def _file(self, files: Files, wish: Wish, row: int, name: str) -> str:
        if _is_address(name):
            return name
        unnamed = self._images is not None and name.startswith(f"{self._table.path.stem}/")
        if wish.sent:
            self.refused[row] = "the row has no image" if unnamed else SENT
            return name
        found = files.locate(name)
        if found is None:
            reason = (
                "the row has no image" if unnamed else f"{file_told(name)}there is no such file"
            )
            self.refused[row] = reason
            return name
        if reason := wish.refusal(self._root / found):
            self.refused[row] = f"{file_told(name)}{reason}"
        return str(found)

    def _held_images(self, wish: Wish) -> "list[bytes | None] | tables.ParquetImages | None":
        """The images inside a table: all of them for training, else one after another."""
        if self._table.images is None:
            return None
        if not wish.labelled:
            return tables.ParquetImages(self._table.path, self._table.images, self._names)
        return tables.read_images(self._table.path, self._table.images)


def _is_address(name: str) -> bool:
    return name[:8].casefold().startswith(("http://", "https://"))


def _are_numbers(found: set[str]) -> str:
    """What kind of values the labels are, where they are no words."""
    if not found:
        return ""
    if {text.casefold() for text in found} <= {"true", "false", "yes", "no", "t", "f", "y", "n"}:
        return "yes and no"

    def is_number(text: str) -> bool:
        with contextlib.suppress(ValueError):
            return bool(float(text.replace(",", ".")) or True)
        return False

    return "numbers" if all(map(is_number, found)) else ""
