"""Which column of a table says what."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from emoviz.data.affect import Dimension, Scale, affect_columns
from emoviz.errors import TableError
from emoviz.labels import TAXONOMIES, Taxonomy

_FILE = ("file", "path", "image", "filename")
_LABEL = ("label", "emotion", "class")
_GROUP = ("group", "artist", "source")
_VOTE_PREFIX = "p_"


@dataclass(frozen=True)
class Columns:
    """The columns that are read, as the table spells them.

    Attributes:
        file: Of the image's file, or of the image itself.
        label: Of its label; None where people's votes are given instead.
        group: Of what keeps images together in one split.
        split: Of the split.
        votes: Column -> the answer whose share of the votes it holds.
        kind: Of the kind of image (photograph, abstract painting, ...).
        affect: ``valence`` and ``arousal`` -> the column and the scale that its name gives.
    """

    file: str
    label: str | None = None
    group: str | None = None
    split: str | None = None
    votes: Mapping[str, str] = field(default_factory=dict)
    kind: str | None = None
    affect: Mapping[Dimension, tuple[str, Scale]] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """All of them."""
        single = (self.file, self.label, self.group, self.split, self.kind)
        affect = [column for column, _ in self.affect.values()]
        return [*(name for name in single if name is not None), *self.votes, *affect]

    def affect_of(self, row: Mapping[str, str]) -> dict[Dimension, float | None]:
        """Valence and arousal of a row, turned to -1 to 1.

        Raises:
            TableError: One is no number on its scale.
        """
        given = self.affect.items()
        return {key: scale.turned(row[column] or "", column) for key, (column, scale) in given}


def find_columns(path: Path, names: Iterable[str], taxonomy: Taxonomy | None) -> Columns:
    """Find the columns by their names, whatever their capitals.

    Args:
        path: Of the table, for the error.
        names: Of all its columns.
        taxonomy: Of the labels, where it is known.

    Raises:
        TableError: There is no column of files, or none of labels or votes.
    """
    known = [name for name in names if name]
    by_lower = {name.strip().casefold(): name for name in known}

    def first_of(wanted: Iterable[str]) -> str | None:
        return next((by_lower[name] for name in wanted if name in by_lower), None)

    file, label = first_of(_FILE), first_of(_LABEL)
    votes = {
        name: name.removeprefix(_VOTE_PREFIX)
        for name in known
        if name.startswith(_VOTE_PREFIX) and name != "p_max"
    }
    if not (label or votes):
        votes = _bare_votes(by_lower, taxonomy)
    if not file or not (label or votes):
        raise TableError(
            f"'{path}' has the columns {', '.join(known) or '(none)'}; wanted: file, and label "
            "or vote shares p_<label>."
        )
    group, split, kind = first_of(_GROUP), first_of(("split",)), first_of(("kind",))
    return Columns(file, label, group, split, votes, kind, affect_columns(known))


def _bare_votes(by_lower: Mapping[str, str], taxonomy: Taxonomy | None) -> dict[str, str]:
    """Columns named by the labels alone, where every label of a taxonomy has one."""
    by_size = sorted(TAXONOMIES.values(), key=len, reverse=True)
    for candidate in [taxonomy] if taxonomy is not None else by_size:
        if by_lower.keys() >= set(candidate.names):
            return {by_lower[name]: name for name in candidate.names}
    return {}
