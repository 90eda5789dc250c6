"""Receiver operating characteristics, and precision over recall, of each label against the rest."""

from collections.abc import Mapping

import numpy as np
import streamlit as st

from emoviz.analysis.curves import MACRO, MICRO, Curve
from emoviz.plots.evaluation import GREY, CurveLine, curves
from emoviz.ui.measure import computed
from emoviz.ui.measure.subject import EvaluationSubject
from emoviz.ui.words import plain, readable

_TOGETHER = {MICRO: "all answers together (micro)", MACRO: "mean over the labels (macro)"}
_GUIDE = (
    "Each curve takes one label against all others and lets the threshold fall, from only the "
    "surest answers to all. **Left**: the further a curve bends to the upper left, the better the "
    "model puts the label's images before the others; area 1 in full, 0.5 for a guess. **Right**: "
    "how pure the answers stay while more of the label's images are found; where a label is rare, "
    "this is the harder test. Press a name in the legend to hide its curve."
)


def show(item: EvaluationSubject) -> None:
    """Both figures, with their areas, intervals and numbers of images in the legend."""
    found = computed.all_curves(item.key, item.judged)
    for name, reason in found.missing.items():
        st.caption(f":material/block: {plain(name)} has no curve: {plain(reason)}.")
    if not found.roc:
        st.info(
            "Curves need a label that some images have and others do not.",
            icon=":material/show_chart:",
        )
        return
    left, right = st.columns(2, gap="medium")
    colours = item.judged.labels.colours
    with left:
        st.markdown("**ROC**")
        lines = _lines(found.roc, colours, "area")
        guess = np.array([[0.0, 0.0], [1.0, 1.0]])
        figure = curves(lines, "false alarms", "label's images found", guess)
        st.plotly_chart(figure, key="roc", alt="ROC curves")
    with right:
        st.markdown("**Precision and recall**")
        lines = _lines(found.precision_recall, colours, "AP")
        figure = curves(lines, "label's images found (recall)", "right among answers (precision)")
        st.plotly_chart(figure, key="precision-recall", alt="Precision over recall")
    st.caption(_GUIDE)


def _with_interval(curve: Curve) -> str:
    ends = "" if curve.low is None else f" ({curve.low:.3f} to {curve.high:.3f})"
    return f"{curve.area:.3f}{ends}, n {curve.n:,}"


def _lines(found: Mapping[str, Curve], colours: Mapping[str, str], area: str) -> list[CurveLine]:
    return [
        CurveLine(
            f"{_TOGETHER.get(name, readable(name))}: {area} {_with_interval(curve)}",
            np.array(curve.x),
            np.array(curve.y),
            colours.get(name, GREY),
            {MICRO: "dot", MACRO: "dash"}.get(name, "solid"),
            name in _TOGETHER,
        )
        for name, curve in found.items()
    ]
