"""Embeddings: what has the network learned, seen as a map of images?"""

import streamlit as st

from emoviz.errors import AnalysisError
from emoviz.ui import shell
from emoviz.ui.explorer import asking, board, controls, metrics, placing, scene, sources
from emoviz.ui.explorer.colouring import colourings
from emoviz.ui.explorer.pictures import Pictures
from emoviz.ui.library import bring_in
from emoviz.ui.words import plain

context = shell.current()
settings = context.settings

st.title("What has the network learned?", anchor=False)
st.markdown(
    "Each point is an image. Images lie close together where the network's inner view of them, "
    "the vector u, is alike: regions of one colour are emotions that it tells apart. Draw around "
    "points to see their pictures, or zoom in until few are in view: they become small pictures."
)
if context.checkpoint is None:
    shell.explain_no_checkpoint(settings)
    st.stop()

form = sources.image_form(settings, "explore", sources.VECTORS)
bring_in.tell(form, settings)
with st.container(horizontal=True, vertical_alignment="bottom", key="explore-controls"):
    source = sources.choose(settings)
    beside = None if source.is_vectors else controls.second_checkpoint(settings, context.checkpoint)
    kind = controls.map_kind()
    seed, chosen = controls.map_settings(kind)
    colour_place, find_place, center_place = (
        st.container(width=200),
        st.container(width=210),
        st.container(width=150),
    )

views: list[scene.View] = []
for checkpoint in [context.checkpoint, *([beside] if beside else [])]:
    points = sources.points(source, checkpoint, settings)
    if points is None:
        continue
    file = sources.file_of(source, checkpoint, settings)
    try:
        layout = scene.layout_of(points, file, kind, seed, chosen, settings)
    except AnalysisError as error:
        st.error(plain(str(error)), icon=":material/error:")
        continue
    made_by = None if source.is_vectors else checkpoint
    views.append(scene.view_of(points, file, made_by, layout, views[0] if views else None))

if views:
    first, file = views[0].points, views[0].file
    ways = colourings(
        first,
        lambda: scene.clusters(first, file, file.stat().st_mtime_ns, scene.class_count(first)),
    )
    with colour_place:
        colour = controls.colour_by(list(ways))
    with find_place:
        find = controls.wanted_text()
    with center_place:
        centers = controls.show_centers(first)
    pictures = Pictures(settings)
    event = scene.show(views, ways[colour](), find, centers, pictures, settings)
    if not source.is_vectors:
        placing.ways_in(settings)
    board.show(first, event, pictures)
    if views[0].checkpoint is not None:
        asking.show(first, views[0].checkpoint, pictures, settings)
    metrics.show(views)
with st.expander("Bring in images or vectors", icon=":material/add_photo_alternate:"):
    bring_in.show(form, settings)
