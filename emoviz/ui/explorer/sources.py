"""What can be explored: the sample, collections that were embedded, vectors that were brought."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import streamlit as st

from emoviz.checkpoints import Checkpoint
from emoviz.data.library import list_sets
from emoviz.data.reading import SAMPLE, open_dataset
from emoviz.errors import EmovizError
from emoviz.inference.cache import fingerprint
from emoviz.inference.stored import describe, list_tables, mapped_embeddings, table_path
from emoviz.inference.vectors import Vectors, read_vectors
from emoviz.settings import Settings
from emoviz.ui import access, background
from emoviz.ui.explorer.points import Points
from emoviz.ui.library.bring_in import Arrival, BringInForm, Outcome, Way
from emoviz.ui.linked import linked_choice
from emoviz.ui.review import blind
from emoviz.ui.words import counted, plain, readable

_ADDED = "explore-added"
_SAMPLE_TITLE = "sample images"  # as `open_dataset` calls it
# A whole folder is asked for first; so few images are embedded without asking.
_ASK_ABOVE = 200


@dataclass(frozen=True)
class Source:
    """One thing to explore.

    Attributes:
        key: In the link.
        title: For people.
        path: What ``embed`` takes; of brought vectors the file.
        is_vectors: Whether it holds vectors instead of images.
        level: Which of its folders is the class, where a person said so.
    """

    key: str
    title: str
    path: str
    is_vectors: bool = False
    level: int | None = None

    def table(self, settings: Settings, checkpoint: Checkpoint) -> Path:
        """Where a checkpoint's view of it is stored."""
        return table_path(settings, self.path, self.title, checkpoint.card.id)


@dataclass(frozen=True)
class SentFile:
    """A file that a page takes beside images; it is kept at home, by its bytes.

    Attributes:
        words: What it is, in Markdown.
        endings: Of its name.
        folder: Below the home.
        read: Checks it and says what it holds; raises `EmovizError` where it cannot be used.
        choice: The key of the session, and what is chosen by it from now on.
    """

    words: str
    endings: Sequence[str]
    folder: str
    read: Callable[[Path], Outcome]
    choice: Callable[[Path], tuple[str, str]]


def choose(settings: Settings, vectors: bool = True) -> Source:
    """The collection that is looked at; brought vectors only where they can be shown."""
    known = {item.key: item for item in _sources(settings) if vectors or not item.is_vectors}
    chosen = linked_choice(
        "Collection",
        {key: _shown(item) for key, item in known.items()},
        "collection",
        help="Images that were embedded once; bring in others below the map.",
    )
    blind.explain(len(blind.hidden_tables(settings)))
    return known[chosen]


def known(settings: Settings) -> list[Source]:
    """Every collection of images that can be looked at."""
    return [item for item in _sources(settings) if not item.is_vectors]


def points(source: Source, checkpoint: Checkpoint, settings: Settings) -> Points | None:
    """A checkpoint's view of the source; None while it is being made, which the page then shows."""
    if source.is_vectors:
        return _brought(source)
    file = source.table(settings, checkpoint)
    if _is_current(file, checkpoint):
        return _read(file, file.stat().st_mtime_ns, checkpoint.card.title)
    _make(source, checkpoint, settings)
    return None


def file_of(source: Source, checkpoint: Checkpoint, settings: Settings) -> Path:
    """The file that a view of the source is read from."""
    return Path(source.path) if source.is_vectors else source.table(settings, checkpoint)


@access.acts("compute")
def embed_again(source: Source, checkpoint: Checkpoint, settings: Settings) -> None:
    """Look for images that came or changed; only those pass the network."""
    command = ["embed", source.path, "--checkpoint", str(checkpoint.folder)]
    command += ["--level", str(source.level)] if source.level is not None else []
    title = f"Embedding {source.title} with {checkpoint.card.title}"
    background.begin(settings, title, command, _job_key(source, checkpoint))


def image_form(settings: Settings, key: str, sent: SentFile) -> BringInForm:
    """What the pages take that look at images: a place on this machine, and a file of their own."""

    def take(arrival: Arrival) -> Outcome | None:
        return (_take_file if arrival.way == "file" else _take_place)(settings, sent, arrival)

    ways: Mapping[Way, str] = {
        "path": "Images: a folder, a ZIP, or a table (CSV, Parquet) with a column `file`. Folders "
        "become a column to colour by; other columns of a table too. Labels are recognised. "
        "Nothing is copied or changed.",
        "address": "A museum's IIIF manifest or collection: its images are fetched one by one, and "
        "kept. To review them, bring them in as a collection instead.",
        "file": sent.words,
    }
    return BringInForm(key, ways, take, sent.endings, names_it=False)


def _read_sent(path: Path) -> Outcome:
    found = read_vectors(path)
    words = f"{path.name}: {counted(len(found), 'image')}."
    rows = [(f"row {row}", reason) for row, reason in found.left_out]
    return Outcome(words, taken=len(found), problems=rows)


VECTORS = SentFile(
    "**Vectors of your own**: two or more columns of numbers, labels if you like.",
    ("csv", "tsv", "npz", "npy", "parquet"),
    "vectors",
    _read_sent,
    lambda file: ("collection", f"vectors-{_vectors_key(file)}"),
)


def _shown(source: Source) -> str:
    return readable(source.title[:1].upper() + source.title[1:])


