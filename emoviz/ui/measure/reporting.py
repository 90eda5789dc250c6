"""The report to take home: one HTML file that opens anywhere, Markdown, JSON."""

import json
import time
from collections.abc import Callable

import streamlit as st

from emoviz.experiments.assess import Values
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
from emoviz.ui.measure import computed
from emoviz.ui.measure.subject import EvaluationSubject
from emoviz.ui.words import duration


def offer(item: EvaluationSubject, settings: Settings) -> None:
    """The evaluation to take home; it is computed when it is asked for."""
    _offer(computed.evaluating(item, settings).result, "emoviz-evaluation", settings)


def offer_comparison(one: EvaluationSubject, other: EvaluationSubject, settings: Settings) -> None:
    """The comparison to take home."""
    _offer(computed.comparing(one, other, settings).result, "emoviz-comparison", settings)


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


def _offer(make: Callable[[], Values], name: str, settings: Settings) -> None:
    def page() -> str:
        values = make()
        with_pictures = Pictures(settings).get_many(wanted_pictures(values))
        return html_report(values, with_pictures)

    ways: tuple[tuple[str, Callable[[], str | bytes], str, str], ...] = (
        ("One page (HTML) to read, print, pass on", page, "html", "text/html"),
        ("Markdown", lambda: markdown_report(make()), "md", "text/markdown"),
        ("JSON, for a program", lambda: json_report(make()), "json", "application/json"),
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
        _offer_paper(make, f"{name}.zip")


@st.fragment  # the page below need not wait for some seconds of drawing
def _offer_paper(make: Callable[[], Values], name: str) -> None:
    if not st.button(
        "For a paper (ZIP): figures as SVG and PDF, LaTeX tables, methods",
        key=f"prepare-{name}",
        icon=":material/inventory_2:",
        width="stretch",
    ):
        return
    bar, first = st.progress(0.0, "Measuring"), 0.0

    def watch(done: int, total: int) -> None:
        nonlocal first
        if done == 1:  # it took the start of the drawing library, too
            first = time.monotonic()
        left = (time.monotonic() - first) / (done - 1) * (total - done) if done > 1 else None
        words = f"{done} of {total} figures"
        bar.progress(
            done / total, words if left is None else f"{words}, about {duration(left)} left"
        )

    try:
        values = make()
        bar.progress(0.0, "Drawing the figures")
        archive = paper_report(values, watch)
    finally:
        bar.empty()
    st.download_button(
        "Download the ZIP",
        archive,
        name,
        "application/zip",
        icon=":material/download:",
        type="primary",
        on_click="ignore",
        width="stretch",
    )
