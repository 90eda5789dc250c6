"""Which set is looked at: its records, what an examination found, what a person decided."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import streamlit as st

from emoviz.curation.examine import ROWS, kept
from emoviz.curation.examined import Examined, examination_folder, read_examined
from emoviz.data.dataset import Dataset, Record
from emoviz.data.dataset_file import KnownSet
from emoviz.data.reading import read_labelled
from emoviz.errors import EmovizError, TableError
from emoviz.files import read_json, write_json
from emoviz.settings import Settings
from emoviz.ui import access
from emoviz.ui.words import plain

_MARKS = "decided.json"


@dataclass(frozen=True)
class Opened:
    """A set with an index of its records.

    Attributes:
        labelled: The records.
        places: Name -> place of the record in the set; the first where several have one name.
    """

    labelled: Dataset
    places: Mapping[str, int]


@dataclass(frozen=True)
class CurationSubject:
    """The set that the page is about.

    Attributes:
        known: As the library has it.
        opened: Its records.
        folder: Where its examination is kept.
        found: What the examination found; None where there is none of the set as it is now.
        item: The examined rows; None likewise.
    """

    known: KnownSet
    opened: Opened
    folder: Path
    found: Mapping[str, Any] | None = None
    item: Examined | None = None

    @property
    def labelled(self) -> Dataset:
        """The records."""
        return self.opened.labelled

    @property
    def key(self) -> str:
        """Of the task that examines it."""
        return f"examine {self.known.path}"

    def record(self, name: str) -> Record | None:
        """A record by its name."""
        place = self.opened.places.get(name)
        return None if place is None else self.labelled.records[place]


@dataclass(frozen=True)
class Marks:
    """What a person decided about single images, by SHA-256.

    Attributes:
        drop: Thrown out by hand.
        keep: Kept whatever a recipe's filters say.
    """

    drop: frozenset[str] = field(default_factory=frozenset)
    keep: frozenset[str] = field(default_factory=frozenset)

    def of(self, sha256: str) -> str:
        """``drop``, ``keep`` or, where nothing was decided, ``""``."""
        return "drop" if sha256 in self.drop else "keep" if sha256 in self.keep else ""


def open_subject(settings: Settings, known: KnownSet) -> CurationSubject | None:
    """The set with its examination; None where it cannot be read, which is then on the page."""
    folder = examination_folder(settings, known.path)
    try:
        opened = _opened(known.path, _time(known.path))
    except EmovizError as error:
        st.error(
            f"{plain(str(error))}\n\nChoose another set above, or bring it in again.",
            title="This set cannot be read",
            icon=":material/error:",
        )
        return None
    found = kept(folder, known.path)
    if found is None:
        return CurationSubject(known, opened, folder)
    try:
        item = _examined(folder / ROWS, _time(folder / ROWS))
        if len(item) != len(opened.labelled.records):
            raise TableError("The examination is of other images.")
    except EmovizError:
        return CurationSubject(known, opened, folder)
    return CurationSubject(known, opened, folder, found, item)


def read_marks(subject: CurationSubject) -> Marks:
    """What was decided about single images of the set."""
    values = read_json(subject.folder / _MARKS) or {}
    return Marks(*(frozenset(map(str, values.get(key, ()))) for key in ("drop", "keep")))


@access.acts("prepare")
def mark(subject: CurationSubject, hashes: Sequence[str], what: str) -> None:
    """Decide about images: ``drop``, ``keep``, or ``""`` to take a decision back."""
    before = read_marks(subject)
    wanted = frozenset(filter(None, hashes))
    drop, keep = before.drop - wanted, before.keep - wanted
    values = {
        "drop": sorted(drop | wanted if what == "drop" else drop),
        "keep": sorted(keep | wanted if what == "keep" else keep),
    }
    try:
        write_json(subject.folder / _MARKS, values)
    except OSError as error:
        st.session_state["datasets-notes"] = [f"This cannot be kept: {plain(str(error))}"]


def _time(path: Path) -> int:
    return path.stat().st_mtime_ns if path.exists() else 0


@st.cache_resource(max_entries=4, show_spinner="Reading the set …")
def _opened(path: Path, changed: int) -> Opened:
    """Shared by sessions, which do not change it; kept by the file's time of change, too."""
    labelled = read_labelled(path)
    places: dict[str, int] = {}
    for place, record in enumerate(labelled.records):
        places.setdefault(record.name, place)
    return Opened(labelled, places)


@st.cache_resource(max_entries=4, show_spinner=False)
def _examined(path: Path, changed: int) -> Examined:
    return read_examined(path)[0]