def _sources(settings: Settings) -> list[Source]:
    sample = Source(SAMPLE, _SAMPLE_TITLE, str(settings.sample_data.resolve()))
    found = {sample.path: sample}
    for known in list_sets(settings)[0]:
        path = os.path.abspath(known.path)  # noqa: PTH100  as `open_dataset` names it
        if known.id != SAMPLE:
            found.setdefault(path, Source(_key(settings, path, known.title), known.title, path))
    for stored in list_tables(settings)[0]:
        origin = stored.origin
        found.setdefault(
            origin.collection, Source(stored.path.parent.name, origin.title, origin.collection)
        )
    for source in st.session_state.get(_ADDED, []):
        found[source.path] = replace(source, key=found.get(source.path, source).key)
    brought = [
        Source(f"vectors-{_vectors_key(file)}", _vectors_name(file), str(file), is_vectors=True)
        for file in sorted((settings.home / "vectors").glob("**/[!.]*"))
        if file.is_file()
    ]
    hidden = blind.hidden_tables(settings)
    return [*(item for path, item in found.items() if path not in hidden), *brought]


def _vectors_name(file: Path) -> str:
    """As the person called the file; files of older versions have a hash before their name."""
    return file.name if file.parent.name != "vectors" else file.name.split("-", 1)[-1]


def _vectors_key(file: Path) -> str:
    return file.stem if file.parent.name == "vectors" else file.parent.name


def _key(settings: Settings, path: str, title: str) -> str:
    """In the link: the name of the folder of its tables."""
    return table_path(settings, path, title, "x").parent.name


def _is_current(file: Path, checkpoint: Checkpoint) -> bool:
    """Whether there is a table, made by these very weights."""
    if not file.is_file():
        return False
    try:
        return describe(file).origin.fingerprint == fingerprint(checkpoint)
    except EmovizError:
        return False


@st.cache_resource(max_entries=6, show_spinner=False)
def _read(file: Path, changed: int, title: str) -> Points:
    """Kept by the file's time of change, too."""
    return Points.from_table(mapped_embeddings(file), title)


@st.cache_resource(max_entries=4, show_spinner=False)
def _read_brought(file: str, changed: int) -> Vectors:
    return replace(read_vectors(Path(file)), title=_vectors_name(Path(file)))


def _brought(source: Source) -> Points | None:
    try:
        found = _read_brought(source.path, Path(source.path).stat().st_mtime_ns)
    except (EmovizError, OSError) as error:
        st.error(plain(str(error)), icon=":material/error:")
        return None
    if found.left_out:
        rows = "; ".join(f"row {row}: {reason}" for row, reason in found.left_out[:5])
        more = " …" if len(found.left_out) > 5 else ""
        st.warning(f"{counted(len(found.left_out), 'row')} left out ({plain(rows)}{more}).")
    return Points.from_vectors(found)


def _make(source: Source, checkpoint: Checkpoint, settings: Settings) -> None:
    """Embed in the background: at once where it is quick, else after a press."""
    key = _job_key(source, checkpoint)
    state = background.outcome(settings, key)
    title = f"{plain(source.title)} with {plain(checkpoint.card.title)}"
    if state == "live":
        background.watch(settings, key)
        return
    if state != "none":
        background.explain(settings, key)
    count = _count(source, settings)
    if count is None:
        return
    if not access.allowed("compute"):
        st.info(f"{title}: not embedded yet. A reviewer or manager can do that.")
        return
    if state == "none" and count <= _ASK_ABOVE:
        embed_again(source, checkpoint, settings)
        background.watch(settings, key)
        return
    st.info(
        f"{counted(count, 'image')} of {title}: not embedded yet. Each passes the network once; "
        "what is done is kept, also when you stop or close the page.",
        icon=":material/hub:",
    )
    st.button(
        "Embed them",
        key=f"embed-{checkpoint.card.id}",
        icon=":material/play_arrow:",
        type="primary",
        on_click=embed_again,
        args=(source, checkpoint, settings),
    )


def _count(source: Source, settings: Settings) -> int | None:
    try:
        return len(open_dataset(source.path, settings))
    except EmovizError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return None


def _job_key(source: Source, checkpoint: Checkpoint) -> str:
    return f"embed {source.path} {checkpoint.folder}"


@access.acts("prepare")
def _take_place(settings: Settings, sent: SentFile, arrival: Arrival) -> Outcome:
    found = open_dataset(arrival.place(settings), settings, level=arrival.level)
    key = _key(settings, found.identity, found.name)
    added: list[Source] = st.session_state.setdefault(_ADDED, [])
    added[:] = [item for item in added if item.path != found.identity]
    added.append(Source(key, found.name, found.identity, level=arrival.level))
    if arrival.level is not None or arrival.name:
        for table in table_path(settings, found.identity, found.name, "x").parent.glob("*"):
            table.unlink(missing_ok=True)  # made from the reading before; all vectors are kept
    st.session_state["collection"] = key
    words = f"{found.name}: {counted(len(found), 'image')}."
    again = replace(arrival, name=key)
    return Outcome(words, False, len(found), found.problems, found.notes, found.other_level, again)


@access.acts("prepare")
def _take_file(settings: Settings, sent: SentFile, arrival: Arrival) -> Outcome:
    file = arrival.by_content(settings.home / sent.folder)
    try:
        outcome = sent.read(file)
    except EmovizError:
        file.unlink(missing_ok=True)
        raise
    name, value = sent.choice(file)
    st.session_state[name] = value
    return outcome
