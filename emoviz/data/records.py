"""Labelled images in one form, whatever set they came from: records, sets and splits.

A set is a table (CSV, TSV or Parquet) or a folder. A table has a column ``file``, with paths
relative to the table, or in a Parquet file a column ``image`` with the images themselves; and
either a column ``label`` or vote shares: ``p_<label>``, or ``<label>`` for every label of a
taxonomy. ``artist`` or ``group`` keeps works that belong together in one split, ``split`` fixes
it. A folder needs no table: ``<class>/<image>``, or ``train/<class>/<image>`` with ``val`` and
``test`` beside it.
"""

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from emoviz.data.columns import Columns
from emoviz.data.images import Limits, read_file
from emoviz.data.readers import Row, folder_rows, parquet_rows, text_rows
from emoviz.errors import TableError, TaxonomyError
from emoviz.labels import TAXONOMIES, Bridge, Taxonomy, get_taxonomy, taxonomy_of

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
SPLIT_WORDS: Mapping[str, Split] = {
    **{split: split for split in SPLITS},
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "dev": "validation",
    "testing": "test",
}
NO_LABEL = -1


@dataclass(frozen=True)
class Record:
    """One labelled image.

    Attributes:
        name: The image as its set names it.
        path: Where it is; of an image inside a table, the table.
        label: Index in the set's taxonomy; -1 where most votes went to something outside it.
        shares: Vote shares over the set's labels in 0-1 (what is missing to 1 went to answers
            outside the taxonomy; where people may give several answers the sum may be larger);
            one-hot where the table has plain labels.
        group: Images of one group (an artist) never stand in two splits.
        split: Where the table or `assign_splits` put it.
        content: The bytes of an image inside a table; None for a file of its own. Records are
            compared without it: name and place say which image it is.
        metadata: What else is known of the image, such as its artist: name -> text.
        valence: Unpleasant to pleasant, -1 to 1 whatever scale it was published on
            (`emoviz.data.affect`); None where it is not known.
        arousal: Calm to excited, likewise.
    """

    name: str
    path: Path
    label: int
    shares: tuple[float, ...]
    group: str
    split: Split | None = None
    content: bytes | None = field(default=None, repr=False, compare=False)
    metadata: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    valence: float | None = field(default=None, compare=False)
    arousal: float | None = field(default=None, compare=False)

    def read(self, limits: Limits) -> bytes:
        """The encoded image; its size is capped here for a file, and again when it is opened.

        Raises:
            ImageError: The file is missing, not an ordinary file, too large, or not readable.
        """
        return read_file(self.path, limits) if self.content is None else self.content


@dataclass(frozen=True)
class LabelledSet:
    """The records of one table or folder.

    Attributes:
        name: The table's folder and file, for people.
        taxonomy: Of its labels.
        records: What could be used, in the table's order.
        refused: What could not: (line, row or folder, reason).
        votes: Whether the shares are votes of several people.
        about: What its file says of it: source, terms, citation, lineage.
    """

    name: str
    taxonomy: Taxonomy
    records: tuple[Record, ...]
    refused: tuple[tuple[str, str], ...] = ()
    votes: bool = False
    about: Mapping[str, Any] = field(default_factory=dict)

    def of_split(self, split: Split) -> tuple[Record, ...]:
        """The records of one split."""
        return tuple(record for record in self.records if record.split == split)


def parse_data_argument(text: str) -> tuple[Taxonomy | None, Path]:
    """Read ``TAXONOMY=PATH`` or ``PATH`` from the command line.

    Raises:
        TaxonomyError: The part before ``=`` names no taxonomy.
    """
    name, separator, path = text.partition("=")
    if separator and "/" not in name and "\\" not in name:
        return get_taxonomy(name), Path(path)
    return None, Path(text)


