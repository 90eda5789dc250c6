"""Figures of trainings: curves, a map that moves, parallel coordinates of a sweep.

Transparent grounds and the theme's text colour, as in `emoviz.plots.centers`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from emoviz.training.looking import Snapshot
from emoviz.training.runs import Curves

_GREY = "#8a8f98"
# Told apart by colour and by dash, so that nothing hangs on the colour alone.
COLOURS = ("#7468b5", "#008fab", "#c98f00", "#be4472", "#1fa884", "#9d8b4d", "#4a78d6", "#d1495b")
_MOST_IN_LEGEND = 16
_DASHES = ("solid", "dash", "dot", "dashdot")
_PERCENT = {"tickformat": ".0%"}


def loss_curves(curves: Curves, beta: float, lambda_: float) -> go.Figure:
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
    runs: Sequence[tuple[str, Curves]], line: float | None = None, measure: str = "accuracy"
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
    if measure != "entropy":
        figure.update_yaxes(**_PERCENT, rangemode="tozero")
    return figure


def cluster_curves(curves: Curves) -> go.Figure:
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
    figure = go.Figure()
    for c, name in enumerate(names):
        colour = colours.get(name, _GREY)
        for held_out in (False, True):
            rows = (snapshot.classes == c) & (snapshot.held_out == held_out)
            if rows.any():
                figure.add_scatter(
                    x=snapshot.places[rows, 0],
                    y=snapshot.places[rows, 1],
                    mode="markers",
                    name=name,
                    legendgroup=name,
                    showlegend=bool(
                        held_out or not (snapshot.classes[snapshot.held_out] == c).any()
                    ),
                    marker={
                        "color": colour,
                        "size": 11 if held_out else 5,
                        "opacity": 0.95 if held_out else 0.45,
                        "line": {"width": 1 if held_out else 0, "color": "rgba(128,128,128,.8)"},
                    },
                    text=[_point(held_out, bool(right)) for right in snapshot.right[rows]],
                    hovertemplate=f"{_safe(name)}<br>%{{text}}<extra></extra>",
                )
        if np.isfinite(snapshot.centers[c]).all():
            figure.add_scatter(
                x=[snapshot.centers[c, 0]],
                y=[snapshot.centers[c, 1]],
                mode="markers",
                legendgroup=name,
                showlegend=False,
                marker={"symbol": "x", "size": 13, "color": colour, "line": {"width": 1}},
                hovertemplate=f"center of {_safe(name)}<extra></extra>",
            )
    figure = _dressed(figure, f"Map after epoch {snapshot.epoch}", "", "")
    hidden = {"visible": False, "fixedrange": True, "range": [-reach, reach]}
    figure.update_layout(xaxis=hidden, yaxis={**hidden, "scaleanchor": "x"}, height=470)
    figure.update_layout(showlegend=len(names) <= _MOST_IN_LEGEND)
    return figure


def parallel_coordinates(
    settings: Sequence[Mapping[str, str]], values: Sequence[float | None], measure: str
) -> go.Figure:
    """A line for each network of a sweep, through its settings to its measure.

    Args:
        settings: Key -> value of each network.
        values: The measure of each; networks without one are left out.
        measure: Its name.
    """
    known = [(s, v) for s, v in zip(settings, values, strict=True) if v is not None]
    keys = list(known[0][0]) if known else []
    scores = [v for _, v in known]
    dimensions = [_axis(key, [s[key] for s, _ in known]) for key in keys]
    percent = measure != "entropy"
    shown = [100 * v for v in scores] if percent else scores
    dimensions.append(
        {"label": f"{measure} %" if percent else measure, "values": shown, "tickformat": ".3g"}
    )
    figure = go.Figure(
        go.Parcoords(
            dimensions=dimensions,
            line={"color": scores, "colorscale": "Cividis", "showscale": False},
            labelfont={"size": 14},
        )
    )
    figure.update_layout(
        margin={"l": 70, "r": 50, "t": 56, "b": 24},
        height=380,
        paper_bgcolor="rgba(0,0,0,0)",
    )
    return figure


def _axis(key: str, values: Sequence[str]) -> dict[str, Any]:
    """One axis: by number where all values are numbers, else by place."""
    label = key.rpartition(".")[2]
    distinct = list(dict.fromkeys(values))
    try:
        numbers = [float(value) for value in values]
    except ValueError:
        places = [float(distinct.index(value)) for value in values]
        ticks = [float(i) for i in range(len(distinct))]
        return {"label": label, "values": places, "tickvals": ticks, "ticktext": distinct}
    ticks = sorted(set(numbers))
    return {
        "label": label,
        "values": numbers,
        "tickvals": ticks,
        "ticktext": [f"{t:g}" for t in ticks],
    }


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
