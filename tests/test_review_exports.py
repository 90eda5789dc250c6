"""Exports read by others: csv, JSON Schema, JSON-LD, IIIF's own models, torchvision, HTML."""

import base64
import csv
import hashlib
import html.parser
import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from digests import digest
from jsonschema import Draft202012Validator
from PIL import Image
from reviews import FINGERPRINT, furnish_review, new_works, say, with_files

from emoviz.data.reading import read_labelled
from emoviz.errors import ReviewError
from emoviz.labels import MIKELS8
from emoviz.review.database import open_database
from emoviz.review.exports import FORMS, Exported, export
from emoviz.review.model import ArtworkCollection, EstimateSet, NewWork, Work
from emoviz.review.store import ReviewStore, open_store
from emoviz.settings import Settings

SCRIPT = "<script>alert(1)</script>"
MUSEUM = "https://museum.example"
LICENCE = "https://rightsstatements.org/vocab/InC/1.0/"
FORMULA = '=HYPERLINK("http://evil.example","x")'


@dataclass
class Review:
    """Two people's decisions on six works with images, hostile texts among them."""

    store: ReviewStore
    settings: Settings
    collection: ArtworkCollection
    known: EstimateSet
    works: list[Work]
    out: Path

    def take(self, form: str, name: str = "", **more: Any) -> tuple[Exported, Path]:
        path = self.out / (name or f"gallery{FORMS[form].suffix}")
        more.setdefault("known", None)
        done = export(self.store, self.settings, self.collection, form, path, **more)
        assert done.path == path
        return done, path


@pytest.fixture
def review(settings: Settings, tmp_path: Path, picture: Callable[..., bytes]) -> Review:
    works = with_files(new_works(6), tmp_path / "images", picture)
    credit = {"attribution": "Gift of B.", "provider": "A museum", "manifest": f"{MUSEUM}/m.json"}
    hostile = {"place": '"><img src=x>', **credit}
    works[0] = replace(works[0], title=SCRIPT, artist=FORMULA, rights=LICENCE, metadata=hostile)
    works[4] = replace(works[4], canvas="", url="https://museum.example/4.jpg")
    works.append(NewWork("lost", title="Lost", error="there is no such file"))
    store = open_store(settings)
    collection, known = furnish_review(store, works)
    found = store.works(collection.id)
    ona, jonas = store.reviewer("Ona <b>"), store.reviewer("+Jonas")
    say(store, ona, found[0], ("awe", 3), ("fear", 1), note=f"@cmd {SCRIPT}", blind=True)
    say(store, jonas, found[0], "awe")
    say(store, ona, found[1], kind="agree")
    say(store, jonas, found[1], note="nothing fits")
    say(store, ona, found[2], "sadness")
    say(store, ona, found[2], "contentment")
    say(store, ona, found[3], kind="skip")
    say(store, ona, found[4], "anger")
    store.undo(collection.id, ona.id, "undo")
    return Review(store, settings, collection, known, found, tmp_path / "out")


# CSV -------------------------------------------------------------------------------------------


def test_csv_keeps_estimate_and_decision_apart_and_tricks_no_spreadsheet(review: Review) -> None:
    done, path = review.take("csv")
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(path.read_text("utf-8-sig"), newline="")))
    assert done.count == len(rows) == 9  # seven works, two of them with two decisions
    for cell in (cell for row in rows for cell in row.values()):
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    first = rows[0]
    estimate = {item.work: item for item in review.store.estimates(review.known)}
    assert first["title"] == SCRIPT
    assert first["artist"] == "'" + FORMULA
    assert first["human_note"] == f"'@cmd {SCRIPT}"
    assert first["human_emotions"] == "awe (3); fear (1)"
    assert (first["human_blind"], first["human_saw_estimate"]) == ("true", "false")
    assert first["model_first"] == estimate[review.works[0].id].first
    for name in MIKELS8.names:
        p = estimate[review.works[0].id].probabilities[name]
        assert float(first[f"model_p_{name}"]) == pytest.approx(p, abs=1e-6)
    corrected = [row for row in rows if row["key"] == "work 2"]
    assert [row["human_emotions"] for row in corrected] == ["contentment (2)"]
    undecided = [row for row in rows if row["key"] in ("work 3", "work 4", "work 5")]
    assert all(row["human_decision"] == "" and row["model_first"] for row in undecided)
    assert (first["human_in_words"], first["meta_attribution"], first["meta_provider"]) == (
        *("strongly awe and a little fear", "Gift of B."),
        "A museum",
    )
    flags = ("Mixed feelings", "Unlike the training images", "Unsure", "Not sure enough")
    assert all(set(filter(None, row["model_in_words"].split("; "))) <= set(flags) for row in rows)
    assert {row["model_unsure"] for row in rows} <= {"true", "false", ""}
    lost = rows[-1]
    assert (lost["state"], lost["model_first"], lost["error"]) == (
        "failed",
        "",
        "there is no such file",
    )


