"""Figures of the class centers: distance matrices on one colour scale, and the tree of emotions.

Small HTML that stands with the page; every cell shows its number, so that nothing hangs on the
colour alone.
"""

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from emoviz.plots.heat_table import heat_table

Floats = NDArray[np.float64]
_GREY = "#8a8f98"


def distance_heat_map(
    distances: Floats,
    names: Sequence[str],
    low: float,
    high: float,
    title: str = "",
    margin: float | None = None,
) -> str:
    """A matrix of distances between class centers, numbers in its cells, as an HTML table.

    Args:
        distances: (C, C), symmetric; NaN leaves a cell empty.
        names: (C) of the classes.
        low: Distance at the dark end of the scale; shared by the matrices that stand side by side.
        high: Distance at the light end.
        title: Above the matrix.
        margin: Cells below it are framed: these pairs fall short of the loss's margin m.
    """
    other = ~np.eye(len(names), dtype=bool)
    return heat_table(
        np.where(other, distances, np.nan),
        names,
        names,
        low,
        high,
        title=title,
        form=".2f",
        hint=lambda i, j: f"{names[i]} – {names[j]}: {distances[i, j]:.3f}",
        framed=None if margin is None else (distances < margin) & other,
    )


def tree(
    brackets: Sequence[tuple[Sequence[float], Sequence[float]]],
    leaves: Sequence[str],
    colours: Mapping[str, str],
    title: str = "",
) -> str:
    """A dendrogram lying on its side: classes that join near the left edge are alike.

    Args:
        brackets: For each merge its four corners: places along the leaves, heights.
        leaves: Class names in drawing order; leaf i stands at place i.
        colours: Of the classes, for the dots at the leaves.
        title: Above the tree.

    Returns:
        HTML; pointing at a joint says at which distance it joins.
    """
    top = max((max(heights) for _, heights in brackets), default=0.0) or 1.0
    rows = "".join(
        f'<li><span>{escape(name)}</span><i class="ev-dot" style="background:'
        f'{escape(colours.get(name, _GREY))}"></i></li>'
        for name in leaves
    )
    joints = "".join(_bracket(places, heights, top, len(leaves)) for places, heights in brackets)
    heights = sorted(max(heights) for _, heights in brackets)
    words = f"{', '.join(leaves)}; they join at {', '.join(f'{h:.2f}' for h in heights)}"
    return (
        f'<figure class="ev-tree"><figcaption>{escape(title)}</figcaption>'
        f'<div role="img" aria-label="{escape(f"{title}: {words}")}"><ul>{rows}</ul>'
        f'<div class="ev-joints">{joints}</div></div>'
        f"<p><span>0</span><span>distance at which they join</span><span>{top:.3g}</span></p>"
        "</figure>"
    )


def _bracket(places: Sequence[float], heights: Sequence[float], top: float, leaves: int) -> str:
    """Two arms from the children to the joint, and the joint between them."""
    x = [100 * height / top for height in heights]
    y = [100 * (place + 0.5) / leaves for place in places]
    arms = "".join(
        f'<i style="left:{x[child]:.2f}%;width:{x[joint] - x[child]:.2f}%;top:{y[child]:.2f}%"></i>'
        for child, joint in ((0, 1), (3, 2))
    )
    low, high = sorted(y[1:3])
    return (
        f'{arms}<b title="join at {heights[1]:.3f}" '
        f'style="left:{x[1]:.2f}%;top:{low:.2f}%;height:{high - low:.2f}%"></b>'
    )
