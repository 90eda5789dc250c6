"""From a museum's IIIF manifest back to one, and into the forms that museums' systems read.

Read by others: IIIF's own models (iiif-prezi3), Linked Art's library (cromulent), a model of
QuickStatements (quickstatements-client). LIDO's schema is no package: elements, their order and
number and the attributes that must be there are checked against a table of what both published
schemas, 1.0 and 1.1, take, strictly.
"""

import csv
import io
import json
import re
import threading
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from local_server import local_server
from museum import PAINTINGS, furnish
from reviews import FINGERPRINT, guesses, say

from emoviz.errors import ReviewError
from emoviz.jobs import Reporter
from emoviz.labels import MIKELS8
from emoviz.review.acquire import AcquireRequest, kept_manifests
from emoviz.review.exports import Exported, export
from emoviz.review.exports.wikimedia import read_terms
from emoviz.review.ingest import add_collection
from emoviz.review.model import ArtworkCollection, Work
from emoviz.review.store import ReviewStore, open_store
from emoviz.settings import Settings

BASE = "https://museum.example/feelings"
TERMS = "property = P1\nawe = Q11\nfear: Q12\nsadness;q13\n"


@dataclass
class Visit:
    """A small museum's three paintings, brought in and decided on; the museum is gone."""

    store: ReviewStore
    settings: Settings
    collection: ArtworkCollection
    works: list[Work]
    documents: dict[str, Any]
    out: Path

    def take(self, form: str, name: str, **more: Any) -> tuple[Exported, Path]:
        path = self.out / name
        return export(self.store, self.settings, self.collection, form, path, **more), path


@pytest.fixture
def visit(settings: Settings, tmp_path: Path, picture: Callable[..., bytes]) -> Visit:
    settings = replace(settings, allow_private_urls=True, fetch_pause=0.001)
    with local_server() as server:
        address = furnish(server, picture)
        documents = {
            name: json.loads(server.answers[f"/{name}.json"][2])  # type: ignore[index]
            for name, *_ in PAINTINGS
        }
        for name in ("wave", "garden"):
            said = {"label": {"en": ["Attribution"]}, "value": {"en": [f"Gift for {name}"]}}
            documents[name] |= {"requiredStatement": said, "provider": [_agent()]}
            documents[name]["homepage"] = [
                {"id": f"https://www.wikidata.org/wiki/Q{len(name)}", "type": "Text",
                 "label": {"en": ["x"]}, "format": "text/html"}
            ]  # fmt: skip
            body = json.dumps(documents[name]).encode()
            server.answers[f"/{name}.json"] = (200, {"Content-Type": "application/json"}, body)
        request = AcquireRequest("museum", address, "iiif", "A museum", side=800)
        add_collection(request, settings, Reporter(tmp_path / "progress.jsonl"))
    store = open_store(settings)
    collection = store.collection("museum")
    assert collection is not None
    works = store.works(collection.id)
    store.put_estimates(*(collection.id, "tiny", FINGERPRINT, "0.1.0", MIKELS8, ""), guesses(works))
    ona, jonas = store.reviewer("Ona <b>"), store.reviewer("Jonas")
    say(store, ona, works[0], ("awe", 3), note="dark \x0b & deep")
    say(store, jonas, works[0], kind="agree")
    say(store, ona, works[1], "fear")
    say(store, jonas, works[1], "fear", blind=True)
    say(store, ona, works[2])
    return Visit(store, settings, collection, works, documents, tmp_path / "out")


def _agent() -> dict[str, Any]:
    return {"id": "https://museum.example", "type": "Agent", "label": {"en": ["Museum of A"]}}


# IIIF --------------------------------------------------------------------------------------------


def stripped(value: Any) -> Any:
    """A document without the annotations that were attached."""
    if isinstance(value, dict):
        out = ("annotations", "otherContent")
        return {name: stripped(inside) for name, inside in value.items() if name not in out}
    return [stripped(inside) for inside in value] if isinstance(value, list) else value


def test_what_is_kept_is_what_the_museum_wrote(visit: Visit) -> None:
    found = list(kept_manifests(visit.settings, "museum"))
    assert [read.document for read in found] == list(visit.documents.values())
    assert [list(read.canvases) for read in found] == [[work.key] for work in visit.works]