def read_table(
    path: Path, taxonomy: Taxonomy | None = None, likely: Taxonomy | None = None
) -> LabelledSet:
    """Read a set of labelled images. Files of images are not opened here.

    Args:
        path: CSV or TSV, in UTF-8 or Windows-1252; a file ``.parquet``; or a folder with one
            sub-folder a class. Labels of a Parquet file may be numbers: by the names that the
            file gives them, else in the order of `taxonomy`.
        taxonomy: Of the labels; found from the labels where None.
        likely: Taken instead of a smaller one where all labels are of it.

    Returns:
        The records, and what was refused with its line, its row (counted from 0) or its folder.

    Raises:
        TableError: The table cannot be read, lacks a column, or no row of it can be used.
    """
    from emoviz.data.dataset_file import read_set  # which is written in terms of records

    own = read_set(path) if path.suffix.casefold() == ".parquet" else None
    if own is not None:
        return _relabelled(own, taxonomy)
    # os.path answers no where Path raises: a name too long, a folder that is closed to us
    is_folder = os.path.isdir(path)  # noqa: PTH112
    columns, rows = folder_rows(path, SPLIT_WORDS) if is_folder else _table_rows(path, taxonomy)
    if taxonomy is None:
        taxonomy = _guess(path, rows, columns, likely)
    root = path if is_folder else path.parent
    kept: list[Record] = []
    refused: dict[tuple[str, str], None] = {}  # a folder of an unknown class is told once
    for row in rows:
        try:
            kept.append(_record(path, root, row, columns, taxonomy))
        except (TableError, TaxonomyError) as error:
            refused[row.place, str(error)] = None
    if not kept:
        reason = "".join(f" First: {place}: {why}" for place, why in list(refused)[:1])
        raise TableError(f"'{path}' has no row that can be used.{reason}")
    by_votes = columns.label is None
    return LabelledSet(_title(path), taxonomy, tuple(kept), tuple(refused), by_votes)


def merge_labels(item: LabelledSet, bridge: Bridge) -> LabelledSet:
    """The set with those labels made one that a model cannot tell apart.

    To a network that knows sadness and all else, amusement and fear are both "others". Shares
    are added up and the majority is taken anew, over the merged labels: an image with 40 %
    sadness and the rest spread over six emotions is one of the others. What is missing to 1
    stands against them as one answer outside the taxonomy. Where people may give several
    answers, a sum counts answers, not people.

    Args:
        item: A set.
        bridge: From the model's classes to the set's labels.

    Returns:
        The set with the labels of `bridge.merged`; the very set where nothing merges.
    """
    merged = bridge.merged
    if merged is bridge:
        return item
    shares = np.array([record.shares for record in item.records]).reshape(-1, len(bridge.labels))
    labels, sums = merge_shares(shares, bridge.groups)
    records = tuple(
        replace(record, label=int(label), shares=tuple(row.tolist()))
        for record, label, row in zip(item.records, labels, sums, strict=True)
    )
    return replace(item, taxonomy=merged.labels, records=records)


