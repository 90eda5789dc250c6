"""What the browser said -> facts in the store -> what the desk shows. No Streamlit.

The store is the truth, and the browser says which artwork is on its screen. A person may be ahead
of the server: the browser holds the next works, and sends every act with the id of the work that it
was made on and a token of its own, until this names the token as answered. So an act lands on its
work and counts once, however late it comes and however often.

A `Visit` holds only what a reload may forget.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from emoviz.errors import EmovizError, StoreUnavailableError
from emoviz.review import Decision, Draft, Feeling, Queue, QueuePlace, ReviewStore, ShownWork
from emoviz.ui.language import plural, tr, translated

AHEAD = 16  # works to decide on that the browser holds: as many acts may wait for a slow server
BACK = 6  # decisions that can be taken back without waiting for the server
BEFORE, AFTER = 8, 16  # works of the filmstrip on either side
_LONGEST = 100_000  # letters of a note; the desk says so, too
_MOST_ACTS = 200


@dataclass
class Visit:
    """One reviewer at one collection, in one browser session.

    Attributes:
        answered: Token of each act that the browser still holds and that was dealt with -> why it
            was refused, "" where it was done.
        message: Why an act waits: the store cannot be used now.
        queue: By which order and filters works come; "" before the desk was drawn.
        at: Work on the browser's screen; None before it said so.
        is_asked: Whether `at` was asked for by name since the last answer.
        go: Work that the desk shall show now, by link or number, and how often that was said.
        revealed: Last decision that was made without the estimate, which may be shown now.
        given: Works whose estimate the browser was given.
        seen: Works whose estimate was before the reviewer's eyes.
        why: Work whose explanation is asked for.
        is_leaving: Whether the overview is asked for.
    """

    answered: dict[str, str] = field(default_factory=dict)
    message: str = ""
    queue: str = ""
    at: int | None = None
    is_asked: bool = False
    go: tuple[int, int] = (0, 0)
    revealed: Decision | None = None
    given: set[int] = field(default_factory=set)
    seen: set[int] = field(default_factory=set)
    why: int | None = None
    is_leaving: bool = False

    def show(self, work: int) -> None:
        """Have the desk show that work next."""
        self.go = (self.go[0] + 1, work)
        self.at, self.is_asked = work, True

    def turn_to(self, queue: str) -> None:
        """Other works come, or in another order: begin at the first, if none is asked for."""
        if self.queue != queue and not self.is_asked:
            self.at = None
        self.queue, self.is_asked = queue, False


@dataclass(frozen=True)
class DeskState:
    """What the browser is given to work with.

    Attributes:
        at: The work on its screen; None where there is none, or it is gone.
        ahead: The works to decide on, in order; the first may be `at`.
        around: The filmstrip: works before and after `at` in the queue's order, `at` among them.
        last: The reviewer's last decisions that stand, newest first, which undo takes back.
        places: Every work of which the browser is told all: `at`, `ahead`, those of `last` and
            the nearest of `around`.
        own: The reviewer's standing decision by work, of `places` and `around`.
        open: Works of `places` whose estimate may be shown.
        revealed: Decision made without the estimate, whose work is still on the screen.
        gone: The work on the screen, where it was taken out of the collection meanwhile.
    """

    at: QueuePlace | None
    ahead: tuple[QueuePlace, ...]
    around: tuple[QueuePlace, ...]
    last: tuple[Decision, ...]
    places: tuple[QueuePlace, ...]
    own: Mapping[int, Decision]
    open: frozenset[int]
    revealed: Decision | None = None
    gone: int | None = None


def hear(
    visit: Visit, said: Mapping[str, Any], store: ReviewStore, queue: Queue, blind: bool
) -> None:
    """Do what the browser asks for, in order, each act once.

    An act that is refused is answered with the reason. One that the store cannot take now stays
    unanswered, and all that come after it: the browser sends them again.

    Args:
        visit: Is brought up to date.
        said: As ``talk.js`` sends it; anything may stand in it.
        store: Takes the decisions.
        queue: Of the reviewer.
        blind: Whether estimates are hidden until the decision.
    """
    if isinstance(said.get("at"), int) and said.get("queue") == visit.queue:
        visit.at = said["at"]
    acts = said.get("acts")
    known, visit.answered, visit.message = visit.answered, {}, ""
    for act in acts[:_MOST_ACTS] if isinstance(acts, Sequence) else ():
        token = act.get("token") if isinstance(act, Mapping) else None
        if not isinstance(token, str) or not token:
            continue
        if act.get("reviewer", queue.reviewer) != queue.reviewer:
            continue  # somebody else's, who was here before: theirs to send
        if token in known:
            visit.answered[token] = known[token]
            continue
        try:
            visit.answered[token] = _do(act, visit, store, queue, blind)
        except StoreUnavailableError as error:
            visit.message = tr(
                "Not stored yet, it is tried again by itself: {reason}", reason=translated(error)
            )
            break
        except EmovizError as error:
            visit.answered[token] = tr("Not stored: {reason}", reason=translated(error))
        except (KeyError, TypeError, ValueError, OverflowError):
            visit.answered[token] = tr(
                "Not stored: the page and the program do not fit; reload the page."
            )


def state(visit: Visit, store: ReviewStore, queue: Queue, blind: bool) -> DeskState:
    """The works that the browser needs, those around the one on its screen first."""
    at = store.place(queue, visit.at) if visit.at is not None else None
    gone = visit.at if at is None else None
    if gone is not None:
        visit.at = None
    if visit.revealed is not None and (at is None or visit.revealed.work != at.work.id):
        visit.revealed = None
    ahead = _ahead(store, queue, at)
    last = store.last_decisions(queue.collection, queue.reviewer, BACK)
    centre = at or next(iter(ahead), None)
    before, after = (
        store.around(queue, centre.mark, BEFORE, AFTER) if centre is not None else ([], [])
    )
    around = [*before, *([centre] if centre is not None else []), *after]
    undone = store.places(queue, [item.work for item in last])
    near = [*([centre] if centre is not None else []), *ahead, *before[-2:], *after[:2]]
    wanted = [*near, *(undone[item.work] for item in last if item.work in undone)]
    places = {place.work.id: place for place in wanted}
    open_ = _open(visit, store, queue, blind, places)
    if at is not None and at.work.id in open_ and at.estimate is not None:
        visit.seen.add(at.work.id)
    visit.given |= open_
    return DeskState(
        at,
        tuple(ahead),
        tuple(around),
        tuple(last),
        tuple(places.values()),
        store.own(queue.reviewer, {*places, *(place.work.id for place in around)}),
        open_,
        visit.revealed,
        gone,
    )


def without_estimate(place: QueuePlace) -> QueuePlace:
    """What a blind reviewer may have in the browser."""
    return replace(place, estimate=None)


def _ahead(store: ReviewStore, queue: Queue, at: QueuePlace | None) -> list[QueuePlace]:
    """What comes next: from the work on the screen on, then what was passed over before it."""
    if at is None:
        return store.upcoming(queue, AHEAD)
    after = store.upcoming(queue, AHEAD, at.mark)
    if queue.filters.stage != "open":
        return [at, *after][:AHEAD]
    mine = store.own(queue.reviewer, [at.work.id])
    found = [*([] if mine else [at]), *after]
    if len(found) < AHEAD:
        have = {place.work.id for place in found}
        found += [item for item in store.upcoming(queue, AHEAD) if item.work.id not in have]
    return found[:AHEAD]


def _open(
    visit: Visit, store: ReviewStore, queue: Queue, blind: bool, works: Mapping[int, QueuePlace]
) -> frozenset[int]:
    """Works whose estimate the reviewer may see, or knows: from this session, or an answer."""
    if not blind:
        return frozenset(works)
    return frozenset((visit.seen | store.answered(queue.reviewer, works)) & works.keys())


def _do(act: Mapping[str, Any], visit: Visit, store: ReviewStore, queue: Queue, blind: bool) -> str:
    """What there is to say about it; "" where nothing is."""
    does = act["does"]
    if does == "decide":
        return _decide(act, visit, store, queue, blind)
    if does == "undo":
        named = store.work(int(act["work"]))
        collection = named.collection if named is not None else queue.collection
        undone = store.undo(collection, queue.reviewer, act["token"], int(act["work"]))
        visit.revealed = None
        return "" if undone is not None else tr("There is nothing left to undo.")
    if does not in ("go", "why", "overview"):
        raise ValueError(does)
    if act.get("queue") != visit.queue:
        return ""  # said at another collection or order, which was left
    if does == "go":
        place = store.numbered(queue, int(act["number"]) - 1)
        if place is None:
            return tr(
                "There is no artwork with the number {number} here.", number=int(act["number"])
            )
        visit.show(place.work.id)
        return ""
    if does == "overview":
        visit.is_leaving = True
        return ""
    work = store.place(queue, int(act["work"]))
    if work is not None and not _open(visit, store, queue, blind, {work.work.id: work}):
        return tr("Decide first: why the model says so would say what it says.")
    visit.why = int(act["work"])
    return ""


def _decide(
    act: Mapping[str, Any], visit: Visit, store: ReviewStore, queue: Queue, blind: bool
) -> str:
    work = store.work(int(act["work"]))
    # Said in another collection, which was left before the answer came: it belongs there.
    theirs = replace(queue, collection=work.collection) if work is not None else queue
    place = store.place(theirs, int(act["work"]))
    if place is None:
        return tr("That artwork is no longer in the collection; nothing was stored for it.")
    id = place.work.id
    own = None if "note" in act else store.own(queue.reviewer, [id]).get(id)
    note = own.note if own is not None else str(act.get("note", ""))
    if len(note) > _LONGEST:
        return plural(
            "Not stored: a note has at most {count} letter.",
            "Not stored: a note has at most {count} letters.",
            _LONGEST,
        )
    if theirs.collection != queue.collection:
        blind = act.get("estimate") is not True
    told = act.get("estimate") is True and id in visit.given  # before the switch to blind
    hidden = blind and not told and id not in visit.seen | store.answered(queue.reviewer, [id])
    draft = Draft(
        work=id,
        reviewer=queue.reviewer,
        kind=act["kind"],
        token=act["token"],
        feelings=tuple(Feeling(str(name), int(strength)) for name, strength in act["feelings"]),
        note=note,
        fingerprint=place.estimate.fingerprint if place.estimate is not None else "",
        shown=_shown(act, place, hidden, "" if act.get("named") is True else queue.order),
    )
    decision = store.decide(draft)
    if hidden and decision.kind != "skip":
        visit.revealed = decision
        visit.seen.add(id)
    return ""


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
