"""Tables of labelled images: one form of record, whatever set it came from.

A table is a CSV or TSV with a column ``file`` (paths relative to the table) and either a column
``label`` or vote shares ``p_<label>``; ``artist`` or ``group`` keeps works that belong together
in one split, ``split`` fixes it.
"""

import csv
import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from emoviz.errors import TableError, TaxonomyError
from emoviz.labels import TAXONOMIES, Taxonomy, get_taxonomy

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
NO_LABEL = -1
_FILE_COLUMNS = ("file", "path", "image", "filename")
_LABEL_COLUMNS = ("label", "emotion", "class")
_GROUP_COLUMNS = ("group", "artist", "source")
_VOTE_PREFIX = "p_"


@dataclass(frozen=True)
class Record:
    """One labelled image.

    Attributes:
        name: The file as the table names it.
        path: Where it is.
        label: Index in the set's taxonomy; -1 where most votes went to something outside it.
        shares: Vote shares over the set's labels in 0-1 (what is missing to 1 went to answers
            outside the taxonomy; where people may give several answers the sum may be larger);
            one-hot where the table has plain labels.
        group: Images of one group (an artist) never stand in two splits.
        split: Where the table or `assign_splits` put it.
    """

    name: str
    path: Path
    label: int
    shares: tuple[float, ...]
    group: str
    split: Split | None = None


@dataclass(frozen=True)
class LabelledSet:
    """The records of one table.

    Attributes:
        name: The table's folder and file, for people.
        taxonomy: Of its labels.
        records: What could be used, in the table's order.
        refused: What could not: (line or file, reason).
        votes: Whether the shares are votes of several people.
    """

    name: str
    taxonomy: Taxonomy
    records: tuple[Record, ...]
    refused: tuple[tuple[str, str], ...] = ()
    votes: bool = False

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
    """Read a table of labelled images. Files are not opened here.

    Args:
        path: CSV or TSV, in UTF-8 or Windows-1252.
        taxonomy: Of the labels; found from the labels where None.
        likely: Taken instead of a smaller one where all labels are of it.

    Raises:
        TableError: The table cannot be read, lacks a column, or no row of it can be used.
    """
    header, rows = _rows(path)
    columns = _columns(path, header)
    votes = {name: name.removeprefix(_VOTE_PREFIX) for name in columns["votes"]}
    if taxonomy is None:
        taxonomy = _guess(path, [row for _, row in rows], columns, votes.values(), likely)
    kept: list[Record] = []
    refused: list[tuple[str, str]] = []
    for line, row in rows:
        try:
            kept.append(_record(path.parent, row, columns, votes, taxonomy))
        except (TableError, TaxonomyError) as error:
            refused.append((f"line {line}", str(error)))
    if not kept:
        reason = f" First: {refused[0][0]}: {refused[0][1]}" if refused else ""
        raise TableError(f"'{path}' has no row that can be used.{reason}")
    by_votes = bool(votes) and not columns["label"]
    return LabelledSet(_title(path), taxonomy, tuple(kept), tuple(refused), by_votes)


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


def share_matrix(records: Sequence[Record]) -> NDArray[np.float64]:
    """(N, S) vote shares."""
    return np.array([record.shares for record in records], dtype=np.float64)


