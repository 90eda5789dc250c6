"""The bytes between Python and the browser: positions as 16-bit numbers, a header, pictures.

Both sides decide what is inside a lasso from the 16-bit numbers, never from the originals.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emoviz.ui.map.model import Colouring, Panel

LEVELS = 65534
HALF = LEVELS // 2
MISSING = 65535


@dataclass(frozen=True)
class PointGrid:
    """Positions of one panel in steps of the square (or cube) that just holds them.

    Attributes:
        axes: (2 or 3, N) uint16, 0 to 65534; 65535 where a point has no position.
        low: Corner of the square, in the units of the points.
        span: Its side.
    """

    axes: NDArray[np.uint16]
    low: NDArray[np.float64]
    span: float

    @property
    def present(self) -> NDArray[np.bool_]:
        """(N,) which points have a position."""
        return np.asarray(self.axes[0] != MISSING)

    @property
    def centred(self) -> NDArray[np.float64]:
        """(N, 2 or 3) counted from the middle, -32767 to 32767; NaN without a position."""
        found = self.axes.T.astype(np.float64) - HALF
        found[~self.present] = np.nan
        return found

    def to_steps(self, positions: NDArray[np.floating]) -> NDArray[np.float64]:
        """Positions in the points' units -> whole steps from the middle."""
        shares = (np.asarray(positions, dtype=np.float64) - self.low) / self.span
        return np.asarray(np.rint(shares * LEVELS) - HALF)

    def to_units(self, steps: NDArray[np.floating]) -> NDArray[np.float64]:
        """Steps from the middle -> the points' units."""
        return np.asarray((np.asarray(steps) + HALF) / LEVELS * self.span + self.low)


def quantise(points: NDArray[np.floating]) -> PointGrid:
    """Positions (N, 2 or 3) in 65,535 steps; one unit is as long in every direction."""
    columns = np.ascontiguousarray(points.T, dtype=np.float64)
    present = np.isfinite(columns).all(axis=0)
    known = columns if present.all() else columns[:, present]
    axes = np.full(columns.shape, MISSING, dtype=np.uint16)
    if not known.size:
        return PointGrid(axes, np.zeros(len(columns)), 1.0)
    low, high = known.min(axis=1), known.max(axis=1)
    span = float((high - low).max()) or 1.0
    corner = (low + high) / 2 - span / 2
    # Half a step more and cut off, which is rounding, and several times as fast.
    steps = ((known - corner[:, None]) * (LEVELS / span) + 0.5).clip(0, LEVELS).astype(np.uint16)
    if known is columns:
        return PointGrid(steps, corner, span)
    axes[:, present] = steps
    return PointGrid(axes, corner, span)


class Packet:
    """Collects byte strings behind a JSON header; see ``frontend/map/src/payload.js``."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, data: bytes) -> int:
        """Where the data begins, counted from the end of the header."""
        start = self._size
        padded = data + b"\0" * (-len(data) % 4)
        self._parts.append(padded)
        self._size += len(padded)
        return start

    def digest(self, *more: object) -> str:
        """Of everything added so far, and of `more`."""
        found = blake2b(json.dumps(more, default=str).encode(), digest_size=8)
        for part in self._parts:
            found.update(part)
        return found.hexdigest()

    def to_bytes(self, header: Mapping[str, Any]) -> bytes:
        """Length of the header, header, data; the data begins at a multiple of four."""
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 4)
        return b"".join([len(text).to_bytes(4, "little"), text, *self._parts])


def pack_map(
    key: str,
    height: int,
    panels: tuple[Panel, ...],
    grids: tuple[PointGrid, ...],
    colouring: Colouring,
    codes: NDArray[np.uint8],
    highlighted: NDArray[np.bool_] | None,
) -> tuple[bytes, str]:
    """What the browser draws from, and the digest of the positions."""
    packet = Packet()
    axes = [[packet.add(axis.tobytes()) for axis in grid.axes] for grid in grids]
    geometry = packet.digest(axes, len(codes))
    specs = [_panel_spec(packet, *each) for each in zip(panels, grids, axes, strict=True)]
    start = packet.add(codes.tobytes())
    flags = None
    if highlighted is not None:
        flags = packet.add(np.packbits(highlighted, bitorder="little").tobytes())
    legend = {
        "title": colouring.title,
        "categories": [vars(item) for item in colouring.categories],
        "continuous": colouring.values is not None,
        "low": float(colouring.low),
        "high": float(colouring.high),
        "none": colouring.none,
    }
    header = {
        "key": key,
        "digest": packet.digest(key, height, specs, legend, flags),
        "geometry": geometry,
        "count": len(codes),
        "height": height,
        "panels": specs,
        "codes": start,
        "highlighted": flags,
        "colouring": legend,
    }
    return packet.to_bytes(header), geometry


def _panel_spec(packet: Packet, panel: Panel, grid: PointGrid, axes: list[int]) -> dict[str, Any]:
    def steps(position: tuple[float, ...]) -> list[float]:
        found: list[float] = grid.to_steps(np.array(position)).tolist()
        return found

    return {
        "title": panel.title,
        "axes": axes,
        "marks": [
            {"label": mark.label, "colour": mark.colour, "at": steps(mark.position)}
            for mark in panel.marks
        ],
        "pins": [
            {
                "label": pin.label,
                "at": steps(pin.position),
                "offset": packet.add(pin.picture),
                "size": len(pin.picture),
            }
            for pin in panel.pins
        ],
    }