def test_csv_has_the_distribution_of_peoples_answers_beside_the_models(review: Review) -> None:
    _, path = review.take("csv")
    rows = list(csv.DictReader(io.StringIO(path.read_text("utf-8-sig"), newline="")))
    first, second, third = rows[0], rows[2], rows[4]
    # Ona split her vote 3 : 1 over awe and fear, Jonas gave his to awe.
    assert float(first["people_p_awe"]) == pytest.approx((0.75 + 1) / 2)
    assert float(first["people_p_fear"]) == pytest.approx(0.125)
    assert (first["people"], float(first["divides_people"])) == ("2", 0.0)
    assert float(second["people_p_none of these"]) == 0.5
    assert float(second["divides_people"]) == 1.0
    assert (third["people"], third["divides_people"]) == ("1", "")
    names = [*MIKELS8.names, "none of these"]
    assert sum(float(first[f"people_p_{name}"]) for name in names) == pytest.approx(1.0)
    assert rows[-1]["people_p_awe"] == ""


# W3C -------------------------------------------------------------------------------------------

IRI = {"type": "string", "pattern": "^(https?|urn|ni):"}
TIME = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$"}
MOTIVATION = {  # the thirteen of section 3.3.5
    "enum": [
        *("assessing", "bookmarking", "classifying", "commenting", "describing", "editing"),
        *("highlighting", "identifying", "linking", "moderating", "questioning", "replying"),
        "tagging",
    ]
}
AGENT = {  # section 3.3.2
    "type": "object",
    "required": ["id", "type", "name"],
    "properties": {
        "id": IRI,
        "type": {"enum": ["Person", "Organization", "Software"]},
        "name": {"type": "string", "minLength": 1},
    },
    "patternProperties": {"^schema:": {"type": "string"}},
    "additionalProperties": False,
}
BODY = {  # section 3.2.4
    "type": "object",
    "required": ["type", "value"],
    "properties": {
        "type": {"const": "TextualBody"},
        "value": {"type": "string"},
        "format": {"const": "text/plain"},
        "purpose": MOTIVATION,
    },
    "patternProperties": {"^schema:": {"type": "number"}},
    "additionalProperties": False,
}
TARGET = {  # sections 3.2.1 and 3.2.2
    "oneOf": [
        IRI,
        {
            "type": "object",
            "required": ["id", "type"],
            "properties": {
                "id": IRI,
                "type": {"enum": ["Dataset", "Image", "Video", "Sound", "Text"]},
                "label": {"type": "string"},
                "partOf": IRI,
            },
            "patternProperties": {"^(dc|schema):": {"type": "string"}},
            "additionalProperties": False,
        },
    ]
}
ANNOTATION = {  # section 3.1
    "type": "object",
    "required": ["id", "type", "target", "motivation", "creator", "created", "generator"],
    "properties": {
        "id": IRI,
        "type": {"const": "Annotation"},
        "motivation": {"type": "array", "items": MOTIVATION, "minItems": 1, "uniqueItems": True},
        "creator": AGENT,
        "created": TIME,
        "generator": AGENT,
        "generated": TIME,
        "body": {"type": "array", "items": BODY, "minItems": 1},
        "target": TARGET,
    },
    "additionalProperties": False,
}
COLLECTION = {  # chapter 5
    "type": "object",
    "required": ["@context", "id", "type", "total", "first"],
    "properties": {
        "@context": {"const": "http://www.w3.org/ns/anno.jsonld"},
        "id": IRI,
        "type": {"const": "AnnotationCollection"},
        "label": {"type": "string"},
        "generated": TIME,
        "generator": AGENT,
        "total": {"type": "integer"},
        "first": {
            "type": "object",
            "required": ["id", "type", "partOf", "startIndex", "items"],
            "properties": {
                "id": IRI,
                "type": {"const": "AnnotationPage"},
                "partOf": IRI,
                "startIndex": {"const": 0},
                "items": {"type": "array", "items": ANNOTATION},
            },
            "additionalProperties": False,
        },
    },
    "additionalProperties": False,
}

