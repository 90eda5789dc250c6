"""Annotations for IIIF Presentation 3, pointing at the works' canvases: as pages, and on manifests.

IIIF wants addresses on the web as ids: `base` is where the files will be published. A manifest goes
home as its museum wrote it, in its own version, with the annotations attached and nothing else
changed. Version 2 knows lists of Open Annotations by their addresses alone, which there are once it
is known where the files will be published; until then viewers find what version 3 has.
"""

import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from emoviz.data.importers.iiif import ReadManifest
from emoviz.data.importers.iiif_texts import text_of
from emoviz.errors import ReviewError
from emoviz.files import replaced_file, write_json
from emoviz.review.acquire import kept_manifests
from emoviz.review.exports import annotations
from emoviz.review.exports.catalogue import site_index
from emoviz.review.exports.material import Material
from emoviz.review.model import Decision, Work
from emoviz.settings import Settings

# The order is IIIF's: its own context comes last.
CONTEXT = ["http://www.w3.org/ns/anno.jsonld", "http://iiif.io/api/presentation/3/context.json"]
_BASE = re.compile(r"https?://[^\s/?#]+(/[^\s?#]*)?")
_NO_CANVAS = "it has no IIIF canvas to point at"
LeftOut = list[tuple[str, str]]


def write_page(material: Material, out: Path, base: str) -> tuple[int, LeftOut]:
    """Write one page with all annotations, whole or not at all.

    Args:
        material: What is exported.
        out: The file.
        base: http(s) address of the folder in which it will be published.

    Returns:
        How many annotations, and (work, reason) of works without a canvas.

    Raises:
        ReviewError: `base` is no such address, or no work has a canvas.
    """
    base = checked_base(material, base)
    items: list[dict[str, Any]] = []
    left_out: LeftOut = []
    for work in material.each():
        if not work.canvas:
            left_out.append((work.title or work.key, _NO_CANVAS))
            continue
        items += of_work(material, work, base)
    if len(left_out) == len(material.works):
        raise ReviewError(
            f"No work of '{material.collection.title}' has a IIIF canvas that annotations could "
            "point at. Collections from a IIIF address have them; take W3C annotations for others."
        )
    write_json(out, _page(f"{base}/{out.name}", material.collection.title, items))
    return len(items), left_out


def write_manifest(
    material: Material, settings: Settings, out: Path, base: str
) -> tuple[int, LeftOut]:
    """Write the manifest that the collection came from with its annotations, whole or not at all.

    Returns:
        As `write_page`.

    Raises:
        ReviewError: The collection did not come from one manifest, or `base` is no address.
    """
    base = checked_base(material, base)
    found = _with_annotations(material, settings, base)
    if len(found.manifests) != 1:
        raise ReviewError(
            f"'{material.collection.title}' comes from {len(found.manifests):,} manifests; wanted "
            "one. Take the ZIP, which holds them all."
        )
    write_json(out, found.manifests[0])
    return found.count, found.left_out


