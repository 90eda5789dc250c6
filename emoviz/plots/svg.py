"""Small figures as SVG, for a report that must open without a network: lines, bars, axes.

Text and axes take the colour around them; what is drawn is told by words beside it, too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 460, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 14, 12, 44
COLOURS = ("#5b4fb3", "#d9822b", "#2a9d8f", "#c23b55", "#3d7fc4", "#8a6d1f", "#7a5c99", "#5f7f3a")


@dataclass(frozen=True)
class Line:
    """One curve: its name in the legend, its points, and how it is drawn.

    Attributes:
        name: In the legend; none where it is empty.
        x: (P,).
        y: (P,).
        colour: Of the line.
        faint: Thin and dashed, behind the others.
        dashes: Lengths of dashes and gaps, as SVG wants them.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    colour: str = COLOURS[0]
    faint: bool = False
    dashes: str = ""


def line_chart(
    lines: Sequence[Line],
    x_title: str,
    y_title: str,
    label: str,
    x_range: tuple[float, float] = (0.0, 1.0),
    y_range: tuple[float, float] = (0.0, 1.0),
) -> str:
    """Curves over one pair of axes, with a legend below.

    Args:
        lines: In the order of drawing.
        x_title: Below the horizontal axis.
        y_title: Beside the vertical one.
        label: What a screen reader says of the figure.
        x_range: Ends of the horizontal axis.
        y_range: Ends of the vertical one.
    """
    place = _Place(x_range, y_range)
    curves = "".join(_curve(line, place) for line in lines if len(line.x))
    legend = "".join(
        f'<li><i style="background:{escape(line.colour)}"></i>{escape(line.name)}</li>'
        for line in lines
        if line.name
    )
    return (
        f'<figure><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}">'
        f"{_axes(place, x_title, y_title)}{curves}</svg>"
        f'<ul class="legend">{legend}</ul></figure>'
    )


def reliability_chart(bins: Sequence[tuple[float, float, float, float]], label: str) -> str:
    """Bars of accuracy over confidence, and the diagonal on which they should end.

    Args:
        bins: Low and high end, mean confidence, accuracy.
        label: What a screen reader says of the figure.
    """
    place = _Place((0.0, 1.0), (0.0, 1.0))
    bars = "".join(
        f'<rect x="{place.x(low):.1f}" y="{place.y(accuracy):.1f}" '
        f'width="{place.x(high) - place.x(low) - 1:.1f}" '
        f'height="{place.y(0) - place.y(accuracy):.1f}" fill="{COLOURS[0]}" fill-opacity="0.55"/>'
        f'<circle cx="{place.x(confidence):.1f}" cy="{place.y(accuracy):.1f}" r="3" '
        f'fill="{COLOURS[1]}"/>'
        for low, high, confidence, accuracy in bins
    )
    diagonal = _curve(Line("", (0, 1), (0, 1), "currentColor", faint=True), place)
    axes = _axes(place, "confidence", "share of right answers")
    return (
        f'<figure><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}">'
        f"{axes}{bars}{diagonal}</svg></figure>"
    )


@dataclass(frozen=True)
class _Place:
    """Where values lie in the picture, in its own units."""

    x_range: tuple[float, float]
    y_range: tuple[float, float]

    def x(self, value: float) -> float:
        low, high = self.x_range
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * (value - low) / ((high - low) or 1.0)

    def y(self, value: float) -> float:
        low, high = self.y_range
        return HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * (value - low) / ((high - low) or 1.0)


def _curve(line: Line, place: _Place) -> str:
    points = " ".join(
        f"{place.x(x):.1f},{place.y(y):.1f}" for x, y in zip(line.x, line.y, strict=True)
    )
    dashes = f' stroke-dasharray="{line.dashes or "4 4"}"' if line.faint or line.dashes else ""
    style = ('stroke-opacity="0.6"' if line.faint else 'stroke-width="1.8"') + dashes
    colour = escape(line.colour)
    return f'<polyline points="{points}" fill="none" stroke="{colour}" {style}/>'


def _axes(place: _Place, x_title: str, y_title: str) -> str:
    ticks = []
    for step in range(6):
        x = place.x_range[0] + (place.x_range[1] - place.x_range[0]) * step / 5
        y = place.y_range[0] + (place.y_range[1] - place.y_range[0]) * step / 5
        ticks.append(
            f'<line x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{place.y(y):.1f}" y2="{place.y(y):.1f}" '
            'stroke="currentColor" stroke-opacity="0.15"/>'
            f'<text x="{_LEFT - 6}" y="{place.y(y) + 4:.1f}" text-anchor="end">{y:.2g}</text>'
            f'<text x="{place.x(x):.1f}" y="{HEIGHT - _BOTTOM + 16}" text-anchor="middle">'
            f"{x:.2g}</text>"
        )
    frame = (
        f'<path d="M{_LEFT} {_TOP}V{HEIGHT - _BOTTOM}H{WIDTH - _RIGHT}" fill="none" '
        'stroke="currentColor" stroke-opacity="0.6"/>'
    )
    middle_x, middle_y = (_LEFT + WIDTH - _RIGHT) / 2, (_TOP + HEIGHT - _BOTTOM) / 2
    titles = (
        f'<text x="{middle_x}" y="{HEIGHT - 8}" text-anchor="middle">{escape(x_title)}</text>'
        f'<text transform="translate(13 {middle_y}) rotate(-90)" text-anchor="middle">'
        f"{escape(y_title)}</text>"
    )
    return "".join(ticks) + frame + titles
