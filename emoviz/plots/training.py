"""Figures of trainings: curves, a map that moves, parallel coordinates of a sweep.

Transparent grounds and the theme's text colour, as in `emoviz.plots.centers`.
"""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from emoviz.training.runs import TrainingCurves
from emoviz.training.snapshots import Snapshot

_GREY = "#8a8f98"
# Told apart by colour and by dash, so that nothing hangs on the colour alone.
COLOURS = ("#7468b5", "#008fab", "#c98f00", "#be4472", "#1fa884", "#9d8b4d", "#4a78d6", "#d1495b")
_MOST_IN_LEGEND = 16
_MOST_POINTS = 400  # of a line: more are not seen, and cost each redrawing
_DASHES = ("solid", "dash", "dot", "dashdot")
_PERCENT = {"tickformat": ".0%"}


def loss_curves(curves: TrainingCurves, beta: float, lambda_: float) -> go.Figure:
    """The loss and its terms, each as it enters the loss, and the entropy of validation images.

    Args:
        curves: Of one run.
        beta: Its factor on the contrastive-center loss; 0 leaves the two terms out.
        lambda_: Its factor on L_inter within.
    """
    x = list(range(1, len(curves.epochs) + 1))
    figure = go.Figure()
    rows: list[tuple[str, list[float | None], str]] = [
        ("entropy", curves.column("entropy"), COLOURS[0]),
        ("entropy, validation", curves.column("validation_entropy"), COLOURS[1]),
    ]
    if beta:
        intra = [None if v is None else beta * v for v in curves.column("intra")]
        inter = [None if v is None else beta * lambda_ * v for v in curves.column("inter")]
        rows += [("intra × β", intra, COLOURS[2]), ("inter × β λ", inter, COLOURS[3])]
    for i, (name, values, colour) in enumerate(rows):
        _line(figure, x, values, name, colour, _DASHES[i % 4])
    return _dressed(figure, "Losses", "epoch", "loss")


