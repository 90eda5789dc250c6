"""What came in by the door: images with their labels, and a problem for each thing not taken.

A `Dataset` is what `emoviz.data.reading` makes of any place. Splits, folds and merged labels are
worked out here as well, so that all that learns or measures does it in one way.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from emoviz.data.images import Limits, read_file
from emoviz.errors import ImageError, TaxonomyError
from emoviz.labels import Bridge, Taxonomy, own_taxonomy, taxonomy_of
from emoviz.settings import Settings

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
OUTSIDE = "it lies outside of the folders that are open here"
SENT = "only addresses (http, https) are taken from a table that was sent"
MOST_CLASSES = 2000  # a record holds a share for each
_TAKEN = frozenset(("file", "label", "group", "split"))  # columns that mean something else
UNLABELLED = Taxonomy("none", "no labels", ())


class Problem(NamedTuple):
    """What was found and cannot be taken: a file, a row, an address.

    Attributes:
        key: What it is, as its source names it.
        reason: Why not, for people.
    """

    key: str
    reason: str


class Holder(Protocol):
    """A file that holds several images, such as a ZIP."""

    def read(self, inside: str, limits: Limits) -> bytes:
        """The encoded image of that name, or `ImageError` with the reason."""
        ...


@dataclass(frozen=True, slots=True)
class Record:
    """One image.

    Attributes:
        name: What its set calls it; the key that tells it from the others.
        path: Where it is; of an image inside a ZIP or table, that file.
        label: Index in the set's taxonomy; -1 where it has no label, or where most votes went to
            something outside the taxonomy.
        shares: Vote shares over the set's labels in 0-1 (what is missing to 1 went to answers
            outside the taxonomy; where people may give several answers the sum may be larger);
            one-hot where there are plain labels, all zero without one.
        group: Images of one group (an artist) never stand in two splits.
        split: Where the set or `assign_splits` put it.
        content: The bytes of an image that a table holds. Records are compared without it: name
            and place say which image it is.
        metadata: What else is known of the image, such as its artist: name -> text.
        valence: Unpleasant to pleasant, -1 to 1 whatever scale it was published on
            (`emoviz.data.affect`); None where it is not known.
        arousal: Calm to excited, likewise.
        inside: Its name within the file at `path` that holds it.
        holder: What reads it there.
        written: Its label as the source wrote it.
        url: Its address, where it has to be fetched.
    """

    name: str
    path: Path
    label: int = NO_LABEL
    shares: tuple[float, ...] = ()
    group: str = ""
    split: Split | None = None
    content: bytes | None = field(default=None, repr=False, compare=False)
    metadata: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    valence: float | None = field(default=None, compare=False)
    arousal: float | None = field(default=None, compare=False)
    inside: str = ""
    holder: Holder | None = field(default=None, repr=False, compare=False)
    written: str = field(default="", repr=False, compare=False)
    url: str = ""

    @property
    def is_inside(self) -> bool:
        """Whether the image is no file of its own."""
        return self.content is not None or self.holder is not None

    def read(self, limits: Limits) -> bytes:
        """The encoded image; its size is capped here for a file, and again when it is opened.

        Raises:
            ImageError: The file is missing, not an ordinary file, too large, or not readable.
        """
        if self.content is not None:
            return self.content
        if self.holder is not None:
            return self.holder.read(self.inside, limits)
        if self.url:
            raise ImageError("it is an address; bring it in as a collection first")
        return read_file(self.path, limits)


@dataclass(frozen=True)
class Dataset:
    """The images of one place. Found = taken (`records`) + `problems`.

    Attributes:
        name: For people.
        taxonomy: Of the labels; `UNLABELLED` where there are none, or none that are of one kind.
        records: What was taken, in the source's order.
        problems: What was found and not taken.
        votes: Whether the shares are votes of several people.
        about: What is known of the whole set: source, terms, citation, lineage.
        path: Absolute path of the folder, ZIP, table or image; of an address, of what is kept.
        address: Where it is on the web; "" for what is on this machine.
        root: Folder that `names` are relative to, where they are files.
        shown: What goes before a record's name to make the name that people see.
        notes: How it was read, where it might have been read in another way.
        other_level: The `Wish.level` that gives the other reading; None where there is one alone.
        unknown: Labels outside the taxonomy -> how many images have them, which are problems.
    """

    name: str
    taxonomy: Taxonomy
    records: Sequence[Record]
    problems: Sequence[Problem] = ()
    votes: bool = False
    about: Mapping[str, Any] = field(default_factory=dict)
    path: Path = field(default=Path(), compare=False)
    address: str = field(default="", compare=False)
    root: Path = field(default=Path(), compare=False)
    shown: str = field(default="", compare=False)
    notes: tuple[str, ...] = field(default=(), compare=False)
    other_level: int | None = field(default=None, compare=False)
    unknown: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.records)

    def __repr__(self) -> str:
        records = f"{len(self):,} record{'' if len(self) == 1 else 's'}"
        labels = f"labels of {self.taxonomy.name}" if len(self.taxonomy) else "no labels"
        problems = f"{len(self.problems):,} problem{'' if len(self.problems) == 1 else 's'}"
        return f"<Dataset: {self.name}, {records}, {labels}, {problems}>"

    @property
    def identity(self) -> str:
        """What tells it from every other set on this machine."""
        return self.address or str(self.path)

    @cached_property
    def names(self) -> list[str]:
        """(N) paths as they were given, ``archive.zip/inside.jpg``, or paths below `root`."""
        if self.shown:
            return [self.shown + record.name for record in self.records]
        root = f"{self.root}/"
        return [
            r.name if r.is_inside or r.url else str(r.path).removeprefix(root) for r in self.records
        ]

    @cached_property
    def labels(self) -> list[str]:
        """(N) as the taxonomy spells them, as they are where it lacks them, "" for none."""
        known = self.taxonomy.names
        return [known[r.label] if r.label >= 0 else r.written for r in self.records]

    @cached_property
    def label_indices(self) -> NDArray[np.int64]:
        """(N,) index in the taxonomy, -1 where there is none."""
        return label_array(self.records)

    @cached_property
    def metadata(self) -> dict[str, list[str]]:
        """Column -> (N) texts, "" where an image has none."""
        rows = list(self.records)
        names = dict.fromkeys(name for record in rows for name in record.metadata)
        columns = {
            f"meta_{name}" if name in _TAKEN else name: [r.metadata.get(name, "") for r in rows]
            for name in names
        }
        if any(r.split for r in rows):
            columns["split"] = [r.split or "" for r in rows]
        groups = [r.group for r in rows]
        if len(set(groups)) < len(groups) and groups not in columns.values():
            columns["group"] = groups
        return columns

    def of_split(self, split: Split) -> tuple[Record, ...]:
        """The records of one split."""
        return tuple(record for record in self.records if record.split == split)

    def place(self, index: int) -> tuple[Path, str]:
        """Absolute path of the file that holds an image, and which where it holds several."""
        record = self.records[index]
        inside = record.inside or (record.name if record.content is not None else "")
        return absolute(record.path), inside


@dataclass(frozen=True)
class Wish:
    """What a set is opened for.

    Attributes:
        settings: Caps, and the folders where files may be.
        taxonomy: Of the labels; found from them where None.
        likely: Taken instead of a smaller one where all labels are of it.
        labelled: Whether labels are needed: then folders are classes, and what lies in none, or
            has a label that `taxonomy` lacks, is a problem.
        level: Which folder is the class, counted from the outermost, 1; found where 0, the folders
            alone. Where None a table of labels counts if the folders give no classes.
        sent: Whether it came through a browser: then a table may name addresses alone, and is told
            nothing of which files there are.
    """

    settings: Settings
    taxonomy: Taxonomy | None = None
    likely: Taxonomy | None = None
    labelled: bool = False
    level: int | None = None
    sent: bool = False

    @cached_property
    def limits(self) -> Limits:
        """Caps on images."""
        return Limits.of(self.settings)

    @cached_property
    def folders(self) -> tuple[Path, ...]:
        """Where files may be, links followed; anywhere where empty."""
        own = (self.settings.home, self.settings.sample_data)
        named = (*self.settings.path_folders, *own) if self.settings.path_folders else ()
        return tuple(folder.resolve() for folder in named)

    def allows(self, path: Path) -> bool:
        """Whether a file may be read: no table and no link leads out of the open folders."""
        if not self.folders:
            return True
        real = Path(os.path.realpath(path))
        return any(map(real.is_relative_to, self.folders))

    def refusal(self, path: Path) -> str:
        """Why a table may not name a file of this machine; "" where it may."""
        return SENT if self.sent else "" if self.allows(path) else OUTSIDE


def count_words(taken: int, problems: int) -> str:
    """``4 found: 3 taken, 1 problem``, as every front says it."""
    plural = "" if problems == 1 else "s"
    return f"{taken + problems:,} found: {taken:,} taken, {problems:,} problem{plural}"


def majority(shares: NDArray[np.float64], outside: NDArray[np.float64]) -> NDArray[np.int64]:
    """The label of most votes: the one rule of every set, table and collection.

    Of equal labels the taxonomy's first counts, and a label counts before an answer outside the
    taxonomy that has as many votes. Where nobody voted, or more chose one answer outside, there
    is none.

    Args:
        shares: (N, S) of each label, 0 to 1.
        outside: (N,) the largest share of any one answer outside the labels.

    Returns:
        (N,) indices, -1 for none.
    """
    even = shares.round(6)  # a tie stays one, in whatever order the shares were added up
    most = even.max(axis=1, initial=0.0)
    wins = (most > 0) & (most >= outside.round(6))
    return np.where(wins, even.argmax(axis=1) if even.shape[1] else 0, NO_LABEL).astype(np.int64)


def count_votes(
    taxonomy: Taxonomy, answers: Iterable[str], shares: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """What people's answers are as votes for the labels of a taxonomy.

    Args:
        taxonomy: Of the labels.
        answers: (A) texts; those that are no label count as answers outside of it.
        shares: (N, A) of each answer, 0 to 1.

    Returns:
        (N,) the label of most votes, -1 for none, and (N, S) the labels' shares.
    """
    votes, outside = np.zeros((len(shares), len(taxonomy))), np.zeros(len(shares))
    for answer, column in zip(answers, shares.T, strict=True):
        if taxonomy.holds(answer):
            votes[:, taxonomy.index(answer)] += column
        else:
            outside = np.maximum(outside, column)
    return majority(votes, outside), votes


def merge_labels(item: Dataset, bridge: Bridge) -> Dataset:
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
    return majority(sums, 1.0 - shares.sum(axis=1)), sums


def relabelled(item: Dataset, taxonomy: Taxonomy) -> Dataset:
    """The set with its labels as those of another taxonomy; each that it lacks is a problem.

    Votes for labels that it lacks count as answers outside it.
    """
    if taxonomy.names == item.taxonomy.names:
        return item
    known = item.taxonomy.names
    shares = np.array([r.shares or [0.0] * len(known) for r in item.records])
    most, votes = count_votes(taxonomy, known, shares.reshape(-1, len(known)))
    kept, problems, unknown = [], list(item.problems), Counter(item.unknown)
    for record, label, row in zip(item.records, most.tolist(), votes.tolist(), strict=True):
        if record.label >= 0 and not item.votes:
            text = known[record.label]
            if not taxonomy.holds(text):
                problems.append(Problem(record.name, no_label(text, taxonomy)))
                unknown[text] += 1
                continue
            label = taxonomy.index(text)
        kept.append(replace(record, label=label, shares=tuple(row)))
    return replace(
        item,
        taxonomy=taxonomy,
        records=tuple(kept),
        problems=tuple(problems),
        unknown=dict(unknown.most_common()),
    )


def no_label(text: str, taxonomy: Taxonomy) -> str:
    """Why a text is no label."""
    try:
        taxonomy.index(text)
    except TaxonomyError as error:
        return str(error)
    return ""


def not_of(taxonomy: Taxonomy) -> str:
    """Why a cell is no label, without what it holds."""
    return f"its label is none of taxonomy '{taxonomy.name}': {', '.join(taxonomy.names)}"


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


def _place(group: str, seed: int) -> float:
    """Where a group falls in [0, 1), the same on any machine."""
    digest = hashlib.sha256(f"{seed}/{group}".encode(errors="surrogateescape")).hexdigest()
    return int(digest[:8], 16) / 2**32


def any_taxonomy(kind: str, labels: Iterable[str], likely: Taxonomy | None = None) -> Taxonomy:
    """A registered taxonomy that holds the labels, or one made of them, in alphabetical order."""
    found = sorted({label.strip() for label in labels} - {""})
    known = taxonomy_of(found, likely)
    if known is not None:
        return known
    digest = hashlib.sha256("\0".join(found).encode(errors="replace")).hexdigest()[:6]
    return own_taxonomy(f"own-{digest}", found, f"Labels of {kind}")


@cache
def one_hot(index: int, count: int) -> tuple[float, ...]:
    """Shared by all images of a class: a million rows would hold a million of these."""
    return tuple(float(i == index) for i in range(count))


def absolute(path: Path) -> Path:
    """The path from the root; `Path.resolve` raises for a zero byte, or a circle of links."""
    return Path(os.path.abspath(path))  # noqa: PTH100
