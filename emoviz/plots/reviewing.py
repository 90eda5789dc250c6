"""Who said what against whom in a review, as a figure for notebooks and as a table for the page.

Transparent grounds and the theme's text colour, so that both themes are served.
"""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from emoviz.plots.heat_table import heat_table

_MARGINS = {"l": 8, "r": 8, "t": 8, "b": 8}


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
    shown, labels = _used(table, names)
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


def confusion_table(
    table: NDArray[np.int64], names: Sequence[str], rows: str, columns: str, unit: str = "works"
) -> str:
    """The same as an HTML table, which loads nothing; the arguments are those of `confusion`."""
    shown, labels = _used(table, names)

    def hint(i: int, j: int) -> str:
        return f"{rows}: {labels[i]}\n{columns}: {labels[j]}\n{shown[i, j]} {unit}"

    title = f"{rows} ↓  {columns} →"
    return heat_table(shown, labels, labels, 0, int(shown.max(initial=1)), hint, title)


def _used(table: NDArray[np.int64], names: Sequence[str]) -> tuple[NDArray[np.int64], list[str]]:
    """The labels that either used, and their counts."""
    used = np.flatnonzero(table.sum(axis=0) + table.sum(axis=1))
    return table[np.ix_(used, used)], [names[i] for i in used.tolist()]
