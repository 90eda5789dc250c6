"""Valence and arousal as a point on a plane, with the interval of its estimate.

HTML and no SVG: what is shown beside a picture is cleaned of SVG. ``emoviz/ui/style.py`` holds the
style of the class names used here.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Span:
    """A value on -1 to 1 and the interval around it."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{_signed(self.value)} ({_signed(self.low)} to {_signed(self.high)})"


def affect_plane(valence: Span, arousal: Span) -> str:
    """Unpleasant to pleasant from left to right, calm to excited from below.

    The dot is the estimate, the faint box its interval in both directions.
    """
    box = (
        f"left:{_across(valence.low)};width:{50 * (valence.high - valence.low):.1f}%;"
        f"top:{_down(arousal.high)};height:{50 * (arousal.high - arousal.low):.1f}%"
    )
    dot = f"left:{_across(valence.value)};top:{_down(arousal.value)}"
    words = "".join(
        f'<span class="ev-plane-{side}">{word}</span>'
        for side, word in (
            ("top", "excited"),
            ("bottom", "calm"),
            ("left", "unpleasant"),
            ("right", "pleasant"),
        )
    )
    return (
        f'<div class="ev-plane" role="img" aria-label="Valence {valence}, arousal {arousal}">'
        f'<i class="ev-plane-box" style="{box}"></i><b class="ev-plane-dot" style="{dot}"></b>'
        f"{words}</div>"
    )


def _across(value: float) -> str:
    return f"{50 * (value + 1):.1f}%"


def _down(value: float) -> str:
    return f"{50 * (1 - value):.1f}%"


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "\N{MINUS SIGN}")