# The terms used, as the Recommendation "Web Annotation Vocabulary" maps them (its appendix A).
OA, DCTERMS, AS = (
    "http://www.w3.org/ns/oa#",
    "http://purl.org/dc/terms/",
    "http://www.w3.org/ns/activitystreams#",
)
FOAF, RDFS = "http://xmlns.com/foaf/0.1/", "http://www.w3.org/2000/01/rdf-schema#"
TERMS: dict[str, Any] = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "schema": "http://schema.org/",
    "id": {"@type": "@id", "@id": "@id"},
    "type": {"@type": "@id", "@id": "@type"},
    "Annotation": f"{OA}Annotation",
    "Image": "http://purl.org/dc/dcmitype/StillImage",
    "TextualBody": f"{OA}TextualBody",
    "Person": f"{FOAF}Person",
    "Software": f"{AS}Application",
    "AnnotationCollection": f"{AS}OrderedCollection",
    "AnnotationPage": f"{AS}OrderedCollectionPage",
    **{name: f"{OA}{name}" for name in ("classifying", "commenting", "moderating", "tagging")},
    "body": {"@type": "@id", "@id": f"{OA}hasBody"},
    "target": {"@type": "@id", "@id": f"{OA}hasTarget"},
    "creator": {"@type": "@id", "@id": f"{DCTERMS}creator"},
    "generator": {"@type": "@id", "@id": f"{AS}generator"},
    "motivation": {"@type": "@vocab", "@id": f"{OA}motivatedBy"},
    "purpose": {"@type": "@vocab", "@id": f"{OA}hasPurpose"},
    "items": {"@type": "@id", "@id": f"{AS}items", "@container": "@list"},
    "partOf": {"@type": "@id", "@id": f"{AS}partOf"},
    "first": {"@type": "@id", "@id": f"{AS}first"},
    "format": "http://purl.org/dc/elements/1.1/format",
    "created": f"{DCTERMS}created",
    "generated": f"{DCTERMS}issued",
    "value": "http://www.w3.org/1999/02/22-rdf-syntax-ns#value",
    "name": f"{FOAF}name",
    "label": f"{RDFS}label",
    "total": f"{AS}totalItems",
    "startIndex": f"{AS}startIndex",
}


def expanded(document: dict[str, Any]) -> Any:
    """As a JSON-LD processor reads it, with the W3C's context from here and not from the net."""
    from pyld import jsonld

    def load(url: str, options: object) -> dict[str, Any]:
        assert url == "http://www.w3.org/ns/anno.jsonld"
        return {"document": {"@context": TERMS}, "documentUrl": url, "contextUrl": None}

    return jsonld.expand(document, {"documentLoader": load})


def leaves(value: Any) -> int:
    """How many values a document holds, contexts and repeated list brackets aside."""
    if isinstance(value, dict):
        return sum(leaves(item) for name, item in value.items() if name != "@context")
    return sum(map(leaves, value)) if isinstance(value, list) else 1


def test_annotations_are_those_of_the_recommendation(review: Review) -> None:
    done, path = review.take("w3c")
    document = json.loads(path.read_text())
    Draft202012Validator(COLLECTION).validate(document)
    items = document["first"]["items"]
    assert done.count == document["total"] == len(items)
    assert len({item["id"] for item in items}) == len(items)
    assert [name for name, _ in done.left_out] == ["Lost"]
    # Nothing is lost on the way to RDF: a term that the context lacks would be dropped.
    assert leaves(expanded(document)) == leaves(document)


