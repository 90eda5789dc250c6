"""Textures and explanations: why does the network say so, of one image or of two?"""

import streamlit as st

from emoviz.errors import EmovizError
from emoviz.ui import intake, shell, whatif
from emoviz.ui.review import explained
from emoviz.ui.running import run_pending
from emoviz.ui.textures import grams, nearby, parts, pictures, regions, subject
from emoviz.ui.wording import EVOKED, wording
from emoviz.ui.words import plain, sentence
from emoviz.ui.workspace import workspace

VIEWS = ("Where", "Style or content", "Textures", "What if")

context, space = shell.current(), workspace()
words = wording(context.checkpoint.card.taxonomy) if context.checkpoint else EVOKED

st.title("Why does the network say so?", anchor=False)
st.markdown(
    f"What lies behind **the model's estimate of {words.subject}**: which regions spoke for it, "
    "how much came from style and how much from content, and what the network sees of texture."
)
if context.checkpoint is None:
    shell.explain_no_checkpoint(context.settings)
    st.stop()
intake.follow_link(context.settings)
explained.follow_link(context.settings)
if not run_pending(space, context):
    st.stop()
rows = space.results(context.identity)
if not rows:
    intake.notes()
    intake.drop_zones(context.settings)
    intake.sample_gallery(context.settings, "Or press a sample image")
    st.stop()
chosen = subject.choose(rows, context)
if chosen is None:
    st.stop()
image, beside = chosen
both = [image] if beside is None else [image, beside]
st.markdown(sentence(image.prediction, words))
view = st.segmented_control(
    "View",
    VIEWS,
    default=VIEWS[0],
    required=True,
    key="textures-view",
    label_visibility="collapsed",
    persist_state="session",
)
try:
    if view == "Where":
        regions.show(context, both)
    elif view == "Style or content":
        parts.show(context, both)
    elif view == "Textures":
        st.header("Texture pictures", anchor=False)
        pictures.show(context, both)
        st.header("Gram matrices", anchor=False)
        grams.show(context, image, beside)
        nearby.show(context, image)
    else:
        texture = pictures.finished(context, image.sha256)
        whatif.show(context, image.prediction, image.data, texture)
        if texture is None:
            st.caption("Make its texture picture under Textures, and it can be tried here too.")
except EmovizError as error:
    st.error(plain(str(error)), title="This cannot be explained", icon=":material/error:")
