"""One evaluation: what was measured, and the views of it, of which only the chosen is computed."""

import streamlit as st

from emoviz.settings import Settings
from emoviz.ui.explorer import board
from emoviz.ui.explorer.pictures import Pictures
from emoviz.ui.linked import linked_segments
from emoviz.ui.measure import (
    abstention,
    calibrated,
    computed,
    confusion,
    curved,
    overview,
    pictured,
    reporting,
    sentiment,
)
from emoviz.ui.measure.subject import (
    EvaluationSubject,
    offer_unseen,
    say_what_is_measured,
)

VIEWS = {
    "overview": "Overview",
    "confusion": "Confusion",
    "curves": "Curves",
    "sentiment": "Sentiment",
    "calibration": "Calibration",
    "mistakes": "Mistakes",
    "slices": "Slices",
    "unsure": "Not sure",
}


def show(item: EvaluationSubject, pictures: Pictures, settings: Settings) -> None:
    """The views, the one that the link names first, and the report."""
    (item,) = offer_unseen([item], settings)
    say_what_is_measured(item, settings=settings)
    if not len(item.judged):
        st.info(
            "No image has a label that a class of this model may be called. Tick the classes "
            "above, or choose another network.",
            icon=":material/join_inner:",
        )
        return
    view = linked_segments("Look at", VIEWS, "view")
    _view(view, item, pictures, settings)
    with st.container(horizontal=True, vertical_alignment="center"):
        reporting.offer(item, settings)
        link = {"collection": item.source.key}
        if item.members:
            link["checkpoint"] = item.members[0].card.id
        st.page_link(
            "pages/measure/compare.py",
            label="Set it against another network",
            icon=":material/compare_arrows:",
            query_params=link,
        )
    board.show_image(item.points, pictures)


def _view(view: str, item: EvaluationSubject, pictures: Pictures, settings: Settings) -> None:
    if view == "overview":
        overview.show(item, settings)
    elif view == "confusion":
        confusion.show(item, pictures)
    elif view == "curves":
        curved.show(item)
    elif view == "sentiment":
        curve = computed.crossings(item.key, item.judged)
        sentiment.show([(item.judged.name, curve)], item.judged.bridge.model)
    elif view == "calibration":
        calibrated.show(item)
    elif view == "mistakes":
        pictured.show_mistakes(item, pictures)
    elif view == "slices":
        pictured.show_slices(item, pictures)
    else:
        abstention.show(item, settings)