def test_estimate_and_decision_are_never_one_annotation(review: Review) -> None:
    document = json.loads(review.take("w3c")[1].read_text())
    by_software, by_people = [], []
    for item in document["first"]["items"]:
        (by_software if item["creator"]["type"] == "Software" else by_people).append(item)
        assert item["generator"]["schema:softwareVersion"]
    assert [item["motivation"] for item in by_software] == [["classifying"]] * 6
    assert all(item["creator"]["schema:softwareVersion"] == "0.1.0" for item in by_software)
    assert all(len(item["body"]) == 8 for item in by_software)
    estimates = {item["id"] for item in by_software}
    kinds = sorted(tuple(item["motivation"]) for item in by_people)
    assert kinds == [
        ("commenting",),  # "nothing fits"
        ("moderating",),  # agrees with the estimate
        ("moderating",),  # none of these
        ("tagging",),
        ("tagging",),
        ("tagging",),
        ("tagging", "commenting"),
    ]
    about_estimates = [i for i in by_people if i["motivation"] == ["moderating"]]
    assert {item["target"] for item in about_estimates} <= estimates
    first = next(i for i in by_people if i["motivation"] == ["tagging", "commenting"])
    tags = [(b["value"], b.get("schema:ratingValue")) for b in first["body"]]
    assert tags == [("awe", 3), ("fear", 1), (f"@cmd {SCRIPT}", None)]
    (node,) = (n for n in _nodes(expanded(document)) if n.get("@id") == first["id"])
    assert node[f"{OA}motivatedBy"] == [{"@id": f"{OA}tagging"}, {"@id": f"{OA}commenting"}]
    assert node[f"{DCTERMS}creator"][0]["@type"] == [f"{FOAF}Person"]


def _nodes(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, list):
        return [node for item in value for node in _nodes(item)]
    if not isinstance(value, dict):
        return []
    return [value, *(node for item in value.values() for node in _nodes(item))]


def test_works_without_an_address_are_named_by_their_bytes(review: Review) -> None:
    document = json.loads(review.take("w3c")[1].read_text())
    given = [item["target"] for item in document["first"]["items"]]
    targets = {target["id"]: target for target in given if isinstance(target, dict)}
    digest = hashlib.sha256(Path(review.works[0].file).read_bytes()).digest()
    name = f"ni:///sha-256;{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"
    assert targets[name]["partOf"] == "https://museum.example/canvas/0"
    assert "https://museum.example/4.jpg" in targets
    assert targets[name]["dc:rights"] == LICENCE
    assert targets[name]["schema:creditText"] == "Gift of B."


def test_the_same_facts_give_the_same_ids(review: Review) -> None:
    def ids() -> list[str]:
        document = json.loads(review.take("w3c")[1].read_text())
        return [item["id"] for item in document["first"]["items"]]

    assert ids() == ids()


# IIIF ------------------------------------------------------------------------------------------


def test_the_annotation_page_is_one_of_iiif_presentation_3(review: Review) -> None:
    prezi3 = pytest.importorskip("iiif_prezi3", reason="iiif-prezi3 is installed by .ci/run")
    base = "https://museum.example/annotations/"
    done, path = review.take("iiif", base=base)
    document = json.loads(path.read_text())
    page = prezi3.AnnotationPage(**{k: v for k, v in document.items() if k != "@context"})
    assert page.id == f"{base}gallery.json"
    assert document["@context"][-1] == "http://iiif.io/api/presentation/3/context.json"
    assert done.count == len(page.items) == len(document["items"])
    assert [name for name, _ in done.left_out] == ["Title 4", "Lost"]
    canvases = {work.canvas for work in review.works if work.canvas}
    for item, given in zip(page.items, document["items"], strict=True):
        assert item.id.startswith(base)
        assert given["target"]["source"]["id"] in canvases
        motive = given["motivation"]
        is_model = given["creator"]["type"] == "Software"
        assert ("classifying" in motive) == is_model
        assert given["generator"]["schema:softwareVersion"]
        for body in given["body"]:
            assert body["type"] == "TextualBody"
            assert Draft202012Validator(BODY).is_valid(body)
    target = document["items"][0]["target"]["source"]
    assert target["partOf"] == [{"id": f"{MUSEUM}/m.json", "type": "Manifest"}]
    assert target["requiredStatement"]["value"] == {"none": ["Gift of B.; A museum"]}
    assert target["rights"] == LICENCE
    refused = [i for i in document["items"] if i["body"][0]["value"].startswith("none of")]
    assert [item["creator"]["name"] for item in refused] == ["+Jonas"]


