"""The texts of IIIF documents, versions 2 and 3: languages, HTML, and what a pair speaks of."""

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
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
# What a canvas is called that shows a side or a page of something.
_SIDES = re.compile(
    r"pages?|pg|pp|leaf|folio|fol|canvas|image|img|picture|photo(graph)?|scan|view|main|overall"
    r"|detail|front|back|recto|verso|cover|plate|sheet|side|no|nr|number|of|the|and|default"
    r"|untitled|unnamed|none|na|seite|blatt|bild|vorderseite|rückseite|ansicht|tafel|foto|vue"
    r"|feuillet|planche|puslapis|lapas|vaizdas|pagina|foglio|immagine|hoja|imagen|lámina|strona"
    r"|(xl|l?x{0,3})(ix|iv|v?i{0,3})"  # Roman numbers
)
_WORD = re.compile(r"[^\W\d_]+")
_FILE = re.compile(r"\.(jpe?g|tiff?|png|gif|jp2|webp|bmp|dng)$", re.IGNORECASE)
_SILENT = re.compile(
    r"<!--.*?(?:-->|$)|<!\[CDATA\[|\]\]>|<(script|style)\b[^<>]*>.*?(?:</\1\s*>|$)",
    re.IGNORECASE | re.DOTALL,
)
_TAG = re.compile(
    r"</?(a|abbr|b|bdi|bdo|big|blockquote|body|br|center|cite|code|dd|del|dfn|div|dl|dt|em|figure|"
    r"font|h[1-6]|head|hr|html|i|img|ins|kbd|li|mark|ol|p|pre|q|rp|rt|ruby|s|samp|section|small|"
    r"span|strike|strong|sub|sup|svg|table|tbody|td|th|thead|tr|tt|u|ul|var|wbr|iframe|input|link|"
    r"meta|object|video|form|button)"
    r"(?![\w-])([^<>]*)>",
    re.IGNORECASE,
)
_BREAKS = re.compile("br|p|div|li|t[dhr]|hr|d[dt]|h[1-6]|blockquote|section", re.IGNORECASE)
_PLACE = {word: name for name, words in _WORDS.items() for word in words}


def text_of(value: Any, languages: Sequence[str] = LANGUAGES) -> str:
    """A label or value in the first of these languages that it has, else in its own first.

    Takes what both versions write, however nested: text, ``{"@value", "@language"}``, lists of
    either, and ``{language: [texts]}``. Markup goes and entities become the signs that they stand
    for, also where they were written twice over; nothing else is read into the words.
    """
    return "; ".join(_chosen(_by_language(value), languages))


def says_something(label: str) -> bool:
    """Whether a label tells one picture from another: no number, side or file name alone."""
    if _FILE.search(label):
        return False
    words = _WORD.findall(label.casefold())
    named = (word for word in words if len(word) > 1 or not word.isascii())
    return any(not _SIDES.fullmatch(word) for word in named)


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
    for row in value if isinstance(value, list) else [value]:
        if not isinstance(row, Mapping):
            continue
        label, text = text_of(row.get("label"), languages), text_of(row.get("value"), languages)
        if not label or not text:
            continue
        meant = _meaning(chain.from_iterable(_by_language(row.get("label")).values()))
        target, name = (known, meant) if meant else (others, label)
        target[name] = f"{target[name]}; {text}" if name in target else text
    people = [text for label, text in others.items() if label.casefold() in _PEOPLE]
    roles = (part.partition(": ") for text in people for part in text.split("; "))
    named = (name.strip() for role, _, name in roles if _meaning([role]) == "artist")
    if "artist" not in known and (artists := "; ".join(filter(None, named))):
        known["artist"] = artists
    return known, others


def _meaning(labels: Iterable[str]) -> str:
    words = (label.strip().rstrip(":").strip().casefold() for label in labels)
    return next((_PLACE[word] for word in words if word in _PLACE), "")


def _by_language(value: Any, language: str = "") -> dict[str, list[str]]:
    """Texts by language, without markup; those without a language under ``none``."""
    found: dict[str, list[str]] = {}
    for part in value if isinstance(value, list) else [value]:
        inner: Mapping[str, Any] = {}
        if isinstance(part, Mapping) and "@value" in part:
            inner = {str(part.get("@language") or language or "none"): part["@value"]}
        elif isinstance(part, Mapping) and not language:
            inner = {str(name): inside for name, inside in part.items()}
        elif isinstance(part, str | int | float) and not isinstance(part, bool):
            found.setdefault(language or "none", []).extend(filter(None, [_plain(str(part))]))
        for name, inside in inner.items():
            for own, texts in _by_language(inside, name).items():
                found.setdefault(own, []).extend(texts)
    return found


def _chosen(texts: Mapping[str, list[str]], languages: Sequence[str]) -> list[str]:
    for wanted in languages:
        for language, found in texts.items():
            if found and re.split("[-_]", language.casefold().lstrip("@"))[0] == wanted:
                return found
    return next(filter(None, texts.values()), [])


def _plain(text: str) -> str:
    """Words alone. Museums write markup and entities twice over, hence the rounds."""
    for _ in range(3):
        before, text = text, html.unescape(_without_markup(text))
        if text == before:
            break
    return " ".join(_without_markup(text).split())


def _without_markup(text: str) -> str:
    """Without the elements of HTML; "1 < 2" and "<Untitled>" are none."""
    return _TAG.sub(_tag, _SILENT.sub(" ", text))


def _tag(found: re.Match[str]) -> str:
    """What stands in a tag's place: nothing or a space; itself where it is none ("a<b and b>c")."""
    if found[2].strip(" /\t\n") and "=" not in found[2]:
        return found[0]
    return " " if _BREAKS.fullmatch(found[1]) else ""
