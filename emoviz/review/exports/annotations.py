"""Estimates and decisions as annotations of the W3C's model, never one within the other.

The model's estimate is an annotation of its own: motivation ``classifying``, created by Software
with name and version. A person's decision is another: motivation ``tagging`` (and ``commenting``
for a note), created by a Person. Where a person agreed with the estimate or refused it, a third
one, ``moderating``, is about the estimate's annotation and not about the artwork. ``generator`` is
the program that wrote the file. Numbers are told in schema.org's terms, whose prefix is part of
the W3C's context.

Source: W3C Recommendation "Web Annotation Data Model", 23 February 2017.
"""

import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from emoviz.review.exports.material import Material
from emoviz.review.model import Decision, StoredPrediction, Work

PROGRAM = "emoviz"
ANSWERS: Mapping[str, str] = {
    "agree": "agrees with the model's estimate",
    "none": "none of the emotions offered",
}


def software(version: str) -> dict[str, Any]:
    """The program as an agent."""
    return {
        "id": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'{PROGRAM}:{version}')}",
        "type": "Software",
        "name": f"{PROGRAM} {version}",
        "schema:softwareVersion": version,
    }


def network(known: StoredPrediction) -> dict[str, Any]:
    """A network as an agent: which weights, told by their fingerprint, in which version."""
    return {
        "id": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'{PROGRAM}:{known.fingerprint}')}",
        "type": "Software",
        "name": f"{PROGRAM} {known.version}, network {known.checkpoint}",
        "schema:softwareVersion": known.version,
        "schema:identifier": known.fingerprint,
    }


def person(material: Material, reviewer: int) -> dict[str, Any]:
    """A reviewer as an agent; logins are not given away."""
    known = material.reviewers[reviewer]
    return {"id": f"urn:uuid:{uuid.UUID(known.uid)}", "type": "Person", "name": known.name}


def work_id(material: Material, work: Work) -> uuid.UUID:
    """The same for the same work in every export."""
    return uuid.uuid5(material.space, f"work:{work.key}")


def estimate_id(material: Material, known: StoredPrediction, key: str) -> uuid.UUID:
    """The same for the same estimate in every export."""
    return uuid.uuid5(material.space, f"estimate:{known.fingerprint}:{known.sha256}:{key}")


def decision_id(material: Material, item: Decision, part: str) -> uuid.UUID:
    """The same for the same decision in every export."""
    return uuid.uuid5(material.space, f"decision:{item.token}:{part}")


def spoken_estimate(known: StoredPrediction) -> dict[str, Any]:
    """The estimate as one sentence, for viewers that show a tag without its number."""
    said = ", ".join(f"{name} {p:.0%}" for name, p in known.ranked[:3])
    words = f"The model's estimate of the evoked emotion: {said} ({network(known)['name']})."
    return comment(words)


def estimate_bodies(known: StoredPrediction) -> list[dict[str, Any]]:
    """One tag for each class, most probable first, with its probability."""
    return [
        {
            "type": "TextualBody",
            "value": name,
            "format": "text/plain",
            "purpose": "classifying",
            "schema:ratingValue": round(p, 6),
            "schema:worstRating": 0,
            "schema:bestRating": 1,
        }
        for name, p in known.ranked
    ]


def decision_bodies(item: Decision) -> Iterator[dict[str, Any]]:
    """One tag for each emotion with its strength, 1 to 3, and the note as a comment."""
    for feeling in item.feelings:
        yield {
            "type": "TextualBody",
            "value": feeling.emotion,
            "format": "text/plain",
            "purpose": "tagging",
            "schema:ratingValue": feeling.strength,
            "schema:worstRating": 1,
            "schema:bestRating": 3,
        }
    if item.note:
        yield comment(item.note)


def comment(words: str) -> dict[str, Any]:
    """Words of a person, or of the program about its own annotation."""
    return {
        "type": "TextualBody",
        "value": words,
        "format": "text/plain",
        "purpose": "commenting",
    }


def motivations(bodies: list[dict[str, Any]]) -> list[str]:
    """Why there is such an annotation: what its bodies are for, each once."""
    return list(dict.fromkeys(body["purpose"] for body in bodies))
