"""Links of IIIF Content State: what one asks for opens here, what is here opens elsewhere."""

from collections.abc import Sequence

import streamlit as st

from emoviz.checkpoints import Checkpoint
from emoviz.data.importers import Item
from emoviz.data.importers.content_state import (
    PARAMETER,
    ContentState,
    mirador,
    read_content_state,
)
from emoviz.errors import EmovizError
from emoviz.review.acquire import AcquiredWorks, Brought
from emoviz.settings import Settings
from emoviz.ui.language import tr
from emoviz.ui.review import collection_form
from emoviz.ui.review.collections import details
from emoviz.ui.review.queue import PARAMETER as CHOICE
from emoviz.ui.words import plain, told

_SHOWN = "linked-content-shown"


def asked(known: Sequence[AcquiredWorks]) -> ContentState | None:
    """What the link asks for; where a collection here has it, that one is looked at.

    Nothing is fetched because of a link: anybody may write one.
    """
    text = st.query_params.get(PARAMETER, "")
    if not text:
        return None
    try:
        state = read_content_state(text)
    except EmovizError as error:
        words = tr("This link cannot be opened: {reason}.", reason=told(error))
        st.warning(words, icon=":material/link_off:")
        return None
    if st.session_state.get(_SHOWN) != text:
        found = next((one for one in known if _rows(one, state)), None)
        if found is not None and found.request is not None:
            st.session_state[CHOICE] = found.request.name
    return state


def show(
    state: ContentState,
    chosen: AcquiredWorks | None,
    settings: Settings,
    checkpoint: Checkpoint,
    manages: bool,
) -> None:
    """The canvas of the link in large, once; or a button that brings its manifest in."""
    rows = _rows(chosen, state) if chosen is not None else []
    if rows:
        text = st.query_params.get(PARAMETER, "")
        if st.session_state.get(_SHOWN) != text:
            st.session_state[_SHOWN] = text
            if state.canvas:
                details(rows, 0)
        return
    st.info(
        tr(
            "A link asks for IIIF content that is not here: {address}",
            address=plain(state.document),
        ),
        icon=":material/link:",
    )
    if manages:
        st.button(
            tr("Bring it in"),
            key="linked-content-bring",
            icon=":material/download:",
            type="primary",
            on_click=collection_form.take_address,
            args=(settings, checkpoint, state.document),
        )


def viewer(found: AcquiredWorks) -> None:
    """A link that opens the collection in a viewer of others, where it came from the web."""
    source = found.request.source if found.request is not None else ""
    link = mirador(source) if found.request is not None and found.request.kind == "iiif" else ""
    if link:
        st.link_button(
            tr("Open in Mirador"),
            link,
            icon=":material/open_in_new:",
            help=tr("The viewer of many museums, on its own web page, which then asks the museum."),
        )


def _rows(found: AcquiredWorks, state: ContentState) -> list[tuple[Item, Brought]]:
    """The works that the link means: of its canvas, else of its manifest or collection."""
    source = found.request.source if found.request is not None else ""
    ready = found.ready
    if state.canvas:
        return [row for row in ready if row[0].canvas == state.canvas]
    return [row for row in ready if state.document in (row[0].manifest, source)]
