"""The desk: one artwork large, what is known of it, and keys to decide by. A component of our own.

Buttons of Streamlit lose or repeat fast presses (each press is a run of the page that overtakes
the one before). Here the browser holds the next works, turns to the next one at once, and sends
each decision with its work and a token until the server says that it is stored: see ``talk.js``.
"""

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

_FOLDER = Path(__file__).parent


def _source(*names: str) -> str:
    return "\n".join((_FOLDER / name).read_text(encoding="utf-8") for name in names)


_DESK = st.components.v2.component(
    "emoviz_desk",
    html='<div class="ev-desk-frame">'
    '<section class="ev-desk" aria-label="Review"></section></div>\n',
    css=_source("desk.css"),
    js=_source("bundle/zoom.js", "parts.js", "keys.js", "talk.js", "desk.js"),
    isolate_styles=False,  # the bars of an estimate bring their style from the page's sheet
)


def said(key: str) -> Mapping[str, Any]:
    """What the browser last said, known before the desk is drawn; empty on a fresh page."""
    found = getattr(st.session_state.get(key), "said", None)
    return found if isinstance(found, dict) else {}


def show(key: str, header: Mapping[str, Any], pictures: Mapping[str, bytes]) -> None:
    """Draw the desk, or bring it what is new; ``talk.js`` has the form of `header`."""
    _DESK(key=key, data=packed(header, pictures), on_said_change=_nothing)


def packed(header: Mapping[str, Any], pictures: Mapping[str, bytes]) -> bytes:
    """Header and JPEGs as one message."""
    place, rows = 0, []
    for name, jpeg in pictures.items():
        rows.append({"name": name, "from": place, "to": place + len(jpeg)})
        place += len(jpeg)
    text = json.dumps({**header, "pictures": rows}, ensure_ascii=False)
    head = text.encode("utf-8", errors="replace")
    return struct.pack("<I", len(head)) + head + b"".join(pictures.values())


def _nothing() -> None:
    """A state exists only where something listens; the run itself is all that is wanted."""
