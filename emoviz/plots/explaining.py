"""Figures of explanations: heat maps over images, parts of logits, curves."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from emoviz.plots.bars import percent

if TYPE_CHECKING:
    import plotly.graph_objects as go

# For and against: an orange and a blue that colour-blind people tell apart.
FOR, AGAINST = (230, 110, 20), (40, 100, 200)
_SEMANTIC, _BIAS = "#4b4377", "#9d9a92"
_TEXTURES = ("#f0c27b", "#e08e45", "#b85c1e", "#8a3d10", "#5e2608")
# Values above this percentile of the strengths get the full colour: single peaks would hide the
# rest.
_FULL = 99.5
_OUTLINE = (255, 255, 255)


def overlay(
    picture: NDArray[np.uint8], heat: NDArray[np.floating], opacity: float = 0.65
) -> Image.Image:
    """A heat map laid over its picture: orange spoke for the class, blue against.

    Args:
        picture: (H, W, 3) bytes; the map is drawn at its size, smoothly.
        heat: (h, w), any unit.
        opacity: Of the strongest places, in [0, 1].
    """
    height, width = picture.shape[:2]
    smooth = np.asarray(
        Image.fromarray(np.asarray(heat, np.float32)).resize(
            (width, height), Image.Resampling.BICUBIC
        )
    )
    strength = strengths(smooth)[..., None]
    colour = np.where(smooth[..., None] >= 0, FOR, AGAINST)
    alpha = opacity * np.abs(strength)
    # What the map passes over turns grey and pale, so that colours of the picture mislead nobody.
    grey = picture.mean(axis=2, keepdims=True)
    ground = (1 - 0.55 * opacity) * picture + 0.55 * opacity * (0.6 * grey + 0.4 * 235)
    mixed = (1 - alpha) * ground + alpha * colour
    return Image.fromarray(np.round(mixed).clip(0, 255).astype(np.uint8))


def numbered(picture: Image.Image, regions: Mapping[int, NDArray[np.bool_]]) -> Image.Image:
    """The picture with the outline of each region and, at its middle, its number.

    Args:
        picture: RGB, any size.
        regions: Number to (h, w) mask of the whole picture.
    """
    marked, size = np.array(picture), picture.size
    middles = {}
    for number, region in regions.items():
        mask = np.asarray(Image.fromarray(region).resize(size, Image.Resampling.NEAREST))
        inside = np.asarray(Image.fromarray(mask).convert("L").filter(ImageFilter.MinFilter(3)))
        marked[mask & (inside == 0)] = _OUTLINE
        rows, columns = region.nonzero()
        scale = np.array(size) / region.shape[::-1]
        # of its pixels the one nearest to its middle, which may lie outside of it
        nearest = np.argmin((rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2)
        middles[number] = tuple((np.array((columns[nearest], rows[nearest])) + 0.5) * scale)
    made = Image.fromarray(marked)
    draw, font = ImageDraw.Draw(made), ImageFont.load_default(max(12, min(size) // 14))
    for number, place in middles.items():
        draw.text(
            place,
            str(number),
            "white",
            font,
            "mm",
            stroke_width=max(2, min(size) // 140),
            stroke_fill="black",
        )
    return made


def strengths(heat: NDArray[np.floating]) -> NDArray[np.float64]:
    """The map divided by (almost) its largest absolute value, in [-1, 1]; 0 where it is flat."""
    most = float(np.percentile(np.abs(heat), _FULL))
    if most <= 0.0:
        return np.zeros(heat.shape)
    return np.asarray(np.clip(heat / most, -1.0, 1.0), np.float64)


def smoothed(heat: NDArray[np.float32], share: float = 0.02) -> NDArray[np.float32]:
    """The map blurred by a share of its side: for maps that scatter from pixel to pixel."""
    from scipy.ndimage import gaussian_filter

    return np.asarray(gaussian_filter(heat, share * len(heat)), np.float32)


def part_colours(parts: Sequence[str]) -> dict[str, str]:
    """A colour for each part of the logits: content violet, textures orange, finest palest."""
    textures = [name for name in parts if name.startswith("texture")]
    shades = {name: _TEXTURES[min(i, len(_TEXTURES) - 1)] for i, name in enumerate(textures)}
    return {name: shades.get(name, _BIAS if name == "bias" else _SEMANTIC) for name in parts}


def stacked_parts(
    classes: Sequence[str],
    parts: Mapping[str, NDArray[np.floating]],
    names: Mapping[str, str],
    totals: NDArray[np.floating] | None = None,
    unit: str = "logit",
) -> "go.Figure":
    """Stacked horizontal bars, one for each class: to the right what spoke for it.

    Args:
        classes: (C) names, top to bottom.
        parts: (C,) for each part.
        names: What people read for each part.
        totals: (C,) marked with a dot, where given: what the parts add up to.
        unit: Of the numbers.
    """
    import plotly.graph_objects as go

    colours = part_colours(list(parts))
    figure = go.Figure()
    for name, values in parts.items():
        figure.add_bar(
            x=values,
            y=list(classes),
            orientation="h",
            name=names[name],
            marker_color=colours[name],
            hovertemplate="%{y}: " + names[name] + " %{x:+.3f}<extra></extra>",
        )
    if totals is not None:
        figure.add_scatter(
            x=totals,
            y=list(classes),
            mode="markers",
            name="together",
            marker={"symbol": "diamond", "size": 10, "color": "#888", "line": {"width": 1}},
            hovertemplate="%{y}: together %{x:+.3f}<extra></extra>",
        )
    figure.update_layout(
        barmode="relative",
        height=110 + 34 * len(classes),
        margin={"l": 0, "r": 10, "t": 10, "b": 0},
        legend={"orientation": "h", "y": -0.22, "traceorder": "normal"},
        xaxis_title=unit,
        yaxis={"autorange": "reversed"},
    )
    return figure


def shares_with_intervals(
    classes: Sequence[str],
    shares: NDArray[np.floating],
    half: NDArray[np.floating],
) -> "go.Figure":
    """One dot with its interval for each class, in %.

    Args:
        classes: (C) names, top to bottom.
        shares: (C,) in %.
        half: (C,) half the interval's width.
    """
    import plotly.graph_objects as go

    figure = go.Figure(
        go.Scatter(
            x=shares,
            y=list(classes),
            mode="markers",
            error_x={"type": "data", "array": half, "thickness": 2, "width": 6},
            marker={"color": _TEXTURES[1], "size": 10},
            customdata=np.column_stack([shares - half, shares + half]),
            hovertemplate="%{y}: %{x:.1f} % (%{customdata[0]:.1f} to %{customdata[1]:.1f})"
            "<extra></extra>",
        )
    )
    figure.update_layout(
        height=80 + 30 * len(classes),
        margin={"l": 0, "r": 10, "t": 10, "b": 0},
        xaxis_title="% of what makes the images differ",
        yaxis={"autorange": "reversed"},
    )
    return figure


def deletion_insertion(found: Any, name: str) -> "go.Figure":
    """Two panels: the class's probability while pixels go, and while they come.

    Args:
        found: `emoviz.inference.faithfulness.Faithfulness`.
        name: Of the class.
    """
    from plotly.subplots import make_subplots

    titles = ("Taking the marked places away", "Showing the marked places first")
    figure = make_subplots(1, 2, shared_yaxes=True, subplot_titles=titles)
    panels = (
        (found.deletion, found.random_deletion),
        (found.insertion, found.random_insertion),
    )
    for column, (ours, random) in enumerate(panels, start=1):
        lines = (("this heat map", ours, "#e66e14", "solid"), ("random", random, "#888", "dash"))
        for label, values, colour, dash in lines:
            figure.add_scatter(
                x=100 * found.shares,
                y=values,
                name=label,
                line={"color": colour, "dash": dash},
                showlegend=column == 1,
                row=1,
                col=column,
            )
    figure.update_xaxes(title_text="% of the picture", ticksuffix=" %")
    figure.update_yaxes(title_text=f"probability of {name}", rangemode="tozero", col=1)
    figure.update_layout(
        height=300,
        margin={"l": 0, "r": 10, "t": 30, "b": 0},
        legend={"orientation": "h", "y": -0.3},
    )
    return figure


def loss_curve(losses: Sequence[float]) -> "go.Figure":
    """How far the Gram matrices of the growing picture are from the original's, step by step."""
    import plotly.graph_objects as go

    figure = go.Figure(
        go.Scatter(x=list(range(1, len(losses) + 1)), y=list(losses), line={"color": "#e66e14"})
    )
    figure.update_yaxes(type="log", title_text="loss", dtick=1)
    figure.update_xaxes(title_text="step")
    figure.update_layout(height=220, margin={"l": 0, "r": 10, "t": 10, "b": 0})
    return figure


