"""The card of a labelled set as one HTML file that asks nothing of a network."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from emoviz.curation.card import CardValues
from emoviz.plots.bars import SPLITS
from emoviz.plots.document import Cell, Document, DocumentTable, Picture, Section, to_html

_WIDTH, _ROW, _LEFT, _RIGHT = 460, 22, 130, 52
_GREY = "#8a8f98"
_MOST = 40  # classes of a figure
_SAID = {"mend": "mend", "look": "look at them", "fine": "fine", "unknown": "not looked for"}


def data_card(card: CardValues) -> str:
    """The card as HTML; every foreign text is escaped."""
    sections = [_counts(card), *_examined(card), _pictures(card), _origin(card)]
    kind = "shares of people's votes" if card.votes else "one label an image"
    lead = (
        f"{card.images:,} images, labelled with {card.taxonomy} ({kind}). A label says which "
        "emotion people said that an image evokes; others may feel otherwise."
    )
    return to_html(Document(f"Data card: {card.title}", lead, [s for s in sections if s]))


def count_bars(counts: Mapping[str, Mapping[str, int]], colours: Mapping[str, str]) -> str:
    """Images of each class, divided by split, or in the classes' colours for one, as SVG."""
    names = list(dict.fromkeys(name for row in counts.values() for name in row))[:_MOST]
    totals = {name: sum(row.get(name, 0) for row in counts.values()) for name in names}
    most = max([*totals.values(), 1])
    room = _WIDTH - _LEFT - _RIGHT
    parts = []
    for k, name in enumerate(names):
        x = float(_LEFT)
        for split, row in counts.items():
            width = room * row.get(name, 0) / most
            parts.append(
                f'<rect x="{x:.1f}" y="{k * _ROW + 4}" width="{width:.1f}" height="14" '
                f'fill="{escape(_fill(split, name, counts, colours), quote=True)}"/>'
            )
            x += width
        parts.append(_word(name, k))
        parts.append(f'<text x="{x + 5:.1f}" y="{k * _ROW + 15}">{totals[name]:,}</text>')
    legend = "".join(
        f'<li><i style="background:{SPLITS.get(split, _GREY)}"></i>{escape(split)}</li>'
        for split in counts
        if len(counts) > 1
    )
    return _figure("".join(parts), len(names), "Images of each class", legend)


def light_bars(looks: Mapping[str, Any], colours: Mapping[str, str], measure: str) -> str:
    """Quartiles and median of one measure by class, the lowest median on top, as SVG."""
    rows = {name: q for name, q in looks[measure]["quartiles"].items() if q}
    names = sorted(rows, key=lambda name: rows[name][1])[:_MOST]
    low = float(min([0.0, *(q[0] for q in rows.values())]))
    high = float(max([1.0, *(q[2] for q in rows.values())]))

    def place(value: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * (value - low) / (high - low)

    parts = []
    for k, name in enumerate(names):
        first, middle, last = rows[name]
        y, colour = k * _ROW + 11, escape(colours.get(name, _GREY), quote=True)
        parts.append(
            f'<line x1="{place(first):.1f}" x2="{place(last):.1f}" y1="{y}" y2="{y}" '
            f'stroke="{colour}" stroke-width="8" stroke-opacity="0.6"/>'
            f'<circle cx="{place(middle):.1f}" cy="{y}" r="5.5" fill="{colour}" '
            'stroke="currentColor"/>'
            f'<text x="{_WIDTH - _RIGHT + 6}" y="{y + 4}">{middle:.2f}</text>' + _word(name, k)
        )
    return _figure("".join(parts), len(names), f"{measure} by class", "")


def _counts(card: CardValues) -> Section:
    names = list(dict.fromkeys(name for row in card.counts.values() for name in row))
    splits = list(card.counts)
    rows: list[list[Cell]] = [
        [
            name,
            *(card.counts[s].get(name, 0) for s in splits),
            sum(card.counts[s].get(name, 0) for s in splits),
        ]
        for name in names
    ]
    return Section(
        "Images by class and split",
        tables=[DocumentTable(["class", *splits, "all"], rows)],
        figures=[count_bars(card.counts, card.colours)],
    )


def _examined(card: CardValues) -> Sequence[Section]:
    if not card.verdicts:
        return [
            Section("Examination", ["The set was not examined; nothing is known of its faults."])
        ]
    rows = [
        [
            item.title,
            item.count if item.count is not None else None,
            _SAID[item.weight],
            item.words,
        ]
        for item in card.verdicts
    ]
    found = Section(
        "Examination",
        [card.words[0]],
        [DocumentTable(["looked for", "found", "", "what it means"], rows)],
        notes=[card.words[1]],
    )
    light = Section(
        "Light and colour by class",
        [card.words[2]],
        [_medians(card)],
        [light_bars(card.looks, card.colours, name) for name in ("brightness", "saturation")],
        notes=[
            "Half of a class's images lie on its bar, the dot is the median. The table has the "
            "medians of all measures, and how often a simple classifier that knows nothing else "
            "finds the class of an image that it did not learn from."
        ],
    )
    return [found, light]


def _medians(card: CardValues) -> DocumentTable:
    measures = list(card.looks)
    alone = (card.seen_alone or {}).get("recall", {})
    names = [name for name, q in card.looks[measures[0]]["quartiles"].items() if q]
    rows = [
        [
            name,
            *(f"{card.looks[m]['quartiles'][name][1]:.3f}" for m in measures),
            f"{100 * alone[name]:.0f} %" if name in alone else None,
        ]
        for name in names
    ]
    return DocumentTable(["class", *measures, "found by light alone"], rows)


def _pictures(card: CardValues) -> Section:
    pictures = [Picture(sample.jpeg, sample.label) for sample in card.samples]
    words = [] if pictures else ["None of the pictures that were tried could be read."]
    return Section("Some of its pictures", words, pictures=pictures)


def _origin(card: CardValues) -> Section:
    rows = [[key, text] for key, text in card.about.items()]
    steps = [f"{k}. {words}" for k, words in enumerate(card.lineage, start=1)]
    tables = [DocumentTable(["", "as its source says"], rows)] if rows else []
    nothing = [] if rows or steps else ["Nothing is known of its origin."]
    return Section("Origin, terms, and how it came to be", [*nothing, *steps], tables)


def _fill(
    split: str, name: str, counts: Mapping[str, Mapping[str, int]], colours: Mapping[str, str]
) -> str:
    return SPLITS.get(split, _GREY) if len(counts) > 1 else colours.get(name, _GREY)


def _word(name: str, row: int) -> str:
    short = name if len(name) <= 20 else f"{name[:19]}…"
    return f'<text x="{_LEFT - 8}" y="{row * _ROW + 15}" text-anchor="end">{escape(short)}</text>'


def _figure(inside: str, rows: int, label: str, legend: str) -> str:
    told = f'<ul class="legend">{legend}</ul>' if legend else ""
    caption = f"<figcaption>{escape(label)}</figcaption>"
    return (
        f'<figure>{caption}<svg viewBox="0 0 {_WIDTH} {rows * _ROW + 6}" role="img" '
        f'aria-label="{escape(label)}">{inside}</svg>{told}</figure>'
    )
