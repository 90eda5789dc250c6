"""Works as Linked Art: JSON-LD of CIDOC CRM that museums' systems read (https://linked.art).

What an image evokes is no property of the object, so nothing is said of it directly: each answer
is an ``AttributeAssignment`` of its own. A person's names the person and the day; the model's names
the software that was used, with its version and the fingerprint of its weights, and no person.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from emoviz.files import write_json
from emoviz.review.exports import annotations
from emoviz.review.exports.material import Material
from emoviz.review.exports.spreadsheet import emotion_words
from emoviz.review.model import Decision, StoredPrediction, Work

CONTEXT = "https://linked.art/ns/v1/linked-art.json"
_AAT = "http://vocab.getty.edu/aat/"
Node = dict[str, Any]


def write_linked_art(material: Material, out: Path) -> int:
    """Write the works as one graph, whole or not at all; gives their number."""
    records = [record(material, work) for work in material.each()]
    write_json(out, {"@context": CONTEXT, "@graph": records})
    return len(records)


def record(material: Material, work: Work) -> Node:
    """One work as a ``HumanMadeObject``, without a context."""
    title = work.title or work.key
    known = material.estimates.get(work.id)
    answers = [_estimate(material, work, known)] if known is not None else []
    answers += [_decision(material, item) for item in material.decisions[work.id]]
    parts: Node = {
        "produced_by": _production(work),
        "referred_to_by": list(_statements(work)),
        "representation": list(_images(work)),
        "subject_of": list(_documents(work)),
        "attributed_by": answers,
    }
    return {
        "id": f"urn:uuid:{annotations.work_id(material, work)}",
        "type": "HumanMadeObject",
        "_label": title,
        "classified_as": [_type("Artwork", "300133025")],
        "identified_by": [
            {
                "type": "Name",
                "content": title,
                "classified_as": [_type("Primary Name", "300404670")],
            },
            {"type": "Identifier", "content": work.key},
        ],
        **{name: value for name, value in parts.items() if value},
    }


def _production(work: Work) -> Node:
    made: Node = {}
    if work.artist:
        made["carried_out_by"] = [{"type": "Person", "_label": work.artist}]
    if work.date:
        span: Node = {"type": "TimeSpan", "identified_by": [{"type": "Name", "content": work.date}]}
        if work.year:
            span["begin_of_the_begin"] = f"{work.year:04d}-01-01T00:00:00Z"
            span["end_of_the_end"] = f"{work.year:04d}-12-31T23:59:59Z"
        made["timespan"] = span
    return {"type": "Production", **made} if made else {}


def _statements(work: Work) -> Iterator[Node]:
    for text, label, number in (
        (work.rights, "Rights Statement", "300435434"),
        (work.metadata.get("attribution", ""), "Credit Statement", "300026687"),
        (work.metadata.get("provider", ""), "Provider", ""),
    ):
        if text:
            yield {
                "type": "LinguisticObject",
                "content": text,
                "classified_as": [_type(label, number)],
            }


def _images(work: Work) -> Iterator[Node]:
    if work.url:
        image = {
            "type": "DigitalObject",
            "classified_as": [_type("Digital Image", "300215302")],
            "access_point": [{"id": work.url, "type": "DigitalObject"}],
        }
        yield {"type": "VisualItem", "digitally_shown_by": [image]}


def _documents(work: Work) -> Iterator[Node]:
    manifest, page = work.metadata.get("manifest"), work.metadata.get("page")
    if manifest:
        carrier: Node = {
            "type": "DigitalObject",
            "conforms_to": [{"id": "http://iiif.io/api/presentation", "type": "InformationObject"}],
            "access_point": [{"id": manifest, "type": "DigitalObject"}],
        }
        yield {"type": "LinguisticObject", "digitally_carried_by": [carrier]}
    if page:
        carrier = {
            "type": "DigitalObject",
            "classified_as": [_type("Web Page", "300264578")],
            "format": "text/html",
            "access_point": [{"id": page, "type": "DigitalObject"}],
        }
        yield {"type": "LinguisticObject", "digitally_carried_by": [carrier]}


def _estimate(material: Material, work: Work, known: StoredPrediction) -> Node:
    agent = annotations.network(known)
    return {
        "id": f"urn:uuid:{annotations.estimate_id(material, known, work.key)}",
        "type": "AttributeAssignment",
        "_label": "The model's estimate of the evoked emotion",
        "classified_as": [_type("evoked emotion, estimated by software")],
        "assigned": [_type(known.first)],
        "timespan": _at(material.known.created if material.known else material.made),
        "used_specific_object": [
            {
                "id": agent["id"],
                "type": "DigitalObject",
                "_label": agent["name"],
                "identified_by": [
                    {"type": "Name", "content": agent["name"]},
                    {"type": "Identifier", "_label": "version", "content": known.version},
                    {"type": "Identifier", "_label": "fingerprint", "content": known.fingerprint},
                ],
            }
        ],
        "referred_to_by": [
            _note(", ".join(f"{name}: {p:.4f}" for name, p in known.ranked)),
        ],
    }


def _decision(material: Material, item: Decision) -> Node:
    agent = annotations.person(material, item.reviewer)
    said = annotations.ANSWERS["none"] if item.kind == "none" else emotion_words(item.feelings)
    seen = "decided blind" if item.shown.blind else "no estimate was shown"
    if item.shown.estimate:
        seen = "the model's estimate was shown"
    notes = [f"{said} (strength 1 to 3; {seen})", item.note]
    assigned = [_type(feeling.emotion) for feeling in item.feelings]
    return {
        "id": f"urn:uuid:{annotations.decision_id(material, item, 'tags')}",
        "type": "AttributeAssignment",
        "_label": "What a person said of the evoked emotion",
        "classified_as": [_type("evoked emotion, said by a person")],
        "carried_out_by": [{"id": agent["id"], "type": "Person", "_label": agent["name"]}],
        **({"assigned": assigned} if assigned else {}),
        "timespan": _at(item.time),
        "referred_to_by": [_note(text) for text in notes if text],
    }


def _at(time: str) -> Node:
    second = f"{time[:19]}Z"
    return {"type": "TimeSpan", "begin_of_the_begin": second, "end_of_the_end": second}


def _note(text: str) -> Node:
    return {
        "type": "LinguisticObject",
        "content": text,
        "classified_as": [_type("Note", "300027200")],
    }


def _type(label: str, number: str = "") -> Node:
    """A term; with its number in the Getty's AAT where it has one."""
    return {**({"id": f"{_AAT}{number}"} if number else {}), "type": "Type", "_label": label}
