"""Tables on pages, each with a way home that no spreadsheet takes for formulas.

Streamlit's own "Download as CSV" writes cells as they are; `.streamlit/config.toml` takes it away.
"""

from html import escape
from typing import TYPE_CHECKING, Any

import streamlit as st

from emoviz.inference.tabular import csv_text
from emoviz.ui.language import tr
from emoviz.ui.words import readable

if TYPE_CHECKING:
    from pandas import DataFrame


def show(table: "DataFrame", key: str, **options: Any) -> Any:
    """`st.dataframe`, with the table as CSV below it.

    Args:
        table: Its index goes home too, unless it is hidden.
        key: Of the element, and the name of the file.
        options: As for `st.dataframe`.

    Returns:
        What `st.dataframe` does.
    """
    event = st.dataframe(table, key=key, **options)
    offer(table if options.get("hide_index") else table.reset_index(names=""), key)
    return event


def draw(table: "DataFrame", index: bool = True, header: bool = True) -> None:
    """A small table as text, at once; `st.table` first fetches a megabyte that draws it.

    Args:
        table: Of texts and whole numbers; foreign texts stay text.
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
    return escape(readable(str(cell)))
