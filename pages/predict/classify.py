"""Classify: which emotion does an image evoke, as estimated by the chosen network?"""

import streamlit as st

from emoviz.ui import board, intake, shell, whatif, why
from emoviz.ui.running import run_pending
from emoviz.ui.wording import EVOKED, wording
from emoviz.ui.workspace import workspace

context, space = shell.current(), workspace()

words = wording(context.checkpoint.card.taxonomy) if context.checkpoint else EVOKED
st.title(words.question, anchor=False)
st.markdown(words.task)
if words.caution:
    st.info(words.caution, icon=":material/face:")
if words.law:
    st.warning(words.law, icon=":material/gavel:")
if context.checkpoint is None:
    shell.explain_no_checkpoint(context.settings)
else:
    taxonomy = context.checkpoint.card.taxonomy
    intake.follow_link(context.settings)
    intake.drop_zones(context.settings)
    context = board.of_kind(context)
    run_pending(space, context, lambda: board.preview(space, context, taxonomy))
    intake.notes()
    rows = space.results(context.identity, context.abstention)
    refused = space.refusals(context.identity)

    if rows or refused:
        board.heading(rows, refused, context)
        board.overview(rows, taxonomy)
        board.refusals(refused)
        board.results(rows, taxonomy, context.rule)
        why.follow("pages/predict/classify.py")
        if rows:
            whatif.offer(context, rows)
        more = st.expander(
            "More sample images", icon=":material/photo_library:", on_change="rerun", key="more"
        )
        if more.open:
            with more:
                intake.sample_gallery(context.settings, "Press one to add it")
    elif not space.entries:
        intake.sample_gallery(context.settings, "Or press a sample image")
    intake.bring_in_more(context.settings)
