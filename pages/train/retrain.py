"""Retrain: teach a network with labelled images of one's own, and watch it learn."""

import streamlit as st

from emoviz.errors import EmovizError, NotInstalledError, require_training_packages
from emoviz.training.runs import read_run
from emoviz.training.simple_recipe import check_set, recipe_of
from emoviz.training.sweep import recipe_text
from emoviz.ui import shell
from emoviz.ui.library import bring_in, set_form
from emoviz.ui.library import sets as library
from emoviz.ui.linked import write_parameter
from emoviz.ui.training import choices, promotion, prompts, sets, sweeps, watching, work
from emoviz.ui.words import plain

FORM = "retrain"

context = shell.current()
settings = context.settings

st.title("Teach a network with your own images", anchor=False)
folder = work.watched(settings, st.query_params.get("run", ""))
if folder is not None:
    st.button(
        "A new training",
        icon=":material/add:",
        key="new-training",
        on_click=write_parameter,
        args=("run", ""),
    )
    st.header(plain(read_run(settings.runs, folder).title), anchor=False)
    st.caption(watching.facts(settings, folder))
    run = watching.show(settings, folder)
    if run.state == "done" and run.settings:
        promotion.summary(settings, run)
    st.stop()

st.markdown(
    "Choose labelled images, press Start, and watch. Nothing that is here already is changed; the "
    "new network is in the pickers of all pages only when you keep it."
)
prompts.offer(settings)
st.header("1. Images", anchor=False)
busy = set_form.watch(settings, FORM)
known = library.choose(settings)
wanted = known is None or bring_in.failed(FORM)
with st.expander("Bring in images of your own", icon=":material/upload:", expanded=wanted):
    set_form.show(settings, FORM, busy)
labelled = sets.read(known) if known is not None else None
if known is None or labelled is None:
    st.stop()
place = st.container()

st.header("2. Network", anchor=False)
chosen, start, classes = choices.choose(settings, known)
found = check_set(labelled, chosen.validation, chosen.test)
with place:
    sets.show(labelled, dict(found.counts))
    for warning in found.warnings:
        st.caption(f":material/warning: {plain(warning)}")
    st.caption(
        f"{found.splits['train']:,} to learn from, {found.splits['validation']:,} to watch, "
        f"{found.splits['test']:,} for the test at the end. Works of one artist stay together."
    )
if found.errors:
    st.error("\n\n".join(map(plain, found.errors)), title="This cannot be trained")
    st.stop()
try:
    recipe = recipe_of(chosen, classes, known, start)
except EmovizError as error:
    st.error(plain(str(error)), icon=":material/error:")
    st.stop()

st.header("3. Start", anchor=False)
try:
    require_training_packages()
except NotInstalledError as error:
    st.info(plain(str(error)), icon=":material/extension:")
    st.stop()
choices.show_cost(recipe, labelled, False, settings)
with st.container(horizontal=True, vertical_alignment="center"):
    if st.button("Start", type="primary", icon=":material/play_arrow:", key="start-training"):
        made = work.start_run(settings, recipe, str(known.path), chosen.name, known.id)
        if made is not None:
            write_parameter("run", made.name)
            st.rerun()
    st.download_button(
        "Recipe",
        recipe_text(recipe),
        f"{recipe.name}.yaml",
        "application/yaml",
        key="recipe",
        on_click="ignore",
        icon=":material/download:",
        help="The same on the command line: "
        f"`python -m emoviz train {recipe.name}.yaml --data {known.id} --run DIR`",
    )
    st.page_link("pages/train/runs.py", label="All runs", icon=":material/list:")
with st.expander("Several at once: a sweep", icon=":material/grid_view:"):
    sweeps.offer(settings, recipe, str(known.path), chosen.name)
