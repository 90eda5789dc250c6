"""A matrix as an HTML table whose cells are coloured by their value; nothing else is loaded."""

from collections.abc import Callable, Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

# Cividis, which reads alike to people who see fewer colours (Nunez, Anderton and Renslow 2018).
_CIVIDIS = np.array(
    [[0, 34, 78], [59, 73, 108], [112, 113, 115], [165, 156, 116], [254, 232, 56]], np.float64
)
_INK_TURNS = 0.53  # where white and black ink stand out alike, 4.55 to 1 (WCAG wants 4.5)


def heat_table(
    values: NDArray[np.floating] | NDArray[np.int64],
    rows: Sequence[str],
    columns: Sequence[str],
    low: float,
    high: float,
    hint: Callable[[int, int], str],
    title: str = "",
    form: str = "",
    framed: NDArray[np.bool_] | None = None,
) -> str:
    """The table; a screen reader reads it as one, a pointer on a cell says more.

    Args:
        values: (R, C); a NaN leaves its cell empty.
        rows: (R) names.
        columns: (C) names.
        low: Value at the dark end of the scale.
        high: Value at the light end.
        hint: What pointing at a cell of a row and a column says.
        title: Above the table.
        form: Of the numbers, as `format` has it.
        framed: (R, C) cells with a frame.
    """
    head = "".join(f'<th scope="col"><span>{escape(name)}</span></th>' for name in columns)
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th>'
        + "".join(_cell(values, i, j, (low, high), hint, form, framed) for j in range(len(columns)))
        + "</tr>"
        for i, name in enumerate(rows)
    )
    return (
        f'<div class="ev-wide" tabindex="0" role="group" aria-label="{escape(title or "Table")}">'
        f'<table class="ev-heat"><caption>{escape(title)}</caption>'
        f"<thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cell(
    values: NDArray[np.floating] | NDArray[np.int64],
    row: int,
    column: int,
    ends: tuple[float, float],
    hint: Callable[[int, int], str],
    form: str,
    framed: NDArray[np.bool_] | None,
) -> str:
    value = values[row, column]
    if np.isnan(value):
        return "<td></td>"
    low, high = ends
    share = float(np.clip((value - low) / ((high - low) or 1.0), 0.0, 1.0))
    place = np.linspace(0.0, 1.0, len(_CIVIDIS))
    red, green, blue = (round(np.interp(share, place, channel)) for channel in _CIVIDIS.T)
    ink = "#fff" if share < _INK_TURNS else "#000"
    frame = ' class="ev-short"' if framed is not None and framed[row, column] else ""
    return (
        f'<td{frame} style="background:rgb({red} {green} {blue});color:{ink}" '
        f'title="{escape(hint(row, column))}">{value:{form}}</td>'
    )
