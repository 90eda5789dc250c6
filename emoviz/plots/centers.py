"""Figures of the class centers: distance matrices on one colour scale, and the tree of emotions.

Transparent grounds and the theme's text colour (Streamlit sets it), so that both themes are
served; every cell shows its number, so that nothing hangs on the colour alone.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_SHORT, _GREY = "#d1495b", "#8a8f98"
_MARGINS = {"l": 8, "r": 8, "t": 36, "b": 8}


def distance_heat_map(
    distances: Floats,
    names: Sequence[str],
    low: float,
    high: float,
    title: str = "",
    margin: float | None = None,
) -> go.Figure:
    """A matrix of distances between class centers, numbers in its cells.

    Args:
        distances: (C, C), symmetric.
        names: (C) of the classes.
        low: Distance at the dark end of the scale; shared by the matrices that stand side by side.
        high: Distance at the light end.
        title: Above the matrix.
        margin: Cells below it are framed: these pairs fall short of the loss's margin m.
    """
    shown = np.where(np.eye(len(names), dtype=bool), np.nan, distances)
    figure = go.Figure(
        go.Heatmap(
            z=shown,
            x=list(names),
            y=list(names),
            zmin=low,
            zmax=high,
            colorscale="Cividis",
            texttemplate="%{z:.2f}",
            hovertemplate="%{y} – %{x}: %{z:.3f}<extra></extra>",
            hoverongaps=False,
            xgap=1,
            ygap=1,
            colorbar={"thickness": 10, "outlinewidth": 0, "tickformat": ".3g"},
        )
    )
    if margin is not None:
        figure.update_layout(shapes=[_frame(i, j) for i, j in _pairs_below(distances, margin)])
    figure.update_layout(
        title={"text": title, "x": 0, "font": {"size": 15}},
        margin=_MARGINS,
        height=110 + 44 * len(names),
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        yaxis={"autorange": "reversed", "showgrid": False, "ticks": ""},
        xaxis={"showgrid": False, "tickangle": -40, "ticks": ""},
    )
    return figure


def tree(
    brackets: Sequence[tuple[Sequence[float], Sequence[float]]],
    leaves: Sequence[str],
    colours: Mapping[str, str],
    title: str = "",
) -> go.Figure:
    """A dendrogram lying on its side: classes that join near the left edge are alike.

    Args:
        brackets: For each merge its four corners: places along the leaves, heights.
        leaves: Class names in drawing order; leaf i stands at place i.
        colours: Of the classes, for the dots at the leaves.
        title: Above the tree.
    """
    figure = go.Figure()
    for places, heights in brackets:
        figure.add_scatter(
            x=list(heights),
            y=list(places),
            mode="lines",
            hoverinfo="skip",
            line={"width": 2, "color": _GREY},
        )
    figure.add_scatter(
        x=[0.0] * len(leaves),
        y=list(range(len(leaves))),
        mode="markers",
        hoverinfo="skip",
        cliponaxis=False,
        marker={"size": 12, "color": [colours.get(name, _GREY) for name in leaves]},
    )
    figure.update_layout(
        title={"text": title, "x": 0, "font": {"size": 15}},
        showlegend=False,
        margin=_MARGINS,
        height=96 + 34 * len(leaves),
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        yaxis={
            "tickvals": list(range(len(leaves))),
            "ticktext": list(leaves),
            "showgrid": False,
            "zeroline": False,
        },
        xaxis={
            "title": "distance at which they join",
            "zeroline": False,
            "rangemode": "tozero",
            "fixedrange": True,
        },
    )
    return figure


def _pairs_below(distances: Floats, margin: float) -> list[tuple[int, int]]:
    short = (distances < margin) & ~np.eye(len(distances), dtype=bool)
    return [(int(i), int(j)) for i, j in np.argwhere(short)]


def _frame(row: int, column: int) -> dict[str, object]:
    return {
        "type": "rect",
        "x0": column - 0.5,
        "x1": column + 0.5,
        "y0": row - 0.5,
        "y1": row + 0.5,
        "line": {"color": _SHORT, "width": 2},
    }
