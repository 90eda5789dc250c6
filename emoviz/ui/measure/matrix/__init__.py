"""A square table of numbers whose cells are buttons: the confusion matrix that opens its images.

A heat map of a plotting library cannot be pressed or reached by keyboard; a table can, and it reads
itself out.
"""

from collections.abc import Sequence
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
class Cell:
    """One cell.

    Attributes:
        text: Its number as people read it.
        words: What it says, in full, for the pointer and for screen readers.
        tint: -1 to 1: how strongly it is tinted, below 0 as bad and above 0 as good.
        opens: Whether it can be pressed.
    """

    text: str
    words: str
    tint: float = 0.0
    opens: bool = True


@dataclass(frozen=True)
class Matrix:
    """A table of cells.

    Attributes:
        names: (S) of the rows, and of the columns.
        cells: S rows of S cells.
        rows: What the rows are, such as "label".
        columns: What the columns are.
        row_notes: (S) beside the rows, such as their numbers of images; may be empty.
        note_title: Over these.
    """

    names: Sequence[str]
    cells: Sequence[Sequence[Cell]]
    rows: str
    columns: str
    row_notes: Sequence[str] = ()
    note_title: str = ""


def matrix(
    shown: Matrix, key: str, label: str, chosen: tuple[int, int] | None = None
) -> tuple[int, int] | None:
    """Show a table of cells.

    Args:
        shown: What is in it.
        key: Of the element.
        label: What a screen reader says of the table.
        chosen: The cell that is marked: (row, column).

    Returns:
        (row, column) of the cell that was pressed just now, or None.
    """
    data = {
        "label": label,
        "names": list(shown.names),
        "rows": shown.rows,
        "columns": shown.columns,
        "notes": list(shown.row_notes),
        "noteTitle": shown.note_title,
        "cells": [[asdict(cell) for cell in row] for row in shown.cells],
        "chosen": list(chosen) if chosen is not None else None,
    }
    pressed = _MATRIX(key=key, data=data, on_pressed_change=_nothing).pressed
    return _place(pressed, len(shown.names))


def _place(pressed: object, size: int) -> tuple[int, int] | None:
    """A browser may send anything."""
    if not isinstance(pressed, list) or len(pressed) != 2:
        return None
    if not all(isinstance(value, int) and 0 <= value < size for value in pressed):
        return None
    return pressed[0], pressed[1]


def _nothing() -> None:
    """A trigger exists only where something listens."""
