"""Blind review: what the model says of a collection is shown nowhere until it is lifted."""

import streamlit as st

from emoviz.errors import EmovizError
from emoviz.review import ReviewStore, open_store
from emoviz.review.acquire import list_gathered, works_table
from emoviz.settings import Settings
from emoviz.ui import access
from emoviz.ui.language import plural, tr
from emoviz.ui.words import told

TOGGLE = "blind"  # in the session and in the link: a reviewer's own wish
_NOTE = "blind-note"


def is_on() -> bool:
    """Whether whoever is here wants to review blind, whatever the collection says."""
    return bool(st.session_state.get(TOGGLE, st.query_params.get(TOGGLE) == "1"))


def hidden(settings: Settings) -> set[str]:
    """Names of the collections whose estimates are not to be shown in this session.

    Raises:
        ReviewError: The store cannot be asked.
    """
    store = open_store(settings)
    if is_on():
        return {item.name for item in store.collections()}
    return store.blind_collections()


def hidden_tables(settings: Settings) -> set[str]:
    """The tables of works of those collections, as the pages name them.

    Of every collection where the store cannot say which are reviewed blind.
    """
    try:
        names = hidden(settings)
    except EmovizError:
        known = (item.request for item in list_gathered(settings))
        names = {request.name for request in known if request is not None}
    return {str(works_table(settings, name).absolute()) for name in names}


def explain(count: int) -> None:
    """What a page that leaves collections out says of it."""
    if count:
        st.caption(
            ":material/visibility_off: "
            + plural(
                "{count} collection under blind review: what the model says of it is not shown "
                "here.",
                "{count} collections under blind review: what the model says of them is not shown "
                "here.",
                count,
            )
        )


@access.offers("people")
def control(name: str, settings: Settings) -> None:
    """For managers: begin the blind review of a collection, or lift it."""
    try:
        store = open_store(settings)
        if not any(item.name == name for item in store.collections()):
            return
        on = name in store.blind_collections()
    except EmovizError:
        return
    st.button(
        tr("Lift blind review") if on else tr("Begin blind review"),
        key="collections-blind",
        icon=":material/visibility:" if on else ":material/visibility_off:",
        on_click=_set,
        args=(store, settings, name, not on),
        help=tr(
            "While it lasts, nobody sees what the model says of these artworks, but on Artworks "
            "after one's own decision."
        ),
    )
    note = st.session_state.pop(_NOTE, "")
    if note:
        st.warning(note, icon=":material/error:")


@access.acts("people")
def _set(store: ReviewStore, settings: Settings, name: str, on: bool) -> None:
    reviewer = access.person(settings).reviewer
    if reviewer is None:
        st.session_state[_NOTE] = tr("Say first who you are, on the page Artworks.")
        return
    try:
        store.set_blind(name, on, reviewer.id)
    except EmovizError as error:
        st.session_state[_NOTE] = told(error)
