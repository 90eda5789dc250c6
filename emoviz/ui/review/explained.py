"""From an artwork to the page that says why, by a link that brings the artwork back."""

import streamlit as st

from emoviz.data.sources import ImageSource
from emoviz.errors import EmovizError
from emoviz.review import ArtworkCollection, ReviewStore, Work, open_store
from emoviz.review.images import read_work
from emoviz.settings import Settings
from emoviz.ui.language import tr
from emoviz.ui.review import blind, desk_text
from emoviz.ui.review.queue import PARAMETER
from emoviz.ui.textures import subject
from emoviz.ui.words import told

_DESK, _WORK, _TAKEN = "pages/review/artworks.py", "work", "explained-work"


def lead(
    work: Work, collection: ArtworkCollection, back: dict[str, str], settings: Settings
) -> None:
    """To the page that says why, about this artwork; `back` are the desk's own parameters."""
    _take(work, collection, back, settings)
    st.session_state[_TAKEN] = str(work.id)
    here = {PARAMETER: collection.name, _WORK: str(work.id)}
    st.switch_page(subject.PAGE, query_params={**subject.kept_link(), **here})


def follow_link(settings: Settings) -> None:
    """Bring back the artwork that the link names; a reload and a bookmark know nothing else."""
    asked = st.query_params.get(_WORK, "")
    if not asked.isdecimal():
        st.session_state.pop(_TAKEN, None)  # another image is looked at: the link counts anew
        return
    if st.session_state.get(_TAKEN) == asked:
        return
    st.session_state[_TAKEN] = asked
    try:
        store = open_store(settings)
        work = store.work(int(asked[:18]))
        collection = _of(work, store)
        if work is None or collection is None or work.removed:
            st.info(tr("The artwork that the link names is not here."), icon=":material/link_off:")
        elif collection.name in blind.hidden(settings):
            st.info(
                tr("Its collection is under blind review: what the model says is not shown here."),
                icon=":material/visibility_off:",
            )
        else:
            back = {PARAMETER: collection.name, _WORK: asked}
            _take(work, collection, back, settings)
    except EmovizError as error:
        st.warning(told(error), icon=":material/error:")


def _take(
    work: Work, collection: ArtworkCollection, back: dict[str, str], settings: Settings
) -> None:
    source = ImageSource(f"{collection.name}: {work.key}", lambda: read_work(work, settings))
    caption = f"{desk_text.title_of(work)}, {work.artist}".strip(", ")
    subject.take(source, caption, _DESK, back)


def _of(work: Work | None, store: ReviewStore) -> ArtworkCollection | None:
    if work is None:
        return None
    return next((item for item in store.collections() if item.id == work.collection), None)
