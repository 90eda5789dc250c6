"""Figures of a review: shares of emotions by artist, style or time, and who said what against whom.

Transparent grounds and the theme's text colour, so that both themes are served.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

_MARGINS = {"l": 8, "r": 8, "t": 8, "b": 8}
_GREY = "#9d9a92"


def shares_by(
    counts: Mapping[str, Mapping[str, int]],
    names: Sequence[str],
    colours: Mapping[str, str],
    unit: str = "works",
) -> go.Figure:
    """One horizontal bar a group, divided by emotion; the number of works stands at its end.

    Args:
        counts: Group -> emotion -> works, in the order from top to bottom.
        names: The emotions, in the order of the pieces.
        colours: Of the emotions.
        unit: What is counted.
    """
    groups = list(counts)
    totals = [max(sum(counts[group].values()), 1) for group in groups]
    figure = go.Figure()
    for name in names:
        found = [counts[group].get(name, 0) for group in groups]
        if not any(found):
            continue
        figure.add_bar(
            x=[100 * count / total for count, total in zip(found, totals, strict=True)],
            y=[f"{group} ({total})" for group, total in zip(groups, totals, strict=True)],
            customdata=found,
            name=name,
            orientation="h",
            marker={"color": colours.get(name, _GREY), "line": {"width": 0}},
            hovertemplate=f"%{{y}}<br>{name}: %{{x:.0f}} %, %{{customdata}} {unit}<extra></extra>",
        )
    figure.update_layout(
        barmode="stack",
        bargap=0.25,
        margin=_MARGINS,
        height=110 + 28 * len(groups),
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        legend={"orientation": "h", "y": -0.18 if len(groups) < 6 else -0.08, "x": 0},
        xaxis={"range": [0, 100], "ticksuffix": " %", "showgrid": False},
        yaxis={"autorange": "reversed", "title": None},
    )
    return figure


def confusion(
    table: NDArray[np.int64], names: Sequence[str], rows: str, columns: str, unit: str = "works"
) -> go.Figure:
    """Who said what where the other said what: a matrix of counts, the numbers in its cells.

    Args:
        table: (C, C) counts.
        names: (C) of the labels; those that neither used are left out.
        rows: Whose labels the rows are.
        columns: Whose the columns are.
        unit: What is counted.
    """
    used = np.flatnonzero(table.sum(axis=0) + table.sum(axis=1))
    shown = table[np.ix_(used, used)]
    labels = [names[i] for i in used.tolist()]
    figure = go.Figure(
        go.Heatmap(
            z=shown,
            x=labels,
            y=labels,
            colorscale="Cividis",
            texttemplate="%{z}",
            hovertemplate=f"{rows}: %{{y}}<br>{columns}: %{{x}}<br>%{{z}} {unit}<extra></extra>",
            xgap=1,
            ygap=1,
            showscale=False,
        )
    )
    figure.update_layout(
        margin=_MARGINS,
        height=130 + 36 * len(labels),
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        xaxis={"title": columns, "side": "bottom"},
        yaxis={"title": rows, "autorange": "reversed"},
    )
    return figure
