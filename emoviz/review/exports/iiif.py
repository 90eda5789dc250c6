"""Annotations as one AnnotationPage of IIIF Presentation 3, pointing at the works' canvases.

IIIF wants addresses on the web as ids: `base` is where the file will be published.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from emoviz.errors import ReviewError
from emoviz.files import write_json
from emoviz.review.exports import annotations
from emoviz.review.exports.material import Material
from emoviz.review.model import Decision, Work

# The order is IIIF's: its own context comes last.
CONTEXT = ["http://www.w3.org/ns/anno.jsonld", "http://iiif.io/api/presentation/3/context.json"]
_BASE = re.compile(r"https?://[^\s/?#]+(/[^\s?#]*)?")


def write_page(material: Material, out: Path, base: str) -> tuple[int, list[tuple[str, str]]]:
    """Write the page, whole or not at all.

    Args:
        material: What is exported.
        out: The file.
        base: http(s) address of the folder in which it will be published.

    Returns:
        How many annotations, and (work, reason) of works without a canvas.

    Raises:
        ReviewError: `base` is no such address.
    """
    base = base or f"http://localhost/{material.collection.uid}"
    if not _BASE.fullmatch(base):
        raise ReviewError(
            f"'{base}' is no address on the web; wanted where the file will be published, such as "
            "https://museum.example/annotations."
        )
    base = base.rstrip("/")
    items: list[dict[str, Any]] = []
    left_out: list[tuple[str, str]] = []
    for work in material.each():
        if not work.canvas:
            left_out.append((work.title or work.key, "it has no IIIF canvas to point at"))
            continue
        items += _of_work(material, work, base)
    page = {
        "@context": CONTEXT,
        "id": f"{base}/{out.name}",
        "type": "AnnotationPage",
        "label": {"none": [material.collection.title]},
        "items": items,
    }
    write_json(out, page)
    return len(items), left_out


def _of_work(material: Material, work: Work, base: str) -> Iterator[dict[str, Any]]:
    known = material.estimates.get(work.id)
    if known is not None:
        yield {
            "id": f"{base}/{annotations.estimate_id(material, known, work.key)}",
            "type": "Annotation",
            "motivation": "classifying",
            "creator": annotations.checkpoint(known),
            "created": material.known.created if material.known else material.made,
            "generator": annotations.software(material.version),
            "body": annotations.estimate_bodies(known),
            "target": work.canvas,
        }
    for item in material.decisions[work.id]:
        yield _of_decision(material, work, item, base)


def _of_decision(material: Material, work: Work, item: Decision, base: str) -> dict[str, Any]:
    bodies = list(annotations.decision_bodies(item))
    if item.kind == "none":
        bodies = [annotations.comment(annotations.ANSWERS["none"]), *bodies]
    motivation = annotations.motivations(bodies)
    return {
        "id": f"{base}/{annotations.decision_id(material, item, 'tags')}",
        "type": "Annotation",
        "motivation": motivation[0] if len(motivation) == 1 else motivation,
        "creator": annotations.person(material, item.reviewer),
        "created": item.time,
        "generator": annotations.software(material.version),
        "body": bodies,
        "target": work.canvas,
    }
