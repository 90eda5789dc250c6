"""Evaluate: how good is this network on these images, and can it be trusted?"""

import streamlit as st

from emoviz.checkpoints import list_checkpoints
from emoviz.data.reading import SAMPLE
from emoviz.ui import shell
from emoviz.ui.explorer import board, sources
from emoviz.ui.explorer.pictures import Pictures
from emoviz.ui.library import bring_in
from emoviz.ui.measure import asking, evaluating, pairing, rivals, unlabelled
from emoviz.ui.measure.subject import choose_labels, single

context = shell.current()
settings = context.settings

st.title("How good is this network?", anchor=False)
st.markdown(
    "Choose labelled images: the network's answers are set beside the labels, every number with an "
    "interval. Without labels you see what needs none."
)
if context.checkpoint is None:
    shell.explain_no_checkpoint(settings)
    st.stop()

form = sources.image_form(settings, "evaluate", rivals.PREDICTIONS)
bring_in.tell(form, settings)
known = {item.card.id: item for item in list_checkpoints(settings)[0]}
with st.container(horizontal=True, vertical_alignment="bottom"):
    source = sources.choose(settings, vectors=False)
    others = pairing.choose_others(
        known, context.checkpoint, "In an ensemble with", "with", 5, wanted=0
    )
    rival = rivals.choose(settings, "Answers of", "the network in the sidebar")
    labels_place = st.container(width=200)

if source.key == SAMPLE:
    st.info(
        "These are the images that come with emoviz, for trying the page. Their labels were given "
        "by the project, not by viewers, and they are few: the numbers below say nothing of how "
        "good the network is. Bring in labelled images of your own below.",
        icon=":material/science:",
    )
pictures = Pictures(settings)
if rival is not None:
    own = rivals.alone(rival)
    if own is not None:
        evaluating.show(own, pictures, settings)
elif others:
    found = pairing.together(source, [context.checkpoint, *others], settings, labels_place)
    if found is not None:
        evaluating.show(pairing.as_one(found), pictures, settings)
elif (points := sources.points(source, context.checkpoint, settings)) is not None:
    file = sources.file_of(source, context.checkpoint, settings)
    with labels_place:
        labels = choose_labels(source, points, settings)
    if labels is None:
        unlabelled.show(points, context.checkpoint, file)
        board.show_image(points, pictures)
    else:
        item = single(source, context.checkpoint, points, file, labels)
        evaluating.show(item, pictures, settings)
with st.expander("Bring in images of your own", icon=":material/add_photo_alternate:"):
    bring_in.show(form, settings)
asking.show(source, context.checkpoint.card.taxonomy, settings)
