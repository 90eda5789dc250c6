"""What the browser said -> facts in the store -> what the desk shows next. No Streamlit.

The store is the truth. A `Visit` holds only what a reload may forget: which act was answered
last, which work was asked for by name, and which estimates this session has seen.
"""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from emoviz.errors import EmovizError
from emoviz.review import Decision, Draft, Feeling, Queue, QueuePlace, ReviewStore, ShownWork

AHEAD = 3  # works on the desk: this one, and two whose pictures are brought along
_LONGEST = 4000  # letters of a note


@dataclass
class Visit:
    """One reviewer at one collection, in one browser session.

    Attributes:
        answered: Token of the last act that was heard.
        message: What to tell beside the desk: why an act was refused.
        focus: Work that is shown before the queue: by link, or after an undo.
        revealed: Decision whose work is still shown, now with the estimate.
        seen: Works whose estimate was before the reviewer's eyes.
        number: Goes up with every act, so that the desk knows a work that comes again.
        why: Work whose explanation is asked for.
    """

    answered: str = ""
    message: str = ""
    focus: int | None = None
    revealed: Decision | None = None
    seen: set[int] = field(default_factory=set)
    number: int = 0
    why: int | None = None


@dataclass(frozen=True)
class DeskState:
    """What is on the desk.

    Attributes:
        places: The work to decide on, and those after it.
        revealed: The decision that the first of them has got; None where it waits for one.
        hidden: Whether the first one's estimate is hidden.
        last: The reviewer's last decision that stands, which an undo takes back.
    """

    places: tuple[QueuePlace, ...]
    revealed: Decision | None = None
    hidden: bool = False
    last: Decision | None = None


def hear(
    visit: Visit, said: Mapping[str, Any], store: ReviewStore, queue: Queue, blind: bool
) -> None:
    """Do what the browser asks for, once; what is refused is told in `visit.message`.

    Args:
        visit: Is brought up to date.
        said: As ``talk.js`` sends it; anything may stand in it.
        store: Takes the decision.
        queue: Of the reviewer.
        blind: Whether estimates are hidden until the decision.
    """
    act = said.get("act")
    if not isinstance(act, Mapping) or not isinstance(act.get("token"), str):
        return
    token = act["token"]
    if not token or token == visit.answered:
        return
    visit.message = ""
    try:
        _do(act, visit, store, queue, blind)
    except EmovizError as error:
        visit.message = f"Not stored: {error}"
    except (KeyError, TypeError, ValueError):
        visit.message = "Not stored: the page and the program do not fit; reload the page."
    else:
        visit.number += 1
    visit.answered = token


def standing(visit: Visit, store: ReviewStore, queue: Queue, blind: bool) -> DeskState:
    """The works on the desk, those asked for by name first."""
    last = store.last_decision(queue.collection, queue.reviewer)
    first = visit.revealed.work if visit.revealed is not None else visit.focus
    places = list(store.upcoming(queue, AHEAD))
    if first is not None:
        named = None
        with contextlib.suppress(EmovizError):
            named = store.place(queue, first)
        if named is None:
            visit.focus = visit.revealed = None
        else:
            places = [named, *(item for item in places if item.work.id != first)][:AHEAD]
    if visit.revealed is not None:
        visit.seen.add(visit.revealed.work)
        return DeskState(tuple(places), visit.revealed, False, last)
    hidden = bool(places) and blind and places[0].work.id not in _seen(visit, store, queue, places)
    if places and not hidden and places[0].estimate is not None:
        visit.seen.add(places[0].work.id)
    return DeskState(tuple(places), None, hidden, last)


def _seen(visit: Visit, store: ReviewStore, queue: Queue, places: Sequence[QueuePlace]) -> set[int]:
    """Works whose estimate the reviewer knows: from this session, or from a decision before."""
    work = places[0].work.id
    before = store.history(work, queue.reviewer)
    return visit.seen | ({work} if any(item.kind != "skip" for item in before) else set())


def _do(
    act: Mapping[str, Any], visit: Visit, store: ReviewStore, queue: Queue, blind: bool
) -> None:
    does = act["does"]
    if does == "decide":
        _decide(act, visit, store, queue, blind)
    elif does == "undo":
        undone = store.undo(queue.collection, queue.reviewer, act["token"])
        visit.revealed = None
        visit.focus = undone.work if undone is not None else None
        if undone is None:
            visit.message = "There is nothing left to undo."
    elif does == "next":
        visit.revealed = None
    elif does == "why":
        work = int(act["work"])
        place = store.place(queue, work)
        if place is not None and blind and work not in _seen(visit, store, queue, [place]):
            visit.message = "Decide first: why the model says so would say what it says."
        else:
            visit.why = work
    else:
        raise ValueError(does)


def _decide(
    act: Mapping[str, Any], visit: Visit, store: ReviewStore, queue: Queue, blind: bool
) -> None:
    work = int(act["work"])
    place = store.place(queue, work)
    if place is None:
        visit.focus = None
        visit.message = "That artwork is no longer in the collection; nothing was stored for it."
        return
    hidden = blind and work not in _seen(visit, store, queue, [place])
    named = work == visit.focus
    draft = Draft(
        work=work,
        reviewer=queue.reviewer,
        kind=act["kind"],
        token=act["token"],
        feelings=tuple(Feeling(str(name), int(strength)) for name, strength in act["feelings"]),
        note=str(act.get("note", ""))[:_LONGEST],
        fingerprint=place.estimate.fingerprint if place.estimate is not None else "",
        shown=_shown(act, place, hidden, "" if named else queue.order),
    )
    decision = store.decide(draft)
    visit.focus = None
    visit.revealed = decision if hidden and decision.kind != "skip" else None


def _shown(act: Mapping[str, Any], place: QueuePlace, hidden: bool, order: str) -> ShownWork:
    """What the desk had on it; what was hidden is known here, whatever the browser says."""
    estimate = place.estimate is not None and not hidden
    seconds = act.get("seconds")
    return ShownWork(
        blind=hidden,
        estimate=estimate,
        heat_map="gradcam" if estimate and act.get("heat") is True else "",
        neighbours=estimate and act.get("near") is True,
        order=order,
        seconds=float(seconds) if isinstance(seconds, int | float) else None,
    )


def without_estimate(place: QueuePlace) -> QueuePlace:
    """What a blind reviewer may have in the browser."""
    return replace(place, estimate=None)
