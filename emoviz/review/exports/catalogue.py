"""A collection as one HTML page to read and print: everything inside, nothing fetched.

Titles and notes are foreign text: they are escaped, and the page's own policy forbids scripts and
requests besides.
"""

import html
from base64 import b64encode
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

from emoviz.data.images import Limits, open_image, own_fault, thumbnail
from emoviz.data.importers.content_state import MIRADOR
from emoviz.errors import ImageError
from emoviz.files import replaced_file
from emoviz.inference.abstention import Abstention
from emoviz.inference.cache import THUMBNAIL_SIDE, Thumbnails
from emoviz.inference.flags import FLAGS, MEANINGS
from emoviz.review.exports.material import Material
from emoviz.review.exports.spreadsheet import abstention_by, flags_in_words
from emoviz.review.images import read_work
from emoviz.review.labelling import NONE, distribution
from emoviz.review.model import Decision, StoredPrediction, Work
from emoviz.settings import Settings

_AT_ONCE = 20
_LARGE, _FEW = 640, 400  # long side of pictures, and works up to which they have it
_STYLE = """
body { font: 15px/1.45 Georgia, serif; color: #1c1c1c; background: #fff; margin: 2rem auto;
  max-width: 60rem; padding: 0 1rem; }
h1 { font-size: 1.7rem; margin: 0 0 .3rem; }
.about { color: #555; margin: 0 0 2rem; }
article { display: grid; grid-template-columns: 22rem 1fr; gap: 0 1.4rem; padding: 1.1rem 0;
  border-top: 1px solid #ccc; break-inside: avoid; }
article img { max-width: 22rem; max-height: 22rem; }
article .none { width: 22rem; height: 8rem; background: #eee; color: #666; display: grid;
  place-items: center; text-align: center; font-size: .85rem; }
h2 { font-size: 1.1rem; margin: 0; }
.facts { color: #555; margin: 0 0 .5rem; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: 8rem 1fr; margin: 0; gap: .15rem .8rem; }
dt { font: 600 .8rem/1.7 system-ui, sans-serif; color: #555; }
dd { margin: 0; overflow-wrap: anywhere; }
.summary { break-after: page; margin-bottom: 2rem; }
.summary h2 { margin: 1.4rem 0 .4rem; }
.summary dl { grid-template-columns: 14rem 1fr; }
table { border-collapse: collapse; margin: 1.2rem 0; }
caption { text-align: left; color: #555; padding-bottom: .3rem; }
th, td { text-align: left; padding: .15rem 1.4rem .15rem 0; border-bottom: 1px solid #ddd; }
@media (max-width: 44rem) { article { grid-template-columns: 1fr; } }
.note { color: #444; font-style: italic; }
@media print { body { margin: 0; max-width: none; font-size: 11px; } }
@page { margin: 16mm; }
"""
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


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
        stream.write(_summary(material))
        threshold = abstention_by(material.known, settings)
        side = _LARGE if len(material.works) <= _FEW else THUMBNAIL_SIDE
        for start in range(0, len(material.works), _AT_ONCE):
            material.tell(start, len(material.works))
            part = material.works[start : start + _AT_ONCE]
            pictures = _pictures(part, settings, missing, side)
            stream.writelines(_entry(material, work, pictures, threshold) for work in part)
        stream.write("</main></body></html>\n")
    return len(material.works), missing


def site_index(material: Material, names: list[str], titles: list[str], count: int) -> str:
    """The first page of a site of manifests, without anything foreign.

    Mirador is asked for only where a link is pressed.
    """
    tr, number = material.spoken.tr, material.spoken.number
    opened = html.escape(tr("Open in Mirador"))
    rows = "".join(
        f'<li><a href="{quote(name)}">{html.escape(title)}</a> '
        f'(<a class="mirador" rel="noopener" href="{quote(name)}">{opened}</a>)</li>\n'
        for name, title in zip(names, titles, strict=True)
    )
    title = html.escape(material.collection.title)
    about = tr(
        "IIIF manifests: {manifests}; annotations on them: {count}, estimates of a model and "
        "decisions of people, each with who made it and when.",
        manifests=number(len(names)),
        count=number(count),
    )
    about = html.escape(f"{about} {_meaning(material)}")
    return f"""<!DOCTYPE html>
<html lang="{material.spoken.name}"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>{title}</title>
<style>body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto;
padding: 0 1rem; }}</style></head><body>
<h1>{title}</h1>
<p>{about}</p>
<ul>
{rows}</ul>
<script>
for (const link of document.querySelectorAll("a.mirador"))
  link.href = "{MIRADOR}?iiif-content=" + encodeURIComponent(link.href);
</script>
</body></html>
"""


