"""The report to take home: one HTML file that opens anywhere, Markdown, JSON."""

import json
import time
from collections.abc import Callable
from concurrent.futures import Future

import streamlit as st

from emoviz.plots.report import (
    html_report,
    json_report,
    markdown_report,
    paper_report,
    wanted_pictures,
)
from emoviz.settings import Settings
from emoviz.ui.explorer.pictures import Pictures
from emoviz.ui.explorer.points import Points
from emoviz.ui.measure import computed, later
from emoviz.ui.measure.subject import EvaluationSubject
from emoviz.ui.words import duration

_EVERY = 0.4  # seconds between two looks at how far the figures are


def offer(item: EvaluationSubject, settings: Settings) -> None:
    """The evaluation to take home; it is computed when it is asked for."""
    _offer(computed.evaluating(item, settings), "emoviz-evaluation", settings)


def offer_comparison(one: EvaluationSubject, other: EvaluationSubject, settings: Settings) -> None:
    """The comparison to take home."""
    _offer(computed.comparing(one, other, settings), "emoviz-comparison", settings)


def offer_unlabelled(points: Points, key: str) -> None:
    """What needs no labels, for programs."""
    assert points.table is not None
    table = points.table
    st.download_button(
        "Download as JSON",
        lambda: json.dumps(computed.described(key, table, points.title).to_dict(), indent=1),
        "emoviz-answers.json",
        "application/json",
        icon=":material/download:",
        on_click="ignore",
    )


def _offer(asked: computed.Asked, name: str, settings: Settings) -> None:
    def page() -> str:
        values = asked.result()
        with_pictures = Pictures(settings).get_many(wanted_pictures(values))
        return html_report(values, with_pictures)

    ways: tuple[tuple[str, Callable[[], str | bytes], str, str], ...] = (
        ("One page (HTML) to read, print, pass on", page, "html", "text/html"),
        ("Markdown", lambda: markdown_report(asked.result()), "md", "text/markdown"),
        ("JSON, for a program", lambda: json_report(asked.result()), "json", "application/json"),
    )
    with st.popover("Take the report home", icon=":material/download:"):
        st.caption(
            "It names the set and its hash, networks, versions, seed and bridge, and holds "
            "every number and figure. It opens without a network."
        )
        for label, text, suffix, kind in ways:
            st.download_button(
                label,
                text,
                f"{name}.{suffix}",
                kind,
                key=f"{name}-{suffix}",
                on_click="ignore",
                width="stretch",
            )
        _offer_paper(asked, f"{name}.zip")


class _Drawing:
    """How many figures are drawn, and about how long the others take."""

    def __init__(self) -> None:
        self._done, self._total, self._first = 0, 0, 0.0

    def __call__(self, done: int, total: int) -> None:
        if done == 1:  # it took the start of the drawing library, too
            self._first = time.monotonic()
        self._done, self._total = done, total

    def show(self) -> None:
        if not self._done:
            st.progress(0.0, "Drawing the figures")
            return
        words = f"{self._done} of {self._total} figures"
        if self._done > 1:
            each = (time.monotonic() - self._first) / (self._done - 1)
            words += f", about {duration(each * (self._total - self._done))} left"
        st.progress(self._done / self._total, words)


@st.cache_resource(max_entries=12, show_spinner=False)
def _drawing(key: str) -> _Drawing:
    return _Drawing()


def _offer_paper(asked: computed.Asked, name: str) -> None:
    """Drawn in the background: a script that draws is stopped by whatever draws the page anew."""
    key = f"paper {asked.key}"
    if st.session_state.get("paper") != key:
        st.button(
            "For a paper (ZIP): figures as SVG and PDF, LaTeX tables, methods",
            icon=":material/inventory_2:",
            on_click=st.session_state.update,
            args=({"paper": key},),
            width="stretch",
        )
        return
    drawing = _drawing(key)
    future = later.begin(key, lambda: paper_report(asked.make(), drawing))
    if not future.done():
        st.fragment(_watch, run_every=_EVERY)(future, drawing)
        return
    st.download_button(
        "Download the ZIP for a paper",
        future.result(),
        name,
        "application/zip",
        icon=":material/download:",
        type="primary",
        on_click="ignore",
        width="stretch",
    )


def _watch(future: Future[bytes], drawing: _Drawing) -> None:
    if future.done():
        st.rerun()
    drawing.show()
