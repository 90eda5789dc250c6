"""Two models on the same images: is the second better, and where?"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from emoviz.analysis.alignment import AlignedPredictions
from emoviz.analysis.comparison import McNemar, claim
from emoviz.analysis.cross_sentiment import crossing_curve
from emoviz.analysis.metrics import METRICS, confusion_matrix
from emoviz.analysis.resampling import MetricEstimate, share
from emoviz.experiments.assess import Values
from emoviz.experiments.statistics import spread
from emoviz.plots import percent
from emoviz.plots.bars import Spot, spots_by
from emoviz.plots.evaluation import BAD, GOOD, GREY
from emoviz.settings import Settings
from emoviz.ui import tables
from emoviz.ui.explorer.pictures import Pictures
from emoviz.ui.measure import computed, numbers, sentiment
from emoviz.ui.measure.confusion import images
from emoviz.ui.measure.matrix import MatrixCell, MatrixGrid, matrix
from emoviz.ui.measure.subject import EvaluationSubject
from emoviz.ui.words import counted, plain, readable

_GUIDE = (
    "A **difference** is the second model's number minus the first's, on the same images: rates in "
    "percentage points. Its **interval** is the 95 % confidence interval, both models seeing "
    "the same images; where it leaves out 0 (marked *), the difference is more "
    "than the choice of these images. With many measures, one or two stand out by chance alone."
)
_CONFUSION = (
    "B minus A, in images. On the diagonal (framed) green means that B finds more of a label; "
    "elsewhere red means that it makes this mistake more often, green less often. Press a cell to "
    "see the images that came into it and those that left it."
)


def show_measures(one: EvaluationSubject, other: EvaluationSubject, settings: Settings) -> None:
    """Values and differences first, at once; intervals follow as soon as they are computed."""
    place, asked = st.empty(), computed.comparing(one, other, settings)
    with place.container():
        _measures(one, other, computed.quick_values(one, other))
    values = asked.now()
    if values is None:
        asked.wait("Clusters and intervals follow; they are kept once they are there.")
        return
    with place.container():
        _measures(one, other, values)


def _measures(one: EvaluationSubject, other: EvaluationSubject, values: Values) -> None:
    """The test in words, the table of differences, the figure of the rates."""
    names = one.judged.name, other.judged.name
    difference = computed.estimates(values["difference"])
    st.markdown(verdict(*names, McNemar(**values["mcnemar"]), difference["accuracy"]))
    sides = [computed.estimates(values[side]["intervals"]) for side in "ab"]
    tables.draw(table(sides, difference, [f"{s}: {n}" for s, n in zip("AB", names, strict=True)]))
    costs = [values[side].get("seconds_per_image") for side in "ab"]
    if None not in costs:
        st.caption("Seconds an image on this machine: A {:.3g}, B {:.3g}.".format(*costs))
    rows = [
        _spot(name, item)
        for name, item in difference.items()
        if METRICS[name].unit == "percent" and item.value is not None
    ]
    if rows:
        st.markdown("**Differences of the rates, B minus A**")
        st.html(spots_by(rows, "percentage points", 0.0, "+.1f"))
    st.markdown(agreement(values["agreement"], MetricEstimate(**values["kappa"])))
    with st.expander("How to read this", icon=":material/help:"):
        st.markdown(_GUIDE)


def table(
    sides: Sequence[Mapping[str, MetricEstimate]],
    difference: Mapping[str, MetricEstimate],
    titles: Sequence[str],
) -> pd.DataFrame:
    """Measures of both with intervals, the differences, and on how many images."""
    rows = {
        METRICS[name].title: (
            *(numbers.with_interval(side[name], METRICS[name]) for side in sides),
            numbers.difference_words(item, METRICS[name])
            if item.value is not None
            else item.reason,
            numbers.images([side[name] for side in sides]),
        )
        for name, item in difference.items()
    }
    columns = [*titles, "B minus A", "images"]
    return pd.DataFrame(list(rows.values()), index=list(rows), columns=columns)


def verdict(one: str, other: str, test: McNemar, accuracy: MetricEstimate) -> str:
    """How the two split, and what may be claimed, in plain words.

    Args:
        one: The first model.
        other: The second.
        test: On right and wrong.
        accuracy: The second's minus the first's.
    """
    told = claim("A", "B", test, accuracy)
    if not test.only_a_right + test.only_b_right:
        return told
    effect = ""
    if test.odds is not None:
        times = f"{test.odds:.2g} times ".removeprefix("1 times ")
        effect = f" Where one of them alone is right, it is B {times}as often as A."
    return (
        f"**{plain(one)}** (A) alone is right on {counted(test.only_a_right, 'image')}, "
        f"**{plain(other)}** (B) alone on {counted(test.only_b_right, 'image')} of "
        f"{accuracy.n:,}.{effect} **{told}**"
    )


def agreement(part: float | None, kappa: MetricEstimate) -> str:
    """How often two models give the same answer, and Cohen's kappa, in words."""
    if part is None or not kappa.n:
        return ""
    same = share(round(part * kappa.n), kappa.n)
    words = (
        "Both give the same answer, right or wrong, to "
        f"**{numbers.with_interval(same, METRICS['accuracy'])}** of {counted(kappa.n, 'image')}"
    )
    if kappa.value is None:
        return f"{words}; Cohen's kappa is not defined: {kappa.reason}."
    ends = ""
    if kappa.low is not None and kappa.high is not None:
        ends = f" ({kappa.low:.2f} to {kappa.high:.2f})"
    return f"{words}: Cohen's kappa **{kappa.value:.2f}**{ends}, where 0 is chance and 1 is always."


