"""Measures as people read them: words, tiles and tables. No Streamlit."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape

import pandas as pd

from emoviz.analysis.metrics import METRICS, Metric
from emoviz.analysis.resampling import MetricEstimate
from emoviz.ui.words import readable

_NBSP = "\N{NO-BREAK SPACE}"
NOTHING = "–"
PERCENT = f"{_NBSP}%"
_SCORES = ("precision", "recall", "F1")  # as `class_estimates` has them
TILES = ("accuracy", "macro_f1", "sentiment_accuracy", "cross_sentiment", "ece", "roc_auc")


def number(value: float | None, kind: Metric, signed: bool = False) -> str:
    """``34.7 %`` for rates, ``0.342`` for indices; ``+1.2`` points for differences."""
    if value is None:
        return NOTHING
    sign = "+" if signed else ""
    if kind.unit == "percent":
        tail = "" if signed else PERCENT
        return f"{100 * value:{sign}.1f}{tail}".replace("-", "\N{MINUS SIGN}")
    return f"{value:{sign}.3f}".replace("-", "\N{MINUS SIGN}")


def interval(item: MetricEstimate, kind: Metric, signed: bool = False) -> str:
    """``30.1 to 39.2``; empty where there is none."""
    if item.low is None or item.high is None:
        return ""
    ends = (number(end, kind, signed).removesuffix(PERCENT) for end in (item.low, item.high))
    return " to ".join(ends)


def tiles(found: Mapping[str, MetricEstimate], waiting: bool = False) -> str:
    """The headline numbers as a row of tiles, as HTML.

    Args:
        found: Measure -> estimate.
        waiting: Whether intervals are still being computed.
    """
    shown = "".join(_tile(METRICS[n], found[n], waiting) for n in TILES if n in found)
    return f'<ul class="ev-tiles">{shown}</ul>'


def plain_tiles(rows: Sequence[tuple[str, str, MetricEstimate]], images: int) -> str:
    """Tiles of shares that are no measure of right and wrong, the number of images first, as HTML.

    Args:
        rows: (title, what it says, share).
        images: How many.
    """
    kinds = [(Metric(title, "percent", "more", words, ""), item) for title, words, item in rows]
    first = (
        '<li><span class="ev-tile-name">Images</span>'
        f'<span class="ev-tile-value">{images:,}</span></li>'
    )
    return f'<ul class="ev-tiles">{first}{"".join(_tile(k, item, False) for k, item in kinds)}</ul>'


def table(found: Mapping[str, MetricEstimate]) -> pd.DataFrame:
    """All measures: value, interval, what it says or why it is missing."""
    rows = {
        METRICS[name].title: (
            number(item.value, METRICS[name]),
            interval(item, METRICS[name]),
            f"{item.n:,}" if item.n else "",
            _meaning(item, METRICS[name]),
        )
        for name, item in found.items()
    }
    columns = ["value", "95 % confidence interval", "images", "what it says"]
    return pd.DataFrame(list(rows.values()), index=list(rows), columns=columns)


def class_table(
    scores: Mapping[str, Mapping[str, MetricEstimate]], colours: Mapping[str, str]
) -> str:
    """Precision, recall and F1 of each label with its number of images, as an HTML table.

    Args:
        scores: By label, as `class_estimates` gives them.
        colours: Of the labels, as ``#rrggbb``.
    """
    heads = "".join(f'<th scope="col">{name}</th>' for name in ("images", *_SCORES))
    rows = "".join(_class_row(name, item, colours) for name, item in scores.items())
    return (
        '<div class="ev-wide"><table class="ev-scores"><thead><tr><th scope="col">label</th>'
        f"{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def verdict(found: Mapping[str, MetricEstimate], labels: int) -> str:
    """The accuracy in one plain sentence, with what a guess would reach."""
    item = found["accuracy"]
    if item.value is None:
        return ""
    words = f"The model's answer is the label on **{number(item.value, METRICS['accuracy'])}**"
    ends = interval(item, METRICS["accuracy"])
    tail = f" (95 % confidence interval {ends}; {item.n:,} images)" if ends else ""
    return f"{words} of the images{tail}; a blind guess among {labels} labels is right on " + (
        f"{100 / max(labels, 1):.3g} %."
    )


def with_interval(item: MetricEstimate, kind: Metric, signed: bool = False) -> str:
    """``34.7 %  (30.1 to 39.2)``."""
    ends = interval(item, kind, signed)
    return f"{number(item.value, kind, signed)}{f'  ({ends})' if ends else ''}"


def on_images(item: MetricEstimate, kind: Metric) -> str:
    """``34.7 %  (30.1 to 39.2) · n 303``; for none why there is none."""
    if item.value is None:
        return item.reason or NOTHING
    return f"{with_interval(item, kind)}{f' · n{_NBSP}{item.n:,}' if item.n else ''}"


def images(items: Iterable[MetricEstimate]) -> str:
    """On how many images several stand: one number where it is the same for all."""
    return " / ".join(dict.fromkeys(f"{item.n:,}" for item in items if item.n))


def difference_words(item: MetricEstimate, kind: Metric) -> str:
    """``+2.1  (+0.4 to +3.9) *``: the star where the interval leaves out 0."""
    told = with_interval(item, kind, signed=True)
    return f"{told} *" if is_told_apart(item) else told


def is_told_apart(item: MetricEstimate) -> bool:
    """Whether the interval of a difference leaves out zero."""
    return item.low is not None and item.high is not None and item.low * item.high > 0


def _meaning(item: MetricEstimate, kind: Metric) -> str:
    direction = "" if kind.better == "more" else " Less is better."
    reason = f"{item.reason[:1].upper()}{item.reason[1:]}." if item.reason else ""
    if item.value is None:
        return reason
    return " ".join(filter(None, (f"{kind.plain}{direction}", reason)))


def _class_row(name: str, scores: Mapping[str, MetricEstimate], colours: Mapping[str, str]) -> str:
    dot = f'<i class="ev-dot" style="background:{escape(colours.get(name, ""))}"></i>'
    cells = "".join(_score_cell(item) for item in scores.values())
    return (
        f'<tr><th scope="row"><span class="ev-score">{dot}{escape(readable(name))}</span></th>'
        f"<td>{scores['recall'].n:,}</td>{cells}</tr>"
    )


def _score_cell(item: MetricEstimate) -> str:
    """A bar, the value, and under it the interval and what it is a share of."""
    kind = METRICS["accuracy"]  # a rate, as all three are
    under = interval(item, kind) or (
        item.reason if item.value is None else "too few for an interval"
    )
    under += f" · n\u00a0{item.n:,}" if item.n else ""
    return (
        f'<td><span class="ev-score"><span class="ev-track"><span class="ev-fill" '
        f'style="width:{100 * (item.value or 0):.1f}%"></span></span>'
        f'{number(item.value, kind)}</span><span class="ev-tile-under">{escape(under)}</span></td>'
    )


def _tile(kind: Metric, item: MetricEstimate, waiting: bool) -> str:
    ends = interval(item, kind)
    under = ends or (item.reason if item.reason else "interval follows …" if waiting else "")
    under += f" · n\u00a0{item.n:,}" if ends and item.n else ""
    less = "" if kind.better == "more" else ' <span class="ev-less">less is better</span>'
    return (
        f'<li title="{escape(kind.plain)}"><span class="ev-tile-name">{escape(kind.title)}{less}'
        f'</span><span class="ev-tile-value">{number(item.value, kind)}</span>{_rail(item)}'
        f'<span class="ev-tile-under">{escape(under)}</span></li>'
    )


def _rail(item: MetricEstimate) -> str:
    """Where the value and its interval lie between 0 and 1."""
    if item.value is None:
        return '<span class="ev-rail" aria-hidden="true"></span>'
    low = item.value if item.low is None else item.low
    high = item.value if item.high is None else item.high
    left, right = (100 * min(max(end, 0.0), 1.0) for end in (low, high))
    dot = 100 * min(max(item.value, 0.0), 1.0)
    return (
        '<span class="ev-rail" aria-hidden="true">'
        f'<i class="ev-span" style="left:{left:.1f}%;width:{max(right - left, 0.8):.1f}%"></i>'
        f'<i class="ev-mark" style="left:{dot:.1f}%"></i></span>'
    )
