"""A collection as one HTML page to read and print: everything inside, nothing fetched.

Titles and notes are foreign text: they are escaped, and the page's own policy forbids scripts and
requests besides.
"""

import html
from collections.abc import Iterator, Mapping
from pathlib import Path

from emoviz.data.images import Limits, open_image, thumbnail
from emoviz.errors import ImageError
from emoviz.files import replaced_file
from emoviz.inference.cache import THUMBNAIL_SIDE, Thumbnails
from emoviz.review.exports.material import Material
from emoviz.review.exports.spreadsheet import emotion_words
from emoviz.review.images import read_work
from emoviz.review.model import Decision, StoredPrediction, Work
from emoviz.settings import Settings

_AT_ONCE = 500
_STYLE = """
body { font: 15px/1.45 Georgia, serif; color: #1c1c1c; background: #fff; margin: 2rem auto;
  max-width: 60rem; padding: 0 1rem; }
h1 { font-size: 1.7rem; margin: 0 0 .3rem; }
.about { color: #555; margin: 0 0 2rem; }
article { display: grid; grid-template-columns: 11rem 1fr; gap: 0 1.4rem; padding: 1.1rem 0;
  border-top: 1px solid #ccc; break-inside: avoid; }
article img { max-width: 11rem; max-height: 11rem; }
article .none { width: 11rem; height: 8rem; background: #eee; color: #666; display: grid;
  place-items: center; text-align: center; font-size: .85rem; }
h2 { font-size: 1.1rem; margin: 0; }
.facts { color: #555; margin: 0 0 .5rem; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: 8rem 1fr; margin: 0; gap: .15rem .8rem; }
dt { font: 600 .8rem/1.7 system-ui, sans-serif; color: #555; }
dd { margin: 0; overflow-wrap: anywhere; }
.note { color: #444; font-style: italic; }
@media print { body { margin: 0; max-width: none; font-size: 11px; } }
@page { margin: 16mm; }
"""
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_KINDS = {"agree": "agrees with the estimate", "choose": "chose", "none": "none of these"}


def write_catalogue(
    material: Material, settings: Settings, out: Path
) -> tuple[int, list[tuple[str, str]]]:
    """Write the page, whole or not at all.

    Returns:
        How many works, and (work, reason) of those without a picture.
    """
    missing: list[tuple[str, str]] = []
    with replaced_file(out) as aside, aside.open("w", encoding="utf-8") as stream:
        stream.write(_head(material))
        for start in range(0, len(material.works), _AT_ONCE):
            material.tell(start, len(material.works))
            part = material.works[start : start + _AT_ONCE]
            pictures = _pictures(part, settings, missing)
            stream.writelines(_entry(material, work, pictures) for work in part)
        stream.write("</main></body></html>\n")
    return len(material.works), missing


def _head(material: Material) -> str:
    title = html.escape(material.collection.title)
    decided = sum(1 for found in material.decisions.values() if found)
    known = material.known
    whose = f"checkpoint {known.checkpoint} of emoviz {known.version}" if known else "no checkpoint"
    about = (
        f"{len(material.works):,} works, {decided:,} decided by people. Estimates: {whose}. "
        "An estimate is what the model says about the emotion that an image evokes; a decision is "
        f"what a person said. Made {material.made[:10]} with emoviz {material.version}."
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{title}</title><style>{_STYLE}</style></head><body>\n"
        f'<header><h1>{title}</h1><p class="about">{html.escape(about)}</p></header><main>\n'
    )


def _entry(material: Material, work: Work, pictures: Mapping[str, str]) -> str:
    name = html.escape(work.title or work.key)
    data = pictures.get(work.sha256)
    picture = (
        f'<img alt="" src="data:image/jpeg;base64,{data}">'
        if data
        else f'<div class="none">no picture{": " if work.error else ""}'
        f"{html.escape(work.error)}</div>"
    )
    facts = [work.artist, work.style, work.date, work.rights]
    line = html.escape(" · ".join(filter(None, facts)))
    rows = "".join(f"<dt>{term}</dt><dd>{text}</dd>" for term, text in _rows(material, work))
    return (
        f"<article><div>{picture}</div><div><h2>{name}</h2>"
        f'<p class="facts">{line}</p><dl>{rows}</dl></div></article>\n'
    )


def _rows(material: Material, work: Work) -> Iterator[tuple[str, str]]:
    known = material.estimates.get(work.id)
    yield "Model's estimate", _estimate(known) if known else "none"
    decisions = material.decisions[work.id]
    for item in decisions:
        yield html.escape(material.reviewers[item.reviewer].name), _decision(item)
    if not decisions:
        yield "People", "not decided yet"


def _estimate(known: StoredPrediction) -> str:
    words = ", ".join(f"{name} {p:.0%}" for name, p in known.ranked[:3])
    far = known.novelty is not None and known.novelty > 1
    return html.escape(words + ("; unlike the training images" if far else ""))


def _decision(item: Decision) -> str:
    words = _KINDS[item.kind]
    if item.feelings:
        words += f": {emotion_words(item.feelings)}"
    seen = "" if item.shown.estimate else ", without seeing the estimate"
    note = f' <span class="note">{html.escape(item.note)}</span>' if item.note else ""
    return f"{html.escape(words + seen)} ({item.time[:10]}){note}"


def _pictures(
    works: tuple[Work, ...], settings: Settings, missing: list[tuple[str, str]]
) -> dict[str, str]:
    """Image -> JPEG in base64; made and kept where there was no thumbnail yet."""
    from base64 import b64encode

    hashes = [work.sha256 for work in works if work.sha256]
    with Thumbnails(settings) as kept:
        jpegs = kept.get_many(hashes)
        made: dict[str, bytes] = {}
        for work in works:
            if work.sha256 in jpegs or work.sha256 in made:
                continue
            try:
                opened = open_image(
                    read_work(work, settings), Limits.of(settings), short_side=THUMBNAIL_SIDE
                )
                made[opened.sha256] = thumbnail(opened.pixels, THUMBNAIL_SIDE)
            except ImageError as error:
                missing.append((work.title or work.key, str(error)))
        kept.put(made)
    return {sha256: b64encode(jpeg).decode() for sha256, jpeg in {**jpegs, **made}.items()}
