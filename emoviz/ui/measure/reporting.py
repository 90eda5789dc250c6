"""The report to take home: one HTML file that opens anywhere, Markdown, JSON."""

import json
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
        (
            "For a paper (ZIP): figures as SVG and PDF, LaTeX tables, methods",
            lambda: paper_report(make()),
            "zip",
            "application/zip",
        ),
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
