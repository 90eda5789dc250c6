"""A collection as CSV that spreadsheet programs open without being tricked.

One row for each decision, and one for each work that nobody decided. Columns that begin with
``model_`` are the checkpoint's estimate, those that begin with ``human_`` a person's decision;
``people_p_`` is how all people's answers on the work are distributed, beside the model's
``model_p_``. ``in_words`` says what the screen says.
"""

import contextlib
import csv
from collections.abc import Iterator
from pathlib import Path

from emoviz.checkpoints import open_checkpoint
from emoviz.errors import CheckpointError
from emoviz.files import replaced_file
from emoviz.inference.abstention import Abstention, abstention_of
from emoviz.inference.flags import FLAGS, Flag, flags_of
from emoviz.inference.tabular import safe_cell
from emoviz.review.exports.material import Material
from emoviz.review.labelling import NONE
from emoviz.review.model import (
    STRENGTH_WORDS,
    Decision,
    EstimateSet,
    Feeling,
    StoredPrediction,
    Work,
)
from emoviz.settings import Settings

_WORK = (
    *("number", "key", "title", "artist", "style", "date", "year", "rights"),
    *("label", "sha256", "file", "inside", "url", "canvas", "state", "error"),
)
_MODEL = (
    *("network", "fingerprint", "version", "first", "second", "opposite", "novelty"),
    *("unsure", "in_words"),
)
_HUMAN = (
    *("decision", "in_words", "emotions", "note", "reviewer", "time", "network_answered"),
    *("blind", "saw_estimate", "saw_heat_map", "saw_neighbours", "seconds", "token"),
)


def write_csv(material: Material, out: Path, settings: Settings) -> int:
    """Write the table, whole or not at all; gives the number of its rows.

    Begins with a byte order mark, without which spreadsheet programs misread accents. Texts that
    a spreadsheet would take for a formula get a leading apostrophe. `settings` say where the
    thresholds are below which checkpoints had better not answer.
    """
    meta = sorted({name for work in material.works for name in work.metadata})
    classes = material.known.taxonomy.names if material.known else ()
    voted = material.voted
    threshold = abstention_by(material.known, settings)
    head = ["collection", *_WORK, *(f"model_{name}" for name in _MODEL)]
    head += [f"model_p_{name}" for name in classes]
    head += ["people", *(f"people_p_{name or NONE}" for name in voted), "divides_people"]
    head += [f"human_{name}" for name in _HUMAN]
    count = 0
    with replaced_file(out) as aside, aside.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(map(safe_cell, [*head, *(f"meta_{name}" for name in meta)]))
        for row in _rows(material, classes, voted, meta, threshold):
            writer.writerow(map(safe_cell, row))
            count += 1
    return count


def emotion_words(feelings: tuple[Feeling, ...]) -> str:
    """``awe (3); fear (1)``."""
    return "; ".join(f"{item.emotion} ({item.strength})" for item in feelings)


def decision_words(item: Decision) -> str:
    """A decision as the screen says it: ``strongly awe and a little fear``."""
    if item.kind == "none":
        return NONE
    said = [f"{STRENGTH_WORDS[feeling.strength]}{feeling.emotion}" for feeling in item.feelings]
    return " and ".join(filter(None, (", ".join(said[:-1]), *said[-1:])))


def flags_in_words(known: StoredPrediction, threshold: Abstention | None) -> list[Flag]:
    """The signs that the screen puts on an estimate."""
    unlike = known.novelty is not None and known.novelty > 1.0
    abstains = threshold is not None and threshold.abstains(max(known.probabilities.values()))
    return list(flags_of(known, known.opposite, unlike, abstains))


def abstention_by(known: EstimateSet | None, settings: Settings) -> Abstention | None:
    """The threshold that was set for the checkpoint of some estimates, as long as it is here."""
    if known is None:
        return None
    with contextlib.suppress(CheckpointError):
        return abstention_of(open_checkpoint(known.checkpoint, settings), settings)
    return None


def _rows(
    material: Material,
    classes: tuple[str, ...],
    voted: tuple[str, ...],
    meta: list[str],
    threshold: Abstention | None,
) -> Iterator[list[str]]:
    for work in material.each():
        own = [material.collection.name, *(_text(getattr(work, name)) for name in _WORK)]
        model = _model(material.estimates.get(work.id), classes, threshold)
        people = _people(material, work, voted)
        more = [work.metadata.get(name, "") for name in meta]
        for decision in material.decisions[work.id] or (None,):
            yield [*own, *model, *people, *_human(material, decision), *more]


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _people(material: Material, work: Work, voted: tuple[str, ...]) -> list[str]:
    """How many answered, the share of each answer, and how much the work divides them."""
    shares, divides = material.shares(work), material.divides(work)
    if not shares:
        return ["0", *[""] * (len(voted) + 1)]
    told = [f"{shares.get(name, 0.0):.6f}" for name in voted]
    count = str(len(material.decisions[work.id]))
    return [count, *told, "" if divides is None else f"{divides:.6f}"]


def _model(
    known: StoredPrediction | None, classes: tuple[str, ...], threshold: Abstention | None
) -> list[str]:
    if known is None:
        return [""] * (len(_MODEL) + len(classes))
    novelty = "" if known.novelty is None else f"{known.novelty:.6f}"
    head = [known.checkpoint, known.fingerprint, known.version, known.first, known.second]
    flags = flags_in_words(known, threshold)
    head += [str(known.opposite).lower(), novelty, str("unsure" in flags).lower()]
    head += ["; ".join(FLAGS[flag] for flag in flags)]
    return [*head, *(f"{known.probabilities[name]:.6f}" for name in classes)]


def _human(material: Material, item: Decision | None) -> list[str]:
    if item is None:
        return [""] * len(_HUMAN)
    shown = item.shown
    seen = [shown.blind, shown.estimate, bool(shown.heat_map), shown.neighbours]
    return [
        *(item.kind, decision_words(item), emotion_words(item.feelings), item.note),
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
