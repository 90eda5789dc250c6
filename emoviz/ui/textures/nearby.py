"""Same style beside same feeling: two rows of nearest images that often differ."""

from collections.abc import Sequence

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from emoviz.analysis.neighbours import nearest
from emoviz.ui.explorer.board import tiles_of
from emoviz.ui.explorer.pictures import Pictures
from emoviz.ui.explorer.points import Points
from emoviz.ui.gallery import gallery
from emoviz.ui.shell import Context
from emoviz.ui.textures import asking, collection
from emoviz.ui.textures.subject import ExplanationSubject
from emoviz.ui.words import counted

_SHOWN = 6


def show(context: Context, subject: ExplanationSubject) -> None:
    """The nearest images of a collection by Gram matrices and by u."""
    box = st.expander(
        "Same style, or same feeling? The nearest images of a collection",
        icon=":material/compare:",
        on_change="rerun",
        key="textures-nearby",
    )
    if not box.open:
        return
    with box:
        if not asking.explainer(context).gram_layers or subject.prediction.embedding is None:
            st.info("This network has no layer whose Gram matrices could be compared.")
            return
        styled = collection.choose(context)
        if styled is not None:
            _rows(context, subject, styled)


def _rows(context: Context, subject: ExplanationSubject, styled: collection.Styled) -> None:
    points = styled.points
    style = collection.distances(context, subject, styled)
    feeling = nearest(points.vectors, subject.prediction.embedding, len(points))
    by_style = _first(np.argsort(style, kind="stable"), points, subject)
    by_feeling = _first(feeling.indices[0], points, subject)
    u = dict(zip(feeling.indices[0].tolist(), feeling.distances[0].tolist(), strict=True))
    _row("Same style: nearest Gram matrices", by_style, points, style, context)
    _row("Same feeling: nearest u", by_feeling, points, u, context)
    shared, count = len(set(by_style) & set(by_feeling)), len(by_style)
    st.markdown(
        f"Among {styled.title}; {counted(shared, 'image')} of {count} in both rows. The rows "
        "differ because images made alike need not move people alike, as the model estimates it."
    )
    st.caption(
        "Under each: the distance, of Gram matrices from 0 (the same) to 1 (nothing in common), of "
        "u without a limit; and the most likely class."
    )


def _first(order: NDArray[np.int64], points: Points, subject: ExplanationSubject) -> list[int]:
    """The nearest ones, without the image itself and its copies."""
    seen = {subject.sha256}
    rows: list[int] = []
    for row in map(int, order):
        if len(rows) < _SHOWN and points.sha256[row] not in seen:
            seen.add(points.sha256[row])
            rows.append(row)
    return rows


def _row(
    title: str,
    rows: Sequence[int],
    points: Points,
    distances: "NDArray[np.float64] | dict[int, float]",
    context: Context,
) -> None:
    st.markdown(f"**{title}**")
    assert points.taxonomy is not None
    assert points.predicted is not None
    words = [f"{distances[i]:.2f} · {points.taxonomy.names[points.predicted[i]]}" for i in rows]
    tiles = tiles_of(points, rows, Pictures(context.settings), words)
    gallery(tiles, f"near-{title[:10]}", title, side=108)
