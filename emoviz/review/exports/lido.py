"""Works as LIDO 1.0, the XML in which museums hand objects on (http://www.lido-schema.org).

Each answer is an event of its own beside the object's making: a person's names the person, the
model's names the software with its version and fingerprint. Emotions stand as subjects too, each
kind under a type of its own, so that no system takes an estimate for what a person said.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

from emoviz.files import replaced_file
from emoviz.review.exports import annotations
from emoviz.review.exports.material import Material
from emoviz.review.exports.spreadsheet import emotion_words
from emoviz.review.labelling import NOBODY
from emoviz.review.model import Work

NAMESPACE = "http://www.lido-schema.org"
_IMPOSSIBLE = re.compile("[^\\t\\n\\r -\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")
_XML = "{http://www.w3.org/XML/1998/namespace}"
BY_PEOPLE, BY_MODEL = "evoked emotion, said by people", "evoked emotion, estimated by software"


def write_lido(material: Material, out: Path) -> int:
    """Write the works, whole or not at all; gives their number."""
    ET.register_namespace("lido", NAMESPACE)
    wrap = ET.Element(_name("lidoWrap"))
    for work in material.each():
        wrap.append(_record(material, work))
    ET.indent(wrap, " ")
    with replaced_file(out) as aside:
        ET.ElementTree(wrap).write(aside, encoding="utf-8", xml_declaration=True)
    return len(wrap)


def _name(tag: str) -> str:
    return f"{{{NAMESPACE}}}{tag}"


def _add(parent: ET.Element, path: str, text: str = "", **attributes: str) -> ET.Element:
    """Elements one within the other; the innermost gets the text and the attributes."""
    for tag in path.split("/"):
        parent = ET.SubElement(parent, _name(tag))
    parent.attrib.update({_name(name): value for name, value in attributes.items()})
    parent.text = _plain(text) or None
    return parent


def _plain(text: str) -> str:
    """Without the signs that XML cannot hold."""
    return _IMPOSSIBLE.sub("\N{REPLACEMENT CHARACTER}", text)


def _record(material: Material, work: Work) -> ET.Element:
    record = ET.Element(_name("lido"))
    id = f"urn:uuid:{annotations.work_id(material, work)}"
    _add(record, "lidoRecID", id, type="URI")
    described = _add(record, "descriptiveMetadata")
    described.set(f"{_XML}lang", "en")
    _add(described, "objectClassificationWrap/objectWorkTypeWrap/objectWorkType/term", "Artwork")
    _add(
        described,
        "objectIdentificationWrap/titleWrap/titleSet/appellationValue",
        work.title or work.key,
    )
    events = _add(described, "eventWrap")
    _making(events, work)
    _answers(events, material, work)
    if not len(events):
        described.remove(events)
    _subjects(described, material, work)
    kept = _add(record, "administrativeMetadata")
    kept.set(f"{_XML}lang", "en")
    _administrative(kept, material, work, id)
    return record


def _making(events: ET.Element, work: Work) -> None:
    if not (work.artist or work.date):
        return
    event = _add(events, "eventSet/event")
    _add(event, "eventType/term", "production")
    if work.artist:
        _actor(event, work.artist, "person", "creator")
    if work.date:
        date = _add(event, "eventDate")
        _add(date, "displayDate", work.date)
        if work.year:
            span = _add(date, "date")
            _add(span, "earliestDate", f"{work.year:04d}")
            _add(span, "latestDate", f"{work.year:04d}")


def _answers(events: ET.Element, material: Material, work: Work) -> None:
    known = material.estimates.get(work.id)
    if known is not None:
        event = _add(events, "eventSet/event")
        id = annotations.estimate_id(material, known, work.key)
        _add(event, "eventID", f"urn:uuid:{id}", type="URI")
        _add(event, "eventType/term", BY_MODEL)
        agent = annotations.network(known)
        _actor(event, agent["name"], "software", "software agent", agent["id"])
        _day(event, material.known.created if material.known else material.made)
        _add(event, "eventMethod/term", f"version {known.version}; fingerprint {known.fingerprint}")
        shares = ", ".join(f"{name}: {p:.4f}" for name, p in known.ranked)
        _add(event, "eventDescriptionSet/descriptiveNoteValue", shares)
    for item in material.decisions[work.id]:
        event = _add(events, "eventSet/event")
        id = annotations.decision_id(material, item, "tags")
        _add(event, "eventID", f"urn:uuid:{id}", type="URI")
        _add(event, "eventType/term", BY_PEOPLE)
        agent = annotations.person(material, item.reviewer)
        _actor(event, agent["name"], "person", "reviewer", agent["id"])
        _day(event, item.time)
        said = annotations.ANSWERS["none"] if item.kind == "none" else emotion_words(item.feelings)
        _add(event, "eventDescriptionSet/descriptiveNoteValue", said)
        if item.note:
            _add(event, "eventDescriptionSet/descriptiveNoteValue", item.note)


def _actor(event: ET.Element, name: str, kind: str, role: str, id: str = "") -> None:
    inside = _add(event, "eventActor/actorInRole")
    actor = _add(inside, "actor", type=kind)
    if id:
        _add(actor, "actorID", id, type="URI")
    _add(actor, "nameActorSet/appellationValue", name)
    _add(inside, "roleActor/term", role)


def _day(event: ET.Element, time: str) -> None:
    span = _add(event, "eventDate/date")
    _add(span, "earliestDate", time[:10])
    _add(span, "latestDate", time[:10])


def _subjects(described: ET.Element, material: Material, work: Work) -> None:
    known = material.estimates.get(work.id)
    rows = [(BY_PEOPLE, name) for name in material.shares(work) if name != NOBODY]
    rows += [(BY_MODEL, known.first)] if known is not None else []
    if not rows:
        return
    wrap = _add(described, "objectRelationWrap/subjectWrap")
    for kind, emotion in rows:
        subject = _add(wrap, "subjectSet/subject", type=kind)
        _add(subject, "subjectConcept/term", emotion)


def _administrative(kept: ET.Element, material: Material, work: Work, id: str) -> None:
    credit = work.metadata.get("attribution", "")
    if work.rights or credit:
        rights = _add(kept, "rightsWorkWrap/rightsWorkSet")
        _rights(rights, work.rights, credit)
    record = _add(kept, "recordWrap")
    _add(record, "recordID", id, type="URI")
    _add(record, "recordType/term", "single object")
    source = work.metadata.get("provider") or material.collection.title
    _add(record, "recordSource/legalBodyName/appellationValue", source)
    info = _add(record, "recordInfoSet")
    if work.metadata.get("page"):
        _add(info, "recordInfoLink", work.metadata["page"])
    _add(info, "recordMetadataDate", material.made[:10])
    links = list(_links(work))
    if links:
        resource = _add(kept, "resourceWrap/resourceSet")
        for link in links:
            _add(resource, "resourceRepresentation/linkResource", link)
        if work.rights or credit:
            _rights(_add(resource, "rightsResource"), work.rights, credit)


def _rights(parent: ET.Element, rights: str, credit: str) -> None:
    if rights.startswith(("http://", "https://")) and " " not in rights:
        _add(parent, "rightsType/conceptID", rights, type="URI")
    elif rights:
        _add(parent, "rightsType/term", rights)
    if credit:
        _add(parent, "creditLine", credit)


def _links(work: Work) -> Iterator[str]:
    yield from filter(None, (work.url, work.metadata.get("manifest")))
