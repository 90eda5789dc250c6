"""Artworks: does the model's estimate hold? One artwork after another, by keys."""

import streamlit as st

from emoviz.ui import shell
from emoviz.ui.language import tr
from emoviz.ui.review import desk_page, explained, people, queue, starting

context = shell.current()
settings = context.settings

desk_page.make_room()
st.title(tr("Which emotions do these artworks evoke?"), anchor=False)
if context.checkpoint is None:
    shell.explain_no_checkpoint(settings)
    st.stop()
store = starting.store_or_stop(settings)
reviewer = people.who(store, settings)
if reviewer is None:
    st.stop()

with st.container(
    horizontal=True, vertical_alignment="bottom", gap="xsmall", key="review-controls"
):
    collection = queue.collection(store, reviewer)
    if collection is not None:
        shell.entitle(tr("Review, {title}", title=collection.title or collection.name))
        chosen = queue.choose(store, collection, context, reviewer)
        people.badge(reviewer, store, lambda: queue.share_box(store, collection, reviewer))
    else:
        people.badge(reviewer, store)
if collection is None:
    starting.explain_no_collection(reviewer, context)
    st.stop()
if not reviewer.may_review:
    people.explain_no_right(reviewer)
    st.stop()
starting.tell_changes(collection, settings)
if chosen.estimates is None:
    starting.explain_no_estimates(collection, context)

desk_page.follow_link(chosen)
asked = desk_page.wish(chosen)
work = store.work(asked) if asked is not None else None
if work is not None:
    explained.lead(work, collection, queue.link(chosen, work.id), settings)
if desk_page.is_leaving(chosen):
    st.switch_page("pages/review/overview.py", query_params={queue.PARAMETER: collection.name})
desk_page.show(store, chosen, context)
starting.guide()
