"""A wall of pictures, each of them a button; hundreds cost one element and one message."""

import json
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import streamlit as st

from emoviz.ui.language import tr

Form = Literal["grid", "strip", "whole"]


def _source(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


_GALLERY = st.components.v2.component(
    "emoviz_gallery", html="<ul></ul>\n", css=_source("gallery.css"), js=_source("gallery.js")
)


@dataclass(frozen=True)
class Tile:
    """One picture of a gallery.

    Attributes:
        picture: JPEG bytes; None shows an empty frame.
        caption: What the image is, shown under it and read out.
        detail: A second line, such as the model's estimate.
        colour: ``#rrggbb`` of a dot before the detail; none where empty.
    """

    picture: bytes | None
    caption: str
    detail: str = ""
    colour: str = ""


def gallery(
    tiles: Sequence[Tile],
    key: str,
    label: str,
    side: int = 112,
    form: Form = "grid",
    on_press: Callable[[int], None] | None = None,
) -> int | None:
    """Show pictures side by side.

    Args:
        tiles: In the order of display.
        key: Of the element; one wall keeps its key whatever it shows.
        label: What a screen reader says of the wall.
        side: Least width of a picture, in CSS pixels.
        form: ``grid``: squares in as many rows as needed; ``strip``: in one row that scrolls
            sideways; ``whole``: whole pictures, `side` high, whose captions show on hover alone.
        on_press: Called with the place that was pressed, before the page runs.

    Returns:
        The place of the picture that was pressed just now, or None.
    """
    if not tiles:
        return None

    def called() -> None:  # a trigger exists only where something listens
        place = _within(st.session_state[key].get("pressed"), len(tiles))
        if on_press is not None and place is not None:
            on_press(place)

    data = packed(tiles, label, side, form)
    return _within(_GALLERY(key=key, data=data, on_pressed_change=called).pressed, len(tiles))


def _within(pressed: Any, count: int) -> int | None:
    """The place that a browser names, where there is such a tile."""
    return int(pressed) if pressed is not None and 0 <= int(pressed) < count else None


def packed(tiles: Sequence[Tile], label: str, side: int, form: Form) -> bytes:
    """Everything that the browser needs, as one message: see gallery.js for the form."""
    pictures = [tile.picture or b"" for tile in tiles]
    place, rows = 0, []
    for tile, picture in zip(tiles, pictures, strict=True):
        words = {"caption": tile.caption, "detail": tile.detail, "colour": tile.colour}
        rows.append({**words, "from": place, "to": place + len(picture)})
        place += len(picture)
    header = {
        "label": label,
        "missing": tr("no picture"),
        "side": side,
        "form": form,
        "tiles": rows,
    }
    text = json.dumps(header, ensure_ascii=False).encode("utf-8", errors="replace")
    return struct.pack("<I", len(text)) + text + b"".join(pictures)
