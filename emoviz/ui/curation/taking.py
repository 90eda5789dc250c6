"""A set to take home: as a table, as folders of images, as Croissant, as a card to read."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import streamlit as st

from emoviz.curation.card import card_of
from emoviz.curation.export import MISSING, Written, to_croissant, to_csv, to_folders
from emoviz.data.images import Limits
from emoviz.errors import EmovizError
from emoviz.plots.data_card import data_card
from emoviz.settings import Settings
from emoviz.ui import access, background
from emoviz.ui.curation.subject import CurationSubject
from emoviz.ui.library.sets import NOTES
from emoviz.ui.words import counted, plain

_READY = "datasets-ready"
_MOST_ZIPPED = 2_000  # images that are passed through the browser


@access.offers("export")
def show(subject: CurationSubject, settings: Settings) -> None:
    """The ways out."""
    st.markdown("**To read and to cite**")
    _offer(
        subject,
        "card",
        "Data card (HTML)",
        "One page with counts, what the examination found, light by class, sample pictures, "
        "origin and terms. It opens anywhere, without a network.",
        lambda folder: _card(subject, settings, folder),
    )
    st.markdown("**For other programs**")
    _offer(
        subject,
        "csv",
        "Table (CSV)",
        "Places of the images on this machine, labels or votes, groups, splits, metadata. Read "
        "again by emoviz, `train` and `evaluate`.",
        lambda folder: _csv(subject, folder),
    )
    _offer(
        subject,
        "croissant",
        "Croissant (ZIP)",
        "MLCommons' description of data sets, with the table that it describes. Images are named, "
        "not copied.",
        lambda folder: _croissant(subject, folder),
    )
    st.markdown("**Folders of images**, `<split>/<class>/<image>`")
    if len(subject.labelled.records) <= _MOST_ZIPPED:
        _offer(
            subject,
            "imagefolder",
            "Folders (ZIP)",
            "Copies of the images. Mind the terms of the set before you pass it on.",
            lambda folder: _zipped(subject, folder),
        )
    _to_folder(subject, settings)


def _offer(
    subject: CurationSubject, form: str, title: str, words: str, make: Callable[[Path], Path]
) -> None:
    """A button that makes the file, then one that downloads it: nothing is made unasked."""
    key = (subject.known.id, subject.known.count, str(subject.found and subject.found["stamp"]))
    ready = st.session_state.get(f"{_READY}-{form}")
    button, told = st.columns([2, 5], vertical_alignment="center")
    with button:
        if ready is not None and ready[0] == key:
            st.download_button(
                title,
                ready[2],
                ready[1],
                key=f"datasets-get-{form}",
                type="primary",
                on_click="ignore",
                icon=":material/download:",
                width="stretch",
            )
        elif st.button(
            title, key=f"datasets-prepare-{form}", icon=":material/build:", width="stretch"
        ):
            _build(form, key, make)
            st.rerun()
    told.caption(words)


@access.acts("export")
def _build(form: str, key: object, make: Callable[[Path], Path]) -> None:
    try:
        with st.spinner("Making the file …"), tempfile.TemporaryDirectory() as folder:
            file = make(Path(folder))
            st.session_state[f"{_READY}-{form}"] = (key, file.name, file.read_bytes())
    except EmovizError as error:
        st.session_state[NOTES] = [f"It cannot be made: {plain(str(error))}"]
    except OSError as error:
        why = f"{error.strerror or error}: {error.filename or form}"
        st.session_state[NOTES] = [
            f"It cannot be made: {plain(why)}. Prepare the set first: that leaves out what cannot "
            "be read."
        ]


def _card(subject: CurationSubject, settings: Settings, folder: Path) -> Path:
    card = card_of(
        subject.labelled,
        subject.known.about,
        subject.found,
        Limits.of(settings),
        subject.known.title,
    )
    file = folder / f"{subject.known.id}-card.html"
    file.write_text(data_card(card), encoding="utf-8", errors="replace")
    return file


def _csv(subject: CurationSubject, folder: Path) -> Path:
    """The table alone, or in a ZIP with the images where the set holds them itself."""
    name = subject.known.id
    inside = folder / "inside"
    inside.mkdir()
    file = inside / f"{name}.csv"
    _tell_missing(to_csv(subject.labelled, file))
    if any(path != file for path in inside.iterdir()):
        return Path(shutil.make_archive(str(folder / name), "zip", inside))
    return file


def _croissant(subject: CurationSubject, folder: Path) -> Path:
    inside = folder / "inside"
    _tell_missing(to_croissant(subject.labelled, subject.known.about, inside))
    return Path(shutil.make_archive(str(folder / f"{subject.known.id}-croissant"), "zip", inside))


def _tell_missing(made: Written) -> None:
    if made.missing:
        st.session_state[NOTES] = [
            f"{counted(len(made.missing), 'file')} of the set cannot be read any more: {MISSING} "
            "in the ZIP names them. The others are there."
        ]


def _zipped(subject: CurationSubject, folder: Path) -> Path:
    _tell_missing(to_folders(subject.labelled, folder / "inside", copies=True))
    name = str(folder / f"{subject.known.id}-images")
    return Path(shutil.make_archive(name, "zip", folder / "inside"))


@access.offers("paths")
def _to_folder(subject: CurationSubject, settings: Settings) -> None:
    """To a folder on this machine, in the background."""
    key = f"export {subject.known.id}"
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(
            "Or into a new folder on this machine",
            key="datasets-out",
            placeholder="/home/me/sets/cleaned",
            width=380,
        )
        st.checkbox("copies, not links", key="datasets-copies")
        st.button(
            "Write the folder",
            key="datasets-write",
            icon=":material/folder:",
            on_click=_begin_folder,
            args=(subject, settings, key),
        )
    state = background.outcome(settings, key)
    if state == "live":
        background.watch(settings, key, "export")
    elif state == "ended":
        background.explain(settings, key)
    elif state == "done":
        st.caption(":material/check: The folder is written.")


@access.acts("paths")
def _begin_folder(subject: CurationSubject, settings: Settings, key: str) -> None:
    text = str(st.session_state["datasets-out"]).strip()
    if not text:
        st.session_state[NOTES] = ["Write the path of a new folder first."]
        return
    try:
        out = access.place(text, settings)
    except EmovizError as error:
        st.session_state[NOTES] = [plain(str(error))]
        return
    command = ["data", "export", str(subject.known.path), "--as", "imagefolder", "--out", str(out)]
    command += ["--copies"] if st.session_state.get("datasets-copies") else []
    background.begin(settings, f"Writing {subject.known.title} to {out}", command, key)
