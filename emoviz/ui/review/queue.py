"""Which collection, in which order, and what is left out: controls whose state is in the link."""

import random
from collections.abc import Mapping
from dataclasses import dataclass

import streamlit as st

from emoviz.inference.cache import fingerprint
from emoviz.labels import Taxonomy
from emoviz.review import (
    ArtworkCollection,
    ArtworkFilters,
    EstimateSet,
    Order,
    Queue,
    Reviewer,
    ReviewStore,
    Share,
    Stage,
)
from emoviz.review.agreement import answered, most_divided, visible
from emoviz.review.labelling import NONE
from emoviz.ui import access
from emoviz.ui.language import emotion, emotions, marked, number, tr
from emoviz.ui.linked import from_link, linked_choice, linked_toggle, write_parameter
from emoviz.ui.review import blind
from emoviz.ui.shell import Context
from emoviz.ui.words import plain, readable

PARAMETER = "review"
ORDERS: Mapping[Order, str] = {
    "uncertain": marked("Most uncertain first"),
    "opposite": marked("Mixed feelings first"),
    "unlike": marked("Unlike training first"),
    "divided": marked("Dividing people first"),
    "number": marked("As in the collection"),
    "artist": marked("By artist"),
    "style": marked("By style"),
    "random": marked("Shuffled"),
}
STAGES: Mapping[str, str] = {
    "open": marked("Not decided by me"),
    "skipped": marked("Skipped by me"),
    "decided": marked("Decided by me"),
    "any": marked("All"),
}
ANSWERS: Mapping[str, str] = {
    "": marked("any"),
    "differs": marked("differ from the model's estimate"),
    "divided": marked("people differ"),
    "note": marked("have a note"),
}
_NEED_ESTIMATES = ("uncertain", "opposite", "unlike")
_ANY = ""
_MOST_DIVIDED = 500  # works that come first; a database compares with each of them


@dataclass(frozen=True)
class Chosen:
    """What the controls say.

    Attributes:
        collection: Whose works.
        estimates: The chosen checkpoint's; None where it has not seen the collection.
        queue: For the store.
        blind: Whether estimates are hidden: on the desk until the decision, elsewhere always.
        taxonomy: Emotions to choose from.
    """

    collection: ArtworkCollection
    estimates: EstimateSet | None
    queue: Queue
    blind: bool
    taxonomy: Taxonomy


def collection(store: ReviewStore, reviewer: Reviewer) -> ArtworkCollection | None:
    """The picker of collections, that of the reviewer's last decision first; None where there is
    none yet, which the page then explains."""
    last = store.last_collection(reviewer.id)
    known = {
        item.name: item for item in sorted(store.collections(), key=lambda item: item.id != last)
    }
    if not known:
        return None
    asked = st.query_params.get(PARAMETER, "")
    if asked and asked not in known:
        words = tr(
            "The link asks for the collection “{name}”, which is not here.", name=plain(asked[:60])
        )
        st.toast(words, icon=":material/link_off:")
    titles = {name: readable(item.title or name) for name, item in known.items()}
    chosen = linked_choice(tr("Collection"), titles, PARAMETER, width=200)
    write_parameter(PARAMETER, chosen)  # always: a link to a review must not mean another one later
    return known[chosen]


def estimates_of(
    store: ReviewStore, found: ArtworkCollection, context: Context
) -> EstimateSet | None:
    """What the sidebar's checkpoint makes of the collection; None where it was not asked yet."""
    assert context.checkpoint is not None
    wanted = fingerprint(context.checkpoint)
    sets = store.estimate_sets(found.id)
    return next((item for item in sets if item.fingerprint == wanted), None)


