"""Answers withheld below a threshold: what that costs, and what is kept with the checkpoint."""

from datetime import UTC, datetime

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from emoviz.analysis.alignment import AlignedPredictions
from emoviz.analysis.metrics import METRICS
from emoviz.analysis.resampling import MetricEstimate, share
from emoviz.analysis.selective import Choice, at_threshold, choose_threshold
from emoviz.data.dataset import SPLIT_WORDS
from emoviz.inference.abstention import (
    Abstention,
    abstention_of,
    clear_abstention,
    save_abstention,
)
from emoviz.inference.labelled import table_digest
from emoviz.plots.evaluation import coverage_accuracy
from emoviz.settings import Settings
from emoviz.ui import access
from emoviz.ui.measure import computed, numbers
from emoviz.ui.measure.subject import EvaluationSubject
from emoviz.ui.words import counted, plain

_GUIDE = (
    "The curve begins at the left with the surest answers alone and takes in more and more; at the "
    "right end every image gets an answer. A model that knows when it does not know has a curve "
    "that falls. Below the threshold the model abstains: Classify then says *Not sure*, and a "
    "review begins with these images."
)
_WAYS = ("share of answers", "accuracy", "threshold")


def show(item: EvaluationSubject, settings: Settings) -> None:
    """What is kept, the curve with a threshold to try, and the button that keeps it."""
    if len(item.members) != 1:
        st.info(
            "A threshold is kept with one network; an ensemble has none of its own, and another "
            "program has none here.",
            icon=":material/info:",
        )
        return
    _kept(item, settings)
    judged, chosen_on = _validation(item.judged, item)
    if not len(judged):
        st.info("There is nothing to choose a threshold by.", icon=":material/info:")
        return
    st.caption(chosen_on)
    _try(item, judged, settings)
    st.caption(_GUIDE)


@st.fragment
def _try(item: EvaluationSubject, judged: AlignedPredictions, settings: Settings) -> None:
    confidence = judged.certainty
    right = judged.right
    choice, wanted = _choice(confidence, right)
    if choice.threshold is None:
        st.info(f"{choice.reason[:1].upper()}{choice.reason[1:]}.", icon=":material/info:")
    curve = computed.withheld(f"{item.key} {len(judged)}", judged)
    marked = (choice.coverage, choice.accuracy) if choice.accuracy is not None else None
    figure = coverage_accuracy(
        np.array(curve.coverage), np.array(curve.accuracy), np.array(curve.thresholds), marked
    )
    st.plotly_chart(figure, key="coverage", alt="Accuracy over the share of images answered")
    if choice.threshold is None or choice.accuracy is None:
        return
    st.markdown(_in_words(choice, share(int(right.sum()), len(right))))
    if access.allowed("keep"):
        st.button(
            "Keep this threshold with the network",
            icon=":material/save:",
            type="primary",
            on_click=_save,
            args=(item, choice, wanted, settings),
        )


def _choice(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> tuple[Choice, str]:
    """A threshold for a wanted accuracy or share of answers, or given outright; what was wanted."""
    with st.container():
        way = st.segmented_control(
            "Choose by", _WAYS, required=True, default=_WAYS[0], key="unsure-by"
        )
        if way == "accuracy":
            base = round(100 * float(right.mean()))
            wanted = st.slider(
                "Wanted accuracy of the answers, %",
                0,
                100,
                min(base + 10, 100),
                key="unsure-accuracy",
            )
            choice = choose_threshold(confidence, right, accuracy=wanted / 100)
            return choice, f"accuracy {wanted} %"
        if way == "share of answers":
            wanted = st.slider("Images that get an answer, %", 1, 100, 70, key="unsure-coverage")
            choice = choose_threshold(confidence, right, coverage=wanted / 100)
            return choice, f"answers on {wanted} %"
        given = st.slider("Least probability of an answer, %", 0, 100, 40, key="unsure-threshold")
        return at_threshold(confidence, right, given / 100), f"probability {given} %"


def _in_words(choice: Choice, before: MetricEstimate) -> str:
    assert choice.threshold is not None
    assert choice.accuracy is not None
    ends = (
        f" (95 % interval {100 * choice.low:.1f} to {100 * choice.high:.1f})"
        if choice.low is not None and choice.high is not None
        else ""
    )
    return (
        f"From a probability of **{100 * choice.threshold:.1f} %** on, "
        f"**{100 * choice.coverage:.0f} %** of {counted(choice.images, 'image')} get an answer; "
        f"**{100 * choice.accuracy:.1f} %** of the {counted(choice.answered, 'answer')} are "
        f"right{ends}; with an answer for every image it is "
        f"{numbers.with_interval(before, METRICS['accuracy'])}."
    )


def _validation(
    judged: AlignedPredictions, item: EvaluationSubject
) -> tuple[AlignedPredictions, str]:
    """The validation images, where the set says which they are; else all."""
    splits = item.table.metadata.get("split")
    if splits is not None:
        named = [SPLIT_WORDS.get(splits[row].strip().casefold()) for row in judged.rows]
        kept = np.flatnonzero(np.array([name == "validation" for name in named], np.bool_))
        if len(kept):
            return judged.take(kept), (
                f"Chosen on the {counted(len(kept), 'image')} of the set's validation split."
            )
    return judged, (
        "The set has no validation split, so the threshold is chosen on all of its images. Take "
        "a set that the network was not trained on, and report the accuracy on another: on the "
        "images that it was chosen on a threshold looks a little better than it is."
    )


def _kept(item: EvaluationSubject, settings: Settings) -> None:
    kept = abstention_of(item.members[0], settings)
    if kept is None:
        st.markdown("This network keeps **no threshold** yet: it answers on every image.")
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            f"Kept with this network: below **{100 * kept.threshold:.1f} %** it is *not sure*. "
            f"{_how(kept)}",
            width="stretch",
        )
        if access.allowed("keep"):
            st.button(
                "Forget it",
                icon=":material/delete:",
                on_click=access.acts("keep")(clear_abstention),
                args=(item.members[0], settings),
            )


def _how(kept: Abstention) -> str:
    """On what it was set, and what it did there."""
    if not kept.set_title or kept.coverage is None:
        return ""
    right = (
        f" and {100 * kept.accuracy:.1f} % of these were right" if kept.accuracy is not None else ""
    )
    return (
        f"Set on {plain(kept.set_title)}, where {100 * kept.coverage:.0f} % of "
        f"{counted(kept.images, 'image')} got an answer{right}."
    )


@access.acts("keep")
def _save(item: EvaluationSubject, choice: Choice, wanted: str, settings: Settings) -> None:
    assert choice.threshold is not None
    kept = Abstention(
        threshold=choice.threshold,
        set_title=item.source.title,
        set_digest=table_digest(item.table, item.labels),
        coverage=choice.coverage,
        accuracy=choice.accuracy,
        images=choice.images,
        wanted=wanted,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    try:
        save_abstention(item.members[0], settings, kept)
        st.toast("Kept with the network.", icon=":material/save:")
    except OSError as error:
        st.toast(f"It cannot be written: {plain(str(error))}", icon=":material/error:")
