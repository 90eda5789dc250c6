"""What goes home: exports in every form, and a labelled set with one press. For managers."""

import shutil
import tempfile
from pathlib import Path

import streamlit as st

from emoviz.data.library import free_id
from emoviz.errors import EmovizError
from emoviz.review import ReviewStore
from emoviz.review.exports import FORMS, export
from emoviz.review.labelling import Rule, make_set
from emoviz.settings import Settings
from emoviz.ui.review.queue import Chosen
from emoviz.ui.words import counted, plain

_RULES: dict[Rule, str] = {
    "majority": "the emotion that most people named",
    "shares": "the shares of people's votes",
}


def show(store: ReviewStore, chosen: Chosen, settings: Settings) -> None:
    """Exports beside the labelled set."""
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**For other systems**")
        _export(store, chosen, settings)
    with right:
        st.markdown("**For training and evaluation**")
        _labelled(store, chosen, settings)


def _export(store: ReviewStore, chosen: Chosen, settings: Settings) -> None:
    form = st.selectbox(
        "Form", list(FORMS), format_func=lambda name: FORMS[name].title, key="export-form"
    )
    if not st.button("Prepare the download", icon=":material/inventory_2:", key="export-make"):
        return
    try:
        with st.spinner("Writing"):
            data, name, words = _written(store, chosen, settings, form or "csv")
    except (EmovizError, OSError) as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    st.download_button(
        f"Download {name}",
        data,
        name,
        FORMS[form or "csv"].mime,
        icon=":material/download:",
        on_click="ignore",
        type="primary",
    )
    st.caption(words)


def _written(
    store: ReviewStore, chosen: Chosen, settings: Settings, form: str
) -> tuple[bytes, str, str]:
    """Bytes, a file's name, and what is in it; a folder becomes a ZIP."""
    suffix, stem = FORMS[form].suffix, f"{chosen.collection.name}-{form}"
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / f"{stem}{suffix}"
        done = export(store, settings, chosen.collection, form, out, chosen.estimates)
        if done.path.is_dir():
            out = Path(shutil.make_archive(str(Path(folder) / stem), "zip", done.path))
        left = f" {counted(len(done.left_out), 'work')} left out." if done.left_out else ""
        return out.read_bytes(), out.name, f"{done.count:,} {done.what}.{left}"


def _labelled(store: ReviewStore, chosen: Chosen, settings: Settings) -> None:
    rule = st.selectbox(
        "Each work gets", list(_RULES), format_func=lambda name: _RULES[name], key="set-rule"
    )
    title = f"{chosen.collection.title or chosen.collection.name}, reviewed"
    if not st.button("Make a labelled set of it", icon=":material/dataset:", key="set-make"):
        st.caption("Training and evaluation take it as it is, with where it came from.")
        return
    try:
        made = make_set(
            store,
            settings,
            chosen.collection,
            free_id(settings, title),
            title,
            rule,
            chosen.estimates,
        )
    except (EmovizError, OSError) as error:
        st.warning(plain(str(error)), icon=":material/error:")
        return
    st.success(
        f"{counted(made.count, 'labelled image')} in the library as `{made.id}`. On the command "
        f"line: `python -m emoviz train RECIPE --data {plain(str(made.path))}`",
        icon=":material/check_circle:",
    )