def choose(
    store: ReviewStore,
    found: ArtworkCollection,
    context: Context,
    reviewer: Reviewer,
    overview: bool = False,
) -> Chosen:
    """Order, filters and blind mode; an overview shows every stage, and no estimate while blind."""
    assert context.checkpoint is not None
    estimates = estimates_of(store, found, context)
    taxonomy = estimates.taxonomy if estimates else context.checkpoint.card.taxonomy
    together = found.name in store.blind_collections()
    hidden = together or (overview and blind.is_on())
    orders: dict[str, str] = {
        name: tr(words)
        for name, words in ORDERS.items()
        if (estimates is not None and not hidden) or name not in _NEED_ESTIMATES
    }
    order: Order = linked_choice(tr("Order"), orders, "order", width=200)  # type: ignore[assignment]
    sorted_by = taxonomy if estimates is not None and not hidden else None
    told = estimates if sorted_by is not None else None
    filters = filter_box(store, found, reviewer, told, taxonomy, stages=not overview)
    wished = _blind(together) if estimates is not None and not overview else False
    if overview and hidden:
        estimates = None
    queue = Queue(
        found.id,
        reviewer.id,
        estimates.fingerprint if estimates else "",
        order,
        _seed() if order == "random" else 0,
        filters,
        _dividing(store, found, reviewer) if order == "divided" else (),
    )
    return Chosen(found, estimates, queue, wished or hidden, taxonomy)


def filter_box(
    store: ReviewStore,
    found: ArtworkCollection,
    reviewer: Reviewer,
    estimates: EstimateSet | None,
    taxonomy: Taxonomy,
    stages: bool = True,
) -> ArtworkFilters:
    """Filters behind a button that says how many are set.

    Args:
        store: Says which artists and styles there are.
        found: The collection.
        reviewer: Whose view of others' answers counts.
        estimates: None where there are none to filter by.
        taxonomy: Of the answers.
        stages: Whether the reviewer's own progress may be chosen.
    """
    place = st.container(width="content")
    set_before = sum(bool(st.query_params.get(name)) for name in _PARAMETERS)
    label = tr("Filter ({count})", count=set_before) if set_before else tr("Filter")
    with place.popover(label, icon=":material/filter_alt:", key="filters", width="content"):
        stage: Stage = "open" if stages else "any"
        if stages:
            stage = linked_choice(tr("Works"), _in_words(STAGES), "stage", width=260)  # type: ignore[assignment]
        classes = {_ANY: tr("any"), **emotions(taxonomy)}
        first = ""
        if estimates is not None:
            first = linked_choice(tr("Most likely emotion"), classes, "emotion", width=260)
        works = _by_answers(store, found, reviewer, estimates, classes)
        artist = _value(store, found, "artist", tr("Artist"))
        style = _value(store, found, "style", tr("Style"))
        text = _text()
        opposite = estimates is not None and linked_toggle(tr("Only mixed feelings"), "mixed")
        unlike = estimates is not None and linked_toggle(
            tr("Only unlike the training images"), "unlike"
        )
        st.button(tr("Leave nothing out"), icon=":material/filter_alt_off:", on_click=_clear)
    return ArtworkFilters(
        emotion=first,
        artist=artist,
        style=style,
        text=text,
        opposite=opposite,
        unlike=unlike,
        works=works,
        stage=stage,
    )


@access.offers("decide")
def share_box(store: ReviewStore, found: ArtworkCollection, reviewer: Reviewer) -> None:
    """Divide the works among several people, with a part for everybody."""
    share = store.share(found.id, reviewer.id)
    words = tr("all works")
    if share:
        words = tr("part {part} of {parts}", part=share.part + 1, parts=share.parts)
    with st.container(key="share"):
        st.markdown(
            tr(
                "**Share the work.** Yours now: {part}. Say how many review this collection and "
                "which part is yours; each work then goes to one of you.",
                part=words,
            )
        )
        parts = st.number_input(
            tr("Reviewers"), 1, 50, share.parts if share else 1, key="share-parts"
        )
        part = st.number_input(
            tr("My part"), 1, int(parts), min(share.part + 1 if share else 1, int(parts)),
            key=f"share-part-{int(parts)}",
        )  # fmt: skip
        overlap = st.slider(
            tr("Given to everybody, so that agreement can be measured"),
            0, 100, round(100 * share.overlap) if share else 20, 5, format="%d %%",
            key="share-overlap", disabled=parts == 1,
        )  # fmt: skip
        if st.button(tr("Take this part"), type="primary", key="share-take"):
            new = Share(reviewer.id, int(part) - 1, int(parts), overlap / 100)
            store.set_share(found.id, None if parts == 1 else new, reviewer.id)
            st.rerun()


