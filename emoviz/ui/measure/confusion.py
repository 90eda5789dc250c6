"""The confusion matrix: counts or shares; a cell opens the images in it."""

from collections.abc import Sequence

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from emoviz.analysis.metrics import confusion_matrix
from emoviz.ui.explorer import board
from emoviz.ui.explorer.pictures import Pictures
from emoviz.ui.explorer.points import Points
from emoviz.ui.gallery import gallery
from emoviz.ui.linked import linked_segments, write_parameter
from emoviz.ui.measure.matrix import MatrixCell, MatrixGrid, matrix
from emoviz.ui.measure.subject import EvaluationSubject
from emoviz.ui.words import counted, plain, readable

_WAYS = {"counts": "Images", "row": "% of each label", "column": "% of each answer"}
_SIDE = 158  # wide enough for two labels and a probability under a picture
_GUIDE = (
    "Each row is a label, each column what the model answered. On the diagonal (framed) they "
    "agree. *% of each label* shows in its diagonal the recall, *% of each answer* the precision. "
    "Press a cell, or walk to it with the arrow keys and press Enter, to see its images."
)


def show(item: EvaluationSubject, pictures: Pictures) -> None:
    """The matrix, and the images of the cell that was pressed."""
    way = linked_segments("Cells show", _WAYS, "cells")
    judged, names = item.judged, item.judged.labels.names
    kept = np.flatnonzero(judged.bridge.reachable)
    counts = confusion_matrix(judged.truth, judged.predicted, len(names))[np.ix_(kept, kept)]
    shown = [names[label] for label in kept]
    drawn = _matrix(counts, shares(counts, way), shown, way)
    pressed = matrix(drawn, "confusion", "Confusion matrix", _chosen(len(kept)))
    if pressed is not None:
        write_parameter("cell", f"{pressed[0]}-{pressed[1]}")
        st.rerun()
    st.caption(_GUIDE)
    cell = _chosen(len(kept))
    if cell is not None:
        chosen = int(kept[cell[0]]), int(kept[cell[1]])
        label, answer = (plain(names[place]) for place in chosen)
        rows = item.judged.cell(*chosen)
        agreed = (
            f"**{label}**, and answered so"
            if chosen[0] == chosen[1]
            else (f"Label **{label}**, answered **{answer}**")
        )
        images(item.points, rows, pictures, f"{agreed}: {counted(len(rows), 'image')}", "cell")


def images(
    points: Points,
    rows: NDArray[np.int64],
    pictures: Pictures,
    title: str,
    key: str,
    details: Sequence[str] = (),
) -> None:
    """Pictures of some rows, page by page; a press shows one large.

    Args:
        points: The images.
        rows: (K,) which of them, in the order of display.
        pictures: Thumbnails.
        title: Above them, in Markdown.
        key: Of the elements.
        details: (K,) a second line for each; the estimate where empty.
    """
    st.markdown(title)
    if not len(rows):
        return
    pages = -(-len(rows) // board.PER_PAGE)
    place = st.container()
    page = 1
    if pages > 1:
        with st.container(horizontal_alignment="center"):
            page = st.pagination(pages, key=f"{key}-page-{pages}-{len(rows)}")
    first = (page - 1) * board.PER_PAGE
    shown = rows[first : first + board.PER_PAGE]
    with place:
        tiles = board.tiles_of(points, shown, pictures, details[first : first + board.PER_PAGE])
        pressed = gallery(tiles, f"{key}-wall", "Images", _SIDE)
    board.look_at(points, None if pressed is None else int(shown[pressed]))


def shares(counts: NDArray[np.int64], way: str) -> NDArray[np.float64]:
    """(S, S) the counts, or shares of each ``row`` or ``column``; NaN where that is empty."""
    if way == "counts":
        return counts.astype(np.float64)
    whole = counts.sum(axis=1 if way == "row" else 0, keepdims=True)
    whole = whole if way == "row" else whole.reshape(1, -1)
    shown: NDArray[np.float64] = np.full(counts.shape, np.nan)
    np.divide(counts, whole, out=shown, where=whole > 0)
    return shown


def _chosen(size: int) -> tuple[int, int] | None:
    """The cell that the link names."""
    parts = st.query_params.get("cell", "").split("-")
    if len(parts) != 2 or not all(part.isdecimal() and int(part) < size for part in parts):
        return None
    return int(parts[0]), int(parts[1])


def _matrix(
    counts: NDArray[np.int64], shown: NDArray[np.float64], names: Sequence[str], way: str
) -> MatrixGrid:
    support = counts.sum(axis=1)
    share = counts / np.maximum(support[:, None], 1)
    strength = shown / max(float(np.nanmax(shown, initial=0.0)), 1e-9)
    cells = [
        [
            MatrixCell(
                _number(shown[i, j], way),
                f"label {readable(names[i])}, answered {readable(names[j])}: "
                f"{counted(int(counts[i, j]), 'image')}, {100 * share[i, j]:.0f} % of the label",
                float(np.nan_to_num(strength[i, j])) * (1.0 if i == j else -1.0),
                bool(counts[i, j]),
            )
            for j in range(len(names))
        ]
        for i in range(len(names))
    ]
    notes = [f"{int(count):,}" for count in support]
    shown_names = [readable(name) for name in names]
    return MatrixGrid(shown_names, cells, "label", "the model's answer", notes, "images")


def _number(value: float, way: str) -> str:
    if np.isnan(value):
        return "–"
    if way == "counts":
        return f"{int(value):,}" if value else "·"
    return f"{100 * value:.0f}" if value else "·"
