"""Top-2 cross-sentiment: how often the two likeliest emotions are opposite, over theta."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from emoviz.analysis.cross_sentiment import CrossingCurve, CrossSentiment
from emoviz.analysis.resampling import share
from emoviz.experiments.published import Figure
from emoviz.labels import Taxonomy
from emoviz.plots.evaluation import theta_curve
from emoviz.ui import tables
from emoviz.ui.measure import published
from emoviz.ui.words import counted, plain

_GUIDE = (
    "An image is **eligible** where the first and the second probability both reach theta. Among "
    "these, the line is the share whose two likeliest classes have opposite sentiments: the less, "
    "the more of one mind the network is about what is pleasant. The higher theta, the fewer "
    "images are left (dotted), and the less the line says. It needs no labels."
)
_PAIRS = {
    "pos_neg": ("first positive, second negative", "#d1495b"),
    "neg_pos": ("first negative, second positive", "#e08e8e"),
    "pos_pos": ("both positive", "#e7ac13"),
    "neg_neg": ("both negative", "#2a57b9"),
}


@st.fragment
def show(curves: Sequence[tuple[str, CrossingCurve]], taxonomy: Taxonomy) -> None:
    """The slider, the counts at theta, the curve, and the tables of the seeds.

    A fragment: moving theta draws nothing else anew.

    Args:
        curves: (title, curve) of one model, or of two side by side.
        taxonomy: Of the classes.
    """
    if not taxonomy.signs.any():
        st.info(
            "The classes of this model have no sentiment, so none can be opposite.",
            icon=":material/info:",
        )
        return
    theta = st.slider(
        "Theta: the least probability of both of the two likeliest classes",
        0.0,
        0.5,
        0.0,
        0.01,
        key="theta",
        bind="query-params",
        help="0 takes every image; the dissertation also takes 0.3.",
    )
    rows = published.crossing_rows(taxonomy)
    for place, (title, curve) in zip(st.columns(len(curves), gap="medium"), curves, strict=True):
        with place:
            _one(title, curve, theta, rows, alone=len(curves) == 1)
    st.caption(_GUIDE)
    if rows:
        _beside(curves, theta, rows)


def at(curve: CrossingCurve, theta: float) -> CrossSentiment:
    """The counts at the step of the curve that is nearest to theta."""
    return curve.counts[int(np.argmin(np.abs(np.array(curve.thresholds) - theta)))]


def _one(
    title: str, curve: CrossingCurve, theta: float, rows: Sequence[Figure], alone: bool
) -> None:
    found = at(curve, theta)
    opposite = found.pos_neg + found.neg_pos
    rate = share(opposite, found.eligible)
    if not alone:
        st.markdown(f"**{plain(title)}**")
    if rate.value is None:
        st.info("No image is eligible at this theta: move it to the left.", icon=":material/info:")
    else:
        ends = (
            f" (95 % interval {100 * rate.low:.1f} to {100 * rate.high:.1f})"
            if rate.low is not None and rate.high is not None
            else f" ({rate.reason})"
        )
        st.markdown(
            f"**{100 * rate.value:.1f} %** of {counted(found.eligible, 'eligible image')} are "
            f"torn between opposite sentiments{ends}."
        )
        st.html(_strip(found))
    rates = np.array([np.nan if c.rate is None else c.rate for c in curve.counts], np.float64)
    figure = theta_curve(
        np.array(curve.thresholds),
        rates,
        np.array(curve.shares),
        theta,
        published.crossing_points(rows) if alone else None,
    )
    st.plotly_chart(figure, key=f"theta-{title}", alt="Cross-sentiment over theta")


def _strip(found: CrossSentiment) -> str:
    from emoviz.plots import shares_strip

    counts = [(words, getattr(found, pair)) for pair, (words, _) in _PAIRS.items()]
    return shares_strip(counts, dict(_PAIRS.values()), "The two likeliest classes")


def _beside(
    curves: Sequence[tuple[str, CrossingCurve]], theta: float, rows: Sequence[Figure]
) -> None:
    with st.expander("Beside the dissertation's Tables 5.11 to 5.13", icon=":material/menu_book:"):
        for value, name in ((0.0, "none"), (0.3, "0.3")):
            st.markdown(f"**theta {name}**")
            ours = [(title, at(curve, value)) for title, curve in curves]
            tables.draw(published.crossing_table(rows, ours, name))
        if theta not in (0.0, 0.3):
            st.caption("The dissertation prints no other theta.")
        for note in (published.CAUTION, *published.notes(rows)):
            st.caption(plain(note))