def link(chosen: Chosen, work: int | None = None) -> dict[str, str]:
    """Parameters that bring the same queue back, at the same work."""
    kept = {
        name: value
        for name, value in st.query_params.items()
        if name in (*_PARAMETERS, "order", "blind", "seed", "checkpoint")
    }
    found = {PARAMETER: chosen.collection.name, **kept}
    return found if work is None else {**found, "work": str(work)}


_PARAMETERS = (
    "stage",
    "emotion",
    "answers",
    "said",
    "artist",
    "style",
    "seek",
    "mixed",
    "unlike",
)


def _by_answers(
    store: ReviewStore,
    found: ArtworkCollection,
    reviewer: Reviewer,
    estimates: EstimateSet | None,
    classes: Mapping[str, str],
) -> frozenset[int] | None:
    """Works by what people answered, as far as the reviewer may see it; None for all works."""
    offered = {
        key: words for key, words in _in_words(ANSWERS).items() if key != "differs" or estimates
    }
    how = linked_choice(tr("People's answers"), offered, "answers", width=260)
    given = {**classes, NONE: emotion(NONE)}
    said = linked_choice(tr("Emotion given"), given, "said", width=260)
    if not how and not said:
        return None
    decisions = visible(store.standing(found.id), reviewer)
    known = store.estimates(estimates, decided=True) if how == "differs" and estimates else []
    return answered(decisions, {item.work: item.first for item in known}, how, said)


def _value(store: ReviewStore, found: ArtworkCollection, name: str, label: str) -> str:
    counts = store.values(found.id, name)
    if not counts:
        return ""
    named = {text: f"{readable(text)} ({number(count)})" for text, count in counts}
    options = {_ANY: tr("any"), **named}
    return linked_choice(label, options, name, width=260)


def _text() -> str:
    asked = from_link("seek")
    if asked is not None or "seek" not in st.session_state:
        st.session_state["seek"] = asked or ""
    text = st.text_input(
        tr("Words in title, artist, date or any other column"),
        key="seek",
        persist_state="session",
    )
    write_parameter("seek", (text or "").strip())
    return (text or "").strip()


def _blind(together: bool) -> bool:
    """The reviewer's own wish; where all review blind, there is none to have."""
    if together:
        st.caption(f":material/visibility_off: {tr('Blind review')}")
        return True
    return linked_toggle(
        tr("Blind"),
        blind.TOGGLE,
        tr(
            "Hide what the model says until you have decided, here and on the other pages. Your "
            "decisions then cannot lean on it, which is what agreement between people and model "
            "should be measured on."
        ),
    )


def _in_words(options: Mapping[str, str]) -> dict[str, str]:
    return {key: tr(words) for key, words in options.items()}


def _dividing(store: ReviewStore, found: ArtworkCollection, reviewer: Reviewer) -> tuple[int, ...]:
    """As people stand now: the order holds until the page is drawn anew."""
    return most_divided(visible(store.standing(found.id), reviewer), _MOST_DIVIDED)


def _seed() -> int:
    """Of the shuffled order; in the link, so that a reload keeps it."""
    asked = st.query_params.get("seed", "")
    if not asked.isdecimal():
        asked = str(random.randrange(1, 1_000_000))
        write_parameter("seed", asked)
    return int(asked[:9])


def _clear() -> None:
    """Runs before the page: the widgets are not drawn yet."""
    for name in _PARAMETERS:
        st.session_state.pop(name, None)
        st.query_params.pop(name, None)
