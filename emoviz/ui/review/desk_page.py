"""The desk on the page: a fragment, so that a decision runs this alone and not the whole page."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from emoviz.errors import EmovizError
from emoviz.inference.cache import Thumbnails
from emoviz.review import Decision, QueuePlace, ReviewProgress, ReviewStore, Work
from emoviz.settings import Settings
from emoviz.ui import access
from emoviz.ui.review import alike, desk, desk_images, desk_protocol, desk_text
from emoviz.ui.review.queue import Chosen
from emoviz.ui.shell import Context
from emoviz.ui.words import counted

_KEY, _VISITS = "desk", "review-visits"
_HIDDEN = "The model's estimate is hidden until you have decided."
_KNOWN = "You have seen the model's estimate of this work before, so this decision is not blind."


def visit(chosen: Chosen) -> desk_protocol.Visit:
    """This session's memory of the collection and reviewer."""
    visits: dict[tuple[int, int], desk_protocol.Visit] = st.session_state.setdefault(_VISITS, {})
    return visits.setdefault(
        (chosen.queue.collection, chosen.queue.reviewer), desk_protocol.Visit()
    )


def follow_link(chosen: Chosen) -> None:
    """Show the work that the link names, once; later the queue goes on from there."""
    asked = st.query_params.pop("work", "") if "work" in st.query_params else ""
    if asked.isdecimal():
        visit(chosen).focus = int(asked[:18])


def wish(chosen: Chosen) -> int | None:
    """The work whose explanation was asked for just now."""
    found = visit(chosen).why
    visit(chosen).why = None
    return found


@st.fragment
def show(store: ReviewStore, chosen: Chosen, context: Context) -> None:
    """Hear the browser, store the decision, and only then show the next artwork."""
    if not access.allowed("decide"):  # taken back while the page was open
        st.rerun(scope="app")
    memory = visit(chosen)
    said = desk.said(_KEY)
    desk_protocol.hear(memory, said, store, chosen.queue, chosen.blind)
    if memory.why is not None:
        st.rerun(scope="app")
    try:
        standing = desk_protocol.standing(memory, store, chosen.queue, chosen.blind)
        header, pictures = _header(standing, memory, said, store, chosen, context)
    except EmovizError as error:
        header, pictures = _broken(str(error), chosen, store, memory), {}
    desk.show(_KEY, header, pictures)