def accuracy_curves(
    runs: Sequence[tuple[str, TrainingCurves]], line: float | None = None, measure: str = "accuracy"
) -> go.Figure:
    """One measure of the validation images for each run, and the line to beat.

    Args:
        runs: Name and curves each.
        line: A linear probe's share of right answers, 0-1; None where there is none.
        measure: accuracy, ari, nmi, asr or entropy.
    """
    figure = go.Figure()
    for i, (name, curves) in enumerate(runs):
        values = curves.column(f"validation_{measure}")
        x = list(range(1, len(values) + 1))
        colour = COLOURS[i % len(COLOURS)]
        _line(figure, x, values, name, colour, _DASHES[i // len(COLOURS) % 4])
    if line is not None and measure == "accuracy":
        figure.add_hline(
            y=line,
            line={"color": _GREY, "dash": "dash"},
            annotation_text=f"linear probe {100 * line:.0f} %",
            annotation_position="bottom right",
        )
    titles = {"accuracy": "Accuracy on validation images", "entropy": "Entropy, validation"}
    title = titles.get(measure, f"{measure.upper()} of validation images")
    figure = _dressed(figure, title, "epoch", "")
    figure.update_layout(showlegend=len(runs) > 1)
    if len(runs) == 1:
        figure.update_layout(margin={"b": 40}, height=288)
    else:
        legend = 20 * -(-len(runs) // 2)  # about two names a row
        figure.update_layout(margin={"b": 52 + legend}, height=300 + legend)
    if measure != "entropy":
        figure.update_yaxes(**_PERCENT, rangemode="tozero")
    return figure


def cluster_curves(curves: TrainingCurves) -> go.Figure:
    """ARI, NMI and ASR of u of the validation images; not every epoch is looked at."""
    figure = go.Figure()
    x = list(range(1, len(curves.epochs) + 1))
    for i, name in enumerate(("ari", "nmi", "asr")):
        values = curves.column(f"validation_{name}")
        _line(figure, x, values, name.upper(), COLOURS[i], _DASHES[i], gaps=True)
    return _dressed(figure, "Clusters in u, validation images", "epoch", "")


def moving_map(
    snapshot: Snapshot, names: Sequence[str], colours: Mapping[str, str], reach: float
) -> go.Figure:
    """The images and the class centers on the plane of u's principal axes.

    Args:
        snapshot: What was seen after one epoch.
        names: Of the classes.
        colours: Of the classes.
        reach: Half the side of the picture, the same for all epochs of a run, so that what moves
            is the images and not the frame.
    """
    found = range(len(names))
    traces = [_points(snapshot, c, names[c], colours.get(names[c], _GREY)) for c in found]
    traces = [trace for trace in traces if trace is not None]  # few: each costs a millisecond
    shown = [c for c in found if np.isfinite(snapshot.centers[c]).all()]
    centers = {
        "type": "scatter",
        "x": snapshot.centers[shown, 0],
        "y": snapshot.centers[shown, 1],
        "mode": "markers",
        "showlegend": False,
        "marker": {
            "symbol": "x",
            "size": 13,
            "color": [colours.get(names[c], _GREY) for c in shown],
            "line": {"width": 1},
        },
        "text": [f"center of {_safe(names[c])}" for c in shown],
        "hovertemplate": "%{text}<extra></extra>",
    }
    figure = go.Figure([*traces, centers])
    figure = _dressed(figure, f"Map after epoch {snapshot.epoch}", "", "")
    hidden = {"visible": False, "fixedrange": True, "range": [-reach, reach]}
    figure.update_layout(xaxis=hidden, yaxis={**hidden, "scaleanchor": "x"}, height=470)
    figure.update_layout(showlegend=len(names) <= _MOST_IN_LEGEND)
    figure.update_layout(legend={"itemsizing": "constant"})
    return figure


def _points(snapshot: Snapshot, c: int, name: str, colour: str) -> dict[str, Any] | None:
    """The images of a class; None where there are none."""
    rows = np.flatnonzero(snapshot.classes == c)
    if not len(rows):
        return None
    rows = rows[np.argsort(~snapshot.held_out[rows], kind="stable")]  # the legend shows the first
    held_out = snapshot.held_out[rows]
    return {
        "type": "scatter",
        "x": snapshot.places[rows, 0],
        "y": snapshot.places[rows, 1],
        "mode": "markers",
        "name": name,
        "marker": {
            "color": colour,
            "size": np.where(held_out, 11, 5),
            "opacity": np.where(held_out, 0.95, 0.45),
            "line": {"width": np.where(held_out, 1, 0), "color": "rgba(128,128,128,.8)"},
        },
        "text": [
            _point(bool(h), bool(r)) for h, r in zip(held_out, snapshot.right[rows], strict=True)
        ],
        "hovertemplate": f"{_safe(name)}<br>%{{text}}<extra></extra>",
    }


def parallel_coordinates(
    settings: Sequence[Mapping[str, str]], values: Sequence[float | None], measure: str
) -> go.Figure:
    """A line for each network of a sweep, through its settings to its measure.

    Values of a setting stand at equal distances; lines that would lie on each other are a little
    apart.

    Args:
        settings: Words -> value of each network.
        values: The measure of each; networks without one are left out.
        measure: Its name.
    """
    known = [(s, v) for s, v in zip(settings, values, strict=True) if v is not None]
    known.sort(key=lambda item: item[1])  # the highest are drawn last
    axes = [
        _Axis.of(words, [s[words] for s, _ in known]) for words in (known[0][0] if known else [])
    ]
    scores = [v for _, v in known]
    low, high = (min(scores), max(scores)) if scores else (0.0, 1.0)
    figure = go.Figure()
    for number, (chosen, score) in enumerate(known):
        share = (score - low) / (high - low) if high > low else 0.5
        apart = 0.03 * (number / max(len(known) - 1, 1) - 0.5)
        said = "<br>".join(f"{_safe(a.words)}: {_safe(chosen[a.words])}" for a in axes)
        figure.add_scatter(
            x=list(range(len(axes) + 1)),
            y=[a.place(chosen[a.words]) + apart for a in axes] + [share],
            mode="lines",
            line={"color": _blend(share), "width": 2.5},
            opacity=0.8,
            hovertemplate=f"{said}<br><b>{_score(score, measure)}</b><extra></extra>",
        )
    return _with_axes(figure, axes, measure, [_score(v, measure) for v in (low, high)])


@dataclass(frozen=True)
class _Axis:
    """A setting: its words, and its values from below."""

    words: str
    values: tuple[str, ...]

    @classmethod
    def of(cls, words: str, values: Sequence[str]) -> "_Axis":
        """By size where all values are numbers, else in the order of the sweep."""
        distinct = list(dict.fromkeys(values))
        with contextlib.suppress(ValueError):
            distinct.sort(key=float)
        return cls(words, tuple(distinct))

    def place(self, value: str) -> float:
        """0 (below) to 1."""
        if len(self.values) == 1:
            return 0.5
        return self.values.index(value) / (len(self.values) - 1)


def _with_axes(
    figure: go.Figure, axes: Sequence[_Axis], measure: str, ends: Sequence[str]
) -> go.Figure:
    marks = [(i, a.place(v), v) for i, a in enumerate(axes) for v in a.values]
    marks += [(len(axes), place, words) for place, words in zip((0.0, 1.0), ends, strict=True)]
    for i in range(len(axes) + 1):
        line = {"color": _GREY, "width": 1}
        figure.add_shape(type="line", x0=i, x1=i, y0=-0.03, y1=1.03, line=line, layer="below")
    for x, y, words in marks:
        side = (
            {"xanchor": "left", "xshift": 6}
            if x == len(axes)
            else {"xanchor": "right", "xshift": -6}
        )
        figure.add_annotation(x=x, y=y, text=_safe(words), showarrow=False, **side)
    titles = [*(a.words for a in axes), measure]
    for x, words in enumerate(titles):
        figure.add_annotation(
            x=x, y=1.06, text=f"<b>{_safe(words)}</b>", showarrow=False, yanchor="bottom"
        )
    hidden = {"visible": False, "fixedrange": True}
    figure.update_layout(
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        height=380,
        showlegend=False,
        hovermode="closest",
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        xaxis={**hidden, "range": [-0.35, len(axes) + 0.35]},
        yaxis={**hidden, "range": [-0.08, 1.2]},
    )
    return figure


def _blend(share: float) -> str:
    """From blue (low) to orange (high); both are seen on light and on dark ground."""
    low, high = (74, 130, 200), (222, 129, 32)
    mixed = [round(a + share * (b - a)) for a, b in zip(low, high, strict=True)]
    return f"rgb({mixed[0]},{mixed[1]},{mixed[2]})"


def _score(value: float, measure: str) -> str:
    return f"{value:.3f}" if measure == "entropy" else f"{100 * value:.1f} %"


def _line(
    figure: go.Figure,
    x: Sequence[int],
    values: Sequence[float | None],
    name: str,
    colour: str,
    dash: str,
    gaps: bool = False,
) -> None:
    known = [(a, b) for a, b in zip(x, values, strict=True) if b is not None]
    known = known[:: -(-len(known) // _MOST_POINTS)][:-1] + known[-1:] if known else []
    if known:
        figure.add_scatter(
            x=[a for a, _ in known],
            y=[b for _, b in known],
            mode="lines+markers" if gaps or len(known) < 3 else "lines",
            name=name,
            line={"color": colour, "dash": dash, "width": 2},
            marker={"size": 5},
            hovertemplate=f"{_safe(name)}<br>epoch %{{x}}: %{{y:.3f}}<extra></extra>",
        )


def _dressed(figure: go.Figure, title: str, x: str, y: str) -> go.Figure:
    figure.update_layout(
        title={"text": title, "x": 0, "font": {"size": 15}},
        margin={"l": 8, "r": 8, "t": 40, "b": 92},
        height=340,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        # At the foot of the picture, whatever the plot above it takes.
        legend={"orientation": "h", "yref": "container", "y": 0.0, "yanchor": "bottom", "x": 0},
        uirevision="kept",
        xaxis={
            "title": {"text": x, "standoff": 4},
            "rangemode": "tozero",
            "gridcolor": "rgba(128,128,128,.15)",
        },
        yaxis={"title": y, "gridcolor": "rgba(128,128,128,.25)", "zeroline": False},
    )
    return figure


def _point(held_out: bool, right: bool) -> str:
    seen = "not trained on" if held_out else "trained on"
    return f"{seen}, estimate {'right' if right else 'wrong'}"


def _safe(text: str) -> str:
    """Plotly reads a few HTML tags in texts."""
    return text.replace("&", "&amp;").replace("<", "&lt;")
