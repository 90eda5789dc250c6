"""A wall of pictures, each of them a button; hundreds cost one element and one message."""

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from emoviz.ui.language import tr


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
    tiles: Sequence[Tile], key: str, label: str, side: int = 112, strip: bool = False
) -> int | None:
    """Show pictures side by side.

    Args:
        tiles: In the order of display.
        key: Of the element; one wall keeps its key whatever it shows.
        label: What a screen reader says of the wall.
        side: Least width of a picture, in CSS pixels.
        strip: One row that scrolls sideways, instead of as many rows as needed.

    Returns:
        The place of the picture that was pressed just now, or None.
    """
    if not tiles:
        return None
    result = _GALLERY(
        key=key,
        data=packed(tiles, label, side, strip),
        on_pressed_change=_nothing,
    )
    pressed = result.pressed
    return int(pressed) if pressed is not None and 0 <= int(pressed) < len(tiles) else None


def packed(tiles: Sequence[Tile], label: str, side: int, strip: bool) -> bytes:
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
        "strip": strip,
        "tiles": rows,
    }
    text = json.dumps(header, ensure_ascii=False).encode("utf-8", errors="replace")
    return struct.pack("<I", len(text)) + text + b"".join(pictures)


def _nothing() -> None:
    """A trigger exists only where something listens."""
