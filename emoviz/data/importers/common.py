"""What the importers share: what is said of a set, where its files are, what does not fit."""

import contextlib
import os
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

import numpy as np

from emoviz.data.affect import DIMENSIONS, Dimension
from emoviz.data.columns import Roles, Table, columns_told, file_told, find_roles
from emoviz.data.dataset import (
    Dataset,
    Problem,
    Record,
    Split,
    count_votes,
    not_of,
    one_hot,
)
from emoviz.data.named_files import Files
from emoviz.data.reading import open_dataset
from emoviz.data.tables import read_table, read_text
from emoviz.errors import TableError, TaxonomyError
from emoviz.labels import Taxonomy

# Kinds of image, as the sets' importers tell them and a network with `kinds` learns them.
PHOTOGRAPH, ABSTRACT, FIGURATIVE = "photograph", "abstract painting", "figurative painting"
# WikiArt's styles whose works show nothing that could be named.
_ABSTRACT_STYLES = frozenset(
    ("abstract art", "abstract expressionism", "color field painting", "minimalism")
)

_SHOWN = 12
_LOOKED_AT = 50  # folders below a wrong root that are looked into for the right one


@dataclass(frozen=True)
class Importer:
    """One kind of set that can be brought in.

    Attributes:
        kind: Its name on the command line.
        title: For people.
        layout: What the folder (or file) to point at holds, in one line.
        source: Where the set is had.
        terms: Under which it is given away, as far as its page says.
        citation: What to cite.
        read: From the path, and which of several labels are wanted ("" for the first choice);
            `TableError` says that it holds no such set, or what its tables and lists lack.
        choices: What `read` takes for labels, first choice first; empty where any taxonomy's name
            is taken, or nothing at all.
        scale: That the set's valence and arousal were given on; "" where it has none.
    """

    kind: str
    title: str
    layout: str
    source: str
    terms: str
    citation: str
    read: Callable[[Path, str], Dataset]
    choices: tuple[str, ...] = ()
    takes_taxonomy: bool = False
    scale: str = ""

    @property
    def about(self) -> dict[str, str]:
        """What a set of this kind says of its origin."""
        told = {"source": self.source, "terms": self.terms, "citation": self.citation}
        return {**told, "affect_scale": self.scale} if self.scale else told


@dataclass
class Gathered:
    """Records and problems on the way to a `Dataset`.

    Attributes:
        taxonomy: Of the labels.
        records: What fits.
        problems: What does not: its line, row or folder, and why.
    """

    taxonomy: Taxonomy
    records: list[Record] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def refuse(self, place: str, reason: str) -> None:
        """List something that does not fit."""
        self.problems.append(Problem(place, reason))

    @contextlib.contextmanager
    def row(self, place: str) -> Iterator[None]:
        """List what a row has that raises `TableError` or `TaxonomyError`, and go on."""
        try:
            yield
        except TaxonomyError:
            self.refuse(place, not_of(self.taxonomy))
        except TableError as error:
            self.refuse(place, str(error))

    def add(
        self,
        place: str,
        name: str,
        path: Path | None,
        label: str | None = None,
        shares: Mapping[str, float] | None = None,
        counts: Mapping[str, float] | None = None,
        split: Split | None = None,
        group: str = "",
        metadata: Mapping[str, str] | None = None,
        content: bytes | None = None,
        affect: Mapping[Dimension, float | None] | None = None,
    ) -> None:
        """Take one image, or list why it cannot be taken.

        Args:
            place: Where people find it.
            name: Of the image, relative to the set's folder, the same on any machine.
            path: Of its file, or of the table that holds it; None where it is missing.
            label: Its label; taken from the shares where None.
            shares: Label -> share of the votes; others count as answers outside the taxonomy.
            counts: Or how many votes each had; ``votes`` in the metadata tells their sum.
            split: Where the set puts it.
            group: What keeps images together; each by itself where empty.
            metadata: Texts by name; empty ones are left out.
            content: The image, where a table holds it.
            affect: ``valence`` and ``arousal``, turned to -1 to 1 (`emoviz.data.affect`).
        """
        with self.row(place):
            lost = "" if path else "there is no such file; is the set unpacked whole?"
            if path and content is None and path.is_symlink() and not path.exists():
                lost = "it is a link that leads nowhere"
            if path is None or lost:
                raise TableError(file_told(name) + lost)
            kept = {key: text for key, text in (metadata or {}).items() if text}
            if counts is not None:
                total = sum(counts.values())
                if total <= 0 or min(counts.values()) < 0:
                    raise TableError("the row has no vote, or a count is below 0")
                shares = {answer: count / total for answer, count in counts.items()}
                kept["votes"] = f"{total:g}"
            index, votes = _target(self.taxonomy, label, shares)
            valence, arousal = ((affect or {}).get(name) for name in DIMENSIONS)
            own = group or name
            self.records.append(
                Record(name, path, index, votes, own, split, content, kept, valence, arousal)
            )

    def finish(self, root: Path, title: str, votes: bool = False) -> Dataset:
        """The set; raises `TableError` where not one image could be taken."""
        if not self.records:
            first = "".join(f" First: {place}: {why}" for place, why in self.problems[:1])
            raise TableError(f"'{root}': no image of {title} could be taken.{first}")
        return Dataset(title, self.taxonomy, tuple(self.records), tuple(self.problems), votes)


