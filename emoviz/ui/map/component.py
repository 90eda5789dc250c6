"""The map on a Streamlit page.

Two components work together. The map has the positions and colours; its data are the same bytes
from run to run, so Streamlit sends them once. The courier is tiny, lives in a fragment of its own,
and brings what changes: the card of the image under the pointer, and what is selected.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from emoviz.analysis.selection import points_in_polygon, project
from emoviz.ui.map.model import (
    Colouring,
    HoverCard,
    MapEvent,
    Panel,
    checked_codes,
    checked_count,
)
from emoviz.ui.map.payload import Packet, PointGrid, pack_map, quantise

Cards = Callable[[Sequence[int]], Sequence[HoverCard | None]]

_AT_ONCE = 80  # cards that are brought; as `MOST` in thumbs.js
_BUNDLE = Path(__file__).parent / "bundle"


def _source(name: str) -> str:
    return (_BUNDLE / name).read_text(encoding="utf-8")


_MAP = st.components.v2.component("emoviz_map", js=_source("map.js"), css=_source("map.css"))
_COURIER = st.components.v2.component("emoviz_map_courier", js=_source("courier.js"))


def emotion_map(
    panels: Sequence[Panel],
    colouring: Colouring,
    *,
    key: str,
    height: int = 560,
    cards_of: Cards | None = None,
    highlighted: NDArray[np.bool_] | None = None,
    polygon: Sequence[tuple[float, float]] | None = None,
    panel: int = 0,
    rotation: Sequence[float] | None = None,
    hidden: Sequence[str] = (),
) -> MapEvent:
    """Show N images as points, and say what a person selected.

    Args:
        panels: One or two; the same N images in the same order.
        colouring: Shared by the panels.
        key: Of the widget. Give a new one where the images are others.
        height: Of a panel, in pixels.
        cards_of: The cards of some images, None for one without: of the one that a pointer rests
            on, and of at most 80 whose pictures take the place of their points where a view shows
            few. It runs in a fragment of its own and should take a few milliseconds.
        highlighted: (N,) the others are dimmed, as after a search.
        polygon: Selection to begin with, as `MapEvent` gives it; out of a link.
        panel: The panel of `polygon`.
        rotation: The rotation of `polygon` on a 3-D panel.
        hidden: Categories to begin without.

    Raises:
        EmovizError: The parts do not fit each other.
    """
    shown = tuple(panels)
    codes = checked_codes(colouring)
    lengths = {"the colouring": len(codes)}
    if highlighted is not None:
        lengths["the highlighting"] = len(highlighted)
    count = checked_count(shown, lengths)
    grids = tuple(quantise(item.points) for item in shown)
    data, geometry = pack_map(key, height, shown, grids, colouring, codes, highlighted)
    with st.container(gap=None):
        result = _MAP(data=data, key=key, on_state_change=_rerun)
        first = {
            "hidden": list(hidden),
            "region": _region_of(grids, polygon, panel, rotation),
            "clicked": None,
        }
        state = _valid(result.get("state"), count, geometry) or first
        _courier(key, count, state, cards_of)
    return _event(state, grids, codes, colouring)


def _rerun() -> None:
    """A registered callback makes Streamlit keep the state; the run itself is all we want."""


def _valid(state: Any, count: int, geometry: str) -> dict[str, Any] | None:
    """What the browser said, without what was about other points."""
    if not isinstance(state, dict):
        return None
    clicked, region = state.get("clicked"), state.get("region")
    return {
        "hidden": [str(name) for name in state.get("hidden", ())],
        "region": region if state.get("geometry") == geometry else None,
        "clicked": clicked if isinstance(clicked, int) and 0 <= clicked < count else None,
    }


def _region_of(
    grids: tuple[PointGrid, ...],
    polygon: Sequence[tuple[float, float]] | None,
    panel: int,
    rotation: Sequence[float] | None,
) -> dict[str, Any] | None:
    """A polygon in the points' units -> steps of the panel's grid; None where it does not fit."""
    if polygon is None or not 0 <= panel < len(grids):
        return None
    corners = np.asarray(polygon, dtype=np.float64)
    grid = grids[panel]
    deep = len(grid.axes) == 3
    good = corners.ndim == 2 and corners.shape[1:] == (2,) and np.isfinite(corners).all()
    if not good or deep != (rotation is not None and len(rotation) == 6):
        return None
    steps = np.rint(corners / grid.span * (2 * 32767)) if deep else grid.to_steps(corners)
    region: dict[str, Any] = {"panel": panel, "polygon": steps.ravel().astype(int).tolist()}
    return region | ({"rotation": [float(value) for value in rotation or ()]} if deep else {})


def _event(
    state: Mapping[str, Any],
    grids: tuple[PointGrid, ...],
    codes: NDArray[np.uint8],
    legend: Colouring,
) -> MapEvent:
    hidden = tuple(state["hidden"])
    region = state["region"]
    if region is None:
        return MapEvent(None, state["clicked"], hidden)
    grid = grids[region["panel"]]
    steps = np.array(region["polygon"], dtype=np.float64).reshape(-1, 2)
    rotation = region.get("rotation")
    points, corners = grid.centred, grid.to_units(steps) if rotation is None else None
    if rotation is not None:
        points = project(points, np.reshape(rotation, (2, 3)))
        corners = steps / (2 * 32767) * grid.span
    assert corners is not None
    chosen = points_in_polygon(points, steps) & _visible(codes, legend, hidden)
    return MapEvent(
        selected=np.flatnonzero(chosen).astype(np.int64),
        clicked=state["clicked"],
        hidden=hidden,
        polygon=tuple((float(x), float(y)) for x, y in corners),
        panel=region["panel"],
        rotation=tuple(rotation) if rotation else None,
    )


def _visible(
    codes: NDArray[np.uint8], legend: Colouring, hidden: tuple[str, ...]
) -> NDArray[np.bool_]:
    """(N,) which images the legend does not hide."""
    shown = np.ones(256, dtype=np.bool_)
    for code, item in enumerate(legend.categories if legend.values is None else ()):
        shown[code] = item.name not in hidden
    shown[255] = legend.none not in hidden
    return shown[codes]


def _courier(key: str, count: int, state: Mapping[str, Any], cards_of: Cards | None) -> None:
    """Put the courier on the page; each run of the page has a number, by which cards grow old."""
    runs = st.session_state.setdefault("_emoviz_map_runs", {})
    runs[key] = runs.get(key, 0) + 1
    _carry(key, runs[key], count, state, cards_of)


@st.fragment
def _carry(
    key: str, run: int, count: int, state: Mapping[str, Any], cards_of: Cards | None
) -> None:
    place = f"{key}-courier"
    wanted = _wanted(getattr(st.session_state.get(place), "wanted", None), count)
    found = cards_of(wanted) if cards_of and wanted else [None] * len(wanted)
    packet = Packet()
    cards = [_card(packet, index, card) for index, card in zip(wanted, found, strict=True)]
    header = {"key": key, "run": run, "state": state, "cards": cards}
    _COURIER(data=packet.to_bytes(header), key=place, on_wanted_change=_rerun, height=1)


def _wanted(asked: Any, count: int) -> list[int]:
    """What the browser asks for, without what is no image, each once."""
    indices = asked if isinstance(asked, list) else []
    known = (index for index in indices if type(index) is int and 0 <= index < count)
    return list(dict.fromkeys(known))[:_AT_ONCE]


def _card(packet: Packet, index: int, card: HoverCard | None) -> dict[str, Any]:
    if card is None:
        return {"index": index, "empty": True, "offset": 0, "size": 0}
    words = asdict(card)
    picture = words.pop("picture") or b""
    return {"index": index, "offset": packet.add(picture), "size": len(picture), **words}
