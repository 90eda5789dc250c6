"""Runs: which training was best, and which network is worth keeping?"""

import streamlit as st

from emoviz.ui import shell
from emoviz.ui.linked import write_parameter
from emoviz.ui.training import importing, promotion, run_table, watching
from emoviz.ui.words import plain

context = shell.current()
settings = context.settings

st.title("Which network is worth keeping?", anchor=False)
st.markdown(
    "Every training leaves a run: its settings, its curves, its network. Tick several to lay their "
    "curves over each other; tick one to look at it, keep its network, or delete it."
)
importing.form(settings)
runs = run_table.listed(settings)
if not runs:
    st.info(
        "There is no run yet. Teach a network first: with the sample images it takes a minute.",
        icon=":material/model_training:",
    )
    st.page_link("pages/train/retrain.py", label="Retrain", icon=":material/model_training:")
    st.stop()
chosen = run_table.choose(runs)
run_table.say_where(settings, runs)
write_parameter("run", ",".join(run.id for run in chosen))
if not chosen:
    st.stop()
if len(chosen) > 1:
    run_table.compare(chosen)
    st.stop()

run = chosen[0]
st.header(plain(run.title), anchor=False, divider="gray")
st.caption(watching.facts(settings, run.folder))
if run.notes.get("text"):
    st.markdown(plain(str(run.notes["text"])))
run_table.actions(settings, run)
run_table.notes(settings, run)
watching.show(settings, run.folder)
if run.state == "done":
    promotion.summary(settings, run)
