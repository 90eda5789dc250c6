"""What a map shows, and what a person did on it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emoviz.errors import EmovizError

NONE = 255


@dataclass(frozen=True)
class Category:
    """An entry of the legend; the colour is ``#rrggbb``."""

    name: str
    colour: str


@dataclass(frozen=True)
class Colouring:
    """How N images are coloured: by categories, or by values on a scale.

    Attributes:
        title: Of the legend.
        categories: At most 255, with different names.
        codes: (N,) index into `categories`; 255 = none, which is grey.
        values: (N,) instead of codes; NaN = none.
        low: Value at the low end of the scale; values below have its colour.
        high: Value at the high end.
        none: What the legend calls images without a category or value.
    """

    title: str
    categories: tuple[Category, ...] = ()
    codes: NDArray[np.uint8] | None = None
    values: NDArray[np.float32] | None = None
    low: float = 0.0
    high: float = 1.0
    none: str = "none"


@dataclass(frozen=True)
class MapMark:
    """A place on the map with a name, such as a class center; as many coordinates as the points."""

    label: str
    position: tuple[float, ...]
    colour: str


@dataclass(frozen=True)
class Pin:
    """An image that is not one of the N, shown as a small picture (JPEG) at its place."""

    label: str
    position: tuple[float, ...]
    picture: bytes


@dataclass(frozen=True)
class Panel:
    """One map.

    Attributes:
        title: Above it.
        points: (N, 2) or (N, 3); rows with a NaN are not drawn.
        marks: Drawn on top, with their names.
        pins: Drawn on top, with picture and name.
    """

    title: str
    points: NDArray[np.float32]
    marks: tuple[MapMark, ...] = ()
    pins: tuple[Pin, ...] = ()


@dataclass(frozen=True)
class HoverCard:
    """What appears beside a point.

    Attributes:
        title: First line.
        lines: Below it.
        picture: JPEG, about 250 px wide.
        bars: (name, probability in 0-1, colour).
    """

    title: str
    lines: tuple[str, ...] = ()
    picture: bytes | None = None
    bars: tuple[tuple[str, float, str], ...] = ()


@dataclass(frozen=True)
class MapEvent:
    """What is selected and switched off; it holds until a person changes it.

    Attributes:
        selected: Indices inside the lasso or box, ascending, hidden categories left out; None
            where nothing was drawn.
        clicked: The image that was clicked; None after Escape or a click beside the points.
        hidden: Names of the categories that the legend switched off.
        polygon: Corners of the lasso or box. On a 2-D panel they are in the units of its points;
            on a 3-D panel they are on the screen, in the same units, from the points' middle.
        panel: Which panel it was drawn on.
        rotation: On a 3-D panel: screen right and up as six numbers, when it was drawn.
    """

    selected: NDArray[np.int64] | None
    clicked: int | None
    hidden: tuple[str, ...]
    polygon: tuple[tuple[float, float], ...] | None = None
    panel: int = 0
    rotation: tuple[float, ...] | None = None


def checked_codes(colouring: Colouring) -> NDArray[np.uint8]:
    """(N,) uint8 that the browser colours by: a category, or a step of the scale; 255 = none.

    Raises:
        EmovizError: The colouring has neither codes nor values, or both; a code has no category.
    """
    if (colouring.codes is None) == (colouring.values is None):
        raise EmovizError(
            f"The colouring '{colouring.title}' needs either codes or values, and has "
            f"{'neither' if colouring.codes is None else 'both'}."
        )
    if colouring.values is not None:
        return _steps(colouring.values, colouring.low, colouring.high)
    assert colouring.codes is not None
    names = [item.name for item in colouring.categories]
    if len(names) > NONE or len(set(names)) != len(names):
        raise EmovizError(
            f"The colouring '{colouring.title}' has {len(names)} categories, "
            f"{len(set(names))} of them different. At most {NONE} fit, each with its own name."
        )
    codes = np.asarray(colouring.codes)
    wrong = codes[(codes != NONE) & ((codes < 0) | (codes >= len(names)))]
    if len(wrong):
        raise EmovizError(
            f"The colouring '{colouring.title}' has the code {wrong[0]}, but only {len(names)} "
            f"categories. Codes count from 0; {NONE} stands for none."
        )
    return codes.astype(np.uint8)


def checked_count(panels: tuple[Panel, ...], lengths: Mapping[str, int]) -> int:
    """N, after comparing what must have as many rows as the panels.

    Raises:
        EmovizError: There are no panels or more than two; shapes do not fit each other.
    """
    if len(panels) not in (1, 2):
        raise EmovizError(f"A map has one or two panels, not {len(panels)}.")
    for panel in panels:
        if panel.points.ndim != 2 or panel.points.shape[1] not in (2, 3):
            raise EmovizError(
                f"The points of '{panel.title}' have shape {panel.points.shape}. A map needs "
                "(N, 2) or (N, 3)."
            )
        _check_positions(panel)
    count = len(panels[0].points)
    rows = {f"panel '{panel.title}'": len(panel.points) for panel in panels} | dict(lengths)
    if any(n != count for n in rows.values()):
        listed = ", ".join(f"{name} has {n}" for name, n in rows.items())
        raise EmovizError(f"All parts of a map must be about the same images: {listed}.")
    return count


def _check_positions(panel: Panel) -> None:
    size = panel.points.shape[1]
    items: tuple[MapMark | Pin, ...] = (*panel.marks, *panel.pins)
    for item in items:
        if len(item.position) != size or not np.isfinite(item.position).all():
            raise EmovizError(
                f"'{item.label}' is at {item.position}, but the points of '{panel.title}' have "
                f"{size} coordinates. Give {size} finite numbers."
            )


def _steps(values: NDArray[np.float32], low: float, high: float) -> NDArray[np.uint8]:
    span = high - low
    if not np.isfinite(span) or span < 0:
        raise EmovizError(
            f"A scale from {low} to {high} has no direction. Its low end comes first."
        )
    shares = (np.asarray(values, dtype=np.float64) - low) / (span or 1.0)
    known = ~np.isnan(shares)
    steps = np.full(len(shares), NONE, dtype=np.uint8)
    steps[known] = np.round(np.clip(shares[known], 0, 1) * (NONE - 1)).astype(np.uint8)
    return steps
