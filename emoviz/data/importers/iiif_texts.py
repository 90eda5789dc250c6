"""The texts of IIIF documents, versions 2 and 3: languages, HTML, and what a pair speaks of."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html.parser import HTMLParser
from typing import Any

LANGUAGES = ("en", "none")

# How museums call these, in the languages in which many of them publish.
_WORDS: Mapping[str, tuple[str, ...]] = {
    "title": ("title", "titel", "titre", "titolo", "título", "titulo", "pavadinimas", "tytuł"),
    "artist": (
        *("artist", "artists", "artist/maker", "artist name", "creator", "creators", "maker"),
        *("author", "painter", "primary maker", "artiste", "auteur", "peintre", "créateur"),
        *("künstler", "künstlerin", "künstler/in", "urheber", "autor", "autore", "artista"),
        *("creatore", "pintor", "creador", "kunstenaar", "vervaardiger", "schilder", "maker(s)"),
        *("dailininkas", "dailininkė", "autorius", "kunstner", "konstnär", "taiteilija", "artysta"),
        *("kunstschaffende", "作者", "художник", "автор"),
        *("photographer", "illustrator", "engraver", "printmaker", "sculptor", "draughtsman"),
        *("photographe", "fotograf", "maler", "malerin", "attributed to", "artist(s)"),
    ),
    "date": (
        *("date", "dates", "year", "created", "date created", "creation date", "production date"),
        *("date of creation", "date made", "object date", "datierung", "datum", "jahr"),
        *("entstehungszeit", "entstehungsdatum", "année", "annee", "date de création"),
        *("datation", "fecha", "año", "data", "anno", "datazione", "data di creazione", "datering"),
        *("published/created date", "date(s)", "التاريخ"),
        *("jaar", "data utworzenia", "metai", "data", "sukūrimo data", "datere", "制作年", "дата"),
    ),
    "rights": (
        *("rights", "license", "licence", "copyright", "rights statement", "usage rights"),
        *("rechte", "lizenz", "droits", "licence d'utilisation", "derechos", "diritti", "licenza"),
        *("rechten", "licentie", "teisės", "licencija"),
        *("rights/license", "usage terms", "terms of use", "conditions of use"),
        *("full conditions of use", "nutzungsbedingungen"),
    ),
}
_PEOPLE = ("people", "persons", "contributors", "agents", "personen", "personnes", "personas")
_PLACE = {word: name for name, words in _WORDS.items() for word in words}


def text_of(value: Any, languages: Sequence[str] = LANGUAGES) -> str:
    """A label or value in the first of these languages that it has, else in its own first.

    Takes what both versions write: text, ``{"@value", "@language"}``, lists of either, and
    ``{language: [texts]}``. HTML, which both allow in values, loses its tags.
    """
    return "; ".join(_plain(text) for text in _chosen(_by_language(value), languages) if text)


def all_texts(value: Any) -> list[str]:
    """The texts of every language."""
    return [text for texts in _by_language(value).values() for text in texts]


def pairs(
    value: Any, languages: Sequence[str] = LANGUAGES
) -> tuple[dict[str, str], dict[str, str]]:
    """The metadata of a manifest or canvas.

    Returns:
        What it says of ``title``, ``artist``, ``date`` and ``rights``, recognised in any of the
        languages of a pair's label; and the other pairs, by their labels. Equal labels are
        joined by semicolons. Where no label names an artist, a list of people may ("Artist: ...").
    """
    known: dict[str, str] = {}
    others: dict[str, str] = {}
    for row in value if isinstance(value, list) else []:
        if not isinstance(row, Mapping):
            continue
        label, text = text_of(row.get("label"), languages), text_of(row.get("value"), languages)
        if not label or not text:
            continue
        meant = _meaning(all_texts(row.get("label")))
        target, name = (known, meant) if meant else (others, label)
        target[name] = f"{target[name]}; {text}" if name in target else text
    people = (text for label, text in others.items() if label.casefold() in _PEOPLE)
    if "artist" not in known and (named := list(_named_artists(people))):
        known["artist"] = "; ".join(named)
    return known, others


def _named_artists(values: Iterable[str]) -> Iterator[str]:
    """Who stands behind "Artist:" or the like in a museum's list of people."""
    for part in (part for value in values for part in value.split("; ")):
        role, colon, name = part.partition(": ")
        if colon and name.strip() and _meaning([role]) == "artist":
            yield name.strip()


def _meaning(labels: Iterable[str]) -> str:
    words = (label.strip().rstrip(":").strip().casefold() for label in labels)
    return next((_PLACE[word] for word in words if word in _PLACE), "")


def _by_language(value: Any) -> dict[str, list[str]]:
    """Texts by language; those without one under ``none``."""
    found: dict[str, list[str]] = {}
    for part in value if isinstance(value, list) else [value]:
        if isinstance(part, Mapping) and "@value" in part:
            language, texts = part.get("@language") or "none", [part["@value"]]
            found.setdefault(str(language), []).extend(map(str, texts))
        elif isinstance(part, Mapping):
            for language, inside in part.items():
                texts = inside if isinstance(inside, list) else [inside]
                kept = [str(text) for text in texts if isinstance(text, str | int | float)]
                found.setdefault(str(language), []).extend(kept)
        elif isinstance(part, str | int | float) and not isinstance(part, bool):
            found.setdefault("none", []).append(str(part))
    return found


def _chosen(texts: Mapping[str, list[str]], languages: Sequence[str]) -> list[str]:
    for wanted in languages:
        for language in texts:
            if language.casefold().split("-")[0] == wanted and any(texts[language]):
                return texts[language]
    return next((found for found in texts.values() if any(found)), [])


def _plain(text: str) -> str:
    text = " ".join(text.split())
    if not (text.startswith("<") and text.endswith(">")):  # as both versions mark HTML
        return text
    reader = _Tagless()
    reader.feed(text)
    reader.close()
    return " ".join("".join(reader.parts).split()) or text


class _Tagless(HTMLParser):
    """Keeps what HTML says to people; scripts and styles say nothing to them."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Blocks and breaks part words."""
        self._silent += tag in ("script", "style")
        self.parts.append(" " if tag in ("br", "p", "div", "li", "td") else "")

    def handle_endtag(self, tag: str) -> None:
        """The end of a silent part."""
        self._silent -= tag in ("script", "style") and self._silent > 0

    def handle_data(self, data: str) -> None:
        """Words."""
        if not self._silent:
            self.parts.append(data)
