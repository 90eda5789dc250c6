"""Ask in words: which images fit a text, as a CLIP sees it, of one emotion if wanted."""

from collections.abc import Callable

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from emoviz.analysis.neighbours import best_matches
from emoviz.checkpoints import Checkpoint
from emoviz.errors import EmovizError, NotInstalledError, require_training_packages
from emoviz.settings import Settings
from emoviz.ui.explorer import board
from emoviz.ui.explorer.pictures import Pictures
from emoviz.ui.explorer.points import Points
from emoviz.ui.gallery import gallery
from emoviz.ui.models import identity
from emoviz.ui.words import counted, plain

SHOWN = 60
_ANY = "any emotion"


def show(points: Points, checkpoint: Checkpoint, pictures: Pictures, settings: Settings) -> None:
    """A folded part of the page; nothing is loaded before it is opened."""
    place = st.expander("Ask in words", icon=":material/search:", on_change="rerun", key="ask")
    if not place.open:
        return
    with place:
        try:
            require_training_packages()
            from emoviz.training.zero_shot import knows_words

            if knows_words(checkpoint):
                _ask(points, checkpoint, pictures, settings)
            else:
                _explain()
        except NotInstalledError as error:
            st.info(plain(str(error)), icon=":material/extension:")
        except EmovizError as error:
            st.warning(plain(str(error)), icon=":material/chat_error:")


def _explain() -> None:
    st.info(
        "This network knows images and no words. A CLIP knows both: bring one in on Retrain, under "
        "*Without labelled images: prompts for a CLIP* (or by `emoviz add-encoder FOLDER "
        "--zero-shot mikels8 --id NAME`), choose it in the sidebar, and ask here.",
        icon=":material/chat:",
    )
    st.page_link("pages/train/retrain.py", label="To Retrain", icon=":material/model_training:")


def _ask(points: Points, checkpoint: Checkpoint, pictures: Pictures, settings: Settings) -> None:
    assert points.taxonomy is not None
    assert points.predicted is not None
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input(
            "What do the images show?",
            key="ask-text",
            bind="query-params",
            placeholder="a stormy sea at night",
            max_chars=300,
            help="Every image is compared with these words. English, where the CLIP learned it.",
        ).strip()
        emotion = st.selectbox(
            "Evoking", [_ANY, *points.taxonomy.names], key="ask-emotion", width=220
        )
    if not text:
        st.caption("The images that fit the words best are shown, best first; all were compared.")
        return
    with st.spinner("Reading the words …"):
        vector = _tower(identity(checkpoint), checkpoint, settings)(text)
    among = None
    if emotion != _ANY:
        among = points.predicted == points.taxonomy.index(emotion)
    rows, cosines = best_matches(points.vectors, vector, SHOWN, among)
    asked = len(points) if among is None else int(among.sum())
    if not len(rows):
        st.caption(f"The network calls no image {emotion}.")
        return
    st.caption(
        f"The {counted(len(rows), 'image')} of {asked:,} that fit best, with the cosine of words "
        "and image: it says which fits better, not how well one fits."
    )
    words = [
        f"{board.estimate(points, int(row))} · {cosine:.3f}"
        for row, cosine in zip(rows, cosines, strict=True)
    ]
    tiles = board.tiles_of(points, rows, pictures, words)
    if (pressed := gallery(tiles, "ask-found", "Images that fit the words")) is not None:
        board.look_at(points, int(rows[pressed]))
        board.show_image(points, pictures)


@st.cache_resource(max_entries=2, show_spinner=False)
def _tower(
    made_by: str, _checkpoint: Checkpoint, _settings: Settings
) -> Callable[[str], NDArray[np.float32]]:
    from emoviz.training.zero_shot import text_vectors

    return text_vectors(_checkpoint, _settings)
