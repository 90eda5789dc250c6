"""How well the regions of the map agree with the labels, for one or two checkpoints."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st

from emoviz.analysis.alignment import AlignedPredictions, ModelOutputs, judge_together
from emoviz.analysis.clustering import (
    DELTA_PERCENT,
    EXACT_UP_TO,
    Clustering,
    DeltaRule,
    group_images,
)
from emoviz.analysis.metrics import METRICS, MeasuredImages, added_up, differences, measured
from emoviz.analysis.resampling import Intervals, MetricEstimate
from emoviz.ui import tables
from emoviz.ui.explorer.points import Points
from emoviz.ui.explorer.scene import View
from emoviz.ui.words import counted, plain

SHOWN = ("accuracy", "ari", "ami", "nmi", "asr", "silhouette")
_GUIDE = """
- **Accuracy**: how often the most likely class is the label.
- **ARI**, **AMI**: how well k-means clusters of u match the labels; 0 by chance, 1 in full.
- **NMI**: the same as AMI without the correction for chance, as papers print it.
- **ASR**: the share of images nearer than delta to more than one cluster center: the smaller, the
  clearer the regions. Delta is the largest of the smallest per cent of all distances.
- **Silhouette** of the labels in u: near 1 for compact regions, below 0 where labels mix.

In brackets: the 95 % confidence interval, for which clusters and delta are found anew in parts of
the images. A difference whose bracket leaves out 0 is more than the choice of these images.
"""


@dataclass(frozen=True)
class LabelAgreement:
    """One view's metrics on the images whose label it can be compared with.

    Attributes:
        images: What they add up to.
        estimates: Those of `SHOWN`.
        clustering: Delta and what is by chance.
    """

    images: MeasuredImages
    estimates: Mapping[str, MetricEstimate]
    clustering: Clustering


def aligned_views(views: Sequence[tuple[Points, np.ndarray]]) -> list[AlignedPredictions]:
    """Answers beside labels of one or two views of the same images.

    Args:
        views: Points, and the row of each image of the first of them (-1 where it has none).

    Returns:
        One a view, on the same images; empty where a view's classes and labels do not meet.
    """
    shared = np.flatnonzero(np.all([rows >= 0 for _, rows in views], axis=0))
    outputs, bridges = [], []
    for points, rows in views:
        if points.bridge is None or points.probabilities is None or points.taxonomy is None:
            return []
        at = rows[shared]
        outputs.append(
            ModelOutputs(
                points.title, points.taxonomy, points.probabilities[at], points.vectors[at]
            )
        )
        bridges.append(points.bridge)
    if len({bridge.labels.names for bridge in bridges}) > 1:
        return []
    return judge_together(outputs, views[0][0].labels[shared], bridges)


def agreement_of(aligned: AlignedPredictions, rule: DeltaRule) -> LabelAgreement | None:
    """None where there are fewer than two labels among them, or hardly more images than labels."""
    assert aligned.embedding is not None
    grouping = group_images(aligned.embedding, aligned.truth, rule=rule)
    if grouping is None:
        return None
    how = Intervals()
    images = added_up(aligned, grouping, how)
    found = measured(images, how, SHOWN)
    return LabelAgreement(images, found, grouping.measures)


def show(views: Sequence[View]) -> None:
    """A folded table; nothing is computed before it is opened."""
    label = "How well do the regions agree with the labels?"
    with st.expander(label, icon=":material/straighten:", on_change="rerun", key="agree") as place:
        if place.open:
            _table(views)


def _table(views: Sequence[View]) -> None:
    aligned = aligned_views([(view.points, view.rows) for view in views])
    images = len(aligned[0]) if aligned else 0
    noun = views[0].points.noun
    if not images:
        st.info(f"These {noun}s have no labels that the model's classes can be compared with.")
        return
    percent = st.slider(
        f"Delta of ASR: percentile of the distances between {noun}s",
        1,
        50,
        int(DELTA_PERCENT),
        key="delta",
        bind="query-params",
        help="The dissertation takes the 10th.",
    )
    exact = images > EXACT_UP_TO and st.toggle(
        f"Delta from all pairs of {noun}s, which takes minutes", key="exact"
    )
    stamp = " ".join(f"{view.file} {view.file.stat().st_mtime_ns}" for view in views)
    with st.spinner("Clustering …"):
        found = [
            _agreement(f"{stamp} {place} {percent} {exact}", item, percent, exact)
            for place, item in enumerate(aligned)
        ]
    known = [item for item in found if item is not None]
    if len(known) < len(views):
        st.info(f"Two labels and some {noun}s of each are needed.")
        return
    st.caption(f"On {counted(images, noun)} with a label.")
    tables.draw(_frame(views, known))
    for reason in {item.reason for one in known for item in one.estimates.values()} - {""}:
        st.caption(f"{reason[:1].upper()}{reason[1:]}.")
    for view, item in zip(views, known, strict=True):
        st.caption(f"{plain(view.points.title)}: {_about(item.clustering)}")
    st.markdown(_GUIDE)


def _about(clustering: Clustering) -> str:
    how = f"± {clustering.delta_error:.4f}, of two million sampled pairs"
    delta = f"{clustering.delta:.3f} {how if clustering.delta_error else 'of all pairs'}"
    return f"delta = {delta}; NMI would be {clustering.nmi_by_chance:.3f} by chance."


@st.cache_resource(max_entries=12, show_spinner=False)
def _agreement(
    key: str, _aligned: AlignedPredictions, percent: float, exact: bool
) -> LabelAgreement | None:
    return agreement_of(_aligned, DeltaRule(percent, exact=exact))


def _frame(views: Sequence[View], known: Sequence[LabelAgreement]) -> pd.DataFrame:
    titles = [view.points.title for view in views]
    columns = [[_words(item.estimates[name]) for name in SHOWN] for item in known]
    if len(known) == 2:
        apart = differences(known[0].images, known[1].images, Intervals(), SHOWN)
        titles.append("difference")
        columns.append([_words(apart[name], signed=True) for name in SHOWN])
    return pd.DataFrame(columns, index=titles, columns=[METRICS[name].title for name in SHOWN]).T


def _words(item: MetricEstimate, signed: bool = False) -> str:
    kind = "+.3f" if signed else ".3f"
    if item.value is None:
        return "–"
    if item.low is None or item.high is None:
        return f"{item.value:{kind}}"
    return f"{item.value:{kind}} [{item.low:{kind}}, {item.high:{kind}}]"