def _header(
    standing: desk_protocol.DeskState,
    memory: desk_protocol.Visit,
    said: Mapping[str, Any],
    store: ReviewStore,
    chosen: Chosen,
    context: Context,
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """All that the desk shows, and the pictures that the browser does not hold yet."""
    held = {str(name) for name in said.get("held") or ()}
    pictures: dict[str, bytes] = {}
    works = []
    for number, place in enumerate(standing.places):
        hidden = chosen.blind if number else standing.hidden
        shown = desk_protocol.without_estimate(place) if hidden else place
        row = _work(shown, hidden, chosen.blind, standing, number, context)
        row |= _picture(place.work, held, pictures, context.settings)
        if shown.estimate is not None and said.get("heat") is True and not row["error"]:
            row |= _heat(shown, held, pictures, context)
        if number == 0 and shown.estimate is not None and said.get("near") is True:
            row |= alike.rows(place.work, chosen, context, held, pictures)
        row["wanting"] = number == 0 and bool(row.get("no_heat") == "" or row.get("no_near") == "")
        works.append(row)
    _small(standing.places, works, held, pictures, context.settings)
    header = {
        **_around(chosen, store, memory, standing.last),
        "works": works,
        "revealed": _revealed(standing),
        "decided": [
            (item.emotion, item.strength)
            for item in (standing.revealed.feelings if standing.revealed is not None else ())
        ],
        "end": "" if works else _end(chosen, store.progress(chosen.queue)),
    }
    return header, pictures


def _around(
    chosen: Chosen, store: ReviewStore, memory: desk_protocol.Visit, last: Decision | None
) -> dict[str, Any]:
    progress = store.progress(chosen.queue)
    return {
        "session": f"{store.uid} {chosen.collection.uid} {chosen.queue.reviewer}",
        "answered": memory.answered,
        "visit": memory.number,
        "said": memory.message,
        "emotions": desk_text.emotions_of(chosen.taxonomy),
        "progress": {
            "works": progress.works,
            "decided": progress.decided,
            "skipped": progress.skipped,
            "words": _progress_words(progress),
        },
        "undo": _undo(store, last),
    }


def _work(
    place: QueuePlace,
    hidden: bool,
    blind: bool,
    standing: desk_protocol.DeskState,
    number: int,
    context: Context,
) -> dict[str, Any]:
    work, estimate = place.work, place.estimate
    seen_blind = blind and not hidden and number == 0 and standing.revealed is None
    note = _HIDDEN if hidden else _KNOWN if seen_blind else ""
    return {
        "id": work.id,
        "title": desk_text.title_of(work),
        "by": desk_text.by_line(work),
        "facts": desk_text.facts_of(work),
        "hidden": note,
        "shares": dict(estimate.probabilities) if estimate is not None else None,
        "agree": estimate.first if estimate is not None else "",
        "estimate": (
            desk_text.estimate_html(work, estimate, context.rule, context.abstention)
            if estimate
            else None
        ),
    }


def _picture(
    work: Work, held: set[str], pictures: dict[str, bytes], settings: Settings
) -> dict[str, Any]:
    """Names of the work's pictures; those that are ready and not held go along."""
    large, made = f"large {work.sha256 or work.key}", desk_images.picture(work, settings)
    if made.value is not None and large not in held:
        pictures[large] = made.value
    error = f"The picture cannot be shown: {made.error}" if made.error else ""
    return {"small": f"small {work.sha256}", "large": large, "error": error}


def _heat(
    place: QueuePlace, held: set[str], pictures: dict[str, bytes], context: Context
) -> dict[str, Any]:
    assert place.estimate is not None
    made = desk_images.heat_map(place.work, place.estimate, context)
    name = f"heat {place.work.sha256} {place.estimate.first} {context.identity[:12]}"
    if made.value is not None and name not in held:
        pictures[name] = made.value
    error = f"There is no heat map: {made.error}" if made.error else ""
    ready = {"heat": name} if made.value is not None else {"no_heat": error}
    return {**ready, "heat_of": place.estimate.first}


def _small(
    places: tuple[QueuePlace, ...],
    works: list[dict[str, Any]],
    held: set[str],
    pictures: dict[str, bytes],
    settings: Settings,
) -> None:
    """Thumbnails stand in until the large pictures are there; asked for only where needed."""
    wanted = {
        place.work.sha256
        for place, row in zip(places, works, strict=True)
        if place.work.sha256 and not {row["large"], row["small"]} & {*held, *pictures}
    }
    if not wanted:
        return
    with Thumbnails(settings) as kept:
        for sha256, jpeg in kept.get_many(wanted).items():
            pictures[f"small {sha256}"] = jpeg


def _revealed(standing: desk_protocol.DeskState) -> str:
    if standing.revealed is None or not standing.places:
        return ""
    return desk_text.revealed(standing.revealed, standing.places[0].estimate)


def _undo(store: ReviewStore, last: Decision | None) -> dict[str, Any] | None:
    if last is None:
        return None
    work = store.work(last.work)
    return desk_text.undo_words(work, last) if work is not None else None


def _progress_words(progress: ReviewProgress) -> str:
    skipped = f", {progress.skipped:,} skipped" if progress.skipped else ""
    return f"{progress.decided:,} of {counted(progress.works, 'work')} decided{skipped}"


def _end(chosen: Chosen, progress: ReviewProgress) -> str:
    """Why there is nothing on the desk, and what to do."""
    if progress.works == 0:
        return "There is no artwork here to review.\nBring some in under Collections."
    if progress.open > 0 or chosen.queue.filters.stage != "open":
        return (
            "No more artworks with these filters.\n"
            f"{counted(progress.open, 'work')} still to decide: press Filter and leave nothing out."
        )
    skipped = f" {counted(progress.skipped, 'work')} skipped: choose them under Filter."
    return (
        f"All done: {counted(progress.decided, 'work')} decided."
        f"{skipped if progress.skipped else ''}"
        "\nOverview shows where people and the model differ."
    )


def _broken(
    message: str, chosen: Chosen, store: ReviewStore, memory: desk_protocol.Visit
) -> dict[str, Any]:
    """The store cannot be read: said on the desk, and the browser keeps what is not stored."""
    return {
        "session": f"{store.uid} {chosen.collection.uid} {chosen.queue.reviewer}",
        "answered": "",
        "visit": memory.number,
        "said": message,
        "emotions": [],
        "progress": {"works": 0, "decided": 0, "skipped": 0, "words": ""},
        "undo": None,
        "works": [],
        "revealed": "",
        "end": "The store of decisions cannot be read now. Nothing that was stored is lost.",
    }
