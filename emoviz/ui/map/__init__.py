"""A map of image embeddings for the browser: one or two linked panels, up to a million images.

    event = emotion_map([Panel("UMAP", points)], colouring, key="explorer", cards_of=cards)
    if event.selected is not None: ...

The component is a Streamlit component of version 2 around regl-scatterplot; its sources are in
``frontend/map``, what the browser loads is in ``bundle``.
"""

from emoviz.ui.map.component import emotion_map
from emoviz.ui.map.model import Category, Colouring, HoverCard, MapEvent, MapMark, Panel, Pin

__all__ = [
    "Category",
    "Colouring",
    "HoverCard",
    "MapEvent",
    "MapMark",
    "Panel",
    "Pin",
    "emotion_map",
]