def test_works_without_a_canvas_give_no_empty_page(review: Review) -> None:
    works = [replace(new, canvas="") for new in new_works(2)]
    collection, _ = furnish_review(review.store, works, "local")
    with pytest.raises(ReviewError, match="No work of 'Local' has a IIIF canvas"):
        export(review.store, review.settings, collection, "iiif", review.out / "x.json")
    assert not (review.out / "x.json").exists()


def test_a_base_that_is_no_address_is_refused(review: Review) -> None:
    for base in ("museum", "javascript:alert(1)", "https://", "https://x/?a#b", "https://a b/"):
        with pytest.raises(ReviewError, match="no address on the web"):
            review.take("iiif", base=base)
    assert not review.out.exists()


# Folders of images ------------------------------------------------------------------------------


@pytest.mark.parametrize("placing", ["copy", "link"])
def test_the_folder_is_read_by_torchvision_and_by_us(review: Review, placing: str) -> None:
    from torchvision.datasets import ImageFolder

    done, path = review.take("imagefolder", "gallery", placing=placing)
    folder = ImageFolder(str(path))
    found = {Path(file).name.split("-")[0]: folder.classes[label] for file, label in folder.samples}
    assert found == {"000000": "awe", "000002": "contentment"}
    assert done.count == 2
    reasons = dict(done.left_out)
    assert "votes are even" in reasons["Title 1"]
    for file, _ in folder.samples:
        number = int(Path(file).name.split("-")[0])
        assert digest(Path(file)) == digest(Path(review.works[number].file))
        assert Path(file).is_symlink() == (placing == "link")
    assert [record.label for record in read_labelled(path).records] == [1, 2]
    table = (path / "labels.csv").read_text("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(table, newline="")))
    assert rows[0]["artist"] == "'" + FORMULA
    assert rows[0]["votes"] == "awe 1.75; fear 0.25"
    assert (rows[0]["rights"], rows[0]["attribution"]) == (LICENCE, "Gift of B.")


def test_a_label_that_climbs_stays_within_the_folder(review: Review) -> None:
    ona = review.store.reviewer("Ona <b>")
    say(review.store, ona, review.works[5], "../../up")
    done, path = review.take("imagefolder", "gallery")
    assert done.count == 3
    inside = {file.relative_to(path).parts[0] for file in path.rglob("*.jpg")}
    assert inside == {"awe", "contentment", "up"}
    assert not (review.out / "up").exists()


def test_a_folder_with_something_in_it_is_left_alone(review: Review) -> None:
    (review.out / "gallery").mkdir(parents=True)
    (review.out / "gallery" / "mine.txt").write_text("mine")
    with pytest.raises(ReviewError, match="new or empty folder"):
        review.take("imagefolder", "gallery")
    assert [file.name for file in (review.out / "gallery").iterdir()] == ["mine.txt"]


def test_the_folder_as_a_zip_is_the_same_folder(review: Review, tmp_path: Path) -> None:
    _, folder = review.take("imagefolder", "gallery")
    for _ in range(2):  # the second takes the place of the first
        done, path = review.take("imagefolder")
        assert done.count == 2
    with zipfile.ZipFile(path) as packed:
        packed.extractall(tmp_path / "unpacked")
    found = {
        str(file.relative_to(root)): file.read_bytes()
        for root in (folder, tmp_path / "unpacked")
        for file in root.rglob("*.*")
    }
    assert len(found) == 3
    assert found == {
        str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*.*")
    }
    assert {item.name for item in review.out.iterdir()} == {"gallery", "gallery.zip"}


@pytest.mark.parametrize("form", ["csv", "w3c", "iiif", "imagefolder", "html"])
def test_an_export_says_how_far_it_is(review: Review, form: str) -> None:
    steps: list[tuple[int, int]] = []
    review.take(form, tell=lambda done, total: steps.append((done, total)))
    assert steps[0] == (0, 7)
    assert {total for _, total in steps} == {7}
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)


