"""Figures of an evaluation: calibration, curves, thresholds, slices, differences.

Transparent grounds and the theme's text colour (Streamlit sets it), so that both themes are
served. Lines differ by dash as well as by colour where there are few of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from emoviz.plots.bars import FIRST, Spot

Floats = NDArray[np.float64]

SECOND, GOOD, BAD, GREY = "#d9822b", "#2a9d8f", "#d1495b", "#8a8f98"
_SHARE = {"range": [-0.02, 1.02], "tickformat": ".0%"}


@dataclass(frozen=True)
class CurveLine:
    """One curve of a figure.

    Attributes:
        name: In the legend.
        x: (P,).
        y: (P,).
        colour: ``#rrggbb``.
        dash: Plotly's word for the kind of line.
        wide: Whether it is drawn wider than the others.
    """

    name: str
    x: Floats
    y: Floats
    colour: str
    dash: str = "solid"
    wide: bool = False


def reliability_diagram(
    confidence: Floats, accuracy: Floats, counts: NDArray[np.int64], edges: Floats
) -> go.Figure:
    """How often answers of a confidence were right; below it how many answers had it.

    Args:
        confidence: (B,) mean confidence of each bin, NaN where it is empty.
        accuracy: (B,) share of right answers in each bin, NaN where it is empty.
        counts: (B,) answers in each bin.
        edges: (B + 1,) ends of the bins in 0-1.
    """
    from plotly.subplots import make_subplots

    figure = make_subplots(2, 1, shared_xaxes=True, row_heights=[0.76, 0.24], vertical_spacing=0.05)
    full = counts > 0
    middle, width = (edges[:-1] + edges[1:]) / 2, np.diff(edges)
    figure.add_scatter(
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        name="perfectly calibrated",
        hoverinfo="skip",
        line={"color": GREY, "dash": "dash", "width": 1.5},
        row=1,
        col=1,
    )
    for name, over, colour in (
        ("too sure", confidence > accuracy, BAD),
        ("too cautious", confidence <= accuracy, GOOD),
    ):
        kept = full & over
        figure.add_bar(
            x=middle[kept],
            y=np.abs(confidence - accuracy)[kept],
            base=np.minimum(confidence, accuracy)[kept],
            width=width[kept],
            marker={"color": colour, "opacity": 0.35, "line": {"width": 0}},
            name=name,
            hoverinfo="skip",
            row=1,
            col=1,
        )
    figure.add_scatter(
        x=confidence[full],
        y=accuracy[full],
        mode="lines+markers",
        name="right answers",
        line={"color": FIRST, "width": 2},
        marker={"size": 8},
        customdata=counts[full],
        hovertemplate="confidence %{x:.1%}<br>right %{y:.1%}<br>%{customdata:,} images"
        "<extra></extra>",
        row=1,
        col=1,
    )
    figure.add_bar(
        x=middle,
        y=counts,
        width=width * 0.94,
        marker={"color": GREY, "line": {"width": 0}},
        hovertemplate="%{y:,} images<extra></extra>",
        showlegend=False,
        row=2,
        col=1,
    )
    figure.update_xaxes(**_SHARE, zeroline=False)
    figure.update_xaxes(title="confidence: probability of the answer", row=2)
    figure.update_yaxes(**_SHARE, title="right answers", zeroline=False, row=1)
    figure.update_yaxes(title="images", zeroline=False, row=2)
    return _dressed(figure, 470)


def curves(
    lines: Sequence[CurveLine], x_title: str, y_title: str, chance: Floats | None = None
) -> go.Figure:
    """Lines over the unit square: receiver operating characteristics, precision and recall.

    Args:
        lines: Each with x and y in 0-1.
        x_title: Under the axis.
        y_title: Beside the axis.
        chance: (2, 2) ends (x, y) of the line of a guess; None for none.
    """
    figure = go.Figure()
    if chance is not None:
        figure.add_scatter(
            x=chance[:, 0],
            y=chance[:, 1],
            mode="lines",
            name="a guess",
            hoverinfo="skip",
            line={"color": GREY, "dash": "dash", "width": 1.5},
        )
    for line in lines:
        figure.add_scatter(
            x=line.x,
            y=line.y,
            mode="lines",
            name=line.name,
            line={
                "color": line.colour,
                "dash": line.dash,
                "width": 3.5 if line.wide else 2,
            },
            hovertemplate=f"{x_title} %{{x:.1%}}<br>{y_title} %{{y:.1%}}",
        )
    figure.update_xaxes(**_SHARE, title=x_title, zeroline=False)
    figure.update_yaxes(**_SHARE, title=y_title, zeroline=False)
    _dressed(figure, 380 + 21 * len(lines))
    figure.update_layout(legend={"orientation": "v", "y": -0.16, "yanchor": "top", "yref": "paper"})
    return figure


def theta_curve(
    thetas: Floats,
    rate: Floats,
    eligible: Floats,
    theta: float | None,
    printed: Mapping[str, Sequence[tuple[float, float]]] | None = None,
) -> go.Figure:
    """Top-2 cross-sentiment and the share of eligible images over the threshold theta.

    Args:
        thetas: (T,) thresholds in 0-0.5.
        rate: (T,) share of opposite top twos among the eligible, NaN where none is eligible.
        eligible: (T,) share of the images that are eligible.
        theta: The one that is looked at, marked by a line; None for no threshold.
        printed: Name -> (theta, rate) as papers print them; two rows of each set in turn, which
            share a symbol.
    """
    figure = go.Figure()
    figure.add_scatter(
        x=thetas,
        y=rate,
        mode="lines",
        name="opposite among the eligible",
        line={"color": BAD, "width": 3},
        connectgaps=False,
        hovertemplate="theta %{x:.2f}: %{y:.1%}<extra></extra>",
    )
    figure.add_scatter(
        x=thetas,
        y=eligible,
        mode="lines",
        name="eligible images",
        line={"color": GREY, "width": 2, "dash": "dot"},
        hovertemplate="theta %{x:.2f}: %{y:.1%} eligible<extra></extra>",
    )
    for number, (name, points) in enumerate((printed or {}).items()):
        figure.add_scatter(
            x=[x for x, _ in points],
            y=[y for _, y in points],
            mode="markers",
            name=name,
            marker={
                "symbol": ("diamond-open", "circle-open", "square-open")[number // 2 % 3],
                "size": 11,
                "color": (SECOND, GOOD)[number % 2],
                "line": {"width": 2},
            },
            hovertemplate="theta %{x:.2f}: %{y:.1%}",
        )
    figure.add_vline(theta or 0.0, line={"color": FIRST, "width": 2})
    figure.update_xaxes(
        range=[-0.01, 0.51], title="theta: least probability of both", zeroline=False
    )
    figure.update_yaxes(**_SHARE, zeroline=False)
    return _dressed(figure, 400)


def coverage_accuracy(
    coverage: Floats, accuracy: Floats, threshold: Floats, chosen: tuple[float, float] | None
) -> go.Figure:
    """Accuracy on the answers that are kept, when the least certain ones are withheld.

    Args:
        coverage: (P,) share of the images that are answered.
        accuracy: (P,) share of right answers among them.
        threshold: (P,) confidence from which they are answered.
        chosen: (coverage, accuracy) of the threshold that is looked at.
    """
    figure = go.Figure(
        go.Scatter(
            x=coverage,
            y=accuracy,
            mode="lines",
            name="accuracy of what is answered",
            line={"color": FIRST, "width": 3},
            customdata=threshold,
            hovertemplate="%{x:.1%} answered<br>%{y:.1%} of them right<br>from a confidence of "
            "%{customdata:.1%}<extra></extra>",
        )
    )
    if len(accuracy):
        figure.add_hline(float(accuracy[-1]), line={"color": GREY, "dash": "dash", "width": 1.5})
    if chosen is not None:
        figure.add_scatter(
            x=[chosen[0]],
            y=[chosen[1]],
            mode="markers",
            name="this threshold",
            marker={"size": 13, "color": SECOND, "line": {"width": 1}},
            hoverinfo="skip",
        )
    figure.update_xaxes(**_SHARE, title="images that get an answer", zeroline=False)
    figure.update_yaxes(**_SHARE, title="right answers among them", zeroline=False)
    return _dressed(figure, 400)


def spots(
    rows: Sequence[Spot], title: str, zero: float | None = None, form: str = ".1%"
) -> go.Figure:
    """Values with intervals, one under the other: slices of a set, differences of two models.

    Args:
        rows: Top to bottom.
        title: Under the axis.
        zero: Where a line stands for comparison.
        form: Of the numbers, in Plotly's notation.
    """
    values = np.array([row.value for row in rows])
    low, high = (
        np.array([getattr(row, end) for row in rows], np.float64) for end in ("low", "high")
    )
    figure = go.Figure(
        go.Scatter(
            x=values,
            y=list(range(len(rows))),
            mode="markers",
            marker={"size": 10, "color": [row.colour for row in rows]},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": np.nan_to_num(high - values),
                "arrayminus": np.nan_to_num(values - low),
                "color": GREY,
                "thickness": 1.6,
                "width": 5,
            },
            customdata=[row.note for row in rows],
            hovertemplate=f"%{{x:{form}}}<br>%{{customdata}}<extra></extra>",
        )
    )
    if zero is not None:
        figure.add_vline(zero, line={"color": GREY, "dash": "dash", "width": 1.5})
    figure.update_xaxes(title=title, tickformat=form, zeroline=False)
    figure.update_yaxes(
        tickvals=list(range(len(rows))),
        ticktext=[_shortened(row.name) for row in rows],
        autorange="reversed",
        zeroline=False,
    )
    return _dressed(figure, 90 + 30 * len(rows))


def confidence_histogram(confidence: Floats, bins: int = 20) -> go.Figure:
    """How sure the answers are: images over the probability of their most likely class."""
    counts, edges = np.histogram(confidence, bins, (0.0, 1.0))
    figure = go.Figure(
        go.Bar(
            x=(edges[:-1] + edges[1:]) / 2,
            y=counts,
            width=np.diff(edges) * 0.94,
            marker={"color": FIRST, "line": {"width": 0}},
            hovertemplate="%{y:,} images<extra></extra>",
        )
    )
    figure.update_xaxes(**_SHARE, title="probability of the most likely class", zeroline=False)
    figure.update_yaxes(title="images", zeroline=False)
    return _dressed(figure, 280)


def _shortened(name: str, most: int = 52) -> str:
    """Plotly reads tags in names; names of columns are anybody's."""
    short = name if len(name) <= most else f"{name[: most - 1]}…"
    return short.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _dressed(figure: go.Figure, height: int) -> go.Figure:
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 16, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        legend={"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom", "itemwidth": 30},
        bargap=0,
    )
    return figure
