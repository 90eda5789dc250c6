"""A collection as CSV that spreadsheet programs open without being tricked.

One row for each decision, and one for each work that nobody decided. Columns that begin with
``model_`` are the checkpoint's estimate, those that begin with ``human_`` a person's decision.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

from emoviz.files import replaced_file
from emoviz.inference.tabular import safe_cell
from emoviz.review.exports.material import Material
from emoviz.review.model import Decision, Feeling, StoredPrediction, Work

_WORK = (
    *("number", "key", "title", "artist", "style", "date", "year", "rights"),
    *("label", "sha256", "file", "inside", "url", "canvas", "state", "error"),
)
_MODEL = ("checkpoint", "fingerprint", "version", "first", "second", "opposite", "novelty")
_HUMAN = (
    *("decision", "emotions", "note", "reviewer", "time", "checkpoint_answered"),
    *("blind", "saw_estimate", "saw_heat_map", "saw_neighbours", "seconds", "token"),
)


def write_csv(material: Material, out: Path) -> int:
    """Write the table, whole or not at all; gives the number of its rows.

    Begins with a byte order mark, without which spreadsheet programs misread accents. Texts that
    a spreadsheet would take for a formula get a leading apostrophe.
    """
    meta = sorted({name for work in material.works for name in work.metadata})
    classes = material.known.taxonomy.names if material.known else ()
    head = ["collection", *_WORK, *(f"model_{name}" for name in _MODEL)]
    head += [*(f"model_p_{name}" for name in classes), *(f"human_{name}" for name in _HUMAN)]
    count = 0
    with replaced_file(out) as aside, aside.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(map(safe_cell, [*head, *(f"meta_{name}" for name in meta)]))
        for row in _rows(material, classes, meta):
            writer.writerow(map(safe_cell, row))
            count += 1
    return count


def emotion_words(feelings: tuple[Feeling, ...]) -> str:
    """``awe (3); fear (1)``."""
    return "; ".join(f"{item.emotion} ({item.strength})" for item in feelings)


def _rows(material: Material, classes: tuple[str, ...], meta: list[str]) -> Iterator[list[str]]:
    for work in material.each():
        own = [material.collection.name, *(_text(getattr(work, name)) for name in _WORK)]
        model = _model(material.estimates.get(work.id), classes)
        more = [work.metadata.get(name, "") for name in meta]
        for decision in material.decisions[work.id] or (None,):
            yield [*own, *model, *_human(material, decision), *more]


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _model(known: StoredPrediction | None, classes: tuple[str, ...]) -> list[str]:
    if known is None:
        return [""] * (len(_MODEL) + len(classes))
    novelty = "" if known.novelty is None else f"{known.novelty:.6f}"
    head = [known.checkpoint, known.fingerprint, known.version, known.first, known.second]
    head += [str(known.opposite).lower(), novelty]
    return [*head, *(f"{known.probabilities[name]:.6f}" for name in classes)]


def _human(material: Material, item: Decision | None) -> list[str]:
    if item is None:
        return [""] * len(_HUMAN)
    shown = item.shown
    seen = [shown.blind, shown.estimate, bool(shown.heat_map), shown.neighbours]
    return [
        *(item.kind, emotion_words(item.feelings), item.note),
        *(material.reviewers[item.reviewer].name, item.time, item.checkpoint),
        *(str(value).lower() for value in seen),
        "" if shown.seconds is None else f"{shown.seconds:.1f}",
        item.token,
    ]


def address(work: Work) -> str:
    """What a work is called on the web: its image's URL, else the name of its bytes (RFC 6920)."""
    import base64

    if work.url:
        return work.url
    digest = base64.urlsafe_b64encode(bytes.fromhex(work.sha256)).decode().rstrip("=")
    return f"ni:///sha-256;{digest}"
