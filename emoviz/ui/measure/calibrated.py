"""Is the network as sure as it is right?"""

import numpy as np
import pandas as pd
import streamlit as st
from plotly.graph_objects import Figure

from emoviz.analysis.calibration import Calibration
from emoviz.analysis.calibration_error import ECE_BINS
from emoviz.analysis.metrics import METRICS, Metric
from emoviz.analysis.resampling import MetricEstimate, share
from emoviz.plots.evaluation import reliability_diagram
from emoviz.ui import tables
from emoviz.ui.measure import computed, numbers
from emoviz.ui.measure.subject import EvaluationSubject
from emoviz.ui.words import counted

_GUIDE = (
    "Each dot stands for the answers of about one confidence: on the dashed line, of ten answers "
    "with 70 % seven are right. Dots below it are **too sure** (red), above it **too cautious** "
    "(green). Grey bars: how many answers there are; a dot over a low bar says little. "
    "**ECE** is the mean distance from the line, weighted by the bars. **Temperature**: what would "
    "soften (above 1) or sharpen (below 1) the probabilities to fit these images; it changes no "
    "answer, only how sure it is."
)


def show(item: EvaluationSubject) -> None:
    """The reliability diagram, then the numbers."""
    found = computed.calibrated(item.key, item.judged)
    if not found.bins:
        st.info(found.reason or "There is nothing to measure.", icon=":material/info:")
        return
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.plotly_chart(_figure(found), key="reliability", alt="Reliability diagram")
    with right:
        st.markdown(_in_words(found))
        tables.draw(pd.DataFrame({"": _rows(found)}), header=False)
        for line in (found.how, found.reason):
            if line:
                st.caption(f"{line[:1].upper()}{line[1:]}.")
    st.caption(_GUIDE)


def _figure(found: Calibration) -> Figure:
    edges = np.linspace(0, 1, ECE_BINS + 1)
    confidence, accuracy = np.full(ECE_BINS, np.nan), np.full(ECE_BINS, np.nan)
    counts = np.zeros(ECE_BINS, np.int64)
    for one in found.bins:
        place = round(one.low * ECE_BINS)
        confidence[place], accuracy[place], counts[place] = one.confidence, one.accuracy, one.count
    return reliability_diagram(confidence, accuracy, counts, edges)


def _in_words(found: Calibration) -> str:
    images = sum(one.count for one in found.bins)
    sure = sum(one.count * one.confidence for one in found.bins) / images
    right = sum(one.count * one.accuracy for one in found.bins) / images
    gap = sure - right
    words = (
        "about as sure as it is right"
        if abs(gap) < 0.02
        else "surer than it is right"
        if gap > 0
        else "more cautious than it need be"
    )
    return (
        f"On {counted(images, 'image')} the model is **{words}**: its mean confidence is "
        f"{100 * sure:.1f} %, and {100 * right:.1f} % of its answers are right."
    )


def _rows(found: Calibration) -> dict[str, str]:
    percent, plain = METRICS["ece"], METRICS["brier"]
    widest = max(found.bins, key=lambda one: abs(one.confidence - one.accuracy))
    right = share(round(widest.accuracy * widest.count), widest.count)
    gap = numbers.number(found.largest, percent)
    gap += f": {numbers.number(widest.confidence, percent)} sure"
    rows: list[tuple[str, MetricEstimate | None, Metric]] = [
        (percent.title, found.ece, percent),
        (plain.title, found.brier, plain),
        ("Negative log-likelihood, nats", found.nll, plain),
        ("Largest gap of a bin", right, percent),
        ("Temperature that would fit", found.temperature, plain),
        ("ECE with it", found.ece_after, percent),
        ("Brier score with it", found.brier_after, plain),
    ]
    shown = {title: numbers.on_images(item, kind) for title, item, kind in rows if item is not None}
    shown["Largest gap of a bin"] = f"{gap}, {shown['Largest gap of a bin']} right"
    return shown
