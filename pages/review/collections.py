"""Collections: which artworks are here, and how others come in."""

import streamlit as st

from emoviz.ui import shell
from emoviz.ui.language import tr
from emoviz.ui.library import bring_in
from emoviz.ui.review import collection_form, collections, linked_content

context = shell.current()
settings = context.settings

st.title(tr("Which artworks do you want to look at?"), anchor=False)
st.markdown(
    tr(
        "A collection is a set of artworks with what is known of them: from a museum's IIIF "
        "address, a folder, a ZIP or a table. Once it is here, the model estimates the emotions "
        "that each evokes, and you go through them and say where it is right."
    )
)
if context.checkpoint is None:
    shell.explain_no_checkpoint(settings)
    st.stop()
manages = collections.may_manage(settings)
if manages is None:
    st.stop()
busy = collection_form.watch(settings, context.checkpoint)
collections.damaged(settings)
known = collections.known(settings)
wanted = linked_content.asked(known)
found = collections.choose(known) if known else None
if wanted is not None:
    linked_content.show(wanted, found, settings, context.checkpoint, manages)
if found is not None:
    collections.summary(found, settings)
    collections.changes(found)
    linked_content.viewer(found)
    collections.rights(found)
    collections.actions(found, context.checkpoint, settings, manages)
    collections.wall(found, settings)
    collections.missing(found)
elif manages:
    st.info(
        tr(
            "There is no collection yet. Bring one in below, or begin with the images that come "
            "with emoviz."
        ),
        icon=":material/image:",
    )
    collection_form.sample_button(settings, context.checkpoint, primary=True)
if manages:
    st.header(tr("Bring in a collection"), anchor=False)
    bring_in.show(collection_form.form(settings, context.checkpoint), settings, busy)
    if known:
        collection_form.sample_button(settings, context.checkpoint)
else:
    st.caption(tr("A manager can bring in collections and remove them."))
with st.expander(tr("How this works"), icon=":material/help:"):
    st.markdown(
        tr(
            "- **Nothing is fetched unless you ask for it**, and only from the address that you "
            "gave. Addresses inside your own network are not asked unless the person who installed "
            "emoviz allowed it.\n"
            "- Images come one by one with a pause between them, at the size that is needed. You "
            "may close the page: it goes on. Stopped, it goes on from where it was.\n"
            "- What cannot be read is listed with the reason, and the others are here.\n"
            "- Titles, artists, dates and rights are the museum's own words. What the model says "
            "is **its estimate of the emotion that an artwork evokes**, never the emotion."
        )
    )
