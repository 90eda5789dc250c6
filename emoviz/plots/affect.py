"""Valence and arousal as a point on a plane, with the interval of its estimate."""

from dataclasses import dataclass

_SIDE = 132.0  # of the plane; 22 units around it hold the words
_AROUND = 22.0


@dataclass(frozen=True)
class Span:
    """A value on -1 to 1 and the interval around it."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{_signed(self.value)} ({_signed(self.low)} to {_signed(self.high)})"


def affect_plane(valence: Span, arousal: Span) -> str:
    """An SVG: unpleasant to pleasant from left to right, calm to excited from below.

    The dot is the estimate, the faint box its interval in both directions.
    """
    words = f"Valence {valence}, arousal {arousal}"
    x, y = _across(valence.value), _up(arousal.value)
    box = (
        f'x="{_across(valence.low):.1f}" y="{_up(arousal.high):.1f}" '
        f'width="{_across(valence.high) - _across(valence.low):.1f}" '
        f'height="{_up(arousal.low) - _up(arousal.high):.1f}"'
    )
    middle, end = _AROUND + _SIDE / 2, _AROUND + _SIDE
    side = 2 * _AROUND + _SIDE
    return (
        f'<svg class="ev-plane" viewBox="0 0 {side:g} {side:g}" role="img" aria-label="{words}">'
        f'<rect x="{_AROUND:g}" y="{_AROUND:g}" width="{_SIDE:g}" height="{_SIDE:g}" fill="none" '
        'stroke="currentColor" stroke-opacity=".35"/>'
        f'<path d="M{_AROUND:g} {middle:g}H{end:g}M{middle:g} {_AROUND:g}V{end:g}" '
        'stroke="currentColor" stroke-opacity=".2"/>'
        f'<rect {box} rx="3" fill="currentColor" fill-opacity=".13"/>'
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="#be4472" stroke="currentColor"/>'
        f"{_word(middle, 14, 'excited')}{_word(middle, side - 6, 'calm')}"
        f"{_turned(14, middle, 'unpleasant')}{_turned(side - 6, middle, 'pleasant')}</svg>"
    )


def _across(value: float) -> float:
    return _AROUND + (value + 1) / 2 * _SIDE


def _up(value: float) -> float:
    return _AROUND + (1 - value) / 2 * _SIDE


def _word(x: float, y: float, text: str, turn: str = "") -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="11" text-anchor="middle" fill="currentColor"{turn}>'
        f"{text}</text>"
    )


def _turned(x: float, y: float, text: str) -> str:
    return _word(x, y, text, f' transform="rotate(-90 {x:g} {y:g})"')


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "\N{MINUS SIGN}")