def expect(root: Path, importer: str, *wanted: str) -> tuple[Files, Path]:
    """The files of a set's root, once it holds what it should, and the first thing wanted.

    Args:
        root: What a person pointed at.
        importer: The set's title.
        wanted: Relative names; ``a|b`` where either will do.

    Raises:
        TableError: It does not. The message says what was expected and found, and whether a
            folder below or above holds it.
    """
    files = Files(root)
    found = {names: files.first(*names.split("|")) for names in wanted}
    missing = [names for names, path in found.items() if path is None]
    if not missing:
        return files, next(path for path in found.values() if path)
    if not os.path.isdir(root):  # noqa: PTH112  (Path raises for a name too long)
        raise TableError(f"There is no folder '{root}'. {_wanted(importer, wanted)}")
    inside = sorted(files.listing())
    told = ", ".join(inside[:_SHOWN]) + (" …" if len(inside) > _SHOWN else "")
    near = _elsewhere(root, wanted)
    raise TableError(
        f"'{root}' is not the folder of {importer}: it lacks {' and '.join(missing)}. "
        f"{_wanted(importer, wanted)} Found: {told or 'nothing'}."
        + (f" '{near}' holds it: point there." if near else "")
    )


def read_folders(root: Path, taxonomy: Taxonomy, title: str) -> Dataset:
    """One folder a class, also in folders of splits, as the door reads them.

    Raises:
        TableError: No image of them could be taken.
    """
    return replace(open_dataset(root, None, taxonomy, labelled=True, level=0), name=title)


def roles_with_label(table: Table) -> tuple[Roles, str]:
    """What the columns of a table are, and that of the labels.

    Raises:
        TableError: It has none, be it that votes are given instead.
    """
    roles = find_roles(table, labelled=True)
    if roles.label is None:
        told = columns_told(list(table.columns), "labels")
        raise TableError(f"'{table.path}' has {told}; wanted: image and label.")
    return roles, roles.label


def list_lines(path: Path) -> Iterator[tuple[str, str]]:
    """(``file, line n``, text) of a text file, blank lines left out.

    Raises:
        TableError: It cannot be read, or is no text.
    """
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if line.strip():
            yield f"{path.name}, line {number}", line.strip()


def artist_group(artist: str) -> str:
    """One spelling for an artist's works in all sets: ``Robert Smithson`` is ``robert-smithson``.

    Sets that are learned together must keep an artist in one split or fold.
    """
    plain = unicodedata.normalize("NFKD", artist).encode("ascii", "ignore").decode().casefold()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")


def kind_of_style(style: str, otherwise: str) -> str:
    """The kind of image that a style of WikiArt is; `otherwise` where it is not abstract."""
    plain = style.replace("_", " ").replace("-", " ").casefold().strip()
    return ABSTRACT if plain in _ABSTRACT_STYLES else otherwise


def plain_rows(
    table: Path, wanted: Sequence[str], title: str, called: Callable[[str], str] = str.casefold
) -> Iterator[tuple[str, Mapping[str, str]]]:
    """(``file, line n``, cells by what their columns are `called`) of a table.

    Raises:
        TableError: It cannot be read, or lacks a column of `wanted`.
    """
    read = read_table(table)
    names = {name: called(name) for name in (name.strip().casefold() for name in read.columns)}
    missing = [name for name in wanted if name not in names.values()]
    if missing:
        raise TableError(f"'{table}' lacks the columns {', '.join(missing)}; is it of {title}?")
    for place, cells in read.rows():
        yield place, {names[name]: text for name, text in cells.items()}


def _target(
    taxonomy: Taxonomy, label: str | None, shares: Mapping[str, float] | None
) -> tuple[int, tuple[float, ...]]:
    """(label index, shares): the majority, unless the set says itself what the label is."""
    if shares is None:
        index = taxonomy.index(label or "")
        return index, one_hot(index, len(taxonomy))
    for name, share in shares.items():
        if not 0 <= share <= 1:
            raise TableError(f"the share of {name} is not between 0 and 1")
    most, votes = count_votes(taxonomy, shares, np.array([list(shares.values())]))
    index = int(most[0]) if label is None else taxonomy.index(label)
    return index, tuple(votes[0].tolist())


def _wanted(importer: str, wanted: Sequence[str]) -> str:
    names = ", ".join(item.replace("|", " or ") for item in wanted)
    return f"Wanted: the unpacked folder of {importer}, which holds {names}."


def _elsewhere(root: Path, wanted: Sequence[str]) -> Path | None:
    """The folder that was meant: the parent, or one a little below."""

    def inside(folder: Path) -> list[Path]:
        found = (folder / name for name in sorted(Files(folder).listing())[:_LOOKED_AT])
        return [path for path in found if path.is_dir() and not path.is_symlink()]

    below = inside(root)
    for folder in chain([root.absolute().parent], below, *map(inside, below)):
        if all(Files(folder).first(*names.split("|")) for names in wanted):
            return folder
    return None
