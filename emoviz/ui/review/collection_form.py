"""Ways in for a collection: an address, a place on this machine, a file, a set, the sample."""

import re
import shutil
import unicodedata
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import streamlit as st

from emoviz.checkpoints import Checkpoint
from emoviz.data.fetch import checked_url
from emoviz.data.importers.content_state import address_in
from emoviz.errors import EmovizError
from emoviz.review.acquire import (
    SAMPLE,
    AcquireRequest,
    collection_folder,
    guess_kind,
    read_gathered,
)
from emoviz.settings import Settings
from emoviz.ui import access, background
from emoviz.ui.language import marked, plural, tr, translated
from emoviz.ui.library import bring_in
from emoviz.ui.library.bring_in import Arrival, BringInForm, Outcome, Way
from emoviz.ui.review import collections
from emoviz.ui.review.collections import KEY, begin, is_taken, job_key
from emoviz.ui.review.queue import PARAMETER

_SAMPLE_NAME = "sample-artworks"
_WAYS: Mapping[Way, str] = {
    "address": marked(
        "Many museums publish their artworks as IIIF. Look for the IIIF sign or *IIIF manifest* on "
        "an artwork's or a collection's page, and paste the address here; the sign can be dropped, "
        "too. emoviz asks the servers that it names, one image at a time, and nobody else."
    ),
    "path": marked(
        "A folder or ZIP of images; a table (CSV) with a column `file` or `url`, and if you like "
        "`title`, `artist`, `date`, `rights` and others; or a IIIF manifest as a file. Your files "
        "stay where they are."
    ),
    "file": marked(
        "A ZIP of images, a table (CSV) of addresses, or a IIIF manifest (JSON). For a folder, "
        "make a ZIP of it first."
    ),
    "set": marked("The images of a labelled set, to review its labels."),
}


@access.offers("collect")
def sample_button(settings: Settings, checkpoint: Checkpoint, primary: bool = False) -> None:
    """The project's images as a collection, with one press."""
    st.button(
        tr("Take the sample images"),
        key="collections-sample",
        icon=":material/auto_awesome_mosaic:",
        type="primary" if primary else "secondary",
        help=tr("Paintings, photographs and drawings that come with emoviz, free to use."),
        disabled=is_taken(settings, _SAMPLE_NAME),
        on_click=begin,
        args=(
            settings,
            AcquireRequest(_SAMPLE_NAME, SAMPLE, "sample", tr("Sample images")),
            checkpoint,
        ),
    )


def form(settings: Settings, checkpoint: Checkpoint) -> BringInForm:
    """What the Collections page takes."""
    return BringInForm(
        KEY,
        {way: tr(words) for way, words in _WAYS.items()},
        lambda arrival: _take(settings, checkpoint, arrival),
        ("zip", "csv", "tsv", "json"),
        "collect",
        more=_more,
    )


def watch(settings: Settings, checkpoint: Checkpoint) -> bool:
    """What is being brought in, and what became of it; whether it goes on."""
    own = form(settings, checkpoint)
    name, state = bring_in.followed(
        own, settings, job_key, lambda name, _: _arrived(settings, name)
    )
    if state == "done":
        st.session_state[PARAMETER] = name
    elif state == "ended":
        _free(settings, name)
    for key in (job_key(one.request.name) for one in collections.known(settings) if one.request):
        if key != job_key(name) and background.outcome(settings, key) == "live":
            background.watch(settings, key, "collect")
    bring_in.tell(own, settings)
    return state == "live"


@access.offers("collect")
def _free(settings: Settings, name: str) -> None:
    """Where nothing was listed, the name is free for another try."""
    folder = collection_folder(settings, name)
    if not (folder / "about.json").exists():
        shutil.rmtree(folder, ignore_errors=True)


@access.acts("collect")
def take_address(settings: Settings, checkpoint: Checkpoint, text: str) -> None:
    """Bring in what lies at an address."""
    try:
        _take(settings, checkpoint, Arrival("address", text))
    except EmovizError as error:
        bring_in.put(form(settings, checkpoint), Outcome(translated(error), failed=True))


def _more(way: Way) -> None:
    if way == "path":
        st.text_input(
            tr("Folder of images, for WikiArt Emotions only"),
            key=f"{KEY}-images",
            placeholder="/home/me/wikiart",
            help=tr(
                "Name the table of WikiArt Emotions above; the images are matched to it by id, or "
                "by artist and title."
            ),
            persist_state="session",
        )


def _arrived(settings: Settings, name: str) -> Outcome:
    found = read_gathered(settings, name)
    title = found.request.title if found.request is not None else ""
    words = plural(
        "{title}: {count} artwork here.",
        "{title}: {count} artworks here.",
        len(found.ready),
        title=title or name,
    )
    return Outcome(words, notes=found.notes)


@access.acts("collect")
def _take(settings: Settings, checkpoint: Checkpoint, arrival: Arrival) -> None:
    if arrival.way == "address":
        request = _at_address(arrival.text)
    elif arrival.way == "file":
        name = _free_name(settings, arrival.title or Path(arrival.text).stem)
        suffix = Path(arrival.text).suffix.casefold()
        file = arrival.keep(collection_folder(settings, name) / f"source{suffix}")
        try:
            request = _at_path(file, Path(arrival.text).stem)
        except EmovizError:
            shutil.rmtree(file.parent, ignore_errors=True)
            raise
        request = replace(request, name=name, sent=True)
    else:
        place = Path(arrival.place(settings))
        request = _at_path(place, place.stem if arrival.way == "path" else arrival.text)
        images = str(st.session_state.get(f"{KEY}-images") or "").strip()
        if arrival.way == "path" and images:
            request = replace(request, images=str(access.place(images, settings)))
    title = (arrival.title or request.title)[:120]
    request = replace(request, title=title, name=request.name or _free_name(settings, title))
    begin(settings, request, checkpoint)


def _at_address(text: str) -> AcquireRequest:
    text = address_in(text)
    place = checked_url(text)
    ends = [part for part in place.path.split("/") if part and "." not in part]
    return AcquireRequest("", text, "iiif", " ".join((str(place.hostname), *ends[-2:])))


def _at_path(path: Path, title: str) -> AcquireRequest:
    return AcquireRequest("", str(path), guess_kind(str(path)), title)


def _free_name(settings: Settings, title: str) -> str:
    """A name for folders and links, made of the title, that no collection has."""
    bare = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().casefold()
    words = re.sub(r"[^a-z0-9]+", "-", bare).strip("-")[:48] or "collection"
    numbered = (f"{words}-{number}" for number in range(2, 10_000))
    free = (name for name in (words, *numbered) if not is_taken(settings, name))
    return next(free)