def write_site(material: Material, settings: Settings, out: Path, base: str) -> tuple[int, LeftOut]:
    """Write a ZIP that any web server shows once it is unpacked, whole or not at all.

    It holds the manifests with their annotations, a page of annotations for each work, and an
    ``index.html`` that lists them and opens them in Mirador once a person presses the link.

    Returns:
        As `write_page`.

    Raises:
        ReviewError: No manifest is kept, or `base` is no address.
    """
    published = base
    base = checked_base(material, base)
    found = _with_annotations(material, settings, base, lists=bool(published))
    if not found.manifests:
        raise ReviewError(
            f"No IIIF manifest of '{material.collection.title}' is kept on this machine. Bring the "
            "collection in from its IIIF address."
        )
    names = ["manifest.json"]
    if len(found.manifests) > 1:
        names = [f"manifests/{n:05d}.json" for n in range(1, len(found.manifests) + 1)]
    with replaced_file(out) as aside, zipfile.ZipFile(aside, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, manifest in zip(names, found.manifests, strict=True):
            if published:
                manifest["id" if "id" in manifest else "@id"] = f"{base}/{name}"
            packed.writestr(name, _json(manifest))
        for name, page in found.pages.items():
            packed.writestr(name, _json(page))
        titles = [_label(manifest) for manifest in found.manifests]
        if published and len(names) > 1:
            packed.writestr("collection.json", _json(_collection(material, base, names, titles)))
        packed.writestr("index.html", site_index(material, names, titles, found.count))
    return found.count, found.left_out


def checked_base(material: Material, base: str) -> str:
    """Where ids begin; a place on this machine where none was said.

    Raises:
        ReviewError: It is no http(s) address.
    """
    base = base or f"http://localhost/{material.collection.uid}"
    if not _BASE.fullmatch(base):
        raise ReviewError(
            f"'{base}' is no address on the web; wanted where the file will be published, such as "
            "https://museum.example/annotations."
        )
    return base.rstrip("/")


def page_of(material: Material, work: Work, base: str) -> dict[str, Any]:
    """The annotations of one work as a page of its own."""
    items = list(of_work(material, work, base))
    return _page(f"{base}/{_page_name(work)}", work.title or work.key, items)


def of_work(material: Material, work: Work, base: str) -> Iterator[dict[str, Any]]:
    """The model's estimate of a work and people's decisions, each as an annotation."""
    known = material.estimates.get(work.id)
    if known is not None:
        yield {
            "id": f"{base}/{annotations.estimate_id(material, known, work.key)}",
            "type": "Annotation",
            # Mirador shows what comments and tags, and nothing that only classifies.
            "motivation": ["classifying", "commenting"],
            "creator": annotations.network(known),
            "created": material.known.created if material.known else material.made,
            "generator": annotations.software(material.version),
            "body": [annotations.spoken_estimate(known), *annotations.estimate_bodies(known)],
            "target": _target(work),
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
        "target": _target(work),
    }


def _target(work: Work) -> dict[str, Any]:
    """The canvas, with whom to name and what may be done, which travel with every annotation.

    The form is that of a ``SpecificResource``, since a canvas may carry words of its own there.
    """
    target: dict[str, Any] = {"id": work.canvas, "type": "Canvas"}
    if work.metadata.get("manifest"):
        target["partOf"] = [{"id": work.metadata["manifest"], "type": "Manifest"}]
    said = "; ".join(
        filter(None, (work.metadata.get("attribution"), work.metadata.get("provider")))
    )
    if said:
        value = {"label": {"en": ["Attribution"]}, "value": {"none": [said]}}
        target["requiredStatement"] = value
    if re.fullmatch(r"https?://\S+", work.rights):
        target["rights"] = work.rights
    elif work.rights:
        target["metadata"] = [{"label": {"en": ["Rights"]}, "value": {"none": [work.rights]}}]
    return {"type": "SpecificResource", "source": target}


def _page(id: str, label: str, items: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "@context": CONTEXT,
        "id": id,
        "type": "AnnotationPage",
        "label": {"none": [label]},
        "items": items,
    }


def _page_name(work: Work, version: str = "") -> str:
    return f"annotations/{work.number + 1:06d}{version}.json"


# On manifests ------------------------------------------------------------------------------------


class _Annotated:
    """Manifests with their annotations, pages by their names, and what was left out."""

    def __init__(self) -> None:
        self.manifests: list[dict[str, Any]] = []
        self.pages: dict[str, dict[str, Any]] = {}
        self.count = 0
        self.left_out: LeftOut = []


def _with_annotations(
    material: Material, settings: Settings, base: str, lists: bool = False
) -> _Annotated:
    found = _Annotated()
    by_key = _by_canvas(material)
    done = 0
    for read in kept_manifests(settings, material.collection.name):
        mine = {key: by_key.pop(key) for key in read.canvases if key in by_key}
        if not mine:
            continue
        document, pages = annotated(material, read, base, mine, lists)
        found.manifests.append(document)
        found.pages |= pages
        found.count += sum(len(page.get("items", ())) for page in pages.values())
        done += sum(map(len, mine.values()))
        material.tell(done, len(material.works))
    for works in by_key.values():
        reason = "the manifest that shows it is not kept on this machine" if works[0].canvas else ""
        found.left_out += [(w.title or w.key, reason or _NO_CANVAS) for w in works]
    return found


def _by_canvas(material: Material) -> dict[str, list[Work]]:
    """Key of a canvas -> its works: several images of one canvas are several works."""
    found: dict[str, list[Work]] = {}
    for work in material.works:
        found.setdefault(work.key.partition("#image-")[0], []).append(work)
    return found


def annotated(
    material: Material,
    read: ReadManifest,
    base: str,
    mine: Mapping[str, list[Work]] | None = None,
    lists: bool = False,
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """A manifest with the annotations of its works on their canvases.

    Args:
        material: What is exported.
        read: The manifest as it was kept; it stays as it is.
        base: Where ids begin.
        mine: Key of a canvas -> the works on it; found among all works where None.
        lists: Whether version 2 gets its lists, too: they have to be reachable below `base`.

    Returns:
        A copy of the document, and the pages that were attached, by their names.
    """
    mine = _by_canvas(material) if mine is None else mine
    memo: dict[int, Any] = {}  # how `deepcopy` tells which copy became of which object
    document: dict[str, Any] = deepcopy(dict(read.document), memo)
    pages: dict[str, dict[str, Any]] = {}
    for key, original in read.canvases.items():
        canvas = memo.get(id(original), {})  # not in it where a sequence lies elsewhere
        for work in mine.get(key, ()):
            page = page_of(material, work, base)
            pages[_page_name(work)] = page
            inside = {name: value for name, value in page.items() if name != "@context"}
            _append(canvas, "annotations", inside)
            if "images" in canvas and lists:
                listed = list_of(material, work, base)
                pages[_page_name(work, ".v2")] = listed
                place = {name: listed[name] for name in ("@id", "@type")}
                _append(canvas, "otherContent", place)
    return document, pages


def _append(canvas: dict[str, Any], name: str, page: dict[str, Any]) -> None:
    there = canvas.get(name) or []
    canvas[name] = [*(there if isinstance(there, list) else [there]), page]


def list_of(material: Material, work: Work, base: str) -> dict[str, Any]:
    """The annotations of one work as the list of Open Annotations that version 2 knows."""
    resources = []
    for item in of_work(material, work, base):
        motives = (
            item["motivation"] if isinstance(item["motivation"], list) else [item["motivation"]]
        )
        bodies = [
            {
                "@type": "oa:Tag" if body["purpose"] == "tagging" else "dctypes:Text",
                "format": "text/plain",
                "chars": body["value"],
            }
            for body in item["body"]
            # Numbers have no place here; the spoken words say them.
            if body["purpose"] != "classifying"
        ]
        resources.append(
            {
                "@id": item["id"],
                "@type": "oa:Annotation",
                "motivation": [f"oa:{motive}" for motive in motives],
                "resource": bodies,
                "on": item["target"]["source"]["id"],
                "oa:annotatedBy": {
                    "@id": item["creator"]["id"],
                    "foaf:name": item["creator"]["name"],
                },
                "oa:annotatedAt": item["created"],
            }
        )
    return {
        "@context": "http://iiif.io/api/presentation/2/context.json",
        "@id": f"{base}/{_page_name(work, '.v2')}",
        "@type": "sc:AnnotationList",
        "resources": resources,
    }


def _collection(
    material: Material, base: str, names: list[str], titles: list[str]
) -> dict[str, Any]:
    return {
        "@context": CONTEXT[-1],
        "id": f"{base}/collection.json",
        "type": "Collection",
        "label": {"none": [material.collection.title]},
        "items": [
            {"id": f"{base}/{name}", "type": "Manifest", "label": {"none": [title]}}
            for name, title in zip(names, titles, strict=True)
        ],
    }


def _label(manifest: Mapping[str, Any]) -> str:
    return text_of(manifest.get("label")) or "Untitled"


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1)
