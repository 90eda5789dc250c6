"""Figures of the WikiArt study: two maps side by side, artworks over them, a strip of artworks.

For the page as Plotly figures, for documents as PNG (matplotlib, without a screen).
"""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from emoviz.experiments.wikiart import STRIP, Study
from emoviz.files import replaced_file
from emoviz.labels import Taxonomy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_INK, _PAPER, _GREY = "#26231e", "white", "#8a8f98"
_DOT, _STAR = 5, 13


def study_maps(study: Study, taxonomy: Taxonomy) -> go.Figure:
    """Each checkpoint's map of the paintings, the sample's artworks as stars over it.

    Args:
        study: Of a collection.
        taxonomy: Gives the colours of the classes.
    """
    titles = [f"{_role(side.role)}: {side.checkpoint}" for side in study.sides]
    figure = make_subplots(1, 2, subplot_titles=titles, horizontal_spacing=0.03)
    for column, side in enumerate(study.sides, start=1):
        predicted = np.array(side.predicted)
        for number, item in enumerate(taxonomy.classes):
            rows = np.flatnonzero(predicted == number)
            figure.add_trace(
                go.Scattergl(
                    x=[side.x[i] for i in rows],
                    y=[side.y[i] for i in rows],
                    mode="markers",
                    name=item.name,
                    legendgroup=item.name,
                    showlegend=column == 1,
                    marker={"color": item.colour, "size": _DOT, "opacity": 0.75},
                    text=[_short(study.paths[i]) for i in rows],
                    hovertemplate="%{text}<br>" + item.name + "<extra></extra>",
                ),
                row=1,
                col=column,
            )
        figure.add_trace(
            go.Scatter(
                x=[art.x for art in side.artworks],
                y=[art.y for art in side.artworks],
                mode="markers",
                name="artworks of the sample",
                legendgroup="artworks",
                showlegend=column == 1,
                marker={
                    "symbol": "star",
                    "size": _STAR,
                    "color": [
                        taxonomy.classes[_index(taxonomy, a.predicted)].colour
                        for a in side.artworks
                    ],
                    "line": {"width": 1.2, "color": _GREY},
                },
                text=[
                    f"{_safe(a.title)}<br>{a.predicted} {100 * a.probability:.0f} %"
                    for a in side.artworks
                ],
                hovertemplate="%{text}<extra></extra>",
            ),
            row=1,
            col=column,
        )
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    figure.update_layout(
        height=460,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        margin={"l": 8, "r": 8, "t": 36, "b": 8},
        legend={"orientation": "h", "y": -0.02, "yanchor": "top", "itemsizing": "constant"},
    )
    return figure


def write_study_pictures(
    folder: Path, study: Study, taxonomy: Taxonomy, thumbnails: Mapping[str, bytes]
) -> list[Path]:
    """``maps.png`` (Figures 5.7 and 5.8) and ``strip.png`` (Figure 5.6).

    Args:
        folder: Where they go.
        study: Of a collection.
        taxonomy: Gives the colours of the classes.
        thumbnails: JPEGs of the sample's artworks by SHA-256.

    Returns:
        The files that were written; no strip without artworks.
    """
    written = [_write(folder / "maps.png", _drawn_maps(study, taxonomy))]
    if any(art.sha256 in thumbnails for art in study.sides[1].artworks):
        written.append(_write(folder / "strip.png", _drawn_strip(study, thumbnails)))
    return written


def _drawn_maps(study: Study, taxonomy: Taxonomy) -> bytes:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 6.2), facecolor=_PAPER, layout="constrained")
    colours = np.array([item.colour for item in taxonomy.classes])
    axes = figure.subplots(1, 2)
    for axis, side in zip(axes, study.sides, strict=True):
        axis.scatter(side.x, side.y, s=7, c=colours[list(side.predicted)], alpha=0.75, linewidths=0)
        art = side.artworks
        axis.scatter(
            [a.x for a in art],
            [a.y for a in art],
            s=110,
            marker="*",
            c=[colours[_index(taxonomy, a.predicted)] for a in art] or None,
            edgecolors=_INK,
            linewidths=0.7,
        )
        axis.set_title(f"{_role(side.role)}: {side.checkpoint}", color=_INK)
        axis.set_axis_off()
    handles = [
        axes[0].scatter([], [], s=30, c=item.colour, label=item.name) for item in taxonomy.classes
    ]
    star = axes[0].scatter(
        [], [], s=110, marker="*", c=_PAPER, edgecolors=_INK, label="artworks of the sample"
    )
    figure.legend(handles=[*handles, star], loc="outside lower center", ncols=5, frameon=False)
    return _png(figure)


def _drawn_strip(study: Study, thumbnails: Mapping[str, bytes]) -> bytes:
    from matplotlib.figure import Figure
    from PIL import Image

    one, other = study.sides
    pairs = [
        (a, b) for a, b in zip(one.artworks, other.artworks, strict=True) if a.sha256 in thumbnails
    ][:STRIP]
    figure = Figure(figsize=(2.1 * len(pairs), 3.1), facecolor=_PAPER, layout="constrained")
    for number, (before, art) in enumerate(pairs, start=1):
        axis = figure.add_subplot(1, len(pairs), number)
        axis.imshow(np.asarray(Image.open(io.BytesIO(thumbnails[art.sha256]))))
        words = f"{art.predicted} {100 * art.probability:.0f} %"
        was = f"baseline: {before.predicted} {100 * before.probability:.0f} %"
        axis.set_title(f"{words}\n{was}", fontsize=9, color=_INK)
        axis.set_xlabel(_wrapped(art.title), fontsize=7, color=_INK, parse_math=False)
        axis.set_xticks([])
        axis.set_yticks([])
        for spine in axis.spines.values():
            spine.set_visible(False)
    return _png(figure)


def _png(figure: "Figure") -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    return buffer.getvalue()


def _write(file: Path, data: bytes) -> Path:
    with replaced_file(file) as aside:
        aside.write_bytes(data)
    return file


def _index(taxonomy: Taxonomy, name: str) -> int:
    return taxonomy.names.index(name)


def _role(role: str) -> str:
    return {"baseline": "Baseline", "ours": "With the loss"}[role]


def _short(path: str) -> str:
    return _safe("/".join(Path(path).parts[-2:]))


def _safe(text: str) -> str:
    """Foreign text in Plotly's hover boxes, which read a little HTML."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _wrapped(text: str, width: int = 26) -> str:
    words: Sequence[str] = text.split()
    lines = [""]
    for word in words:
        if len(lines[-1]) + len(word) > width and lines[-1]:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "\n".join(lines[:3])
