"""Bringing a set in: which kind, where it is, a file from one's own machine; what did not fit."""

import csv
import shutil
from collections.abc import Sequence
from html import escape
from pathlib import Path

import streamlit as st
from streamlit.typing import UploadedFile

from emoviz import jobs
from emoviz.data.importers.common import Importer
from emoviz.data.importers.registry import importers
from emoviz.data.library import free_id, save_set, set_path
from emoviz.data.lineage import with_step
from emoviz.data.reading import open_dataset, open_sent_zip
from emoviz.errors import EmovizError
from emoviz.files import replaced_file
from emoviz.labels import TAXONOMIES
from emoviz.settings import Settings
from emoviz.ui import access, background
from emoviz.ui.curation.library import CHOICE, NOTES
from emoviz.ui.linked import linked_choice, write_parameter
from emoviz.ui.problems import show_problems
from emoviz.ui.words import counted, plain

ADDING = "adding"
_LINES = 12
_OWN = ("imagefolder", "table", "huggingface")


def watch(settings: Settings) -> None:
    """Progress of what is being brought in, also after a reload; why the last one failed."""
    id = st.session_state.get(ADDING) or st.query_params.get(ADDING, "")
    if not id:
        return
    state = background.outcome(settings, _key(id))
    if state == "live":
        write_parameter(ADDING, id)
        background.watch(settings, _key(id))
        return
    if state == "ended":
        _failed(settings, id)
    elif state == "done":
        st.session_state[CHOICE] = id
        st.session_state["datasets-path"] = st.session_state["datasets-title"] = ""
        _arrived(settings, id)
    st.session_state.pop(ADDING, None)
    write_parameter(ADDING, id if state == "ended" else "")


def is_wanted(settings: Settings) -> bool:
    """Whether the last try failed, so that the ways in had better stand open."""
    id = st.query_params.get(ADDING, "")
    return bool(id) and background.outcome(settings, _key(id)) == "ended"


@access.offers("prepare")
def ways_in(settings: Settings) -> None:
    """A published set or one of one's own, by its place on this machine or as a file."""
    known = importers()
    words = {kind: item.title for kind, item in known.items()}
    kind = linked_choice(
        "What is it?",
        {**{k: words[k] for k in _OWN}, **{k: w for k, w in words.items() if k not in _OWN}},
        "kind",
        "imagefolder",
        help="Folders of images of your own come first; then the published sets of the field.",
        width=380,
    )
    importer = known[kind]
    st.html(_described(importer))
    labels = _which_labels(importer)
    place, sent = st.columns(2, gap="large")
    with place:
        _from_here(settings, importer, labels)
    with sent:
        _from_there(settings, kind)


def refused_of(settings: Settings, id: str) -> list[tuple[str, str]]:
    """Lines, rows and files that did not fit when the set was brought in: (place, reason)."""
    try:
        with _refused_path(settings, id).open(encoding="utf-8", newline="") as stream:
            return [(row[0], row[1]) for row in list(csv.reader(stream))[1:] if len(row) > 1]
    except (OSError, ValueError):
        return []


def show_refused(settings: Settings, id: str) -> None:
    """What did not fit, each with its reason, and all of it to take home."""
    if rows := refused_of(settings, id):
        whole = f"{id}-refused.csv", _refused_path(settings, id).read_bytes()
        show_problems(rows, whole=whole)


def _failed(settings: Settings, id: str) -> None:
    """What the importer said, which is what was wanted and what was found; nothing is half in."""
    job = jobs.find(settings, _key(id))
    if job is None or job.state == "cancelled":
        st.info("Stopped; nothing was brought in.", icon=":material/stop_circle:")
    else:
        said = " ".join(line.removeprefix("emoviz: ") for line in job.tail(_LINES))
        st.error(plain(said or "It ended early."), title="This cannot be brought in")
    st.button(
        "Close", key="datasets-close", on_click=write_parameter, args=(ADDING, ""), type="tertiary"
    )


def _described(importer: Importer) -> str:
    rows = {
        "Point at": importer.layout,
        "Source": importer.source,
        "Terms": importer.terms,
        "To cite": importer.citation,
    }
    cells = "".join(
        f"<tr><th>{name}</th><td>{escape(text)}</td></tr>" for name, text in rows.items() if text
    )
    return f'<div class="ev-facts"><table><tbody>{cells}</tbody></table></div>'


def _which_labels(importer: Importer) -> str:
    if importer.choices:
        return str(
            st.selectbox("Which labels", importer.choices, key=f"datasets-labels-{importer.kind}")
        )
    if not importer.takes_taxonomy:
        return ""
    found = "as they are called"
    chosen = st.selectbox(
        "Labels",
        [found, *TAXONOMIES],
        key="datasets-taxonomy",
        help="Any labels will do. Name a taxonomy of the field where the labels are of it and "
        "some of them do not occur.",
        width=380,
    )
    return "" if chosen in (None, found) else str(chosen)


