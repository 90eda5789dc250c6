"""Figures of a labelled set: light and colour by class, shares of text and faces.

Transparent grounds and the theme's text colour, so that both themes are served.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from emoviz.plots.bars import FIRST

SECOND, GREY = "#d9822b", "#8a8f98"
# Ends of the axes, the same for all sets, so that small differences look small.
_ENDS = {
    "brightness": (0.0, 1.0),
    "contrast": (0.0, 0.5),
    "saturation": (0.0, 1.0),
    "colourfulness": (0.0, 0.8),
    "warmth": (-0.5, 0.5),
}
_MOST = 40  # classes that a figure shows


def before_and_after(
    before: Mapping[str, int], after: Mapping[str, int], names: Sequence[str]
) -> go.Figure:
    """Images of each class before and after a recipe.

    Args:
        before: Class -> images.
        after: Likewise; other names where the recipe relabels.
        names: Both's classes, from top to bottom.
    """
    figure = go.Figure()
    rows = (("before", before, GREY), ("after", after, FIRST))
    for title, counts, colour in rows:
        figure.add_bar(
            x=[counts.get(name, 0) for name in names[:_MOST]],
            y=[safe(name) for name in names[:_MOST]],
            name=title,
            orientation="h",
            marker={"color": colour},
            hovertemplate=f"%{{y}}, {title}: %{{x:,}} images<extra></extra>",
        )
    figure.update_layout(barmode="group", bargap=0.3)
    figure.update_xaxes(title="images", rangemode="tozero")
    return _dressed(figure, 130 + 34 * len(names[:_MOST]))


def light_by_class(
    quartiles: Mapping[str, Sequence[float] | None],
    recall: Mapping[str, float],
    shares: Mapping[str, float],
    colours: Mapping[str, str],
    measure: str,
) -> go.Figure:
    """The affective gap in one chart: light by class, and how often light alone finds the class.

    Args:
        quartiles: Class -> (lower quartile, median, upper quartile) of the measure, None where a
            class is empty.
        recall: Class -> share of its images that light and colour alone find, 0-1.
        shares: Class -> share of all images, which guessing in proportion would find.
        colours: Of the classes.
        measure: Such as brightness, for the axis.
    """
    from plotly.subplots import make_subplots

    known = {name: row for name, row in quartiles.items() if row is not None}
    names = sorted(known, key=lambda name: known[name][1])[:_MOST]
    figure = make_subplots(
        1,
        2,
        shared_yaxes=True,
        column_widths=[0.55, 0.45],
        horizontal_spacing=0.04,
        subplot_titles=(f"{measure} by class", "found by light and colour alone"),
    )
    for name in names:
        low, middle, high = known[name]
        colour = colours.get(name, GREY)
        figure.add_scatter(
            x=[low, high],
            y=[safe(name)] * 2,
            mode="lines",
            line={"color": colour, "width": 9},
            opacity=0.55,
            hovertemplate=f"{safe(name)}: half of its images lie between {low:.2f} and {high:.2f}"
            "<extra></extra>",
            showlegend=False,
            row=1,
            col=1,
        )
        figure.add_scatter(
            x=[middle],
            y=[safe(name)],
            mode="markers",
            marker={"color": colour, "size": 12, "line": {"width": 1.5, "color": GREY}},
            hovertemplate=f"{safe(name)}: median {middle:.2f}<extra></extra>",
            showlegend=False,
            row=1,
            col=1,
        )
    found = [name for name in names if name in recall]
    figure.add_bar(
        x=[recall[name] for name in found],
        y=[safe(name) for name in found],
        orientation="h",
        marker={"color": [colours.get(name, GREY) for name in found]},
        hovertemplate="%{y}: %{x:.0%} of its images found<extra></extra>",
        showlegend=False,
        row=1,
        col=2,
    )
    figure.add_scatter(
        x=[shares.get(name, 0.0) for name in found],
        y=[safe(name) for name in found],
        mode="markers",
        marker={"symbol": "line-ns-open", "size": 17, "color": GREY, "line": {"width": 3}},
        name="its share of all images",
        hovertemplate="%{y}: %{x:.0%} of all images<extra></extra>",
        row=1,
        col=2,
    )
    ends = _ENDS.get(measure)
    figure.update_xaxes(range=ends, zeroline=False, row=1, col=1)
    figure.update_xaxes(tickformat=".0%", range=[0, 1], row=1, col=2)
    figure = _dressed(figure, 170 + 30 * len(names), upright=True)
    figure.update_layout(
        bargap=0.45, legend={"x": 1, "xanchor": "right", "y": -0.12, "yanchor": "top"}
    )
    figure.update_annotations(font={"size": 14})
    return figure


def share_histogram(shares: NDArray[np.float64], threshold: float, what: str) -> go.Figure:
    """How much of the images text or a face takes, in images, and where the threshold lies.

    Args:
        shares: (N,) of the area, 0 to 1; NaN for images that could not be looked at.
        threshold: From where on images are thrown out.
        what: ``text`` or ``the largest face``.
    """
    known = shares[np.isfinite(shares) & (shares > 0)]
    edges = np.concatenate([[0.0005, 0.001, 0.002], np.geomspace(0.005, 1.0, 17)])
    counts, _ = np.histogram(np.clip(known, edges[0], 1.0), edges)
    out = edges[:-1] >= threshold
    figure = go.Figure()
    figure.add_bar(
        x=np.sqrt(edges[:-1] * edges[1:]),
        y=counts,
        width=np.diff(edges) * 0.94,
        marker={"color": [SECOND if gone else GREY for gone in out]},
        customdata=np.stack([edges[:-1], edges[1:]], axis=1),
        hovertemplate="%{customdata[0]:.2%} to %{customdata[1]:.2%}: %{y} images<extra></extra>",
        showlegend=False,
    )
    figure.add_vline(x=threshold, line={"color": SECOND, "dash": "dash", "width": 2})
    figure.update_xaxes(
        type="log",
        tickvals=[0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1],
        tickformat="~%",
        title=f"share of the picture: {what}",
    )
    figure.update_yaxes(title="images", rangemode="tozero", dtick=1 if counts.max() < 8 else None)
    return _dressed(figure, 230, upright=True)


def safe(text: str) -> str:
    """Foreign text for Plotly, which would take tags for tags."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")[:40]


def _dressed(figure: go.Figure, height: int, upright: bool = False) -> go.Figure:
    figure.update_layout(
        margin={"l": 8, "r": 8, "t": 36 if upright else 8, "b": 8},
        height=height,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
    )
    if not upright:
        figure.update_yaxes(autorange="reversed")
    figure.update_yaxes(automargin=True)
    return figure
