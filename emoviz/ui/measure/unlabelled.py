"""What can be said of a model's answers where nobody labelled the images."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import streamlit as st

from emoviz.analysis.metrics import METRICS
from emoviz.analysis.resampling import MetricEstimate
from emoviz.analysis.unlabelled import Unlabelled
from emoviz.checkpoints import Checkpoint
from emoviz.labels import SENTIMENT_COLOURS
from emoviz.plots import shares_strip
from emoviz.plots.evaluation import confidence_histogram
from emoviz.ui import tables
from emoviz.ui.explorer.points import Points
from emoviz.ui.measure import computed, numbers, reporting, sentiment
from emoviz.ui.words import counted

_RATE = METRICS["cross_sentiment"]
_GUIDE = (
    "Nobody said what these images evoke, so nothing here says how often the model is right. It "
    "says what the model answers, how sure it is, whether its two likeliest emotions agree in "
    "sentiment, and whether such images are like those that it was trained on."
)


def show(points: Points, checkpoint: Checkpoint, file: Path) -> None:
    """Shares of classes and sentiments, confidence, novelty, cross-sentiment."""
    assert points.table is not None
    key = f"{file} {file.stat().st_mtime_ns}"
    found = computed.described(key, points.table, points.title)
    if not found.n:
        st.info("None of these images could be read.", icon=":material/info:")
        return
    st.html(_tiles(found))
    st.caption(_GUIDE)
    st.header("What the model answers", anchor=False)
    colours = checkpoint.card.taxonomy.colours
    st.html(_strip(found.classes, found.n, colours, "Most likely class"))
    if found.sentiments:
        st.html(_strip(found.sentiments, found.n, SENTIMENT_COLOURS, "Sentiment"))
    with st.expander("With intervals", icon=":material/table:"):
        tables.draw(_shares(found))
    st.header("How sure it is", anchor=False)
    st.plotly_chart(
        confidence_histogram(points.table.probabilities.max(axis=1)),
        key="confidence",
        alt="Histogram of the probability of the most likely class",
    )
    st.header("Are its two likeliest emotions opposite?", anchor=False)
    sentiment.show([(points.title, found.curve)], points.table.taxonomy)
    reporting.offer_unlabelled(points, key)


def _tiles(found: Unlabelled) -> str:
    shown: dict[str, tuple[str, MetricEstimate]] = {
        "Mean confidence": ("Probability of the most likely class, on average.", found.confidence),
        "Top-2 cross-sentiment": (_RATE.plain, found.crossing["none"]),
        "Unlike the training images": (
            "Images of a kind that the model has seen little of.",
            found.unlike,
        ),
    }
    return numbers.plain_tiles(
        [(name, words, item) for name, (words, item) in shown.items()], found.n
    )


def _strip(
    shares: Mapping[str, MetricEstimate], n: int, colours: Mapping[str, str], title: str
) -> str:
    words = {"none": "neither"}
    counts = [
        (words.get(name, name), round((item.value or 0) * n)) for name, item in shares.items()
    ]
    named = {words.get(name, name): colour for name, colour in colours.items()}
    return shares_strip(counts, named, title)


def _shares(found: Unlabelled) -> pd.DataFrame:
    rows = {
        name: (
            counted(round((item.value or 0) * found.n), "image"),
            numbers.number(item.value, _RATE),
            numbers.interval(item, _RATE),
        )
        for name, item in {**found.classes, **found.sentiments}.items()
    }
    columns = ["images", "share", "95 % confidence interval"]
    return pd.DataFrame(list(rows.values()), index=list(rows), columns=columns)
