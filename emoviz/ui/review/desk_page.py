"""The desk on the page: a fragment, so that a decision runs this alone and not the whole page."""

import contextlib
import hashlib
from collections.abc import Mapping
from typing import Any

import streamlit as st

from emoviz.errors import EmovizError
from emoviz.review import Decision, QueuePlace, ReviewProgress, ReviewStore, Work
from emoviz.settings import Settings
from emoviz.ui import access
from emoviz.ui.explorer.pictures import Pictures
from emoviz.ui.language import emotion, language, marked, messages, number, plural, tr, translated
from emoviz.ui.review import alike, desk, desk_images, desk_protocol, desk_text
from emoviz.ui.review.desk_protocol import DeskState
from emoviz.ui.review.queue import Chosen
from emoviz.ui.shell import Context

_KEY, _VISITS = "desk", "review-visits"
_HIDDEN = marked("The model's estimate is hidden until you have decided.")
_KNOWN = marked(
    "You have seen the model's estimate of this work before, so this decision is not blind."
)
_FILES = ("parts.js", "keys.js", "desk.js")  # that hold words
_LARGE_AHEAD = 3  # works whose large pictures are made before their turn
_TOLD = 4  # works of which the browser is told everything, the others without the long table


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
        visit(chosen).show(int(asked[:18]))


_PLACE = """<style>
[data-testid=stMainBlockContainer] { padding: 1rem 2rem 1rem; max-width: none; }
[data-testid=stMainBlockContainer] h1 { font-size: 1.3rem; padding: 0 2.5rem 0 0; }
:has([data-testid=stExpandSidebarButton]) > * h1 { padding-left: 4.5rem; }
[data-testid=stHeader] { background: none; pointer-events: none; }
[data-testid=stHeader] * { pointer-events: auto; }
[data-testid=stMainBlockContainer] > div > [data-testid=stVerticalBlock] { gap: .6rem; }
[data-testid=stMainBlockContainer] [data-testid=stForm] { margin-top: .6rem; }
[data-testid=stMainBlockContainer]:has(.st-key-not-asked) { --ev-notice: 3.2rem; }
</style>"""


def make_room() -> None:
    """On this page the artwork is what counts: a small title, and the window's whole width."""
    st.html(_PLACE)


def wish(chosen: Chosen) -> int | None:
    """The work whose explanation was asked for just now."""
    found = visit(chosen).why
    visit(chosen).why = None
    return found


def is_leaving(chosen: Chosen) -> bool:
    """Whether the overview was asked for just now."""
    found = visit(chosen).is_leaving
    visit(chosen).is_leaving = False
    return found


@st.fragment
def show(store: ReviewStore, chosen: Chosen, context: Context) -> None:
    """Hear the browser, store what it asks for, and bring it what comes next."""
    if not access.allowed("decide") or _has_turned_blind(store, chosen):  # while it was open
        st.rerun(scope="app")
    memory = visit(chosen)
    said = desk.said(_KEY)
    memory.turn_to(hashlib.sha256(repr(chosen.queue).encode()).hexdigest()[:16])
    desk_protocol.hear(memory, said, store, chosen.queue, chosen.blind)
    if memory.why is not None or memory.is_leaving:
        st.rerun(scope="app")
    try:
        found = desk_protocol.state(memory, store, chosen.queue, chosen.blind)
        header, pictures = _header(found, memory, said, store, chosen, context)
    except EmovizError as error:
        header, pictures = _broken(translated(error), chosen, store, memory), {}
    desk.show(_KEY, header, pictures)


def _has_turned_blind(store: ReviewStore, chosen: Chosen) -> bool:
    with contextlib.suppress(EmovizError):  # a store that cannot be asked is told on the desk
        return not chosen.blind and chosen.collection.name in store.blind_collections()
    return False