def _rows(path: Path) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """Column names, and each row with the line on which it ends."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise TableError(f"'{path}' cannot be read: {error.strerror or error}.") from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", errors="replace")
    if "\x00" in text:
        raise TableError(f"'{path}' is no text table (CSV or TSV).")
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
        return list(reader.fieldnames or ()), [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise TableError(f"'{path}' is no readable table: {error}.") from None


def _place(group: str, seed: int) -> float:
    """Where a group falls in [0, 1), the same on any machine."""
    digest = hashlib.sha256(f"{seed}/{group}".encode(errors="surrogateescape")).hexdigest()
    return int(digest[:8], 16) / 2**32


def _columns(path: Path, names: Iterable[str]) -> dict[str, list[str]]:
    known = [name for name in names if name]
    by_lower = {name.strip().casefold(): name for name in known}

    def first_of(wanted: Iterable[str]) -> list[str]:
        return [by_lower[name] for name in wanted if name in by_lower][:1]

    columns = {
        "file": first_of(_FILE_COLUMNS),
        "label": first_of(_LABEL_COLUMNS),
        "group": first_of(_GROUP_COLUMNS),
        "split": first_of(("split",)),
        "votes": [n for n in known if n.startswith(_VOTE_PREFIX) and n != "p_max"],
    }
    if not columns["file"] or not (columns["label"] or columns["votes"]):
        raise TableError(
            f"'{path}' has the columns {', '.join(known) or '(none)'}; wanted: file, and label "
            "or vote shares p_<label>."
        )
    return columns


def _guess(
    path: Path,
    rows: Sequence[Mapping[str, str]],
    columns: Mapping[str, list[str]],
    votes: Iterable[str],
    likely: Taxonomy | None,
) -> Taxonomy:
    if columns["label"]:
        found = {(row[columns["label"][0]] or "").strip().casefold() for row in rows} - {""}
    else:
        found = set(votes) - {"neutral"}
    by_size = sorted(TAXONOMIES.values(), key=len)
    for taxonomy in (likely, *by_size) if likely else by_size:
        if found and found <= set(taxonomy.names):
            return taxonomy
    raise TableError(
        f"The labels of '{path}' ({', '.join(sorted(found)[:12]) or 'none'}) are not all of one "
        f"taxonomy. Say which it is: {', '.join(TAXONOMIES)}."
    )


def _record(
    root: Path,
    row: Mapping[str, str],
    columns: Mapping[str, list[str]],
    votes: Mapping[str, str],
    taxonomy: Taxonomy,
) -> Record:
    name = (row[columns["file"][0]] or "").strip()
    if not name:
        raise TableError("the row names no file")
    if columns["label"]:
        label = taxonomy.index(row[columns["label"][0]] or "")
        shares = tuple(float(i == label) for i in range(len(taxonomy)))
    else:
        label, shares = _vote_shares(row, votes, taxonomy)
    group = (row[columns["group"][0]] or "").strip() if columns["group"] else ""
    split = _split((row[columns["split"][0]] or "").strip()) if columns["split"] else None
    return Record(name, root / name, label, shares, group or name, split)


def _vote_shares(
    row: Mapping[str, str], votes: Mapping[str, str], taxonomy: Taxonomy
) -> tuple[int, tuple[float, ...]]:
    """The majority label and the shares; answers outside the taxonomy may win the majority."""
    shares = [0.0] * len(taxonomy)
    outside = 0.0
    for column, answer in votes.items():
        try:
            share = float(row[column] or 0)
        except ValueError:
            raise TableError(f"{column} is '{row[column]}', not a share") from None
        if not 0 <= share <= 1:
            raise TableError(f"{column} is {share}, not a share between 0 and 1")
        try:
            shares[taxonomy.index(answer)] += share
        except TaxonomyError:
            outside = max(outside, share)
    best = max(range(len(shares)), key=shares.__getitem__)
    return (best if shares[best] > 0 and shares[best] >= outside else NO_LABEL), tuple(shares)


_SPLIT_WORDS: Mapping[str, Split] = {
    **{split: split for split in SPLITS},
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "dev": "validation",
    "testing": "test",
}


def _split(text: str) -> Split | None:
    """The split that a word names; an unknown word would let test images slip into training."""
    if not text:
        return None
    if text.casefold() not in _SPLIT_WORDS:
        raise TableError(f"split is '{text}'; wanted: train, validation or test")
    return _SPLIT_WORDS[text.casefold()]


def _title(path: Path) -> str:
    return f"{path.parent.name}/{path.name}" if path.parent.name else path.name