def show_confusion(one: EvaluationSubject, other: EvaluationSubject, pictures: Pictures) -> None:
    """The second's confusion matrix minus the first's; a cell opens what moved."""
    first, second, names = one.judged, other.judged, one.judged.labels.names
    kept = np.flatnonzero(first.bridge.reachable)
    pressed = matrix(difference_matrix(first, second), "confusion-difference", "Difference")
    if pressed is not None:
        st.session_state["moved"] = pressed
    st.caption(_CONFUSION)
    cell = st.session_state.get("moved")
    if cell is None or max(cell) >= len(kept):
        return
    chosen = int(kept[cell[0]]), int(kept[cell[1]])
    label, answer = (plain(names[place]) for place in chosen)
    for mine, others, who, key in ((second, first, "B", "came"), (first, second, "A", "left")):
        inside = (mine.truth == chosen[0]) & (mine.predicted == chosen[1])
        rows = np.flatnonzero(inside & (others.predicted != chosen[1]))
        details = _both(first, second, rows)
        title = (
            f"Label **{label}**: only {who} answers **{answer}** ({counted(len(rows), 'image')})"
        )
        images(one.points, mine.rows[rows], pictures, title, f"moved-{key}", details)


def difference_matrix(one: AlignedPredictions, other: AlignedPredictions) -> MatrixGrid:
    """B minus A as cells, tinted by whether it is good or bad."""
    kept = np.flatnonzero(one.bridge.reachable)
    names = [one.labels.names[label] for label in kept]
    counts = [
        confusion_matrix(item.truth, item.predicted, len(one.labels)) for item in (one, other)
    ]
    change = (counts[1] - counts[0])[np.ix_(kept, kept)]
    moved = _moved(one, other)[np.ix_(kept, kept)]
    most = max(int(np.abs(change).max(initial=0)), 1)
    cells = [
        [_cell(change, bool(moved[i, j]), names, i, j, most) for j in range(len(names))]
        for i in range(len(names))
    ]
    support = [f"{int(count):,}" for count in counts[0].sum(axis=1)[kept]]
    shown = [readable(name) for name in names]
    return MatrixGrid(shown, cells, "label", "the models' answer, B minus A", support, "images")


def show_changed(one: EvaluationSubject, other: EvaluationSubject, pictures: Pictures) -> None:
    """Who changed from right to wrong, and back."""
    values = computed.quick_values(one, other)
    place = {
        (one.table.paths[row], one.table.sha256[row]): position
        for position, row in enumerate(one.judged.rows.tolist())
    }
    lists = {
        key: [place[row["path"], row["sha256"]] for row in values[key]] for key in ("lost", "won")
    }
    titles = [f"Right → wrong ({len(lists['lost']):,})", f"Wrong → right ({len(lists['won']):,})"]
    words = {"lost": "A is right and B wrong", "won": "B is right and A wrong"}
    for tab, (key, positions) in zip(st.tabs(titles), lists.items(), strict=True):
        with tab:
            if not positions:
                st.info(f"There is no image on which {words[key]}.", icon=":material/info:")
                continue
            details = _both(one.judged, other.judged, positions)
            count = counted(len(positions), "image")
            title = f"**{count}** on which {words[key]}: answer of A | of B"
            images(one.points, one.judged.rows[positions], pictures, title, key, details)