def _meaning(material: Material) -> str:
    """What an estimate is, and when and with what the page was made."""
    tr = material.spoken.tr
    meant = tr(
        "An estimate is what the model says about the emotion that an image evokes; a decision is "
        "what a person said."
    )
    made = tr(
        "Made {date} with emoviz {version}.", date=material.made[:10], version=material.version
    )
    return f"{meant} {made}"


def _head(material: Material) -> str:
    tr, known = material.spoken.tr, material.known
    title = html.escape(material.collection.title)
    whose = (
        tr(
            "Estimates: network {network} of emoviz {version}.",
            network=known.checkpoint,
            version=known.version,
        )
        if known
        else tr("There are no estimates.")
    )
    about = html.escape(f"{whose} {_meaning(material)}")
    return (
        f'<!DOCTYPE html>\n<html lang="{material.spoken.name}"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{title}</title><style>{_STYLE}</style></head><body>\n"
        f'<header><h1>{title}</h1><p class="about">{about}</p></header><main>\n'
    )


def _summary(material: Material) -> str:
    """The first page: how much there is, what people and the model said, what the signs mean."""
    tr, number = material.spoken.tr, material.spoken.number
    decided = [work for work in material.works if material.decisions[work.id]]
    people = {item.reviewer for found in material.decisions.values() for item in found}
    names = ", ".join(sorted(material.reviewers[person].name for person in people))
    facts = {
        tr("Works"): number(len(material.works)),
        tr("Decided by people"): number(len(decided)),
        tr("People"): number(len(people)) + (f" ({names})" if names else ""),
        tr("Works that divide people"): number(
            sum(bool(material.divides(work)) for work in decided)
        ),
    }
    signs = {tr(FLAGS[flag]): tr(meaning) for flag, meaning in MEANINGS.items()} | {
        tr("divides people"): tr("the share of the pairs of people whose answers differ"),
        "●●●, ●●, ●": tr("named strongly, plainly, a little"),
        tr("without seeing the estimate"): tr(
            "the model's estimate was hidden until the person decided"
        ),
    }
    return (
        f'<section class="summary"><h2>{html.escape(tr("Summary"))}</h2>{_terms(facts)}'
        f"{_distribution(material)}<h2>{html.escape(tr('What the signs mean'))}</h2>"
        f"{_terms(signs)}</section>\n"
    )


def _terms(rows: Mapping[str, str]) -> str:
    cells = (f"<dt>{html.escape(a)}</dt><dd>{html.escape(b)}</dd>" for a, b in rows.items())
    return f"<dl>{''.join(cells)}</dl>"