@contextmanager
def static_server(folder: Path) -> Iterator[str]:
    handler = partial(_Quiet, directory=str(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: Any) -> None:
        """Nobody reads it."""


def test_the_manifests_go_home_with_their_annotations_and_nothing_else_changed(
    visit: Visit, tmp_path: Path
) -> None:
    """The ZIP, unpacked under any static server, read by IIIF's own models."""
    prezi3 = pytest.importorskip("iiif_prezi3", reason="iiif-prezi3 is installed by .ci/run")
    done, path = visit.take("iiif-zip", "x.zip")
    assert (done.count, done.left_out) == (3 + 5, ())
    with zipfile.ZipFile(path) as packed:
        packed.extractall(tmp_path / "site")

    def get(address: str) -> str:
        with urllib.request.urlopen(address) as answer:
            return str(answer.read().decode())

    with static_server(tmp_path / "site") as address:
        index = get(f"{address}/index.html")
        found = [json.loads(get(f"{address}/manifests/0000{n}.json")) for n in (1, 2, 3)]
        page = json.loads(get(f"{address}/annotations/000002.json"))
    assert [stripped(one) for one in found] == list(visit.documents.values())
    assert all(f'href="manifests/0000{n}.json"' in index for n in (1, 2, 3))
    for one in found[1:]:  # version 3
        manifest = prezi3.Manifest(**{k: v for k, v in one.items() if k != "@context"})
        assert len(manifest.items[0].annotations[0].items) > 0
    prezi3.AnnotationPage(**{k: v for k, v in page.items() if k != "@context"})
    wave = found[1]["items"][0]
    (attached,) = wave["annotations"]
    assert attached["items"] == page["items"]
    assert {item["target"]["source"]["id"] for item in attached["items"]} == {wave["id"]}
    said = attached["items"][0]["target"]["source"]["requiredStatement"]["value"]
    assert said == {"none": ["Gift for wave; Museum of A"]}
    assert [item["creator"]["type"] for item in attached["items"]] == [
        *("Software", "Person"),
        "Person",
    ]
    # Version 2 knows lists by their addresses, which nobody has named here.
    canvas = found[0]["sequences"][0]["canvases"][0]
    assert "otherContent" not in canvas
    assert len(canvas["annotations"][0]["items"]) == 3


def test_a_published_zip_has_its_own_addresses_and_a_collection(visit: Visit) -> None:
    prezi3 = pytest.importorskip("iiif_prezi3", reason="iiif-prezi3 is installed by .ci/run")
    _, path = visit.take("iiif-zip", "x.zip", base=f"{BASE}/")
    with zipfile.ZipFile(path) as packed:
        collection = json.loads(packed.read("collection.json"))
        manifests = [json.loads(packed.read(f"manifests/0000{n}.json")) for n in (1, 2, 3)]
        page = json.loads(packed.read("annotations/000001.json"))
        listed = json.loads(packed.read("annotations/000001.v2.json"))
    canvas = manifests[0]["sequences"][0]["canvases"][0]
    assert canvas["otherContent"] == [
        {"@id": f"{BASE}/annotations/000001.v2.json", "@type": "sc:AnnotationList"}
    ]
    assert (listed["@id"], listed["@type"]) == (
        *(f"{BASE}/annotations/000001.v2.json",),
        "sc:AnnotationList",
    )
    assert {item["on"] for item in listed["resources"]} == {canvas["@id"]}
    motives = [item["motivation"] for item in listed["resources"]]
    assert motives[:2] == [["oa:classifying", "oa:commenting"], ["oa:tagging", "oa:commenting"]]
    assert all(body["chars"] for item in listed["resources"] for body in item["resource"])
    found = prezi3.Collection(**{k: v for k, v in collection.items() if k != "@context"})
    ids = [one.get("id") or one["@id"] for one in manifests]
    assert [str(item.id) for item in found.items] == ids
    assert ids[0] == f"{BASE}/manifests/00001.json"
    assert page["id"] == f"{BASE}/annotations/000001.json"


def test_one_manifest_goes_home_alone_and_several_do_not(visit: Visit, tmp_path: Path) -> None:
    with pytest.raises(ReviewError, match="comes from 3 manifests"):
        visit.take("manifest", "x.json")
    assert not (visit.out / "x.json").exists()
    file = tmp_path / "one.json"
    file.write_text(json.dumps(visit.documents["wave"]))
    settings = visit.settings
    request = AcquireRequest("one", str(file), "iiif", "One")
    add_collection(request, settings, Reporter(tmp_path / "progress.jsonl"))
    collection = visit.store.collection("one")
    assert collection is not None
    say(visit.store, visit.store.reviewer("Ona <b>"), visit.store.works(collection.id)[0], "awe")
    out = visit.out / "one.json"
    done = export(visit.store, settings, collection, "manifest", out)
    document = json.loads(out.read_text())
    assert done.count == 1
    assert stripped(document) == visit.documents["wave"]
    (page,) = document["items"][0]["annotations"]
    assert page["items"][0]["body"][0]["value"] == "awe"


def test_canvases_that_share_an_id_keep_their_own_annotations(visit: Visit, tmp_path: Path) -> None:
    document = json.loads(json.dumps(visit.documents["wave"]))
    canvas = document["items"][0]
    canvas["annotations"] = [{"id": "https://museum.example/own", "type": "AnnotationPage"}]
    second = json.loads(json.dumps(canvas).replace("wave.jpg", "other.jpg"))
    document["items"] = [canvas, second]
    file = tmp_path / "same.json"
    file.write_text(json.dumps(document))
    request = AcquireRequest("same", str(file), "iiif", "Same")
    add_collection(request, visit.settings, Reporter(tmp_path / "progress.jsonl"))
    collection = visit.store.collection("same")
    assert collection is not None
    works = visit.store.works(collection.id)
    assert [work.canvas for work in works] == [canvas["id"]] * 2
    # Neither image can be had any more, so nobody decided; the pages are there, each its own.
    out = visit.out / "same.json"
    export(visit.store, visit.settings, collection, "manifest", out)
    pages = [one["annotations"] for one in json.loads(out.read_text())["items"]]
    assert [page[0]["id"] for page in pages] == ["https://museum.example/own"] * 2
    assert pages[0][1]["id"] != pages[1][1]["id"]


# Linked Art --------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore")  # of what cromulent does on import
def test_linked_art_is_read_by_its_own_library(visit: Visit) -> None:
    reader = pytest.importorskip("cromulent.reader")
    done, path = visit.take("linked-art", "x.jsonld")
    graph = json.loads(path.read_text())["@graph"]
    assert done.count == len(graph) == 3
    for record in graph:
        read = reader.Reader(validate_profile=False).read(json.loads(json.dumps(record)))
        assert type(read).__name__ == "HumanMadeObject"
        assert len(read.attributed_by) == len(record["attributed_by"])
    broken = json.loads(json.dumps(graph[0])) | {"evokes": "awe"}
    with pytest.raises(Exception, match="Unknown property evokes"):
        reader.Reader(validate_profile=False).read(broken)


def test_linked_art_keeps_software_and_people_apart(visit: Visit) -> None:
    graph = json.loads(visit.take("linked-art", "x.jsonld")[1].read_text())["@graph"]
    wave = graph[1]
    by_model = [a for a in wave["attributed_by"] if "used_specific_object" in a]
    by_people = [a for a in wave["attributed_by"] if "carried_out_by" in a]
    assert len(by_model) == 1
    assert len(by_people) == 2
    assert "carried_out_by" not in by_model[0]
    (software,) = by_model[0]["used_specific_object"]
    said = {row.get("_label"): row["content"] for row in software["identified_by"]}
    assert (said["version"], said["fingerprint"]) == ("0.1.0", FINGERPRINT)
    assert by_model[0]["timespan"]["begin_of_the_begin"].endswith("Z")
    assert [a["assigned"] for a in by_people] == [[{"type": "Type", "_label": "fear"}]] * 2
    statements = {
        row["classified_as"][0]["_label"]: row["content"] for row in wave["referred_to_by"]
    }
    assert statements["Credit Statement"] == "Gift for wave"
    assert statements["Provider"] == "Museum of A"
    assert wave["produced_by"]["timespan"]["begin_of_the_begin"] == "1831-01-01T00:00:00Z"


# LIDO --------------------------------------------------------------------------------------------

# Element -> what it holds, in this order and so often ("?", "*", "+" as in a DTD), as far as an
# export may have it; anything else is refused. Each line was set beside the published schemas of
# LIDO 1.0 and 1.1, and where these differ it has what both take.
_CONCEPT, _NAMED = "conceptID* term*", "appellationValue+ sourceAppellation*"
_RIGHTS = "rightsType* rightsDate? rightsHolder* creditLine*"
CONTENT = {
    "lidoWrap": "lido+",
    "lido": "lidoRecID+ objectPublishedID* category? descriptiveMetadata+ administrativeMetadata+",
    "descriptiveMetadata": "objectClassificationWrap objectIdentificationWrap eventWrap?"
    " objectRelationWrap?",
    "objectClassificationWrap": "objectWorkTypeWrap classificationWrap?",
    "objectWorkTypeWrap": "objectWorkType+",
    "objectIdentificationWrap": "titleWrap inscriptionsWrap? repositoryWrap?"
    " displayStateEditionWrap? objectDescriptionWrap? objectMeasurementsWrap?",
    "titleWrap": "titleSet+",
    "titleSet": _NAMED,
    "eventWrap": "eventSet*",
    "eventSet": "displayEvent* event?",
    "event": "eventID* eventType roleInEvent* eventName* eventActor* culture* eventDate?"
    " periodName* eventPlace* eventMethod* eventMaterialsTech* thingPresent*"
    " relatedEventSet* eventDescriptionSet*",
    "eventActor": "displayActorInRole* actorInRole?",
    "actorInRole": "actor roleActor* attributionQualifierActor* extentActor*",
    "actor": "actorID* nameActorSet+ nationalityActor* vitalDatesActor? genderActor*",
    "nameActorSet": _NAMED,
    "eventDate": "displayDate* date?",
    "date": "earliestDate latestDate",
    "eventDescriptionSet": "descriptiveNoteID* descriptiveNoteValue sourceDescriptiveNote*",
    "objectRelationWrap": "subjectWrap? relatedWorksWrap?",
    "subjectWrap": "subjectSet*",
    "subjectSet": "displaySubject* subject?",
    "subject": "extentSubject* subjectConcept* subjectActor* subjectDate* subjectEvent*"
    " subjectPlace* subjectObject*",
    "administrativeMetadata": "rightsWorkWrap? recordWrap resourceWrap?",
    "rightsWorkWrap": "rightsWorkSet*",
    "rightsWorkSet": _RIGHTS,
    "recordWrap": "recordID+ recordType recordSource+ recordRights* recordInfoSet*",
    "recordSource": "legalBodyID* legalBodyName* legalBodyWeblink*",
    "legalBodyName": _NAMED,
    "recordInfoSet": "recordInfoID* recordInfoLink* recordMetadataDate*",
    "resourceWrap": "resourceSet*",
    "resourceSet": "resourceID? resourceRepresentation* resourceType? resourceRelType*"
    " resourcePerspective* resourceDescription* resourceDateTaken? resourceSource* rightsResource*",
    "resourceRepresentation": "linkResource resourceMeasurementsSet*",
    "rightsResource": _RIGHTS,
    **dict.fromkeys(["objectWorkType", "eventType", "roleActor", "eventMethod"], _CONCEPT),
    **dict.fromkeys(["subjectConcept", "rightsType", "recordType"], _CONCEPT),
}
LIDO, LANG = "{http://www.lido-schema.org}", "{http://www.w3.org/XML/1998/namespace}lang"
# Attributes that must be there; those that may be.
IDENTIFIERS = ["lidoRecID", "conceptID", "eventID", "actorID", "recordID"]
MUST = {name: {f"{LIDO}type"} for name in IDENTIFIERS} | {
    name: {LANG} for name in ("descriptiveMetadata", "administrativeMetadata")
}
MAY = {name: {f"{LIDO}type"} for name in ("actor", "subject")}
TEXTS = frozenset(
    [
        *(
            "lidoRecID",
            "term",
            "conceptID",
            "appellationValue",
            "eventID",
            "actorID",
            "displayDate",
        ),
        *("earliestDate", "latestDate", "descriptiveNoteValue", "recordID", "recordInfoLink"),
        *("recordMetadataDate", "linkResource", "creditLine"),
    ]
)


def check_lido(element: ET.Element) -> None:
    """Refuse whatever LIDO would not take, and whatever this table does not know."""
    assert element.tag.startswith(LIDO), element.tag
    name = element.tag.removeprefix(LIDO)
    given, must = set(element.attrib), MUST.get(name, set())
    assert must <= given <= must | MAY.get(name, set()), (name, given)
    assert all(element.attrib.values()), name
    text, children = (element.text or "").strip(), list(element)
    if name in TEXTS:
        assert text, name
        assert not children, name
        return
    assert not text, name
    assert children, name
    parts = (re.fullmatch(r"(\w+)([?*+]?)", part) for part in CONTENT[name].split())
    wanted = "".join(f"(?:{part[1]} ){part[2]}" for part in parts if part)
    found = "".join(f"{child.tag.removeprefix(LIDO)} " for child in children)
    assert re.fullmatch(wanted, found), (name, found)
    for child in children:
        check_lido(child)


@pytest.mark.parametrize("harm", ["swapped", "twice", "gone", "unnamed", "stranger", "untyped"])
def test_what_lido_would_refuse_is_refused(visit: Visit, harm: str) -> None:
    _, path = visit.take("lido", "x.xml")
    root = ET.parse(path).getroot()
    check_lido(root)
    event = root.find(f".//{LIDO}event[{LIDO}eventID]")
    record = root.find(f".//{LIDO}recordWrap")
    assert event is not None
    assert record is not None
    if harm == "swapped":
        event[0], event[1] = event[1], event[0]
    elif harm == "twice":
        record.insert(1, record[1])
    elif harm == "gone":
        record.remove(record[1])
    elif harm == "unnamed":
        event[1][0].text = " "
    elif harm == "stranger":
        ET.SubElement(event, f"{LIDO}emotion").text = "awe"
    else:
        del event[0].attrib[f"{LIDO}type"]
    with pytest.raises(AssertionError):
        check_lido(root)


def test_lido_has_its_elements_in_its_order_and_both_kinds_apart(visit: Visit) -> None:
    done, path = visit.take("lido", "x.xml")
    root = ET.parse(path).getroot()
    assert root.tag == "{http://www.lido-schema.org}lidoWrap"
    assert done.count == len(root) == 3
    check_lido(root)
    ns = {"l": "http://www.lido-schema.org"}
    first, wave = root[0], root[1]
    kinds = [e.text for e in wave.findall(".//l:eventType/l:term", ns)]
    assert kinds == [
        "production",
        "evoked emotion, estimated by software",
        *["evoked emotion, said by people"] * 2,
    ]
    events = wave.findall(".//l:event", ns)
    assert events[1].findtext("l:eventMethod/l:term", "", ns) == (
        f"version 0.1.0; fingerprint {FINGERPRINT}"
    )
    assert events[1].find(".//l:actor", ns).get("{http://www.lido-schema.org}type") == "software"  # type: ignore[union-attr]
    assert events[2].findtext(".//l:descriptiveNoteValue", "", ns) == "fear (2)"
    assert wave.findtext(".//l:rightsWorkSet/l:creditLine", "", ns) == "Gift for wave"
    notes = [e.text for e in first.findall(".//l:descriptiveNoteValue", ns)]
    assert "dark \N{REPLACEMENT CHARACTER} & deep" in notes  # what XML cannot hold is marked
    subjects = {
        (e.get("{http://www.lido-schema.org}type"), e.findtext(".//l:term", "", ns))
        for e in wave.findall(".//l:subject", ns)
    }
    assert ("evoked emotion, said by people", "fear") in subjects


# Wikidata and Commons ----------------------------------------------------------------------------


def test_quickstatements_are_those_of_the_model_of_others(visit: Visit) -> None:
    model = pytest.importorskip("quickstatements_client")
    done, path = visit.take("quickstatements", "x.txt", terms=TERMS)
    (line,) = path.read_text().splitlines()
    decided = visit.store.history(visit.works[1].id)[-1].time[:10]
    wanted = model.EntityLine(
        subject="Q4",
        predicate="P1",
        target="Q12",
        qualifiers=[
            model.DateQualifier(predicate="P585", target=f"+{decided}T00:00:00Z/11"),
            model.TextQualifier(predicate="S854", target="https://www.wikidata.org/wiki/Q4"),
        ],
    )
    assert line == wanted.get_line()
    assert done.count == 1
    assert dict(done.left_out) == {
        "The Night": "nothing says which item of Wikidata it is",
        "=Garden()": "people gave it none of the emotions",
    }


def test_quickstatements_without_a_statement_are_no_empty_file(visit: Visit) -> None:
    with pytest.raises(ReviewError, match="nothing to write"):
        visit.take("quickstatements", "x.txt", terms="property = P1\nawe = Q2")
    assert not (visit.out / "x.txt").exists()


@pytest.mark.parametrize("text", ["", "awe = Q1", "property = P1", "property = Q1\nawe = Q2", "a"])
def test_terms_that_say_too_little_are_refused(text: str) -> None:
    with pytest.raises(ReviewError, match=r"wanted such as|of its own"):
        read_terms(text)


def test_the_table_for_commons_has_credit_and_both_kinds_apart(visit: Visit) -> None:
    done, path = visit.take("commons", "x.csv")
    rows = list(csv.DictReader(io.StringIO(path.read_text("utf-8-sig"), newline="")))
    assert done.count == len(rows) == 3
    wave = rows[1]
    assert (wave["wikidata"], wave["credit_line"], wave["institution"]) == (
        *("Q4", "Gift for wave"),
        "Museum of A",
    )
    assert (wave["emotions_said_by_people"], wave["people"]) == ("fear 100%", "2")
    assert FINGERPRINT in wave["software"]
    assert rows[2]["title"] == "'=Garden()"
    assert rows[2]["emotions_said_by_people"] == "none of these 100%"