# The catalogue ---------------------------------------------------------------------------------


class Page(html.parser.HTMLParser):
    """What a browser would see: elements, their attributes, and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_catalogue_is_whole_offline_and_runs_nothing(review: Review) -> None:
    done, path = review.take("html")
    page = Page()
    page.feed(path.read_text())
    assert done.count == 7
    assert done.left_out == (("Lost", "there is no such file"),)
    tags = {tag for tag, _ in page.elements}
    assert tags.isdisjoint({"script", "iframe", "object", "link", "a", "form", "b"})
    pictures = [given["src"] or "" for tag, given in page.elements if tag == "img"]
    assert len(pictures) == 6
    described = [given["alt"] or "" for tag, given in page.elements if tag == "img"]
    assert all(described)
    assert described[0] == f"{SCRIPT}, {FORMULA}"
    for source in pictures:
        data = base64.b64decode(source.removeprefix("data:image/jpeg;base64,"), validate=True)
        assert Image.open(io.BytesIO(data)).format == "JPEG"
    for _, given in page.elements:
        assert not any(name.startswith("on") for name in given)
    assert SCRIPT in page.text
    assert "without seeing the estimate" in page.text
    assert "not decided yet" in page.text
    assert "Gift of B." in page.text
    # A summary first: counts, people's answers beside the model's, what the signs mean.
    summary = page.text.partition("Title 1")[0]
    assert "Works that divide people" in summary
    assert "Mean shares over the works that have both, n = 3" in summary
    assert "the two most likely emotions have opposite sentiments" in summary
    assert "divides people: 100\u00a0%" in page.text
    policy = next(g["content"] for t, g in page.elements if g.get("http-equiv"))
    assert policy is not None
    assert "default-src 'none'" in policy


@pytest.mark.parametrize(
    "form",  # those that these works allow; none has a manifest or an item of Wikidata
    sorted(set(FORMS) - {"json", "manifest", "iiif-zip", "imagefolder", "quickstatements"}),
)
def test_under_blind_review_no_form_has_an_estimate(review: Review, form: str) -> None:
    manager = review.store.reviewer("Ona <b>")  # who came first
    review.store.set_blind(review.collection.name, True, manager.id)
    _, path = review.take(form, known=review.known, terms="property=P1\nawe=Q1")
    text = path.read_text()
    assert FINGERPRINT not in text
    assert "classifying" not in text
    with pytest.raises(ReviewError, match="under blind review"):
        review.take("json")


# All of them -----------------------------------------------------------------------------------


def test_an_empty_collection_and_an_unknown_form_are_told(
    settings: Settings, tmp_path: Path
) -> None:
    store = open_store(settings)
    empty = store.add_collection("empty", "Empty", "", "folder", {})
    for form in FORMS:
        out = tmp_path / form
        refused = {
            "imagefolder": "review some more",
            "iiif": "has a IIIF canvas",
            "manifest": "comes from 0 manifests",
            "iiif-zip": "is kept on this machine",
            "quickstatements": "no word of its own",
        }
        if form in refused:
            with pytest.raises(ReviewError, match=refused[form]):
                export(store, settings, empty, form, out)
            assert not out.exists()
        else:
            assert export(store, settings, empty, form, out).count == 0
            assert out.stat().st_size > 0
    with pytest.raises(ReviewError, match="no export 'pdf'"):
        export(store, settings, empty, "pdf", tmp_path / "x")
    open_database.cache_clear()


@pytest.mark.parametrize("form", ["csv", "w3c", "iiif", "linked-art", "lido", "commons", "html"])
def test_whoever_reads_an_export_finds_the_words_of_the_screen(review: Review, form: str) -> None:
    _, path = review.take(form, known=review.known)
    text = path.read_text("utf-8-sig").casefold()
    assert "network" in text
    assert "checkpoint" not in text
