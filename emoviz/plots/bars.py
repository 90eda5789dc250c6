"""Numbers to figures: small ones as escaped HTML, so that forty cards cost one screen element.

Every figure reads without eyes (roles and labels), without colour (a number beside each bar), and
on light and dark grounds: it takes the text's colour from around it. ``emoviz/ui/style.py`` holds
the style of the class names used here.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from emoviz.labels import SENTIMENT_COLOURS

FIRST = "#7b70b8"
_GREY = "#9d9a92"  # a label that has no colour
# No line break between a number and its sign.
_NBSP = "\N{NO-BREAK SPACE}"
SPLITS = {"train": FIRST, "validation": "#d9822b", "test": "#2a9d8f", "no split": "#8a8f98"}
_MOST = 40  # classes that a figure shows
SENTIMENTS = {"positive": "positive", "negative": "negative", "none": "neither"}


def percent(share: float) -> str:
    """A share of 1 as people read it: ``41 %``, and ``<1 %`` for what would round to nothing."""
    number = f"{100 * share:.0f}"
    return f"{'<1' if number == '0' and share > 0.0 else number}{_NBSP}%"


def probability_bars(
    ranked: Sequence[tuple[str, float]],
    colours: Mapping[str, str],
    visible: int | None = None,
    label: str = "Estimated probability of each emotion",
) -> str:
    """Horizontal bars, one for each class.

    Args:
        ranked: (class, probability), in the order of display.
        colours: Of the classes, as ``#rrggbb``.
        visible: Bars after this many get a class name by which a small card hides them.
        label: What a screen reader says of the group.
    """
    shown = len(ranked) if visible is None else visible
    rows = (
        _bar(name, share, colours.get(name, ""), "ev-bar" if i < shown else "ev-bar ev-rest")
        for i, (name, share) in enumerate(ranked)
    )
    return f'<div class="ev-bars" role="group" aria-label="{escape(label)}">{"".join(rows)}</div>'


def sentiment_bar(
    shares: Mapping[str, float], names: Mapping[str, str] = SENTIMENTS, label: str = "Sentiment"
) -> str:
    """Positive against negative in one thin bar; nothing where the classes have no sentiment.

    Args:
        shares: Of ``positive``, ``negative`` and ``none``.
        names: As they are called.
        label: What a screen reader says of the bar.
    """
    parts = [(name, shares.get(name, 0.0)) for name in ("positive", "none", "negative")]
    if sum(share for name, share in parts if name != "none") < 0.005:
        return ""
    seen = [(name, share) for name, share in parts if share >= 0.005]
    said = [f"{escape(names[name])} {percent(share)}" for name, share in seen]
    pieces = "".join(_piece(share, SENTIMENT_COLOURS[name]) for name, share in seen)
    texts = "".join(f"<span>{words}</span>" for words in said)
    return (
        f'<div class="ev-sentiment" role="img" aria-label="{escape(label)}: {", ".join(said)}">'
        f'<div class="ev-strip ev-thin">{pieces}</div><div class="ev-ends">{texts}</div></div>'
    )


def shares_strip(
    counts: Sequence[tuple[str, int]],
    colours: Mapping[str, str],
    title: str = "Most likely emotion",
) -> str:
    """How often each class was predicted: one stacked bar with its legend.

    Args:
        counts: (class, number of images), in the order of display; zeros are left out.
        colours: Of the classes.
        title: What is counted.
    """
    seen = [(name, count) for name, count in counts if count]
    total = sum(count for _, count in seen)
    if not total:
        return ""
    words = ", ".join(f"{name} {count}" for name, count in seen)
    pieces = "".join(
        _piece(count / total, colours.get(name, ""), f"{name}: {count}") for name, count in seen
    )
    legend = "".join(
        f"<li>{_dot(colours.get(name, ''))}{escape(name)} <b>{count}</b></li>"
        for name, count in seen
    )
    return (
        f'<div class="ev-strip" role="img" aria-label="{escape(title)}: {escape(words)}">'
        f'{pieces}</div><ul class="ev-legend" aria-hidden="true"><li>{escape(title)}:</li>'
        f"{legend}</ul>"
    )


def shares_by(
    counts: Mapping[str, Mapping[str, int]],
    names: Sequence[str],
    colours: Mapping[str, str],
    unit: str = "works",
) -> str:
    """One bar a group, divided by emotion, with the number of works beside the group's name.

    Args:
        counts: Group -> emotion -> works, in the order from top to bottom.
        names: The emotions, in the order of the pieces.
        colours: Of the emotions.
        unit: What is counted.
    """
    rows = "".join(_group(group, counts[group], names, colours, unit) for group in counts)
    return _groups(rows, counts, names, colours)


def counts_by_class(counts: Mapping[str, Mapping[str, int]]) -> str:
    """One bar a class, as long as it has images and divided by split, the commonest on top.

    Args:
        counts: Split -> class -> images; ``no split`` where images have none.
    """
    totals = Counter[str]()
    for row in counts.values():
        totals.update(row)
    most = max([*totals.values(), 1])
    found = {
        name: {split: row.get(name, 0) for split, row in counts.items()}
        for name, total in totals.most_common(_MOST)
        if total
    }
    rows = "".join(
        _group(name, row, list(counts), SPLITS, "images", totals[name] / most)
        for name, row in found.items()
    )
    legend = list(counts) if len(counts) > 1 else []
    return _groups(rows, found, legend, SPLITS)


@dataclass(frozen=True)
class Spot:
    """A value with its interval, on one line of a figure.

    Attributes:
        name: Beside it.
        value: Where the dot stands; NaN where there is none.
        low: Left end of the whisker; NaN for none.
        high: Right end.
        note: More on hovering.
        colour: Of the dot.
    """

    name: str
    value: float
    low: float
    high: float
    note: str = ""
    colour: str = FIRST


def spots_by(rows: Sequence[Spot], title: str, zero: float | None, form: str = ".1%") -> str:
    """Values with intervals, one under the other: slices of a set, differences of two models.

    Args:
        rows: Top to bottom.
        title: Under the axis.
        zero: Where a line stands for comparison.
        form: Of the numbers, as `format` has it.
    """
    ends = [end for row in rows for end in (row.value, row.low, row.high)]
    known = [end for end in [*ends, *([] if zero is None else [zero])] if math.isfinite(end)]
    left, right = min(known, default=0.0), max(known, default=1.0)
    room = 0.04 * (right - left) or 1.0

    def place(value: float) -> str:
        return f"{100 * (value - left + room) / (right - left + 2 * room):.2f}%"

    def told(value: float) -> str:
        return format(value, form).replace("-", "\N{MINUS SIGN}").replace("%", f"{_NBSP}%")

    line = "" if zero is None else f'<i class="ev-zero" style="left:{place(zero)}"></i>'
    items = []
    for row in rows:
        number = told(row.value) if math.isfinite(row.value) else "\N{EN DASH}"
        said, drawn = number, ""
        if math.isfinite(row.low) and math.isfinite(row.high):
            said += f", from {told(row.low)} to {told(row.high)}"
            ends_at = f"left:{place(row.low)};right:calc(100% - {place(row.high)})"
            drawn = f'<i class="ev-whisker" style="{ends_at}"></i>'
        if math.isfinite(row.value):
            looks = f"left:{place(row.value)};background:{escape(row.colour)}"
            drawn += f'<i class="ev-spot" style="{looks}"></i>'
        words = escape(f"{said}; {row.note}" if row.note else said)
        items.append(
            f'<li title="{escape(row.name)}: {words}"><span class="ev-what">{escape(row.name)}'
            f'</span><span class="ev-range" role="img" aria-label="{words}">{line}{drawn}</span>'
            f'<span class="ev-number" aria-hidden="true">{number}</span></li>'
        )
    label = escape(title if zero is None else f"{title}, compared with {told(zero)}")
    return (
        f'<ul class="ev-spots" aria-label="{label}">{"".join(items)}</ul>'
        '<div class="ev-spots-axis" aria-hidden="true">'
        f'<span class="ev-ends"><i>{told(left)}</i>{escape(title)}<i>{told(right)}</i></span></div>'
    )


def _groups(
    rows: str,
    counts: Mapping[str, Mapping[str, int]],
    names: Sequence[str],
    colours: Mapping[str, str],
) -> str:
    used = [name for name in names if any(found.get(name) for found in counts.values())]
    legend = "".join(f"<li>{_dot(colours.get(name, _GREY))}{escape(name)}</li>" for name in used)
    return (
        f'<ul class="ev-groups">{rows}</ul><ul class="ev-legend" aria-hidden="true">{legend}</ul>'
    )


def _group(
    group: str,
    found: Mapping[str, int],
    names: Sequence[str],
    colours: Mapping[str, str],
    unit: str,
    length: float = 1.0,
) -> str:
    total = sum(found.values())
    said = [
        (name, found[name], f"{name}: {percent(found[name] / total)}, {found[name]} {unit}")
        for name in names
        if found.get(name)
    ]
    pieces = "".join(
        _piece(count / total, colours.get(name, _GREY), words) for name, count, words in said
    )
    words = "; ".join(words for *_, words in said)
    return (
        f"<li><span>{escape(group)} ({total})</span>"
        f'<div class="ev-strip" style="width:{100 * length:.1f}%" role="img" '
        f'aria-label="{escape(words)}">{pieces}</div></li>'
    )


def _bar(name: str, share: float, colour: str, css: str) -> str:
    """One bar. A meter's children are not read out, so the name and number are heard once."""
    text, safe = percent(share), escape(name)
    return (
        f'<div class="{css}" role="meter" aria-label="{safe}" aria-valuemin="0" '
        f'aria-valuemax="100" aria-valuenow="{100 * share:.0f}" aria-valuetext="{text}">'
        f'<span class="ev-what">{safe}</span><span class="ev-track">'
        f'<span class="ev-fill" style="width:{100 * share:.1f}%;background:{escape(colour)}">'
        f'</span></span><span class="ev-number">{text}</span></div>'
    )


def _piece(share: float, colour: str, title: str = "") -> str:
    hint = f' title="{escape(title)}"' if title else ""
    return f'<span style="flex:{share:.4f} 0 0;background:{escape(colour)}"{hint}></span>'


def _dot(colour: str) -> str:
    return f'<i class="ev-dot" style="background:{escape(colour)}"></i>'
