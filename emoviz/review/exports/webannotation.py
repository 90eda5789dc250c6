"""Annotations as JSON-LD of the W3C: one AnnotationCollection with one page inside."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from emoviz.files import write_json
from emoviz.review.exports import annotations
from emoviz.review.exports.material import Material
from emoviz.review.exports.spreadsheet import address
from emoviz.review.model import Decision, StoredPrediction, Work

CONTEXT = "http://www.w3.org/ns/anno.jsonld"


def write_annotations(material: Material, out: Path) -> tuple[int, list[tuple[str, str]]]:
    """Write the file, whole or not at all.

    Returns:
        How many annotations, and (work, reason) of works that cannot be pointed at.
    """
    items: list[dict[str, Any]] = []
    left_out: list[tuple[str, str]] = []
    for work in material.each():
        if not (work.url or work.sha256):
            left_out.append((work.title or work.key, "its image was never read and has no address"))
            continue
        items += _of_work(material, work)
    id = f"urn:uuid:{material.space}"
    page = {"id": f"{id}#page", "type": "AnnotationPage", "partOf": id, "startIndex": 0}
    values = {
        "@context": CONTEXT,
        "id": id,
        "type": "AnnotationCollection",
        "label": material.collection.title,
        "generated": material.made,
        "generator": annotations.software(material.version),
        "total": len(items),
        "first": {**page, "items": items},
    }
    write_json(out, values)
    return len(items), left_out


def _of_work(material: Material, work: Work) -> Iterator[dict[str, Any]]:
    known, target = material.estimates.get(work.id), _target(work)
    if known is not None:
        yield _annotation(
            material,
            str(annotations.estimate_id(material, known, work.key)),
            annotations.estimate_bodies(known),
            target,
            creator=annotations.network(known),
            created=material.known.created if material.known else material.made,
        )
    for item in material.decisions[work.id]:
        yield from _of_decision(material, work, item, known)


def _of_decision(
    material: Material, work: Work, item: Decision, known: StoredPrediction | None
) -> Iterator[dict[str, Any]]:
    creator = annotations.person(material, item.reviewer)
    bodies = list(annotations.decision_bodies(item))
    if bodies:
        id = str(annotations.decision_id(material, item, "tags"))
        yield _annotation(material, id, bodies, _target(work), creator, item.time)
    answers = known is not None and item.fingerprint == known.fingerprint
    if item.kind in annotations.ANSWERS:
        body = annotations.comment(annotations.ANSWERS[item.kind]) | {"purpose": "moderating"}
        about: Any = _target(work)
        if known is not None and answers:
            about = f"urn:uuid:{annotations.estimate_id(material, known, work.key)}"
        id = str(annotations.decision_id(material, item, "answer"))
        yield _annotation(material, id, [body], about, creator, item.time)


def _annotation(
    material: Material,
    id: str,
    bodies: list[dict[str, Any]],
    target: Any,
    creator: dict[str, Any],
    created: str,
) -> dict[str, Any]:
    return {
        "id": f"urn:uuid:{id}",
        "type": "Annotation",
        "motivation": annotations.motivations(bodies),
        "creator": creator,
        "created": created,
        "generator": annotations.software(material.version),
        "generated": material.made,
        "body": bodies,
        "target": target,
    }


def _target(work: Work) -> dict[str, Any]:
    target: dict[str, Any] = {"id": address(work), "type": "Image"}
    if work.title:
        target["label"] = work.title
    if work.artist:
        target["dc:creator"] = work.artist
    if work.rights:
        target["dc:rights"] = work.rights
    if work.metadata.get("attribution"):
        target["schema:creditText"] = work.metadata["attribution"]
    if work.metadata.get("provider"):
        target["schema:provider"] = work.metadata["provider"]
    if work.canvas:
        target["partOf"] = work.canvas
    return target
