"""What can be explored: the sample, collections that were embedded, vectors that were brought."""

import hashlib
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path

import streamlit as st

from emoviz.checkpoints import Checkpoint
from emoviz.data.library import list_sets
from emoviz.data.reading import SAMPLE, open_dataset
from emoviz.errors import EmovizError
from emoviz.files import replaced_file
from emoviz.inference.cache import fingerprint
from emoviz.inference.stored import describe, list_tables, read_embeddings, table_path
from emoviz.inference.vectors import Vectors, read_vectors
from emoviz.settings import Settings
from emoviz.ui import access, background
from emoviz.ui.explorer.points import Points
from emoviz.ui.linked import linked_choice
from emoviz.ui.problems import show_problems
from emoviz.ui.review import blind
from emoviz.ui.words import counted, plain, readable

_ADDED = "explore-added"
_NOTES, _BROUGHT = "explore-notes", "explore-brought"
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
    """

    key: str
    title: str
    path: str
    is_vectors: bool = False

    def table(self, settings: Settings, checkpoint: Checkpoint) -> Path:
        """Where a checkpoint's view of it is stored."""
        return table_path(settings, self.path, self.title, checkpoint.card.id)


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
    title = f"Embedding {source.title} with {checkpoint.card.title}"
    background.begin(settings, title, command, _job_key(source, checkpoint))


def bring_in(settings: Settings) -> None:
    """Ways in: a path on this machine, a ZIP, vectors of one's own."""
    images, vectors = st.columns(2, gap="large")
    with images:
        bring_in_images(settings)
    if not access.allowed("prepare"):
        return
    with vectors:
        st.markdown("**Vectors of your own**: two or more columns of numbers, labels if you like.")
        st.file_uploader(
            "CSV, npz or Parquet",
            type=["csv", "tsv", "npz", "npy", "parquet"],
            key="explore-vectors",
            on_change=_take_vectors,
            args=(settings,),
        )


def bring_in_images(settings: Settings) -> None:
    """A way in for images: a path on this machine."""
    for note in st.session_state.pop(_NOTES, []):
        st.info(note, icon=":material/info:")
    if brought := st.session_state.get(_BROUGHT):
        show_problems(*brought)
    if not access.allowed("paths"):
        access.explain_no_paths()
        return
    st.markdown("**Images** on this machine: a folder, a ZIP, or a CSV with a column `file`.")
    st.text_input(
        "Path",
        key="explore-path",
        placeholder="/home/me/paintings or paintings.csv",
        on_change=_take_path,
        args=(settings,),
        help="Folders become a column to colour by; other columns of a CSV too. Labels are "
        "recognised. Nothing is copied or changed.",
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
        found.setdefault(source.path, source)
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
    return Points.from_table(read_embeddings(file), title)


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


@access.acts("paths")
def _take_path(settings: Settings) -> None:
    text = str(st.session_state["explore-path"]).strip()
    if not text:
        return
    try:
        found = open_dataset(access.place(text, settings), settings)
    except EmovizError as error:
        st.session_state[_NOTES] = [plain(str(error))]
        return
    key = _key(settings, found.identity, found.name)
    added = st.session_state.setdefault(_ADDED, [])
    added.append(Source(key, found.name, found.identity))
    st.session_state["collection"] = key
    st.session_state["explore-path"] = ""
    st.session_state[_BROUGHT] = found.problems, len(found), found.notes


@access.acts("prepare")
def _take_vectors(settings: Settings) -> None:
    upload = st.session_state["explore-vectors"]
    if upload is None:
        return
    data = upload.getvalue()
    try:
        read_vectors(data, upload.name)
    except EmovizError as error:
        st.session_state[_NOTES] = [plain(str(error))]
        return
    name = re.sub(r"[/\\\x00-\x1f]+", "-", upload.name).lstrip(".")[-80:] or "vectors.csv"
    file = settings.home / "vectors" / hashlib.sha256(data).hexdigest()[:8] / name
    try:
        with replaced_file(file) as aside:
            aside.write_bytes(data)
    except OSError as error:
        st.session_state[_NOTES] = [f"The file cannot be kept: {plain(str(error))}"]
        return
    st.session_state["collection"] = f"vectors-{_vectors_key(file)}"
