"""Compare: is one network better than another on the same images?"""

import streamlit as st

from emoviz.checkpoints import list_checkpoints
from emoviz.ui import shell
from emoviz.ui.explorer import board, sources
from emoviz.ui.explorer.pictures import Pictures
from emoviz.ui.library import bring_in
from emoviz.ui.linked import linked_segments
from emoviz.ui.measure import across, asking, comparison, pairing, reporting, rivals
from emoviz.ui.measure.subject import offer_unseen, say_what_is_measured

WAYS = {
    "pair": "Two networks",
    "ensemble": "A network and an ensemble",
    "runs": "Several runs",
    "sets": "Networks x sets",
}
VIEWS = {
    "measures": "Measures",
    "changed": "Changed answers",
    "confusion": "Confusion",
    "sentiment": "Sentiment",
}
INTRODUCTIONS = {
    "pair": "A is the network in the sidebar. B answers on the same images.",
    "ensemble": "A is the network in the sidebar. B is the mean of several, as if it were one.",
    "runs": "Trainings of one recipe with several seeds: mean and standard deviation.",
    "sets": "Each network on each set, through the proposed bridges.",
}
# way -> label of the box, how many at most, how many to begin with, how few
OTHERS = {
    "pair": ("B: compared with", 1, 1, 1),
    "ensemble": ("B: the ensemble of", 5, 2, 2),
    "runs": ("Together with", 7, 1, 1),
    "sets": ("Together with", 7, 1, 0),
}

context = shell.current()
settings = context.settings

st.title("Is one network better than another?", anchor=False)
if context.checkpoint is None:
    shell.explain_no_checkpoint(settings)
    st.stop()
known = {item.card.id: item for item in list_checkpoints(settings)[0]}
form = sources.image_form(settings, "compare", rivals.PREDICTIONS)
bring_in.tell(form, settings)
way = linked_segments("Compare", WAYS, "compare")
st.markdown(INTRODUCTIONS[way])

label, most, wanted, fewest = OTHERS[way]
with st.container(horizontal=True, vertical_alignment="bottom"):
    source = sources.choose(settings, vectors=False) if way != "sets" else None
    others = pairing.choose_others(known, context.checkpoint, label, way, most, wanted)
    rival = None
    if way == "pair":
        rival = rivals.choose(settings, "B: another program", "the network beside")
if source is None:
    across.show([context.checkpoint, *others], settings)
    st.stop()
if rival is None and len(others) < fewest:
    st.info(
        f"Choose {'a network' if fewest == 1 else 'two networks or more'} above. Others come "
        f"from a training, or go into `{settings.user_checkpoints}`.",
        icon=":material/compare_arrows:",
    )
    bring_in.show(form, settings)
    asking.show(source, context.checkpoint.card.taxonomy, settings)
    st.stop()

if rival is not None:
    found = rivals.beside(source, context.checkpoint, rival, settings)
else:
    found = pairing.together(source, [context.checkpoint, *others], settings)
if found is not None:
    found = offer_unseen(found, settings)
if found is not None and not len(found[0].judged):
    st.info(
        "No image has a label that all of these networks can answer. Tick the classes above, or "
        "choose other images or networks.",
        icon=":material/join_inner:",
    )
elif found is not None:
    say_what_is_measured(*found, settings=settings)
    if way == "runs":
        comparison.show_runs(found)
        st.stop()
    pictures = Pictures(settings)
    one, other = found[0], found[1] if way == "pair" else pairing.as_one(found[1:])
    view = linked_segments("Look at", VIEWS, "part")
    if view == "confusion":
        comparison.show_confusion(one, other, pictures)
    elif view == "sentiment":
        comparison.show_sentiment([one.judged, other.judged])
    elif view == "measures":
        comparison.show_measures(one, other, settings)
    else:
        comparison.show_changed(one, other, pictures)
    reporting.offer_comparison(one, other, settings)
    board.show_image(one.points, pictures)
with st.expander("Bring in images of your own", icon=":material/add_photo_alternate:"):
    bring_in.show(form, settings)
asking.show(source, context.checkpoint.card.taxonomy, settings)
