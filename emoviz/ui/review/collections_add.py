"""Ways in for a collection: an address, a place on this machine, a file from this one, a sample."""

import re
import shutil
import unicodedata
from pathlib import Path

import streamlit as st
from streamlit.typing import UploadedFile

from emoviz.checkpoints import Checkpoint
from emoviz.data.fetch import checked_url
from emoviz.data.importers.content_state import address_in
from emoviz.errors import EmovizError
from emoviz.files import replaced_file
from emoviz.review.acquire import SAMPLE, AcquireRequest, collection_folder, guess_kind
from emoviz.settings import Settings
from emoviz.ui import access
from emoviz.ui.review.collections import begin, is_taken
from emoviz.ui.words import plain

_NOTE = "collections-note"
_SAMPLE_NAME, _SAMPLE_TITLE = "sample-artworks", "Sample images"


def note() -> None:
    """What there is to say of the last thing that was done."""
    text = st.session_state.pop(_NOTE, "")
    if text:
        st.info(text, icon=":material/info:")


@access.offers("collect")
def sample_button(settings: Settings, checkpoint: Checkpoint, primary: bool = False) -> None:
    """The project's images as a collection, with one press."""
    st.button(
        "Take the sample images",
        key="collections-sample",
        icon=":material/auto_awesome_mosaic:",
        type="primary" if primary else "secondary",
        help="Paintings, photographs and drawings that come with emoviz, free to use.",
        disabled=is_taken(settings, _SAMPLE_NAME),
        on_click=begin,
        args=(settings, AcquireRequest(_SAMPLE_NAME, SAMPLE, "sample", _SAMPLE_TITLE), checkpoint),
    )


@access.offers("collect")
def ways_in(settings: Settings, checkpoint: Checkpoint) -> None:
    """A title, and three ways to say where the artworks are."""
    st.text_input(
        "What shall it be called?",
        key="collections-title",
        placeholder="Japanese prints, spring exhibition",
        width=420,
        help="Left empty, it is named after its source.",
    )
    address, place, sent = st.tabs(
        ["A museum's IIIF address", "On this machine", "A file from your computer"]
    )
    with address:
        _address(settings, checkpoint)
    with place:
        _place(settings, checkpoint)
    with sent:
        _sent(settings, checkpoint)


def _address(settings: Settings, checkpoint: Checkpoint) -> None:
    st.markdown(
        "Many museums publish their artworks as IIIF. Look for the IIIF sign or *IIIF manifest* on "
        "an artwork's or a collection's page, and paste the address here. emoviz asks the "
        "servers that it names, one image at a time, and nobody else."
    )
    st.text_input(
        "Address of a manifest or collection",
        key="collections-url",
        placeholder="https://museum.example/iiif/collection.json",
        help="A IIIF sign can be dropped here, too.",
    )
    st.button(
        "Bring it in",
        key="collections-add-url",
        icon=":material/download:",
        type="primary",
        on_click=take_address,
        args=(settings, checkpoint),
    )


def _place(settings: Settings, checkpoint: Checkpoint) -> None:
    if not access.allowed("paths"):
        access.explain_no_paths()
        return
    st.markdown(
        "A folder or ZIP of images; a table (CSV) with a column `file` or `url`, and if you like "
        "`title`, `artist`, `date`, `rights` and others; or a IIIF manifest as a file. Your files "
        "stay where they are. For **WikiArt Emotions**, name its table and the folder with images."
    )
    st.text_input("Path", key="collections-path", placeholder="/home/me/paintings")
    st.text_input(
        "Folder of images, for WikiArt Emotions only",
        key="collections-images",
        placeholder="/home/me/wikiart",
        help="Its images are matched to the table by id, or by artist and title.",
    )
    st.button(
        "Bring it in",
        key="collections-add-path",
        icon=":material/folder_open:",
        type="primary",
        on_click=_take_path,
        args=(settings, checkpoint),
    )


