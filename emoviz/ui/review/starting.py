"""What a Review page says while something is missing, and what to do about it."""

from pathlib import Path

import streamlit as st

from emoviz.errors import EmovizError
from emoviz.review import ArtworkCollection, Counts, Reviewer, ReviewStore, open_store
from emoviz.review.acquire import read_gathered
from emoviz.settings import Settings
from emoviz.ui.language import marked, number, plural, tr
from emoviz.ui.review import collection_form, collections
from emoviz.ui.review.queue import PARAMETER, Chosen
from emoviz.ui.shell import Context
from emoviz.ui.words import plain, told

COLLECTIONS = "pages/review/collections.py"
GUIDE = (
    marked(
        "**Every key is on its button.** The number of an emotion chooses it, pressed again it is "
        "stronger ●●●, weaker ●○○ or not chosen; several emotions may be chosen. **Enter** saves "
        "the choice, **A** agrees with the model's most likely emotion, **N** says that none of "
        "these fits, **S** skips."
    ),
    marked(
        "**U** takes your last decision back, as often as you like. Nothing is erased: an undo and "
        "a correction are kept beside what they correct."
    ),
    marked(
        "**M** goes to the note; Escape or Ctrl+Enter leaves it. **Z**, or a click on the picture, "
        "goes into the picture as deep as its pixels reach: wheel, + and -, arrows."
    ),
    marked(
        "**H** shows which regions spoke for the most likely emotion, **L** which works are alike, "
        "**W** leads to the Textures page and back to this place."
    ),
    marked("**Blind** hides what the model says until you have decided."),
    marked(
        "You may press faster than the server answers: each act belongs to the artwork that was on "
        "the screen, and waits in order until it is stored, also over a reload or a lost "
        "connection."
    ),
    marked(
        "**←** and **→** and the strip below lead to other artworks without deciding or taking "
        "back. **Keys …** sets keys of your own."
    ),
    marked(
        "What the model says is **its estimate of the emotion that the image evokes**, never the "
        "emotion."
    ),
)


def guide() -> None:
    """How the desk is used, behind a line that opens."""
    with st.expander(tr("How this works"), icon=":material/help:"):
        st.markdown("\n".join(f"- {tr(line)}" for line in GUIDE))


def store_or_stop(settings: Settings) -> ReviewStore:
    """The store; where it cannot be opened, the page says why and ends."""
    try:
        return open_store(settings)
    except EmovizError as error:
        title = tr("Decisions cannot be kept now")
        st.error(told(error), title=title, icon=":material/error:")
        st.stop()


def tell_changes(found: ArtworkCollection, settings: Settings) -> None:
    """Once a session: how the source of what is reviewed differed when it was looked at again."""
    try:
        changes = read_gathered(settings, found.name).changes
    except EmovizError:  # its name is none for a folder here: it came from another machine
        return
    told: set[str] = st.session_state.setdefault("told-changes", set())
    if changes and f"{found.uid} {changes.time}" not in told:
        told.add(f"{found.uid} {changes.time}")
        st.toast(collections.change_words(changes), icon=":material/update:", duration="long")


def explain_no_collection(reviewer: Reviewer, context: Context) -> None:
    """Nothing to review yet: the sample with one press, or a collection of one's own."""
    assert context.checkpoint is not None
    st.info(
        tr(
            "There is no collection yet. Bring one in, or begin with the images that come with "
            "emoviz."
        ),
        icon=":material/image:",
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        if reviewer.may_manage:
            collection_form.sample_button(context.settings, context.checkpoint, primary=True)
        st.page_link(COLLECTIONS, label=tr("To the collections"), icon=":material/collections:")


def explain_no_estimates(found: ArtworkCollection, context: Context) -> None:
    """The sidebar's checkpoint has not seen the collection: people can decide all the same."""
    assert context.checkpoint is not None
    title = plain(context.checkpoint.card.title)
    with st.container(horizontal=True, vertical_alignment="center", key="not-asked"):
        words = tr("**{network}** was not asked about this collection yet.", network=title)
        st.markdown(f":material/hub: {words}", width="content")
        st.page_link(
            COLLECTIONS,
            label=tr("Ask it"),
            icon=":material/play_arrow:",
            query_params={PARAMETER: found.name, "checkpoint": context.checkpoint.card.id},
        )


def counts(found: Counts, collection: ArtworkCollection, chosen: Chosen) -> None:
    """The collection in numbers, with ways to review it and to see it as a map."""
    words = [
        plural("**{count} work**", "**{count} works**", found.ready),
        plural(
            "{decided} decided by {count} person",
            "{decided} decided by {count} people",
            found.reviewers,
            decided=number(found.decided),
        ),
        plural("{count} decision in all", "{count} decisions in all", found.decisions),
    ]
    if found.works > found.ready:
        lacking = found.works - found.ready
        words.append(
            plural("{count} work without a picture", "{count} works without a picture", lacking)
        )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"{', '.join(words)}.", width="stretch")
        link = {PARAMETER: collection.name}
        st.page_link(
            "pages/review/artworks.py",
            label=tr("Review"),
            icon=":material/palette:",
            query_params=link,
        )
        if chosen.estimates is not None and chosen.estimates.table:
            st.page_link(
                "pages/explore/embeddings.py",
                label=tr("As a map"),
                icon=":material/scatter_plot:",
                query_params={
                    "collection": Path(chosen.estimates.table).parent.name,
                    "checkpoint": chosen.estimates.checkpoint,
                },
            )
