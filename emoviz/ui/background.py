"""A long task on a page: started once, watched by every session, cancelled by a button."""

from collections.abc import Sequence
from typing import Literal

import streamlit as st

from emoviz import jobs
from emoviz.errors import BusyError
from emoviz.review.rights import RightName
from emoviz.settings import Settings
from emoviz.ui import access
from emoviz.ui.language import plural, tr, translated
from emoviz.ui.words import duration, plain

Outcome = Literal["none", "live", "done", "ended"]
_EVERY = 0.5
_QUEUE, _AT_ONCE = "work", 2  # over all sessions and replicas: a task takes a core or two


def outcome(settings: Settings, key: str) -> Outcome:
    """Whether there is a task of that key, and whether it goes on, was done, or ended early."""
    job = jobs.find(settings, key)
    if job is None:
        return "none"
    if job.is_live:
        return "live"
    return "done" if job.state == "done" else "ended"


@access.acts("compute")
def begin(settings: Settings, what: str, command: Sequence[str], key: str) -> None:
    """Start a task; a running one of the same key is left to run."""
    try:
        jobs.start(settings, what, command, key, _QUEUE, _AT_ONCE, access.signed_in(settings))
    except BusyError as error:
        st.error(translated(str(error)), icon=":material/hourglass_top:")
    except OSError as error:
        words = tr("It cannot be started: {reason}", reason=plain(str(error)))
        st.error(words, icon=":material/error:")


@st.fragment(run_every=_EVERY)
def watch(settings: Settings, key: str, right: RightName = "compute") -> None:
    """A task's progress with an estimate and a stop; draws the page anew once it has ended.

    Args:
        settings: Where tasks are.
        key: The task's.
        right: What starting it needed, and stopping it needs.
    """
    job = jobs.find(settings, key)
    if job is None:  # it could not be started, which `begin` told
        return
    if not job.is_live:
        st.rerun()
    progress = job.progress
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(progress.share, _words(job, progress))
        if access.allowed(right):
            st.button(
                tr("Stop"),
                key=f"stop-{key}",
                icon=":material/stop_circle:",
                on_click=_cancel,
                args=(job, right),
            )


def explain(settings: Settings, key: str) -> None:
    """Why a task ended before it was done, in a sentence."""
    job = jobs.find(settings, key)
    if job is None or job.state in ("done", "cancelled"):
        return
    words = tr(
        "{task} ended early. {reason} What is done is kept.", task=job.what, reason=reason(job)
    )
    st.warning(plain(words), icon=":material/error:")


def reason(job: jobs.Job) -> str:
    """Why a task ended early, as a sentence for people; what it printed is for its log."""
    if job.state == "cancelled":
        return tr("It was stopped.")
    return translated(job.error) or tr(
        "Something happened that emoviz does not know of. Try it once more; if it happens again, "
        "tell whoever installed emoviz."
    )


def _words(job: jobs.Job, progress: jobs.JobProgress) -> str:
    if job.state == "queued" and (ahead := job.ahead):
        return plural(
            "{task} begins once {count} task before it has ended",
            "{task} begins once {count} tasks before it have ended",
            ahead,
            task=job.what,
        )
    words = plain(progress.words or job.what)
    left = progress.seconds_left
    return (
        words if left is None else tr("{task}, about {time} left", task=words, time=duration(left))
    )


@access.acts("compute")
def _cancel(job: jobs.Job, right: RightName) -> None:
    if access.allowed(right):
        job.cancel()
