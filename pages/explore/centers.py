"""Class centers: which emotions can the network not tell apart?"""

import streamlit as st

from emoviz.checkpoints import list_checkpoints
from emoviz.errors import AnalysisError
from emoviz.ui import centers, shell
from emoviz.ui.explorer import board, sources
from emoviz.ui.explorer.pictures import Pictures
from emoviz.ui.words import plain

context = shell.current()
settings = context.settings

st.title("Which emotions can the network not tell apart?", anchor=False)
st.markdown(
    "Every emotion has a center in the space of the vector u. Emotions whose centers are close are "
    "easily taken for one another; the contrastive-center loss pushes them at least a margin m "
    "apart."
)
if context.checkpoint is None:
    shell.explain_no_checkpoint(settings)
    st.stop()

known = {item.card.id: item for item in list_checkpoints(settings)[0]}
with st.container(horizontal=True, vertical_alignment="bottom"):
    source = sources.choose(settings, vectors=False)
    asked = centers.choose(known, context.checkpoint)

shown, views = [], {}
for checkpoint in asked:
    points = sources.points(source, checkpoint, settings)
    found = centers.centers_of(checkpoint, points.table if points is not None else None)
    if found is None:
        st.info(centers.why_none(checkpoint), icon=":material/info:")
        continue
    shown.append(found)
    if points is not None:
        views[checkpoint.card.id] = points
if not shown:
    st.stop()

st.header("Distances between the centers", anchor=False)
centers.matrices(shown)
centers.download(shown)
st.header("Which ones belong together", anchor=False)
centers.trees(shown)
st.header("Do they lie as psychology arranges emotions?", anchor=False)
centers.orders(shown)

pictures = Pictures(settings)
for found in shown:
    points = views.get(found.checkpoint.card.id)
    if points is None:
        continue
    st.header(plain(found.checkpoint.card.title), anchor=False, divider="gray")
    try:
        near, between, offset = st.tabs(
            ["Nearest to each center", "Caught between two", "Centers and class means"]
        )
        with near:
            board.look_at(points, centers.near_images(found, points, pictures))
        with between:
            board.look_at(points, centers.between_images(found, points, pictures))
        with offset:
            centers.offsets(found)
        board.show_image(points, pictures)
    except AnalysisError as error:
        st.info(plain(str(error)), icon=":material/info:")
