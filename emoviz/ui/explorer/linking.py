"""A selection as a short text for the link, and back."""

from dataclasses import dataclass

from emoviz.ui.map import MapEvent

# Longer links are cut off by some mail programs and chats.
_LONGEST = 1500


@dataclass(frozen=True)
class Region:
    """A lasso or box as `emoviz.ui.map.emotion_map` takes it."""

    polygon: tuple[tuple[float, float], ...]
    panel: int = 0
    rotation: tuple[float, ...] | None = None


def to_text(event: MapEvent) -> str:
    """Panel, rotation and corners; empty where nothing is selected or it would be too long."""
    if event.polygon is None:
        return ""
    turn = ",".join(f"{value:.4g}" for value in event.rotation or ())
    corners = "_".join(f"{x:.4g},{y:.4g}" for x, y in event.polygon)
    text = f"{event.panel}_{turn}_{corners}"
    return text if len(text) <= _LONGEST else ""


def from_text(text: str) -> Region | None:
    """The region that `to_text` wrote; None for anything else."""
    try:
        panel, turn, *corners = text.split("_")
        polygon = tuple(_pair(corner) for corner in corners)
        rotation = tuple(map(float, turn.split(","))) if turn else None
        return Region(polygon, int(panel), rotation) if len(polygon) > 2 else None
    except ValueError:
        return None


def _pair(text: str) -> tuple[float, float]:
    x, y = text.split(",")
    return float(x), float(y)
