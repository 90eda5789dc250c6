"""Tables on pages, each with a way home that no spreadsheet takes for formulas.

Streamlit's own "Download as CSV" writes cells as they are; `.streamlit/config.toml` takes it away.
"""

from html import escape
from math import isnan
from numbers import Real
from typing import TYPE_CHECKING

import streamlit as st

from emoviz.inference.tabular import csv_text
from emoviz.ui.language import tr
from emoviz.ui.words import readable

if TYPE_CHECKING:
    from pandas import DataFrame


_TEXT = 40  # rows that stand as text; more scroll in a grid, which sorts and searches


def show(table: "DataFrame", key: str, index: bool = True) -> None:
    """A table of any length, with the table as CSV below it.

    Args:
        table: Of texts and numbers.
        key: Of the elements, and the name of the file.
        index: Whether the names of the rows stand before them, and go home.
    """
    if len(table) <= _TEXT:
        draw(table, index)
    else:
        st.dataframe(table, key=key, hide_index=not index, height=460, width="stretch")
    offer(table.reset_index(names="") if index else table, key)


def draw(table: "DataFrame", index: bool = True, header: bool = True) -> None:
    """A small table as text, at once; `st.table` first fetches a megabyte that draws it.

    Args:
        table: Of texts and numbers; foreign texts stay text.
        index: Whether the names of the rows stand before them.
        header: Whether those of the columns stand above.
    """
    corner = [table.index.name or ""] if index else []
    heads = "".join(f'<th scope="col">{_text(name)}</th>' for name in [*corner, *table])
    rows = "".join(
        "<tr>"
        + (f'<th scope="row">{_text(name)}</th>' if index else "")
        + "".join(f"<td>{_text(cell)}</td>" for cell in cells)
        + "</tr>"
        for name, *cells in table.itertuples()
    )
    head = f"<thead><tr>{heads}</tr></thead>" if header else ""
    st.html(
        f'<div class="ev-wide"><table class="ev-scores">{head}<tbody>{rows}</tbody></table></div>'
    )


def offer(table: "DataFrame", key: str) -> None:
    """The table's columns as CSV, behind a button; `key` names the file."""
    rows = (list(table.columns), *table.itertuples(index=False))
    st.download_button(
        tr("Table as CSV"),
        lambda: csv_text(rows).encode("utf-8-sig", "replace"),
        f"{key}.csv",
        "text/csv",
        key=f"{key}-csv",
        on_click="ignore",
        type="tertiary",
        icon=":material/download:",
    )


def _text(cell: object) -> str:
    if isinstance(cell, Real):
        value = float(cell)
        return "" if isnan(value) else f"{value:,.4f}".rstrip("0").rstrip(".")
    return escape(readable("" if cell is None else str(cell)))