def _sent(settings: Settings, checkpoint: Checkpoint) -> None:
    st.markdown(
        "A ZIP of images, a table (CSV) of addresses, or a IIIF manifest (JSON). For a folder, "
        "make a ZIP of it first."
    )
    st.file_uploader(
        "Drop a ZIP, a CSV or a manifest here",
        type=["zip", "csv", "tsv", "json"],
        key=f"collections-file-{st.session_state.get('collections-files', 0)}",
        on_change=_take_file,
        args=(settings, checkpoint),
    )


@access.acts("collect")
def take_address(settings: Settings, checkpoint: Checkpoint, text: str = "") -> None:
    """Bring in what lies at an address: the one given, else what was pasted or dropped."""
    text = text or str(st.session_state["collections-url"]).strip()
    try:
        text = address_in(text)
        place = checked_url(text)
    except EmovizError as error:
        reason = "paste an address first" if not text else str(error)
        st.session_state[_NOTE] = f"This address cannot be asked: {plain(reason)}."
        return
    ends = [part for part in place.path.split("/") if part and "." not in part]
    own = f"{place.hostname} {' '.join(ends[-2:])}"
    _start(settings, checkpoint, text, "iiif", own)
    st.session_state["collections-url"] = ""


@access.acts("paths")
def _take_path(settings: Settings, checkpoint: Checkpoint) -> None:
    text = str(st.session_state["collections-path"]).strip()
    images = str(st.session_state["collections-images"]).strip()
    try:
        path = access.place(text, settings) if text and text != SAMPLE else Path(text)
        folder = str(access.place(images, settings)) if images else ""
        kind = guess_kind(str(path)) if text else None
    except EmovizError as error:
        st.session_state[_NOTE] = plain(str(error))
        return
    if kind is None:
        st.session_state[_NOTE] = "Write a path first."
        return
    _start(settings, checkpoint, str(path), kind, path.stem, images=folder)
    st.session_state["collections-path"] = st.session_state["collections-images"] = ""


@access.acts("collect")
def _take_file(settings: Settings, checkpoint: Checkpoint) -> None:
    generation = st.session_state.get("collections-files", 0)
    upload: UploadedFile | None = st.session_state.get(f"collections-file-{generation}")
    if upload is None:
        return
    stem = Path(upload.name).stem
    name = _free_name(settings, _wanted_title() or stem)
    suffix = Path(upload.name).suffix.casefold()
    file = collection_folder(settings, name) / f"source{suffix}"
    try:
        with replaced_file(file) as aside, aside.open("wb") as stream:
            shutil.copyfileobj(upload, stream)
        kind = guess_kind(str(file))
    except (OSError, EmovizError) as error:
        shutil.rmtree(file.parent, ignore_errors=True)
        st.session_state[_NOTE] = f"The file cannot be taken: {plain(str(error))}"
        return
    _start(settings, checkpoint, str(file.absolute()), kind, stem, sent=True, name=name)
    st.session_state["collections-files"] = generation + 1


def _start(
    settings: Settings,
    checkpoint: Checkpoint,
    source: str,
    kind: str,
    own: str,
    images: str = "",
    sent: bool = False,
    name: str = "",
) -> None:
    title = _wanted_title() or own
    request = AcquireRequest(
        name=name or _free_name(settings, title),
        source=source,
        kind=kind,  # type: ignore[arg-type]
        title=title[:120],
        images=images,
        sent=sent,
    )
    begin(settings, request, checkpoint)
    st.session_state["collections-title"] = ""


def _wanted_title() -> str:
    return " ".join(str(st.session_state.get("collections-title", "")).split())


def _free_name(settings: Settings, title: str) -> str:
    """A name for folders and links, made of the title, that no collection has."""
    bare = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().casefold()
    words = re.sub(r"[^a-z0-9]+", "-", bare).strip("-")[:48] or "collection"
    numbered = (f"{words}-{number}" for number in range(2, 10_000))
    free = (name for name in (words, *numbered) if not is_taken(settings, name))
    return next(free)