def _header(
    found: DeskState,
    memory: desk_protocol.Visit,
    said: Mapping[str, Any],
    store: ReviewStore,
    chosen: Chosen,
    context: Context,
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """All that the desk shows, and the pictures that the browser does not hold yet."""
    held = {str(name) for name in said.get("held") or ()}
    pictures: dict[str, bytes] = {}
    first = found.at or next(iter(found.ahead), None)
    works = []
    for row_number, place in enumerate(found.places):
        hidden = place.work.id not in found.open
        shown = desk_protocol.without_estimate(place) if hidden else place
        row = _work(shown, hidden, chosen.blind, found, context)
        row |= {"facts": desk_text.facts_of(place.work)} if row_number < _TOLD else {}
        if first is not None and place.work.id == first.work.id:
            row |= _beside(shown, said, row, chosen, context, held, pictures)
        works.append(row)
    _large(found, works, held, pictures, context.settings)
    _small(found, held, pictures, context.settings)
    progress = store.progress(chosen.queue)
    header = {
        **_around(chosen, store, memory, progress),
        "works": works,
        "ahead": [place.work.id for place in found.ahead],
        "first": first.work.id if first is not None else None,
        "strip": [_frame(place, found) for place in found.around],
        "undo": _undo(store, found.last),
        "gone": found.gone,
        "revealed": _revealed(found),
        "end": _end(chosen, progress),
    }
    return header, pictures


def _around(
    chosen: Chosen, store: ReviewStore, memory: desk_protocol.Visit, progress: ReviewProgress
) -> dict[str, Any]:
    return {
        "session": f"{store.uid} {chosen.queue.reviewer}",
        "reviewer": chosen.queue.reviewer,
        "queue": memory.queue,
        "open": chosen.queue.filters.stage == "open",
        "ahead_at_most": desk_protocol.AHEAD,
        "answered": memory.answered,
        "go": list(memory.go),
        "said": memory.message,
        "language": language(),
        "messages": {name: words for file in _FILES for name, words in messages(file).items()},
        "emotions": desk_text.emotions_of(chosen.taxonomy),
        "progress": {
            "works": progress.works,
            "decided": progress.decided,
            "skipped": progress.skipped,
            "words": _progress_words(progress),
        },
    }


def _work(
    place: QueuePlace, hidden: bool, blind: bool, found: DeskState, context: Context
) -> dict[str, Any]:
    work, estimate = place.work, place.estimate
    own = found.own.get(work.id)
    seen_blind = blind and not hidden and found.revealed is None
    return {
        "id": work.id,
        "number": work.number + 1,
        "title": desk_text.title_of(work),
        "by": desk_text.by_line(work),
        "is_hidden": hidden,
        "hidden": tr(_HIDDEN) if hidden else tr(_KNOWN) if seen_blind else "",
        "shares": dict(estimate.probabilities) if estimate is not None else None,
        "agree": estimate.first if estimate is not None else "",
        "estimate": (
            desk_text.estimate_html(work, estimate, context.abstention) if estimate else None
        ),
        "small": _name("small", work),
        "large": _name("large", work),
        "own": desk_text.own_words(own, work) if own is not None else "",
        "note": own.note if own is not None else "",
    }


def _beside(
    place: QueuePlace,
    said: Mapping[str, Any],
    row: Mapping[str, Any],
    chosen: Chosen,
    context: Context,
    held: set[str],
    pictures: dict[str, bytes],
) -> dict[str, Any]:
    """What was asked for beside the work on the screen: its heat map, works that are alike."""
    more: dict[str, Any] = {}
    if place.estimate is not None and said.get("heat") is True:
        more |= _heat(place, held, pictures, context)
    if place.estimate is not None and said.get("near") is True:
        more |= alike.rows(place.work, chosen, context, held, pictures)
    if said.get("deep") == place.work.id:
        more |= _deep(place.work, held, pictures, context.settings)
    is_deep = said.get("deep") != place.work.id or "deep" in more
    return more | {"wanting": not is_deep or more.get("no_heat") == "" or more.get("no_near") == ""}


def _deep(
    work: Work, held: set[str], pictures: dict[str, bytes], settings: Settings
) -> dict[str, Any]:
    """All the pixels of the work, for the zoom, which stays as it is where they cannot be had."""
    made = desk_images.deep_picture(work, settings)
    if made.is_waiting:
        return {}
    name = _name("deep", work)
    if made.value is None:
        return {"deep": "", "pixels": ""}
    jpeg, width, height = made.value
    if name not in held:
        pictures[name] = jpeg
    return {"deep": name, "pixels": _pixels(width, height)}


def _large(
    found: DeskState,
    works: list[dict[str, Any]],
    held: set[str],
    pictures: dict[str, bytes],
    settings: Settings,
) -> None:
    """Large pictures of the works that may be on the screen next; what cannot be shown says why."""
    wanted = {place.work.id for place in found.ahead[:_LARGE_AHEAD]}
    wanted |= {item.work for item in found.last[:1]}
    ids = [place.work.id for place in found.around]
    if found.at is not None:
        here = ids.index(found.at.work.id)
        wanted |= {found.at.work.id, *ids[max(here - 1, 0) : here + 2]}
    for place, row in zip(found.places, works, strict=True):
        if place.work.id in wanted:
            made = desk_images.picture(place.work, settings)
            if made.value is not None and row["large"] not in held:
                pictures[row["large"]] = made.value
            row["error"] = ""
            if made.error:
                row["error"] = tr("The picture cannot be shown: {reason}", reason=made.error)
            row["due"] = made.is_waiting


def _heat(
    place: QueuePlace, held: set[str], pictures: dict[str, bytes], context: Context
) -> dict[str, Any]:
    assert place.estimate is not None
    made = desk_images.heat_map(place.work, place.estimate, context)
    name = f"heat {place.work.sha256} {place.estimate.first} {context.identity[:12]}"
    if made.value is not None and name not in held:
        pictures[name] = made.value
    error = tr("There is no heat map: {reason}", reason=made.error) if made.error else ""
    ready = {"heat": name} if made.value is not None else {"no_heat": error}
    return {**ready, "heat_of": emotion(place.estimate.first)}


def _small(
    found: DeskState, held: set[str], pictures: dict[str, bytes], settings: Settings
) -> None:
    """Thumbnails: for the filmstrip, and in place of large pictures that are not there yet."""
    names = {
        place.work.sha256: _name("small", place.work)
        for place in (*found.places, *found.around)
        if place.work.sha256
    }
    wanted = {sha256 for sha256, name in names.items() if name not in held}
    if wanted:
        kept = Pictures(settings).get_many(wanted)
        pictures.update({names[sha256]: jpeg for sha256, jpeg in kept.items()})


def _name(kind: str, work: Work) -> str:
    """Of a picture, as the browser keeps it."""
    return desk_images.name_of(kind, work.sha256 or str(work.id))


def _frame(place: QueuePlace, found: DeskState) -> dict[str, Any]:
    """One picture of the filmstrip."""
    work, own = place.work, found.own.get(place.work.id)
    return {
        "id": work.id,
        "number": work.number + 1,
        "title": desk_text.title_of(work),
        "small": _name("small", work),
        "own": desk_text.decided(own.kind, own.feelings) if own is not None else "",
        "emotions": [item.emotion for item in own.feelings] if own is not None else [],
    }


def _revealed(found: DeskState) -> dict[str, Any] | None:
    if found.revealed is None or found.at is None:
        return None
    decision = found.revealed
    return {
        "work": decision.work,
        "words": desk_text.revealed(decision, found.at.estimate),
        "decided": [(item.emotion, item.strength) for item in decision.feelings],
    }


def _undo(store: ReviewStore, last: tuple[Decision, ...]) -> list[dict[str, Any]]:
    """What can be taken back, the newest first."""
    works = [(store.work(item.work), item) for item in last]
    return [
        {"work": work.id, "note": item.note, "words": desk_text.undo_words(work, item)}
        for work, item in works
        if work is not None
    ]


def _progress_words(progress: ReviewProgress) -> str:
    words = plural(
        "{decided} of {count} work decided",
        "{decided} of {count} works decided",
        progress.works,
        decided=number(progress.decided),
    )
    if not progress.skipped:
        return words
    return f"{words}, {plural('{count} skipped', '{count} skipped', progress.skipped)}"


def _end(chosen: Chosen, progress: ReviewProgress) -> str:
    """Why there is nothing on the desk, and what to do."""
    if progress.works == 0:
        return tr("There is no artwork here to review.\nBring some in under Collections.")
    if progress.open > 0 or chosen.queue.filters.stage != "open":
        rest = plural(
            "{count} work still to decide: press Filter and leave nothing out.",
            "{count} works still to decide: press Filter and leave nothing out.",
            progress.open,
        )
        return f"{tr('No more artworks with these filters.')}\n{rest}"
    words = plural(
        "All done: {count} work decided.", "All done: {count} works decided.", progress.decided
    )
    if progress.skipped:
        skipped = plural(
            "{count} work skipped: choose it under Filter.",
            "{count} works skipped: choose them under Filter.",
            progress.skipped,
        )
        words = f"{words} {skipped}"
    return f"{words}\n{tr('The overview shows where people and the model differ.')}"


def _pixels(width: int, height: int) -> str:
    return tr("{width} × {height} pixels", width=number(width), height=number(height))


def _broken(
    message: str, chosen: Chosen, store: ReviewStore, memory: desk_protocol.Visit
) -> dict[str, Any]:
    """The store cannot be read: said on the desk, and the browser keeps what is not stored."""
    return {
        **_around(chosen, store, memory, ReviewProgress(0, 0, 0)),
        "said": memory.message or message,
        "works": [],
        "ahead": [],
        "first": None,
        "strip": [],
        "undo": [],
        "gone": None,
        "revealed": None,
        "end": tr("The store of decisions cannot be read now. Nothing that was stored is lost."),
    }
