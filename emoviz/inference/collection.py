"""What is embedded: a folder, a ZIP, a table or one image, as columns of names, labels, metadata.

Columns rather than an object an image: 200,000 images cost some tens of megabytes. Images are
read when their turn comes.
"""

import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path, PurePath
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from emoviz.data.columns import Columns, find_columns
from emoviz.data.images import Limits, read_file
from emoviz.data.records import NO_LABEL, SPLIT_WORDS
from emoviz.data.sources import ImageSource, from_zip, walk_images
from emoviz.errors import TableError
from emoviz.inference.sheets import Sheet, parquet_sheet, text_sheet
from emoviz.labels import Taxonomy, taxonomy_of
from emoviz.settings import Settings

SAMPLE = "sample"
_TABLES = (".csv", ".tsv", ".parquet")
_NO_COLUMN = "label"  # stands in where a table has no column of labels
_OUTSIDE = "neutral"  # an answer that people may give beside the labels of a taxonomy


class Contents(Protocol):
    """How the bytes of a collection's images are had."""

    def place(self, index: int) -> tuple[Path, str]:
        """Absolute path of the file that holds an image, and which where it holds several."""
        ...

    def read(self, index: int) -> bytes:
        """The encoded image, or `ImageError` with the reason."""
        ...


@dataclass(frozen=True)
class Collection:
    """Images that belong together.

    Attributes:
        path: Absolute path of the folder, ZIP, table or image: its identity.
        title: Short, for people.
        root: Folder that the names are relative to, where they are files.
        names: (N) a path as it was given, ``archive.zip/inside/name.jpg``, or as the table has it.
        contents: Gives the bytes.
        labels: (N) as the taxonomy spells them, as they are where it lacks them, "" for none.
        taxonomy: Of the labels; None where no taxonomy holds them all.
        metadata: Other columns of the table, or ``folder``: name -> (N) texts.
        refused: Rows that name no image: (row, reason).
    """

    path: Path
    title: str
    root: Path
    names: Sequence[str]
    contents: Contents
    labels: Sequence[str]
    taxonomy: Taxonomy | None = None
    metadata: Mapping[str, Sequence[str]] = field(default_factory=dict)
    refused: tuple[tuple[str, str], ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    @property
    def identity(self) -> str:
        """What tells it from every other collection on this machine."""
        return str(self.path)

    @cached_property
    def label_indices(self) -> NDArray[np.int64]:
        """(N,) index in the taxonomy, -1 where there is none."""
        names = self.taxonomy.names if self.taxonomy is not None else ()
        place = {name: i for i, name in enumerate(names)}
        return np.array([place.get(label, NO_LABEL) for label in self.labels], np.int64)


@dataclass(frozen=True)
class _Files:
    root: Path
    names: Sequence[str]
    limits: Limits

    def place(self, index: int) -> tuple[Path, str]:
        return self.root / self.names[index], ""

    def read(self, index: int) -> bytes:
        return read_file(self.root / self.names[index], self.limits)


@dataclass(frozen=True)
class _Zipped:
    archive: Path
    prefix: str
    sources: Sequence[ImageSource]

    def place(self, index: int) -> tuple[Path, str]:
        return self.archive, self.sources[index].name.removeprefix(self.prefix)

    def read(self, index: int) -> bytes:
        return self.sources[index].read()


class _InParquet:
    """Images inside a Parquet file, in the order of its rows; one row group is held at a time."""

    def __init__(
        self, table: Path, column: str, rows: Sequence[int], names: Sequence[str], limits: Limits
    ) -> None:
        from pyarrow import parquet

        self._table, self._column = table, column
        self._rows, self._names, self._limits = rows, names, limits
        self._file = parquet.ParquetFile(table)
        groups = range(self._file.num_row_groups)
        self._ends = np.cumsum([self._file.metadata.row_group(i).num_rows for i in groups])
        self._group = -1
        self._held: Any = None

    def place(self, index: int) -> tuple[Path, str]:
        return self._table, str(self._rows[index])

    def read(self, index: int) -> bytes:
        row = self._rows[index]
        group = int(np.searchsorted(self._ends, row, side="right"))
        if group != self._group:
            self._held = None  # before the next one is read: never two at once
            self._held = self._file.read_row_group(group, columns=[self._column]).column(0)
            self._group = group
        value = self._held[row - (int(self._ends[group - 1]) if group else 0)].as_py()
        data = value.get("bytes") if isinstance(value, dict) else value
        if isinstance(data, bytes) and data:
            return data
        return read_file(self._table.parent / self._names[index], self._limits)


def open_collection(
    path: str | Path,
    settings: Settings,
    taxonomy: Taxonomy | None = None,
    likely: Taxonomy | None = None,
) -> Collection:
    """List the images of a folder, a ZIP, a table or a single file, without opening them.

    Args:
        path: Any of these, or ``sample`` for the images that come with the project.
        settings: Caps, and where the sample is.
        taxonomy: Of the labels; found from them where None.
        likely: Taken instead of a smaller one where all labels are of it.

    Raises:
        TableError: There is nothing at the path, it holds no image, or it cannot be read.
    """
    given = Path(path)
    sample = _absolute(settings.sample_data)
    if (str(path) == SAMPLE and not given.exists()) or _absolute(given) == sample:
        return _sample(settings, taxonomy, likely)
    limits = Limits.of(settings)
    try:
        is_folder, is_file = given.is_dir(), given.is_file()
    except (OSError, ValueError):  # a name too long, a zero byte, a folder closed to us
        is_folder = is_file = False
    if is_folder:
        return _folder(given, limits, taxonomy, likely)
    if not is_file:
        raise TableError(
            f"There is no '{path}'. Wanted: a folder, a ZIP, a CSV or Parquet table, an image, or "
            f"'{SAMPLE}' for the images that come with the project."
        )
    suffix = given.suffix.casefold()
    if suffix == ".zip":
        return _zip(given, limits, int(settings.max_archive_mb * 1e6))
    if suffix in _TABLES:
        sheet = parquet_sheet(given, taxonomy) if suffix == ".parquet" else text_sheet(given)
        return _table(given, sheet, limits, taxonomy, likely)
    names = [str(given)]
    return Collection(
        _absolute(given), given.name, Path.cwd(), names, _Files(Path.cwd(), names, limits), [""]
    )


def _index(taxonomy: Taxonomy, label: str) -> int:
    return taxonomy.index(label) if taxonomy.holds(label) else NO_LABEL


def _absolute(path: Path) -> Path:
    # Path.resolve raises for a zero byte in the name, or a circle of links
    return Path(os.path.abspath(path))  # noqa: PTH100


def _spelt(texts: Sequence[str], taxonomy: Taxonomy | None) -> list[str]:
    """Labels as the taxonomy spells them, or as they are where it lacks them."""
    spelling = {text: text.strip() for text in set(texts)}
    if taxonomy is not None:
        found = {text: _index(taxonomy, text) for text in spelling}
        spelling |= {text: taxonomy.names[i] for text, i in found.items() if i >= 0}
    return [spelling[text] for text in texts]


def _folder(
    path: Path, limits: Limits, taxonomy: Taxonomy | None, likely: Taxonomy | None
) -> Collection:
    """Sub-folders are metadata, and labels too where all of them are."""
    shared: dict[str, str] = {}
    names, folders = [], []
    for image in walk_images(path):
        names.append(str(image))
        folder = image.relative_to(path).parent.as_posix()
        folders.append(shared.setdefault(folder, "" if folder == "." else folder))
    if not names:
        raise TableError(f"The folder '{path}' holds no images.")
    classes = [_class_of(folder) for folder in folders]
    known = taxonomy or taxonomy_of(classes, likely)
    return Collection(
        path=_absolute(path),
        title=_absolute(path).name or str(path),
        root=Path.cwd(),
        names=names,
        contents=_Files(Path.cwd(), names, limits),
        labels=_spelt(classes, known) if known is not None else [""] * len(names),
        taxonomy=known,
        metadata={"folder": folders} if any(folders) else {},
    )


def _class_of(folder: str) -> str:
    """The class of ``<class>`` or ``train/<class>``."""
    parts = PurePath(folder).parts
    parts = parts[1:] if parts and parts[0].casefold() in SPLIT_WORDS else parts
    return parts[0] if parts else ""


def _zip(path: Path, limits: Limits, archive_bytes: int) -> Collection:
    sources = from_zip(str(path), path, limits, archive_bytes)
    return Collection(
        path=_absolute(path),
        title=path.name,
        root=Path.cwd(),
        names=[source.name for source in sources],
        contents=_Zipped(_absolute(path), str(path), sources),
        labels=[""] * len(sources),
    )


def _sample(settings: Settings, taxonomy: Taxonomy | None, likely: Taxonomy | None) -> Collection:
    """The shipped images with what ``images.csv`` says of them, labels where they have one."""
    table = settings.sample_data / "images.csv"
    sheet, labels = text_sheet(table), text_sheet(settings.sample_data / "labels.csv")
    label = dict(zip(labels.columns["file"], labels.columns["label"], strict=True))
    column = [label.get(file, "") for file in sheet.columns["file"]]
    labelled = Sheet({**sheet.columns, "label": column})
    found = _table(table, labelled, Limits.of(settings), taxonomy, likely)
    return replace(found, path=_absolute(settings.sample_data), title="sample images")


def _table(
    path: Path,
    sheet: Sheet,
    limits: Limits,
    taxonomy: Taxonomy | None,
    likely: Taxonomy | None,
) -> Collection:
    if sheet.head is not None:
        taxonomy = taxonomy or sheet.head.taxonomy
    columns = _columns(path, sheet, taxonomy)
    named, inside = sheet.columns[columns.file], sheet.columns[sheet.images or columns.file]
    names = [a.strip() or b.strip() for a, b in zip(named, inside, strict=True)]
    rows = [row for row, name in enumerate(names) if name]
    if not rows:
        raise TableError(f"'{path}' has no row that names an image.")
    kept = [names[row] for row in rows]
    root = _absolute(path).parent
    labels, known = _labels(sheet, columns, taxonomy, likely)
    used = {columns.file, columns.label, sheet.images, *columns.votes}
    return Collection(
        path=_absolute(path),
        title=sheet.head.title if sheet.head else "/".join(_absolute(path).parts[-2:]),
        root=root,
        names=kept,
        contents=(
            _InParquet(_absolute(path), sheet.images, rows, kept, limits)
            if sheet.images
            else _Files(root, kept, limits)
        ),
        labels=[labels[row] for row in rows],
        taxonomy=known,
        metadata={
            name: [column[row] for row in rows]
            for name, column in sheet.columns.items()
            if name not in used
        },
        refused=tuple(
            (f"row {row}", "the row has no image") for row, name in enumerate(names, 1) if not name
        ),
    )


def _columns(path: Path, sheet: Sheet, taxonomy: Taxonomy | None) -> Columns:
    """As `read_table` finds them; here a table may do without labels."""
    with contextlib.suppress(TableError):
        return find_columns(path, sheet.columns, taxonomy)
    try:
        found = find_columns(path, [*sheet.columns, _NO_COLUMN], taxonomy)
    except TableError:
        names = ", ".join(filter(None, sheet.columns)) or "(none)"
        raise TableError(
            f"'{path}' has the columns {names}; wanted: file, with the images' paths, or in a "
            "Parquet file image, with the images themselves."
        ) from None
    return replace(found, label=None)


def _labels(
    sheet: Sheet, columns: Columns, taxonomy: Taxonomy | None, likely: Taxonomy | None
) -> tuple[list[str], Taxonomy | None]:
    """(N) labels, those of most votes where there are votes, and their taxonomy."""
    if columns.label is not None:
        texts = sheet.columns[columns.label]
        known = taxonomy or taxonomy_of(texts, likely)
        return _spelt(texts, known), known
    if not columns.votes:
        return [""] * len(sheet), None
    known = taxonomy or taxonomy_of(set(columns.votes.values()) - {_OUTSIDE}, likely)
    return _spelt(_majority(sheet, columns, known), known), known


def _majority(sheet: Sheet, columns: Columns, taxonomy: Taxonomy | None) -> list[str]:
    """The answer with the largest share in each row; of equal ones the taxonomy's first."""

    def order(column: str) -> int:
        index = _index(taxonomy, columns.votes[column]) if taxonomy is not None else NO_LABEL
        return index if index >= 0 else len(columns.votes)

    votes = sorted(columns.votes, key=order)
    shares = np.array([[_share(cell) for cell in sheet.columns[name]] for name in votes])
    best, most = shares.argmax(axis=0).tolist(), shares.max(axis=0).tolist()
    answers = [columns.votes[name] for name in votes]
    return [answers[i] if share > 0 else "" for i, share in zip(best, most, strict=True)]


def _share(cell: str) -> float:
    try:
        return float(cell or 0)
    except ValueError:
        return 0.0
