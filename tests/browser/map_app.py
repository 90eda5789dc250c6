"""A page with the map alone, for the browser's tests: synthetic images, real component."""

import io
from typing import Any

import numpy as np
import streamlit as st
from PIL import Image

from emoviz.labels import MIKELS8
from emoviz.ui.map import Category, Colouring, HoverCard, MapMark, Panel, Pin, emotion_map

st.set_page_config(layout="wide")
asked = st.query_params
count = int(asked.get("n", 2000))
shape = asked.get("shape", "clusters")
panels_wanted = int(asked.get("panels", 1))
size = int(asked.get("d", 2))
names = MIKELS8.names


@st.cache_data
def clusters(n: int, dimensions: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    centers = random.normal(0, 4, (len(names), dimensions))
    codes = np.random.default_rng(1).integers(0, len(names), n)
    spread = random.gamma(2, 0.5, (n, 1))
    points = centers[codes] + random.normal(0, 1, (n, dimensions)) * spread
    return points.astype(np.float32), codes.astype(np.uint8), centers


def picture(index: int, side: int = 240) -> bytes:
    colour = tuple(int(v) for v in np.random.default_rng(index).integers(40, 255, 3))
    out = io.BytesIO()
    Image.new("RGB", (side, side * 2 // 3), colour).save(out, "JPEG")
    return out.getvalue()


def make(seed: int, title: str) -> Panel:
    points, _, centers = clusters(count, size, seed)
    if shape == "equal":
        points = np.ones_like(points)
    if shape == "nan":
        points = np.full_like(points, np.nan)
    if shape == "holes":
        points = points.copy()
        points[::3] = np.nan
    marks = pins = ()
    if asked.get("marks"):
        marks = tuple(
            MapMark(item.name, tuple(center), item.colour)
            for item, center in zip(MIKELS8.classes, centers.tolist(), strict=True)
        )
    if asked.get("pins"):
        pins = (Pin("dropped.jpg", tuple((centers[0] + 1).tolist()), picture(7, 120)),)
    return Panel(title, points, marks, pins)


def card(index: int) -> HoverCard:
    shares = zip(MIKELS8.classes[:3], (0.62, 0.2, 0.11), strict=True)
    bars = tuple((item.name, share, item.colour) for item, share in shares)
    lines = (f"Labelled {names[codes[index]]}", "Nearest center: awe")
    kept = None if asked.get("late") and not again else picture(index)
    return HoverCard(f"image_{index:06d}.jpg", lines, kept, bars)


panels = [make(3, "Before training"), make(5, "After training")][:panels_wanted]
codes = clusters(count, size, 3)[1]
if asked.get("values"):
    values = np.linspace(0, 1, count, dtype=np.float32)
    values[::10] = np.nan
    colouring = Colouring(
        "Certainty of the model", values=values, low=0.0, high=1.0, none="not rated"
    )
else:
    if asked.get("unlabelled"):
        codes = codes.copy()
        codes[::5] = 255
    categories = tuple(Category(item.name, item.colour) for item in MIKELS8.classes)
    colouring = Colouring("Evoked emotion", categories, codes, none="no label")
highlighted = np.arange(count) % 7 == 0 if asked.get("highlighted") else None

again = st.button("Run again")
if not st.toggle("Show the map", True):
    st.stop()
link: dict[str, Any] = {}
if asked.get("link"):
    link["polygon"] = [(-3, -3), (5, -3), (5, 4), (-3, 4)]
    link["panel"] = panels_wanted - 1
    link["hidden"] = ("awe",)
event = emotion_map(
    panels,
    colouring,
    key="map",
    height=int(asked.get("height", 480)),
    cards_of=lambda indices: [card(index) for index in indices],
    highlighted=highlighted,
    **link,
)
if asked.get("twice"):
    emotion_map(panels, colouring, key="other", height=240)
chosen = "none" if event.selected is None else f"{len(event.selected)}"
total = 0 if event.selected is None else int(event.selected.sum())
st.html(
    f'<p id="selected">{chosen}</p><p id="sum">{total}</p><p id="clicked">{event.clicked}</p>'
    f'<p id="off">{",".join(event.hidden)}</p><p id="panel">{event.panel}</p>'
)