def _from_here(settings: Settings, importer: Importer, labels: str) -> None:
    if not access.allowed("paths"):
        access.explain_no_paths()
    else:
        st.text_input(
            "Its folder or file on this machine",
            key="datasets-path",
            placeholder="/home/me/sets/the-unpacked-folder",
            help="Images stay where they are; the library remembers their places.",
        )
    st.text_input(
        "What shall it be called?",
        key="datasets-title",
        placeholder="left empty, it is named after its folder",
        max_chars=80,
    )
    if not access.allowed("paths"):
        return
    st.button(
        "Bring it in",
        key="datasets-bring",
        type="primary",
        icon=":material/download:",
        on_click=_take_path,
        args=(settings, importer.kind, labels),
    )


def _from_there(settings: Settings, kind: str) -> None:
    if kind not in ("imagefolder", "table"):
        st.caption(
            "Published sets are brought in from the folder where you unpacked them: they are too "
            "large to be sent through a browser, and most of them may not be passed on."
        )
        return
    zipped = kind == "imagefolder"
    if not zipped and not access.any_path(settings):
        st.caption("A table names paths of this machine, and those cannot be named here.")
        return
    st.file_uploader(
        "Or a ZIP with one folder a class" if zipped else "Or a CSV, TSV or Parquet table",
        type=["zip"] if zipped else ["csv", "tsv", "parquet"],
        key=f"datasets-file-{kind}-{st.session_state.get('datasets-files', 0)}",
        on_change=_take_file,
        args=(settings, kind),
        help="The images of a ZIP or Parquet file are copied into the library."
        if zipped
        else "A CSV must name images by their whole paths on this machine; name it by its path "
        "on the left where they are relative to it.",
    )


@access.acts("prepare")
def _take_path(settings: Settings, kind: str, labels: str) -> None:
    text = str(st.session_state["datasets-path"]).strip()
    if not text:
        st.session_state[NOTES] = ["Write the path of the folder or file first."]
        return
    try:
        path = access.place(text, settings)
    except EmovizError as error:
        st.session_state[NOTES] = [plain(str(error))]
        return
    if kind == "imagefolder" and path.suffix.casefold() == ".zip":
        _take_zip(settings, path.name, path)
    else:
        _begin(settings, kind, path, labels, _wanted_title() or path.stem or path.name)


@access.acts("prepare")
def _take_file(settings: Settings, kind: str) -> None:
    generation = st.session_state.get("datasets-files", 0)
    upload: UploadedFile | None = st.session_state.get(f"datasets-file-{kind}-{generation}")
    if upload is None:
        return
    st.session_state["datasets-files"] = generation + 1
    name = Path(upload.name).name
    if kind == "imagefolder":
        _take_zip(settings, name, upload.getvalue())
        return
    if not access.any_path(settings):
        return
    id = free_id(settings, _wanted_title() or Path(name).stem)
    file = settings.home / "sent" / id / name
    try:
        with replaced_file(file) as aside, aside.open("wb") as stream:
            shutil.copyfileobj(upload, stream)
    except OSError as error:
        st.session_state[NOTES] = [f"The file cannot be taken: {plain(str(error))}"]
        return
    _begin(settings, kind, file, "", _wanted_title() or Path(name).stem)


@access.acts("prepare")
def _take_zip(settings: Settings, name: str, archive: Path | bytes) -> None:
    """A ZIP's images are read here and now: they are copied into the library."""
    title = _wanted_title() or Path(name).stem
    id = free_id(settings, title)
    try:
        labelled = (
            open_sent_zip(name, archive, settings)
            if isinstance(archive, bytes)
            else open_dataset(archive, settings, labelled=True)
        )
        words = f"{len(labelled.records):,} images brought in from the ZIP {name}"
        save_set(settings, id, title, labelled, with_step({"source": name}, {"words": words}))
        _write_refused(_refused_path(settings, id), labelled.problems)
    except (EmovizError, OSError) as error:
        st.session_state[NOTES] = [plain(str(error))]
        return
    st.session_state["datasets-title"] = st.session_state["datasets-path"] = ""
    st.session_state[CHOICE] = id
    _arrived(settings, id)


@access.acts("prepare")
def _begin(settings: Settings, kind: str, path: Path, labels: str, title: str) -> None:
    id = free_id(settings, title)
    command = ["data", "import", kind, str(path), "--library", id, "--title", title]
    command += ["--refused", str(_refused_path(settings, id))]
    command += ["--labels", labels] if labels else []
    background.begin(settings, f"Bringing in {title}", command, _key(id))
    st.session_state[ADDING] = id


def _arrived(settings: Settings, id: str) -> None:
    notes = [f"**{plain(id)}** is in the library now."]
    refused = refused_of(settings, id)
    if refused:
        place, why = refused[0]
        notes.append(
            f"{counted(len(refused), 'line or file', 'lines or files')} did not fit, such as "
            f"{plain(place)}: {plain(why)}. All are listed under *Where it comes from*."
        )
    st.session_state[NOTES] = [" ".join(notes)]


def _write_refused(path: Path, rows: Sequence[tuple[str, str]]) -> None:
    from emoviz.inference.tabular import safe_cell

    with replaced_file(path) as aside, aside.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["place", "reason"])
        writer.writerows([safe_cell(cell) for cell in row] for row in rows)


def _refused_path(settings: Settings, id: str) -> Path:
    return set_path(settings, id).with_suffix(".refused.csv")


def _key(id: str) -> str:
    return f"import {id}"


def _wanted_title() -> str:
    return " ".join(str(st.session_state.get("datasets-title", "")).split())
