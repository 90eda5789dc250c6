"""Valence and arousal: published on many scales, kept and learned on one, -1 to 1.

Valence runs from unpleasant (-1) to pleasant (1), arousal from calm (-1) to excited (1); 0 is the
middle of the scale that people were given (Russell's circumplex, 1980).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from emoviz.data.cells import number
from emoviz.errors import TableError

Dimension = Literal["valence", "arousal"]
DIMENSIONS: tuple[Dimension, ...] = ("valence", "arousal")

_NUMBER = r"(-?\d+(?:\.\d+)?)"
# "valence (1 to 9)": a bare "valence" is not read as a target, since 0.4 means one thing on a
# scale from 0 to 1 and another on one from -1 to 1.
_COLUMN = re.compile(rf"(valence|arousal)\s*[(\[]\s*{_NUMBER}\s*(?:to|-|–)\s*{_NUMBER}\s*[)\]]")


@dataclass(frozen=True)
class Scale:
    """What people were given to answer on."""

    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}"

    def turned(self, text: str, name: str) -> float | None:
        """A cell's value on -1 to 1; None where the cell gives no answer.

        Raises:
            TableError: It is no number, or lies outside the scale.
        """
        value = number(text, name)
        if value is None:
            return None
        if not self.low <= value <= self.high:
            raise TableError(f"{name} is not on its scale from {self}")
        return 2.0 * (value - self.low) / (self.high - self.low) - 1.0


def affect_columns(names: Iterable[str]) -> dict[Dimension, tuple[str, Scale]]:
    """The columns that give valence and arousal and say on which scale: ``valence (1 to 9)``.

    Raises:
        TableError: A scale ends before it begins.
    """
    columns: dict[Dimension, tuple[str, Scale]] = {}
    for name in names:
        match = _COLUMN.fullmatch((name or "").strip().casefold())
        if match is None:
            continue
        dimension: Dimension = "valence" if match[1] == "valence" else "arousal"
        scale = Scale(float(match[2]), float(match[3]))
        if scale.low >= scale.high:
            raise TableError(f"The column '{name}' names no scale: {scale} does not rise.")
        columns[dimension] = (name, scale)
    return columns