def show_sentiment(judged: Sequence[AlignedPredictions]) -> None:
    """Cross-sentiment side by side, as Tables 5.11 to 5.13."""
    if len({item.bridge.model.names for item in judged}) > 1:
        st.info(
            "These models have different classes; their rates are of different things. Choose two "
            "with the same classes.",
            icon=":material/info:",
        )
        return
    curves = [(item.name, crossing_curve(item.probabilities, item.bridge.model)) for item in judged]
    sentiment.show(curves, judged[0].bridge.model)


def show_runs(runs: Sequence[EvaluationSubject]) -> None:
    """Several runs of one recipe: mean and standard deviation of each measure."""
    with st.spinner("Clustering …"):
        found = [computed.measures(item.key, item.judged) for item in runs]
    tables.draw(runs_table([item.judged.name for item in runs], found))
    st.caption(
        "Mean ± sample standard deviation over these networks, as the dissertation reports "
        "three runs. It says how much a new training moves the number; the intervals of a single "
        "run say how much other images would. Choose only runs of one recipe."
    )


def runs_table(names: Sequence[str], found: Sequence[Mapping[str, MetricEstimate]]) -> pd.DataFrame:
    """A row a measure: mean ± SD, then each run."""
    rows = {}
    for name, kind in METRICS.items():
        values = [item[name].value for item in found]
        known = {i: value for i, value in enumerate(values) if value is not None}
        over = spread(known) if len(known) == len(found) else None
        mean = numbers.NOTHING
        if over is not None:
            mean = numbers.number(over.mean, kind)
            if over.sd is not None:
                mean = f"{mean.removesuffix(numbers.PERCENT)} ± {numbers.number(over.sd, kind)}"
        on = numbers.images([item[name] for item in found])
        rows[kind.title] = (mean, *(numbers.number(value, kind) for value in values), on)
    columns = ["mean ± SD", *_distinct(names), "images"]
    return pd.DataFrame(list(rows.values()), index=list(rows), columns=columns)


def _distinct(names: Sequence[str]) -> list[str]:
    return [name if names.count(name) == 1 else f"{name} ({i})" for i, name in enumerate(names, 1)]


def _spot(name: str, item: MetricEstimate) -> Spot:
    assert item.value is not None
    kind = METRICS[name]
    good = (item.value > 0) == (kind.better == "more")
    colour = (GOOD if good else BAD) if numbers.is_told_apart(item) else GREY
    less = "" if kind.better == "more" else " (less is better)"
    low, high = (np.nan if end is None else 100 * end for end in (item.low, item.high))
    return Spot(f"{kind.title}{less}", 100 * item.value, low, high, item.reason, colour)


def _moved(one: AlignedPredictions, other: AlignedPredictions) -> NDArray[np.bool_]:
    """(S, S) whether any image came into a cell or left it."""
    size = len(one.labels)
    found = np.zeros((size, size), np.bool_)
    differs = one.predicted != other.predicted
    for item in (one, other):
        found[item.truth[differs], item.predicted[differs]] = True
    return found


def _cell(
    change: NDArray[np.int64], opens: bool, names: Sequence[str], i: int, j: int, most: int
) -> MatrixCell:
    value = int(change[i, j])
    text = "·" if not opens else f"{value:+,}".replace("-", "\N{MINUS SIGN}") if value else "0"
    words = f"label {readable(names[i])}, answered {readable(names[j])}: {value:+,} images"
    return MatrixCell(text, words, value / most * (1 if i == j else -1), opens)


def _both(
    one: AlignedPredictions, other: AlignedPredictions, places: Sequence[int] | NDArray[np.int64]
) -> list[str]:
    """``answer of A 54 % | answer of B 31 %`` of some of the judged images."""
    names = [readable(name) for name in one.labels.names]
    at = np.asarray(places, np.int64)
    sides = [
        zip(item.predicted[at].tolist(), item.confidence[at].tolist(), strict=True)
        for item in (one, other)
    ]
    return [
        " | ".join(f"{names[answer]} {percent(sure)}" for answer, sure in pair)
        for pair in zip(*sides, strict=True)
    ]