def _distribution(material: Material) -> str:
    """People's answers beside the model's estimates, over the works that have both."""
    facts = (item for found in material.decisions.values() for item in found)
    found = distribution(facts, material.estimates.values())
    if not found.works:
        return ""
    tr, share = material.spoken.tr, material.spoken.share
    rows = "".join(
        f"<tr><th scope=row>{html.escape(_named(material, name))}</th>"
        f"<td>{share(found.people.get(name, 0.0))}</td>"
        f"<td>{share(found.model.get(name, 0.0))}</td></tr>"
        for name in material.voted
    )
    caption = tr(
        "Mean shares over the works that have both, n = {count}",
        count=material.spoken.number(found.works),
    )
    heads = (tr("Emotion"), tr("People's answers"), tr("Model's estimates"))
    head = "".join(f"<th scope=col>{html.escape(words)}</th>" for words in heads)
    return (
        f"<table><caption>{html.escape(caption)}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    )


def _named(material: Material, name: str) -> str:
    return material.spoken.emotion(name or NONE)


def _entry(
    material: Material, work: Work, pictures: Mapping[str, str], threshold: Abstention | None
) -> str:
    name = html.escape(work.title or work.key)
    data = pictures.get(work.sha256)
    picture = (
        f'<img alt="{html.escape(_described(work))}" src="data:image/jpeg;base64,{data}">'
        if data
        else f'<div class="none">{html.escape(material.spoken.tr("no picture"))}'
        f"{': ' if work.error else ''}{html.escape(work.error)}</div>"
    )
    credit = [work.metadata.get(name, "") for name in ("attribution", "provider")]
    facts = [work.artist, work.style, work.date, work.rights, *credit]
    line = html.escape(" · ".join(filter(None, facts)))
    rows = "".join(
        f"<dt>{html.escape(term)}</dt><dd>{text}</dd>"
        for term, text in _rows(material, work, threshold)
    )
    return (
        f"<article><div>{picture}</div><div><h2>{name}</h2>"
        f'<p class="facts">{line}</p><dl>{rows}</dl></div></article>\n'
    )


def _described(work: Work) -> str:
    """What stands in the place of the picture for who cannot see it."""
    return ", ".join(filter(None, (work.title or work.key, work.artist, work.date)))


def _rows(
    material: Material, work: Work, threshold: Abstention | None
) -> Iterator[tuple[str, str]]:
    """Terms, and what is said of each as HTML."""
    tr, share = material.spoken.tr, material.spoken.share
    known = material.estimates.get(work.id)
    yield tr("Model's estimate"), _estimate(material, known, threshold) if known else tr("none")
    decisions = material.decisions[work.id]
    for item in decisions:
        yield material.reviewers[item.reviewer].name, _decision(material, item)
    divides = material.divides(work)
    if divides is not None:
        shares = material.shares(work).items()
        told = ", ".join(f"{_named(material, name)} {share(value)}" for name, value in shares)
        told += f"; {tr('divides people')}: {share(divides)}" if divides else ""
        yield tr("All {count}", count=len(decisions)), html.escape(told)
    if not decisions:
        yield tr("People"), html.escape(tr("not decided yet"))


def _estimate(material: Material, known: StoredPrediction, threshold: Abstention | None) -> str:
    spoken = material.spoken
    words = ", ".join(f"{spoken.emotion(name)} {spoken.share(p)}" for name, p in known.ranked[:3])
    signs = [spoken.tr(FLAGS[flag]) for flag in flags_in_words(known, threshold)]
    return html.escape("; ".join([words, *signs]))


def _decision(material: Material, item: Decision) -> str:
    tr = material.spoken.tr
    kinds = {"agree": tr("agrees with the estimate"), "choose": tr("chose")}
    words = kinds.get(item.kind) or tr("none of these")
    if item.feelings:
        said = ", ".join(
            f"{_named(material, one.emotion)}\u00a0{'●' * one.strength}" for one in item.feelings
        )
        words += f": {said}"
    seen = f", {tr('without seeing the estimate')}" if item.shown.blind else ""
    note = f' <span class="note" dir="auto">{html.escape(item.note)}</span>' if item.note else ""
    return f"{html.escape(words + seen)} ({item.time[:10]}){note}"


def _pictures(
    works: tuple[Work, ...], settings: Settings, missing: list[tuple[str, str]], side: int
) -> dict[str, str]:
    """Image -> JPEG in base64; from the image itself where that is here, else its thumbnail."""
    jpegs: dict[str, bytes] = {}
    with Thumbnails(settings) as kept:
        small = kept.get_many(work.sha256 for work in works if work.sha256)
    for work in works:
        if work.sha256 in jpegs:
            continue
        if side <= THUMBNAIL_SIDE and work.sha256 in small:
            jpegs[work.sha256] = small[work.sha256]
            continue
        try:
            with own_fault():
                data = read_work(work, settings)
                opened = open_image(data, Limits.of(settings), short_side=side)
                jpegs[opened.sha256] = thumbnail(opened.pixels, side)
        except ImageError as error:
            if work.sha256 in small:
                jpegs[work.sha256] = small[work.sha256]
            else:
                missing.append((work.title or work.key, str(error)))
    return {sha256: b64encode(jpeg).decode() for sha256, jpeg in jpegs.items()}
