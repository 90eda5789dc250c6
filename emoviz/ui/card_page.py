"""A checkpoint's card as HTML: whatever it says, in sections, every text escaped."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from emoviz.checkpoints import Card
from emoviz.ui.words import readable

# Where a word is an abbreviation, capitals are kept.
_CAPITALS = {"ari": "ARI", "nmi": "NMI", "asr": "ASR", "ece": "ECE", "f1": "F1", "id": "ID"}
_RULE_KEYS = ("rule", "text", "words", "description")


def card_html(card: Card) -> str:
    """Every section that the card fills."""
    sections = (
        _paragraph(card.summary, "ev-lead"),
        _section("Intended use", _paragraph(card.intended_use)),
        _section("Limits", _paragraph(card.limits)),
        _section("The emotions that it tells apart", _classes(card)),
        _section("Trained on", "".join(_dataset(entry) for entry in card.data)),
        _section("Measured on data that it had not seen", _values(card.measures)),
        _section("Are its probabilities to be believed?", _values(card.calibration)),
        _section("When it says “unlike the training images”", _values(card.novelty)),
        _section("Network", _values(_network(card))),
        _section("Licence", _paragraph(card.licence)),
    )
    return f'<div class="ev-facts">{"".join(sections)}</div>'


def novelty_rule(card: Card) -> str:
    """The card's own words on "unlike the training images", or nothing."""
    for key in _RULE_KEYS:
        words = card.novelty.get(key)
        if isinstance(words, str):
            return words
    return ""


def _section(title: str, inside: str) -> str:
    return f"<h3>{escape(title)}</h3>{inside}" if inside else ""


def _paragraph(text: str, css: str = "") -> str:
    kind = f' class="{css}"' if css else ""
    parts = (part.strip() for part in text.split("\n\n"))
    return "".join(f"<p{kind}>{_clean(part)}</p>" for part in parts if part)


def _classes(card: Card) -> str:
    items = "".join(
        f'<li><i class="ev-dot" style="background:{escape(item.colour)}"></i>{_clean(item.name)}'
        f"{f' ({item.sentiment})' if item.sentiment else ''}</li>"
        for item in card.taxonomy.classes
    )
    return f'<p>{_clean(card.taxonomy.title)}</p><ul class="ev-legend" role="list">{items}</ul>'


def _dataset(entry: Mapping[str, Any]) -> str:
    title = entry.get("title") or entry.get("name") or ""
    rest = {key: value for key, value in entry.items() if value != title}
    return f"<p><b>{_clean(str(title))}</b></p>{_values(rest)}"


def _network(card: Card) -> dict[str, Any]:
    facts: dict[str, Any] = {
        **card.network,
        "width": card.width,
        "input": f"{card.preprocessing.size} × {card.preprocessing.size} pixels",
        "temperature": card.temperature,
        "seed": card.seed,
        **{f"{name} version": version for name, version in card.versions.items()},
        "weights_sha256": card.weights_sha256,
    }
    return {key: value for key, value in facts.items() if value not in ("", None)}


def _values(values: Mapping[str, Any]) -> str:
    """A mapping as a table; mappings inside become tables inside."""
    rows = "".join(_row(str(key), value) for key, value in values.items() if _filled(value))
    return f'<div class="ev-wide"><table>{rows}</table></div>' if rows else ""


def _row(key: str, value: Any) -> str:
    return f'<tr><th scope="row">{_label(key)}</th><td class="ev-value">{_value(value)}</td></tr>'


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return _values(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return _sequence(value)
    return _clean(_scalar(value))


def _sequence(values: Sequence[Any]) -> str:
    if any(isinstance(value, Mapping) for value in values):
        return "".join(_value(value) for value in values)
    return _clean(", ".join(_scalar(value) for value in values))


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
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
