"""How well the regions of the map agree with the labels, for one or two checkpoints."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from emoviz.analysis.bootstrap import Interval
from emoviz.analysis.clustering import EXACT_UP_TO
from emoviz.ui.explorer.agreement import MEASURES, LabelAgreement, comparable, difference, measure
from emoviz.ui.explorer.points import Points
from emoviz.ui.explorer.scene import View
from emoviz.ui.words import counted, plain

_GUIDE = """
- **Accuracy**: how often the most likely class is the label.
- **ARI**, **NMI**: how well k-means clusters of u match the labels; 0 by chance, 1 in full.
- **ASR**: the share of images within delta of more than one cluster center: the smaller, the
  clearer the regions. Delta is a percentile of all distances between images.
- **Silhouette** of the labels in u: near 1 for compact regions, below 0 where labels mix.

In brackets: where the number falls in 95 of 100 resamples of the images (clusters and delta held
fixed). A difference whose bracket leaves out 0 is more than the choice of these images.
"""


def show(views: Sequence[View]) -> None:
    """A folded table; nothing is computed before it is opened."""
    label = "How well do the regions agree with the labels?"
    with st.expander(label, icon=":material/straighten:", on_change="rerun", key="agree") as place:
        if place.open:
            _table(views)


def _table(views: Sequence[View]) -> None:
    rows = _common(views)
    if not len(rows):
        st.info("These images have no labels that the model's classes can be compared with.")
        return
    percent = st.slider(
        "Delta of ASR: percentile of the distances between images",
        1,
        50,
        10,
        key="delta",
        bind="query-params",
        help="The dissertation takes the 10th.",
    )
    exact = len(rows) > EXACT_UP_TO and st.toggle(
        "Delta from all pairs of images, which takes minutes", key="exact"
    )
    with st.spinner("Clustering and resampling …"):
        found = [
            _measured(view.points, own, view.file, view.file.stat().st_mtime_ns, percent, exact)
            for view, own in ((view, view.rows[rows]) for view in views)
        ]
    measured = [item for item in found if item is not None]
    if len(measured) < len(views):
        st.info("Two labels and some images of each are needed.")
        return
    st.caption(f"On {counted(len(rows), 'image')} with a label.")
    st.table(_frame(views, measured))
    for view, item in zip(views, measured, strict=True):
        how = f"± {item.delta_error:.4f}, of two million sampled pairs"
        delta = f"{item.delta:.3f} {how if item.delta_error else 'of all pairs'}"
        st.caption(f"{plain(view.points.title)}: delta = {delta}.")
    st.markdown(_GUIDE)


def _common(views: Sequence[View]) -> NDArray[np.int64]:
    """Rows of the first view that every view can be measured on."""
    rows = comparable(views[0].points)
    for view in views[1:]:
        rows = rows[np.isin(view.rows[rows], comparable(view.points))]
    return rows


@st.cache_resource(max_entries=12, show_spinner=False)
def _measured(
    _points: Points,
    rows: NDArray[np.int64],
    file: Path,
    changed: int,
    percent: float,
    exact: bool,
) -> LabelAgreement | None:
    return measure(_points, rows, percent, exact)


def _frame(views: Sequence[View], measured: Sequence[LabelAgreement]) -> pd.DataFrame:
    columns = {
        plain(view.points.title): [
            *(_words(item.intervals[name]) for name in MEASURES),
            f"{item.silhouette:.3f}",
        ]
        for view, item in zip(views, measured, strict=True)
    }
    if len(measured) == 2 and np.array_equal(
        measured[0].outcomes.labels, measured[1].outcomes.labels
    ):
        found = difference(measured[0], measured[1])
        gap = measured[1].silhouette - measured[0].silhouette
        columns["difference"] = [
            *(_words(found[name], signed=True) for name in MEASURES),
            f"{gap:+.3f}",
        ]
    return pd.DataFrame(columns, index=[*MEASURES.values(), "Silhouette"])


def _words(item: Interval, signed: bool = False) -> str:
    kind = "+.3f" if signed else ".3f"
    return f"{item.value:{kind}} [{item.low:{kind}}, {item.high:{kind}}]"
