"""The WikiArt study: does the contrastive-center loss keep a network from wavering on paintings?"""

import streamlit as st

from emoviz.ui import shell
from emoviz.ui.measure import study

context = shell.current()
settings = context.settings

st.title("Does the loss keep the network from wavering?", anchor=False)
st.markdown(
    "The dissertation's study of paintings (its section on WikiArt), on yours: a network trained "
    "with the contrastive-center loss beside the same one without it. A network wavers where the "
    "two emotions that it finds most probable are opposite, such as awe and fear."
)
if context.checkpoint is None:
    shell.explain_no_checkpoint(settings)
    st.stop()
with st.container(horizontal=True, vertical_alignment="bottom", key="study-controls"):
    name, path = study.choose_collection(settings)
    pair = study.choose_pair(settings, context.checkpoint)
    if pair is not None:
        folder = study.folder_of(settings, name, pair)
        place = st.container(width="content")
if pair is None:
    st.warning(
        "The study compares two networks that know the same emotions, positive and negative "
        "ones, and there are none beside the one chosen in the sidebar. Choose a network such "
        "as mikels8 there, or train a second one on the Training page.",
        icon=":material/compare:",
    )
    st.stop()
with place:
    study.run_or_wait(settings, name, path, pair, folder)
study.result(settings, folder, pair[1], name)
with st.expander("How to read this", icon=":material/help:"):
    st.markdown(
        "- **eligible**: images whose two most probable emotions both reach theta and both have "
        "a sentiment. **pos-neg** means: first positive, second negative.\n"
        "- **opposite %** is the share of eligible images with pos-neg or neg-pos.\n"
        "- One trained network stands on each side. Another seed would give other numbers.\n"
        "- Paintings of your own come in on the **Collections** page; with WikiArt Emotions the "
        "estimates are also set against people's answers."
    )
st.caption("On the command line: `python -m emoviz experiment wikiart --data PATH --out DIR`")