def moved_bars(
    before: Mapping[str, float],
    after: Mapping[str, float],
    order: Sequence[str],
    colours: Mapping[str, str],
) -> str:
    """Bars of the probabilities now, with a line where each was before, as HTML.

    Args:
        before: Class -> probability.
        after: Class -> probability.
        order: Of display, top to bottom.
        colours: Of the classes, as ``#rrggbb``.
    """
    rows = "".join(
        _moved_bar(name, before[name], after[name], colours.get(name, "")) for name in order
    )
    return (
        '<div class="ev-bars" role="group" aria-label="Estimated probabilities now and before">'
        f"{rows}</div>"
    )


def _moved_bar(name: str, before: float, after: float, colour: str) -> str:
    safe, text = escape(name), percent(after)
    words = f"{text}, before {percent(before)}"
    return (
        f'<div class="ev-bar" role="meter" aria-label="{safe}" aria-valuemin="0" '
        f'aria-valuemax="100" aria-valuenow="{100 * after:.0f}" aria-valuetext="{words}" '
        f'title="{safe}: {words}">'
        f'<span class="ev-what">{safe}</span><span class="ev-track" style="position:relative">'
        f'<span class="ev-fill" style="width:{100 * after:.1f}%;background:{escape(colour)}">'
        f'</span><span style="position:absolute;top:0;bottom:0;left:{100 * before:.1f}%;width:2px;'
        f'background:currentColor"></span></span><span class="ev-number">{text}</span></div>'
    )
