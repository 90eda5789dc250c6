"""A table whose cells are buttons: a confusion matrix that opens its images, a bridge of ticks.

A heat map of a plotting library cannot be pressed or reached by keyboard; a table can, and it reads
itself out.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import streamlit as st


def _source(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


_MATRIX = st.components.v2.component(
    "emoviz_matrix",
    html="<section></section>\n",
    css=_source("matrix.css"),
    js=_source("matrix.js"),
)


@dataclass(frozen=True)
class MatrixCell:
    """One cell.

    Attributes:
        text: Its number as people read it.
        words: What it says, in full, for the pointer and for screen readers.
        tint: -1 to 1: how strongly it is tinted, below 0 as bad and above 0 as good.
        opens: Whether it can be pressed.
        down: Whether it is ticked.
    """

    text: str
    words: str
    tint: float = 0.0
    opens: bool = True
    down: bool = False


@dataclass(frozen=True)
class MatrixGrid:
    """A table of cells.

    Attributes:
        names: (S) of the rows, and of the columns where these have none of their own.
        cells: S rows of C cells.
        rows: What the rows are, such as "label".
        columns: What the columns are.
        row_notes: (S) beside the rows, such as their numbers of images; may be empty.
        note_title: Over these.
        column_names: (C) of the columns; as the rows where empty.
    """

    names: Sequence[str]
    cells: Sequence[Sequence[MatrixCell]]
    rows: str
    columns: str
    row_notes: Sequence[str] = ()
    note_title: str = ""
    column_names: Sequence[str] = ()


def matrix(
    shown: MatrixGrid,
    key: str,
    label: str,
    chosen: tuple[int, int] | None = None,
    on_press: Callable[[], None] | None = None,
) -> tuple[int, int] | None:
    """Show a table of cells.

    Args:
        shown: What is in it.
        key: Of the element.
        label: What a screen reader says of the table.
        chosen: The cell that is marked: (row, column).
        on_press: Called before the page runs again; see `pressed_in`.

    Returns:
        (row, column) of the cell that was pressed just now, or None.
    """
    data = {
        "label": label,
        "names": list(shown.names),
        "columnNames": list(shown.column_names or shown.names),
        "square": not shown.column_names,
        "rows": shown.rows,
        "columns": shown.columns,
        "notes": list(shown.row_notes),
        "noteTitle": shown.note_title,
        "cells": [[asdict(cell) for cell in row] for row in shown.cells],
        "chosen": list(chosen) if chosen is not None else None,
    }
    found = _MATRIX(key=key, data=data, on_pressed_change=on_press or _nothing)
    return _place(found.pressed, len(shown.names), len(shown.column_names or shown.names))


def pressed_in(key: str, rows: int, columns: int) -> tuple[int, int] | None:
    """The cell that was pressed, for `on_press`, by the key of the element."""
    return _place(getattr(st.session_state.get(key), "pressed", None), rows, columns)


def _place(pressed: object, rows: int, columns: int) -> tuple[int, int] | None:
    """A browser may send anything."""
    if not isinstance(pressed, list) or len(pressed) != 2:
        return None
    if not all(type(value) is int for value in pressed):
        return None
    row, column = pressed
    return (row, column) if 0 <= row < rows and 0 <= column < columns else None


def _nothing() -> None:
    """A trigger exists only where something listens."""