def merge_shares(
    shares: NDArray[np.float64], groups: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Votes over merged labels, and the label of most of them: see `merge_labels`.

    Args:
        shares: (N, S) of each label, 0 to 1.
        groups: (S,) to which merged label each belongs, 0 to G - 1.

    Returns:
        (N,) the merged label of most votes, -1 where answers outside have more, and the sums
        (N, G).
    """
    sums = shares @ np.eye(int(groups.max()) + 1)[groups]
    even = sums.round(6)  # a tie stays one, in whatever order the shares were added up
    most, outside = even.max(axis=1), (1.0 - shares.sum(axis=1)).round(6)
    labels = np.where((most > 0) & (most >= outside), even.argmax(axis=1), NO_LABEL)
    return labels.astype(np.int64), sums


def assign_splits(
    records: Sequence[Record], validation: float = 0.1, test: float = 0.15, seed: int = 0
) -> tuple[Record, ...]:
    """Put each group into a split by a hash of its name.

    The same table gives the same split on any machine, and a group keeps its split when the
    table grows. Records that have a split keep it.

    Args:
        records: Any.
        validation: Share of the groups, about.
        test: Share of the groups, about.
        seed: Another number gives another split.
    """

    def split_of(group: str) -> Split:
        place = _place(group, seed)
        if place < test:
            return "test"
        return "validation" if place < test + validation else "train"

    return tuple(
        record if record.split else replace(record, split=split_of(record.group))
        for record in records
    )


def fold_indices(groups: Sequence[str], folds: int, seed: int = 0) -> NDArray[np.int64]:
    """(N,) the fold of each group by a hash of its name, as in `assign_splits`."""
    places = [_place(group, seed) for group in groups]
    return np.array([min(int(place * folds), folds - 1) for place in places], dtype=np.int64)


def label_array(records: Iterable[Record]) -> NDArray[np.int64]:
    """(N,) label indices."""
    return np.array([record.label for record in records], dtype=np.int64)


def _relabelled(item: LabelledSet, taxonomy: Taxonomy | None) -> LabelledSet:
    """A set that says itself what its labels are; another taxonomy may only order them anew."""
    if taxonomy is None or taxonomy.names == item.taxonomy.names:
        return item
    place = [taxonomy.index(name) for name in item.taxonomy.names]
    records = tuple(
        replace(
            record,
            label=place[record.label] if record.label != NO_LABEL else NO_LABEL,
            shares=_moved(record.shares, place, len(taxonomy)),
        )
        for record in item.records
    )
    return replace(item, taxonomy=taxonomy, records=records)


def _moved(shares: Sequence[float], place: Sequence[int], count: int) -> tuple[float, ...]:
    row = [0.0] * count
    for target, share in zip(place, shares, strict=True):
        row[target] += share
    return tuple(row)


def _table_rows(path: Path, taxonomy: Taxonomy | None) -> tuple[Columns, list[Row]]:
    read = parquet_rows if path.suffix.casefold() == ".parquet" else text_rows
    return read(path, taxonomy)


def _guess(path: Path, rows: Sequence[Row], columns: Columns, likely: Taxonomy | None) -> Taxonomy:
    if columns.label is not None:
        found = {row.cells[columns.label].strip().casefold() for row in rows} - {""}
    else:
        found = set(columns.votes.values()) - {"neutral"}
    taxonomy = taxonomy_of(found, likely)
    if taxonomy is not None:
        return taxonomy
    raise TableError(
        f"The labels of '{path}' ({', '.join(sorted(found)[:12]) or 'none'}) are not all of one "
        f"taxonomy. Say which it is: {', '.join(TAXONOMIES)}."
    )


def _record(table: Path, root: Path, row: Row, columns: Columns, taxonomy: Taxonomy) -> Record:
    def cell(column: str | None) -> str:
        return row.cells[column].strip() if column is not None else ""

    name = cell(columns.file)
    if not name:
        raise TableError("the row has no image")
    if columns.label is not None:
        label = taxonomy.index(row.cells[columns.label])
        shares = tuple(float(i == label) for i in range(len(taxonomy)))
    else:
        label, shares = _vote_shares(row.cells, columns.votes, taxonomy)
    path = root / name if row.content is None else table
    group = cell(columns.group) or name
    kind = {"kind": cell(columns.kind)} if cell(columns.kind) else {}
    affect = {
        key: scale.turned(cell(column), key) for key, (column, scale) in columns.affect.items()
    }
    split = _split(cell(columns.split))
    return Record(name, path, label, shares, group, split, row.content, kind, **affect)


def _vote_shares(
    cells: Mapping[str, str], votes: Mapping[str, str], taxonomy: Taxonomy
) -> tuple[int, tuple[float, ...]]:
    """The majority label and the shares; answers outside the taxonomy may win the majority."""
    shares = [0.0] * len(taxonomy)
    outside = 0.0
    for column, answer in votes.items():
        try:
            share = float(cells[column] or 0)
        except ValueError:
            raise TableError(f"{column} is '{cells[column]}', not a share") from None
        if not 0 <= share <= 1:
            raise TableError(f"{column} is {share}, not a share between 0 and 1")
        try:
            shares[taxonomy.index(answer)] += share
        except TaxonomyError:
            outside = max(outside, share)
    best = max(range(len(shares)), key=shares.__getitem__)
    return (best if shares[best] > 0 and shares[best] >= outside else NO_LABEL), tuple(shares)


def _split(text: str) -> Split | None:
    """The split that a word names; an unknown word would let test images slip into training."""
    if not text:
        return None
    if text.casefold() not in SPLIT_WORDS:
        raise TableError(f"split is '{text}'; wanted: train, validation or test")
    return SPLIT_WORDS[text.casefold()]


def _title(path: Path) -> str:
    path = path if path.name else path.resolve()  # "." has no name of its own
    return f"{path.parent.name}/{path.name}" if path.parent.name else path.name


def _place(group: str, seed: int) -> float:
    """Where a group falls in [0, 1), the same on any machine."""
    digest = hashlib.sha256(f"{seed}/{group}".encode(errors="surrogateescape")).hexdigest()
    return int(digest[:8], 16) / 2**32
