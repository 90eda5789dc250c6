"""A checkpoint's card as HTML: whatever it says, in sections, every text escaped."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from emoviz.checkpoints import Card
from emoviz.ui.language import emotion, language, tr
from emoviz.ui.wording import wording
from emoviz.ui.words import readable

# Where a word is an abbreviation, capitals are kept.
_CAPITALS = {
    "ari": "ARI",
    "nmi": "NMI",
    "asr": "ASR",
    "ece": "ECE",
    "f1": "F1",
    "id": "ID",
    "n": "images",
}
# A mapping with up to this many entries is written in one line.
_SHORT = 4
_RULE_KEYS = ("rule", "text", "words", "description")


def card_html(card: Card) -> str:
    """Every section that the card fills."""
    sections = (
        _paragraph(card.summary, "ev-lead"),
        _section(tr("Intended use"), _paragraph(card.intended_use)),
        _section(tr("Limits"), _paragraph(card.limits)),
        _section(tr("The law"), _paragraph(tr(law) if (law := wording(card.taxonomy).law) else "")),
        _section(tr("What it tells apart"), _classes(card)),
        _section(tr("Trained on"), "".join(_dataset(entry) for entry in card.data)),
        _section(tr("Measured on data that it had not seen"), _table(card.measures)),
        _section(tr("Are its probabilities to be believed?"), _values(card.calibration)),
        _section(tr("Valence, arousal and divided viewers"), _table(card.dimensions)),
        _section(tr("When it says “unlike the training images”"), _rule(card)),
        _section(tr("Images that it knows again"), _values(card.seen)),
        _section(tr("Network"), _values(_network(card))),
        _section(tr("Licence"), _paragraph(card.licence)),
    )
    english = "" if language() == "en" else f"<p>{tr('The card itself is written in English.')}</p>"
    return f'<div class="ev-facts">{english}{"".join(sections)}</div>'


def novelty_rule(card: Card) -> str:
    """The card's own words on "unlike the training images", or nothing."""
    for key in _RULE_KEYS:
        words = card.novelty.get(key)
        if isinstance(words, str):
            return words
    return ""


def _section(title: str, inside: str) -> str:
    return f"<h2>{escape(title)}</h2>{inside}" if inside else ""


def _paragraph(text: str, css: str = "") -> str:
    kind = f' class="{css}"' if css else ""
    parts = (part.strip() for part in text.split("\n\n"))
    return "".join(f"<p{kind}>{_clean(part)}</p>" for part in parts if part)


def _classes(card: Card) -> str:
    items = "".join(
        f'<li><i class="ev-dot" style="background:{escape(item.colour)}"></i>'
        f"{_clean(emotion(item.name))}"
        f"{f' ({emotion(item.sentiment)})' if item.sentiment else ''}</li>"
        for item in card.taxonomy.classes
    )
    return f'<p>{_clean(card.taxonomy.title)}</p><ul class="ev-legend" role="list">{items}</ul>'


def _dataset(entry: Mapping[str, Any]) -> str:
    title = entry.get("title") or entry.get("name") or ""
    rest = {key: value for key, value in entry.items() if value != title}
    return f"<p><b>{_clean(str(title))}</b></p>{_values(rest)}"


def _network(card: Card) -> dict[str, Any]:
    facts: dict[str, Any] = {
        **_built_from(card),
        "width": card.width,
        "input": f"{card.preprocessing.size} × {card.preprocessing.size} pixels",
        "temperature": card.temperature,
        "seed": card.seed,
        **{f"{name} version": version for name, version in card.versions.items()},
        "weights_sha256": card.weights_sha256,
        "graph_sha256": card.graph_sha256,
    }
    return {key: value for key, value in facts.items() if value not in ("", None)}


def _built_from(card: Card) -> Mapping[str, Any]:
    """The network's settings; of a fusion, one block for each member."""
    if len(card.members) == 1:
        return card.members[0]
    return {f"network {number}": member for number, member in enumerate(card.members, start=1)}


def _rule(card: Card) -> str:
    words = novelty_rule(card)
    rest = {key: value for key, value in card.novelty.items() if value != words}
    return _paragraph(words) + _values(rest)


def _table(values: Mapping[str, Any]) -> str:
    """Mappings of numbers side by side, a row for each; anything else one below the other."""
    rows = {key: value for key, value in values.items() if _is_flat(value)}
    if len(rows) < 2:
        return _values(values)
    columns = list(dict.fromkeys(key for row in rows.values() for key in row))
    head = "".join(f'<th scope="col">{_label(str(column))}</th>' for column in columns)
    body = "".join(
        f'<tr><th scope="row">{_label(str(key))}</th>'
        + "".join(f'<td class="ev-value">{_value(row.get(column, ""))}</td>' for column in columns)
        + "</tr>"
        for key, row in rows.items()
    )
    others = {key: value for key, value in values.items() if key not in rows}
    table = f"<table><thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="ev-wide">{table}</div>{_values(others)}'


def _values(values: Mapping[str, Any]) -> str:
    """A mapping as a table with one row for each key."""
    rows = "".join(_row(str(key), value) for key, value in values.items() if _filled(value))
    return f'<div class="ev-wide"><table><tbody>{rows}</tbody></table></div>' if rows else ""


def _row(key: str, value: Any) -> str:
    return f'<tr><th scope="row">{_label(key)}</th><td class="ev-value">{_value(value)}</td></tr>'


def _value(value: Any) -> str:
    """A short mapping in one line, a long one folded; lists in one line."""
    if isinstance(value, Mapping):
        if _is_flat(value) and len(value) <= _SHORT:
            return ", ".join(
                f"{_clean(str(key)).replace('_', ' ')}&nbsp;{_value(item)}"
                for key, item in value.items()
            )
        return f"<details><summary>{escape(tr('show'))}</summary>{_table(value)}</details>"
    if isinstance(value, Sequence) and not isinstance(value, str):
        if any(isinstance(item, Mapping) for item in value):
            return "".join(_value(item) for item in value)
        return _clean(", ".join(_scalar(item) for item in value))
    return _clean(_scalar(value))


def _is_flat(value: Any) -> bool:
    return isinstance(value, Mapping) and not any(
        isinstance(item, Mapping | list | tuple) for item in value.values()
    )


def _scalar(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return tr("yes") if value else tr("no")
    if isinstance(value, int):
        return f"{value:,}" if abs(value) >= 10_000 else str(value)
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _filled(value: Any) -> bool:
    return value is not None and value not in ("", (), [], {})


def _label(key: str) -> str:
    words = key.replace("_", " ").split()
    text = " ".join(_CAPITALS.get(word.casefold(), word) for word in words)
    return _clean(text[:1].upper() + text[1:])


def _clean(text: str) -> str:
    return escape(readable(" ".join(text.split())))
