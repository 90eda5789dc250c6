"""Overview: what do people and the model say of a collection, and where do they differ?"""

import streamlit as st

from emoviz.review.agreement import visible
from emoviz.review.labelling import label_of
from emoviz.ui import shell
from emoviz.ui.language import tr
from emoviz.ui.review import agreement, blind, people, queue, starting, taking, wall

context = shell.current()
settings = context.settings

st.title(tr("Where do people and the model agree?"), anchor=False)
if context.checkpoint is None:
    shell.explain_no_checkpoint(settings)
    st.stop()
store = starting.store_or_stop(settings)
reviewer = people.who(store, settings)
if reviewer is None:
    st.stop()

with st.container(horizontal=True, vertical_alignment="bottom", key="overview-controls"):
    collection = queue.collection(store, reviewer)
    if collection is not None:
        shell.entitle(tr("Overview, {title}", title=collection.title or collection.name))
        chosen = queue.choose(store, collection, context, reviewer, overview=True)
    people.badge(reviewer, store)
    if collection is not None:
        wanted = wall.wanted(store, chosen)
if collection is None:
    starting.explain_no_collection(reviewer, context)
    st.stop()
if chosen.blind:
    blind.explain(1)
elif chosen.estimates is None:
    starting.explain_no_estimates(collection, context)

decisions = visible(store.standing(collection.id), reviewer)
decided = store.decided_works(collection.id)
votes = {item.work: label_of(item) for item in decisions if item.kind != "skip"}
mine = {item.work: item for item in decisions if item.reviewer == reviewer.id}

starting.counts(store.counts(collection.id), collection, chosen)
pressed = wall.show(store, chosen, wanted, mine, decisions, settings)
st.header(tr("Emotions against what is known"), anchor=False)
wall.shares(store, chosen, decided, votes)
st.header(tr("Agreement"), anchor=False)
found = agreement.measured(store, chosen, decisions)
divided = agreement.show(found, {work.id: work for work in decided}, settings)
taking.show(store, chosen, settings)
work = pressed if pressed is not None else divided
if work is not None:
    st.switch_page("pages/review/artworks.py", query_params=queue.link(chosen, work))
