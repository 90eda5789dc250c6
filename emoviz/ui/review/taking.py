"""What goes home: exports in every form, and a labelled set with one press. For managers."""

from datetime import datetime
from pathlib import Path

import streamlit as st

from emoviz import jobs
from emoviz.data.library import free_id
from emoviz.errors import EmovizError
from emoviz.review import ReviewStore
from emoviz.review.exports import FORMS, export
from emoviz.review.labelling import Rule, make_set
from emoviz.settings import Settings
from emoviz.ui import access, background
from emoviz.ui.review.queue import Chosen
from emoviz.ui.words import counted, plain

AT_ONCE = 300  # works of which an export is written while one waits
_RULES: dict[Rule, str] = {
    "majority": "the emotion that most people named",
    "shares": "the shares of people's votes",
}


@access.offers("export")
def show(store: ReviewStore, chosen: Chosen, settings: Settings) -> None:
    """Exports beside the labelled set; under blind review the decisions alone."""
    st.subheader("Take it home", anchor=False)
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**For other systems**")
        _export(store, chosen, settings)
    with right:
        st.markdown("**For training and evaluation**")
        if chosen.blind:
            st.caption("A labelled set can be made once the blind review is lifted.")
        else:
            _labelled(store, chosen, settings)


@access.offers("export")
def _export(store: ReviewStore, chosen: Chosen, settings: Settings) -> None:
    """At once where a collection is small, in a job of its own where it is large."""
    form = st.selectbox(
        "Form", list(FORMS), format_func=lambda name: FORMS[name].title, key="export-form"
    )
    form = form or "csv"
    if store.counts(chosen.collection.id).works > AT_ONCE:
        _later(chosen, settings, form)
    elif st.button("Prepare the download", icon=":material/inventory_2:", key="export-make"):
        try:
            with st.spinner("Writing"):
                file, words = _written(store, chosen, settings, form)
        except (EmovizError, OSError) as error:
            st.error(plain(str(error)), icon=":material/error:")
            return
        _offer(file, form, words)


def _written(store: ReviewStore, chosen: Chosen, settings: Settings, form: str) -> tuple[Path, str]:
    """The file, and what is in it."""
    out = _file(chosen, settings, form)
    done = export(store, settings, chosen.collection, form, out, chosen.estimates)
    return out, _words(done.count, done.what, len(done.left_out))


def _later(chosen: Chosen, settings: Settings, form: str) -> None:
    """A button that starts it, how far it is, and what was written last."""
    out, key = _file(chosen, settings, form), f"export {chosen.collection.uid} {form}"
    state = background.outcome(settings, key)
    if state == "live":
        background.watch(settings, key)
        return
    if state == "ended":
        background.explain(settings, key)
    done = state == "done" and out.is_file()
    st.button(
        "Prepare it again" if done else "Prepare the download",
        icon=":material/inventory_2:",
        key="export-make",
        on_click=_begin,
        args=(chosen, settings, form, out, key),
        help="A large collection takes a while; you may leave the page meanwhile.",
    )
    job = jobs.find(settings, key)
    if done and job is not None and job.progress.result is not None:
        result = job.progress.result
        words = _words(int(result["count"]), str(result["what"]), int(result["left_out"]))
        made = f"{datetime.fromtimestamp(job.started):%d %B %Y, %H:%M}"
        _offer(out, form, f"{words} As of {made}.")


@access.acts("export")
def _begin(chosen: Chosen, settings: Settings, form: str, out: Path, key: str) -> None:
    command = ["review", "export", chosen.collection.name, "--as", form, "--out", str(out)]
    if chosen.estimates is not None:
        command += ["--checkpoint", chosen.estimates.checkpoint]
    background.begin(settings, f"Export of {chosen.collection.title}", command, key)


def _file(chosen: Chosen, settings: Settings, form: str) -> Path:
    name = f"{chosen.collection.name}-{form}{FORMS[form].suffix}"
    return settings.home / "exports" / name


def _words(count: int, what: str, left_out: int) -> str:
    left = f" {counted(left_out, 'work')} left out." if left_out else ""
    return f"{count:,} {what}.{left}"


def _offer(file: Path, form: str, words: str) -> None:
    st.download_button(
        f"Download {file.name}",
        file.read_bytes,  # once it is pressed
        file.name,
        FORMS[form].mime,
        icon=":material/download:",
        on_click="ignore",
        type="primary",
    )
    st.caption(f"{words} It also lies in {plain(str(file.parent))}.")


@access.offers("export")
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
