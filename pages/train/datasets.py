"""Data sets: what is in labelled images, and what is wrong with them before training."""

import streamlit as st

from emoviz.ui import shell
from emoviz.ui.curation import (
    contents,
    examining,
    faults,
    light,
    preparing,
    taking,
    thresholds,
)
from emoviz.ui.curation.subject import open_subject
from emoviz.ui.library import bring_in, set_form
from emoviz.ui.library import sets as library
from emoviz.ui.linked import linked_segments

VIEWS = {
    "contents": "What is in it",
    "faults": "What is wrong with it",
    "light": "Light and colour",
    "seen": "Text and faces",
    "prepare": "Prepare",
    "out": "Take out",
}

FORM = "datasets"

context = shell.current()
settings = context.settings

st.title("What is in your data, and what is wrong with it?", anchor=False)
st.markdown(
    "Before a network learns from labelled images, look at them: copies that stand in two splits "
    "make a result too good, wrong labels make it too bad, and a set whose sad pictures are "
    "simply dark teaches darkness. Nothing that you do here changes your images."
)
busy = set_form.watch(settings, FORM)
library.tell()
library.undo_bar(settings)
known = library.choose(settings)
wanted = known is None or bring_in.failed(FORM)
with st.expander("Bring in a set", icon=":material/upload:", expanded=wanted):
    set_form.show(settings, FORM, busy, published=True)
if known is None:
    st.info(
        "There is no labelled set yet. Bring one in above: folders of images of your own, a "
        "table, or a published set that you unpacked on this machine.",
        icon=":material/dataset:",
    )
    st.stop()
subject = open_subject(settings, known)
if subject is None:
    library.remove_button(settings, known)
    st.stop()
preparing.next_steps(known.id)
contents.summary(subject)
working = examining.watch(subject, settings)
view = linked_segments("View", VIEWS, "view")

if view == "contents":
    contents.show_counts(subject)
    contents.show_wall(subject, settings)
    st.header("Where it comes from", anchor=False)
    contents.show_origin(subject, settings)
    set_form.show_refused(settings, known.id)
    contents.leave(known, settings)
elif view == "out":
    taking.show(subject, settings)
elif subject.found is None:
    if not working:
        examining.missing(subject, settings, context.checkpoint)
elif view == "faults":
    examining.overview(subject)
    kind = faults.choose(subject)
    if kind:
        faults.show(subject, kind, settings)
    with st.expander("Examine it anew", icon=":material/troubleshoot:"):
        examining.offer(subject, settings, context.checkpoint)
elif view == "light":
    light.show(subject)
elif view == "seen":
    thresholds.show(subject, settings, context.checkpoint)
else:
    preparing.show(subject, settings)
