"""What people said, for Wikidata and Wikimedia Commons.

Wikidata has no property for the emotion that a work evokes, and its items for emotions are others'
to choose: whoever exports says which property and items are meant. A model's estimate is no source
that Wikidata accepts, so QuickStatements hold only what most people said; the table for Commons
holds the estimate in a column of its own.
"""

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from emoviz.errors import ReviewError
from emoviz.files import replaced_file
from emoviz.inference.tabular import safe_cell
from emoviz.review.exports import annotations
from emoviz.review.exports.material import Material
from emoviz.review.labelling import NOBODY, NONE, winners
from emoviz.review.model import Work

_ITEM = re.compile(r"wikidata\.org/(?:wiki|entity)/(Q[1-9]\d*)", re.IGNORECASE)
_LINE = re.compile(r"\s*(.+?)\s*[=,;:\t]\s*([PQ][1-9]\d*)\s*", re.IGNORECASE)
_PROPERTY = "property"
LeftOut = list[tuple[str, str]]


@dataclass(frozen=True)
class WikidataTerms:
    """Which property says what a work evokes, and which items the emotions are."""

    property: str
    items: Mapping[str, str]


def read_terms(text: str) -> WikidataTerms:
    """Terms as people write them, one a line: ``property = P...``, ``awe = Q...``.

    Raises:
        ReviewError: A line is none, or no property or no emotion is named.
    """
    found: dict[str, str] = {}
    for line in filter(str.strip, text.splitlines()):
        match = _LINE.fullmatch(line)
        if match is None:
            raise ReviewError(f"'{line.strip()[:60]}' names no term; wanted such as 'awe = Q123'.")
        found[match[1].casefold()] = match[2].upper()
    property = found.pop(_PROPERTY, "")
    items = {name: id for name, id in found.items() if id.startswith("Q")}
    if not property.startswith("P") or not items or len(items) < len(found):
        raise ReviewError(
            "Wikidata has no word of its own for the emotion that a work evokes. Wanted: one line "
            "'property = P...' and a line for each emotion, such as 'awe = Q...'."
        )
    return WikidataTerms(property, items)


def write_quickstatements(
    material: Material, out: Path, terms: WikidataTerms
) -> tuple[int, LeftOut]:
    """Write commands of QuickStatements, version 1, whole or not at all.

    One for each work that has an item on Wikidata (its address stands in what is known of the work)
    and an emotion that most people named.

    Returns:
        How many, and (work, reason) of decided works that are left out.

    Raises:
        ReviewError: There is no statement to write.
    """
    lines: list[str] = []
    left_out: LeftOut = []
    for work in material.each():
        if not material.decisions[work.id]:
            continue
        try:
            lines.append(_statement(material, work, terms))
        except ReviewError as error:
            left_out.append((work.title or work.key, str(error)))
    if not lines:
        raise ReviewError(
            "No work has both an item of Wikidata, named in what is known of it, and an emotion "
            "that most people named and that you gave an item: there is nothing to write."
        )
    with replaced_file(out) as aside:
        aside.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return len(lines), left_out


def item_of(work: Work) -> str:
    """The work's item on Wikidata, as far as what is known of it says; else ""."""
    for name, text in work.metadata.items():
        match = _ITEM.search(text)
        if match:
            return match[1].upper()
        if "wikidata" in name.casefold() and re.fullmatch(r"Q[1-9]\d*", text.strip()):
            return text.strip()
    return ""


def _statement(material: Material, work: Work, terms: WikidataTerms) -> str:
    item = item_of(work)
    if not item:
        raise ReviewError("nothing says which item of Wikidata it is")
    best = winners(material.shares(work))
    if len(best) > 1:
        raise ReviewError("people's votes are even")
    if best[0] == NOBODY:
        raise ReviewError("people gave it none of the emotions")
    emotion = terms.items.get(best[0].casefold())
    if emotion is None:
        raise ReviewError(f"no item was named for '{best[0]}'")
    day = max(decision.time for decision in material.decisions[work.id])[:10]
    parts = [item, terms.property, emotion, "P585", f"+{day}T00:00:00Z/11"]
    page = work.metadata.get("page", "")
    if re.fullmatch(r"https?://[^\s\"|]+", page):
        parts += ["S854", f'"{page}"']
    return "|".join(parts)


_COMMONS = (
    *("path", "name", "artist", "title", "description", "date", "institution", "credit_line"),
    *("source", "permission", "wikidata", "emotions_said_by_people", "people"),
    *("emotion_estimated_by_software", "software"),
)


def write_commons(material: Material, out: Path) -> int:
    """Write a table whose columns are those of Commons' template Artwork, whole or not at all."""
    count = 0
    with replaced_file(out) as aside, aside.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(_COMMONS)
        for work in material.each():
            writer.writerow(map(safe_cell, _row(material, work)))
            count += 1
    return count


def _row(material: Material, work: Work) -> Iterator[str]:
    known, told = material.estimates.get(work.id), work.metadata
    title = work.title or work.key
    by = f" - {work.artist}" if work.artist else ""
    yield work.file or work.url
    # Signs that no name of a file on Commons may have.
    yield re.sub(r"[#<>\[\]|{}/:\\\x00-\x1f]+", " ", f"{title}{by}").strip()[:200]
    yield from (work.artist, title, told.get("summary", ""), work.date)
    yield from (told.get("provider", ""), told.get("attribution", ""))
    yield told.get("page") or told.get("manifest") or work.url
    yield from (work.rights, item_of(work))
    shares = material.shares(work)
    yield "; ".join(f"{name or NONE} {share:.0%}" for name, share in shares.items())
    yield str(len(material.decisions[work.id]))
    yield f"{known.first} {known.probabilities[known.first]:.0%}" if known else ""
    yield f"{annotations.network(known)['name']} ({known.fingerprint})" if known else ""
