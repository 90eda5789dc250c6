"""What a Review page says while something is missing, and what to do about it."""

from pathlib import Path

import streamlit as st

from emoviz.errors import EmovizError
from emoviz.review import ArtworkCollection, Counts, Reviewer, ReviewStore, open_store
from emoviz.settings import Settings
from emoviz.ui.review import collection_form
from emoviz.ui.review.queue import PARAMETER, Chosen
from emoviz.ui.shell import Context
from emoviz.ui.words import counted, plain

COLLECTIONS = "pages/review/collections.py"
GUIDE = """
- **Every key is on its button.** The number of an emotion chooses it, pressed again it is stronger
  ●●●, weaker ●○○ or not chosen; several emotions may be chosen. **Enter** saves the choice, **A**
  agrees with the model's most likely emotion, **N** says that none of these fits, **S** skips.
- **U** takes your last decision back, as often as you like. Nothing is erased: an undo and a
  correction are kept beside what they correct.
- **M** goes to the note; Escape or Ctrl+Enter leaves it. **Z**, or a click on the picture, goes
  into the picture as deep as its pixels reach: wheel, + and -, arrows.
- **H** shows which regions spoke for the most likely emotion, **L** which works are alike, **W**
  leads to the Textures page and back to this place.
- **Blind** hides what the model says until you have decided.
- You may press faster than the server answers: each act belongs to the artwork that was on the
  screen, and waits in order until it is stored, also over a reload or a lost connection.
- **←** and **→** and the strip below lead to other artworks without deciding or taking back.
  **Keys …** sets keys of your own.
- What the model says is **its estimate of the emotion that the image evokes**, never the emotion.
"""


def store_or_stop(settings: Settings) -> ReviewStore:
    """The store; where it cannot be opened, the page says why and ends."""
    try:
        return open_store(settings)
    except EmovizError as error:
        st.error(plain(str(error)), title="Decisions cannot be kept now", icon=":material/error:")
        st.stop()


def explain_no_collection(reviewer: Reviewer, context: Context) -> None:
    """Nothing to review yet: the sample with one press, or a collection of one's own."""
    assert context.checkpoint is not None
    st.info(
        "There is no collection yet. Bring one in, or begin with the images that come with emoviz.",
        icon=":material/image:",
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        if reviewer.may_manage:
            collection_form.sample_button(context.settings, context.checkpoint, primary=True)
        st.page_link(COLLECTIONS, label="To the collections", icon=":material/collections:")


def explain_no_estimates(found: ArtworkCollection, context: Context) -> None:
    """The sidebar's checkpoint has not seen the collection: people can decide all the same."""
    assert context.checkpoint is not None
    title = plain(context.checkpoint.card.title)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            f":material/hub: **{title}** was not asked about this collection yet: decide without "
            "its estimates, or choose another network in the sidebar.",
            width="stretch",
        )
        st.page_link(
            COLLECTIONS,
            label="Ask it",
            icon=":material/play_arrow:",
            query_params={PARAMETER: found.name, "checkpoint": context.checkpoint.card.id},
        )


def counts(found: Counts, collection: ArtworkCollection, chosen: Chosen) -> None:
    """The collection in numbers, with ways to review it and to see it as a map."""
    people = counted(found.reviewers, "person", "people")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            f"**{counted(found.ready, 'work')}**, {found.decided:,} decided by {people}, "
            f"{counted(found.decisions, 'decision')} in all."
            + (
                f" {counted(found.works - found.ready, 'work')} without a picture."
                if found.works > found.ready
                else ""
            ),
            width="stretch",
        )
        link = {PARAMETER: collection.name}
        st.page_link(
            "pages/review/artworks.py",
            label="Review",
            icon=":material/palette:",
            query_params=link,
        )
        if chosen.estimates is not None and chosen.estimates.table:
            st.page_link(
                "pages/explore/embeddings.py",
                label="As a map",
                icon=":material/scatter_plot:",
                query_params={
                    "collection": Path(chosen.estimates.table).parent.name,
                    "checkpoint": chosen.estimates.checkpoint,
                },
            )
