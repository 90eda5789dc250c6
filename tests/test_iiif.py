"""IIIF documents of versions 2 and 3, good and bad, as items; images at the size needed."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from emoviz.data.importers import Item, Place, Problem
from emoviz.data.importers.iiif import IiifCaps, read_iiif
from emoviz.data.importers.iiif_images import place_of, requests_of
from emoviz.data.importers.iiif_texts import pairs, text_of
from emoviz.data.importers.restrictions import restrictions
from emoviz.errors import FetchError

BASE = "https://museum.example/"
SERVICE2 = {
    "@context": "http://iiif.io/api/image/2/context.json",
    "@id": f"{BASE}image/1",
    "profile": "http://iiif.io/api/image/2/level1.json",
}
SERVICE3 = {"id": f"{BASE}image/3", "type": "ImageService3", "profile": "level2"}


def image2(name: str = "1", **extra: Any) -> dict[str, Any]:
    return {
        "@id": f"{BASE}{name}.jpg",
        "@type": "dctypes:Image",
        "format": "image/jpeg",
        "width": 4000,
        "height": 3000,
        **extra,
    }


def canvas2(name: str, *resources: Any, **extra: Any) -> dict[str, Any]:
    images = [{"@type": "oa:Annotation", "resource": resource} for resource in resources]
    return {"@id": f"{BASE}canvas/{name}", "@type": "sc:Canvas", "images": images, **extra}


def manifest2(name: str, *canvases: Any, **extra: Any) -> dict[str, Any]:
    return {
        "@context": "http://iiif.io/api/presentation/2/context.json",
        "@id": f"{BASE}{name}",
        "@type": "sc:Manifest",
        "sequences": [{"canvases": list(canvases)}],
        **extra,
    }


def canvas3(name: str, *bodies: Any, **extra: Any) -> dict[str, Any]:
    annotations = [{"type": "Annotation", "motivation": "painting", "body": b} for b in bodies]
    page = {"type": "AnnotationPage", "items": annotations}
    return {"id": f"{BASE}canvas/{name}", "type": "Canvas", "items": [page], **extra}


def image3(name: str = "1", **extra: Any) -> dict[str, Any]:
    return {"id": f"{BASE}{name}.jpg", "type": "Image", "width": 4000, "height": 3000, **extra}


def manifest3(name: str, *canvases: Any, **extra: Any) -> dict[str, Any]:
    return {
        "@context": "http://iiif.io/api/presentation/3/context.json",
        "id": f"{BASE}{name}",
        "type": "Manifest",
        "items": list(canvases),
        **extra,
    }


def collection3(name: str, *members: Any, **extra: Any) -> dict[str, Any]:
    return {"id": f"{BASE}{name}", "type": "Collection", "items": list(members), **extra}


def read(
    documents: Mapping[str, Any], first: str, caps: IiifCaps | None = None
) -> tuple[list[Item], list[Problem], list[str]]:
    """Items, problems, and what was loaded, of documents by the ends of their addresses."""
    loaded: list[str] = []

    def load(address: str) -> Any:
        loaded.append(address.removeprefix(BASE))
        try:
            return documents[loaded[-1]]
        except KeyError:
            raise FetchError("there is nothing at that address (status 404)", 404) from None

    found = list(read_iiif(BASE + first, load, caps))
    items = [item for item in found if isinstance(item, Item)]
    return items, [item for item in found if isinstance(item, Problem)], loaded


# Version 2 ---------------------------------------------------------------------------------------


def test_a_manifest_of_version_2_with_all_its_canvases() -> None:
    document = manifest2(
        "m",
        canvas2("a", image2("a", service=SERVICE2), label="front"),
        canvas2("b", image2("b"), label="back", metadata=[{"label": "Date", "value": "1890"}]),
        label=[
            {"@value": "Sternennacht", "@language": "de"},
            {"@value": "Night", "@language": "en"},
        ],
        metadata=[
            {"label": [{"@value": "Künstler:", "@language": "de"}], "value": "Vincent van Gogh"},
            {"label": "Datierung", "value": "1889"},
            {"label": "Technique", "value": ["oil", "canvas"]},
            {"label": "Place", "value": "<span>Saint-Rémy<br/>de Provence</span>"},
        ],
        license="https://creativecommons.org/publicdomain/mark/1.0/",
        related={"@id": "https://museum.example/page"},
    )
    items, problems, _ = read({"m": document}, "m")
    assert problems == []
    assert [item.title for item in items] == ["Night, front", "Night, back"]
    assert [item.date for item in items] == ["1889", "1890"]
    first = items[0]
    assert (first.artist, first.canvas) == ("Vincent van Gogh", f"{BASE}canvas/a")
    assert first.rights == "https://creativecommons.org/publicdomain/mark/1.0/"
    assert (first.page, first.manifest) == ("https://museum.example/page", f"{BASE}m")
    assert first.metadata == {
        "part of": "Night",
        "Technique": "oil; canvas",
        "Place": "Saint-Rémy de Provence",
    }
    assert first.place == Place("", "", f"{BASE}a.jpg", f"{BASE}image/1", 2, 1, 4000, 3000)
    assert items[1].place == Place(url=f"{BASE}b.jpg", width=4000, height=3000)


def test_collections_of_version_2_with_members_pages_and_manifests_inside() -> None:
    documents = {
        "top": {
            "@type": "sc:Collection",
            "label": "All",
            "first": f"{BASE}page1",
            "manifests": [{"@id": f"{BASE}m1", "@type": "sc:Manifest"}],
        },
        "page1": {
            "@type": "sc:Collection",
            "members": [manifest2("m2", canvas2("2", image2("2")))],
            "next": f"{BASE}page2",
        },
        "page2": {"@type": "sc:Collection", "collections": [f"{BASE}sub"]},
        "sub": {"@type": "sc:Collection", "label": "Sub", "manifests": [{"@id": f"{BASE}m3"}]},
        "m1": manifest2("m1", canvas2("1", image2("1"))),
        "m3": manifest2("m3", canvas2("3", image2("3"))),
    }
    items, problems, loaded = read(documents, "top")
    assert problems == []
    assert [item.canvas[-1] for item in items] == ["1", "2", "3"]
    assert [item.metadata["collection"] for item in items] == ["All", "All", "Sub"]
    assert loaded == ["top", "m1", "page1", "page2", "sub", "m3"]


def test_choices_and_parts_of_version_2() -> None:
    choice = {"@type": "oa:Choice", "default": image2("day"), "item": [image2("night")]}
    part = {"@type": "oa:SpecificResource", "full": image2("whole")}
    items, _, _ = read({"m": manifest2("m", canvas2("a", choice), canvas2("b", part))}, "m")
    assert [item.place.url for item in items] == [f"{BASE}day.jpg", f"{BASE}whole.jpg"]


# Version 3 ---------------------------------------------------------------------------------------


def test_a_manifest_of_version_3_with_several_images_on_a_canvas() -> None:
    document = manifest3(
        "m",
        canvas3("a", image3("left", service=[SERVICE3]), image3("right"), label={"none": ["a"]}),
        label={"lt": ["Naktis"], "en": ["The Night"]},
        metadata=[
            {"label": {"lt": ["Autorius"]}, "value": {"none": ["M. K. Čiurlionis"]}},
            {"label": {"en": ["Date"], "de": ["Datum"]}, "value": {"en": ["1905"]}},
        ],
        rights="http://creativecommons.org/licenses/by/4.0/",
        homepage=[{"id": "https://museum.example/page", "type": "Text"}],
        summary={"en": ["<p>A night.</p>"]},
        navDate="1905-01-01T00:00:00Z",
    )
    items, problems, _ = read({"m": document}, "m")
    assert problems == []
    assert [item.key for item in items] == [f"{BASE}canvas/a#image-1", f"{BASE}canvas/a#image-2"]
    assert {item.canvas for item in items} == {f"{BASE}canvas/a"}
    assert {(item.title, item.artist, item.date) for item in items} == {
        ("The Night", "M. K. Čiurlionis", "1905")
    }
    assert items[0].metadata == {"summary": "A night."}
    assert items[0].place.service == f"{BASE}image/3"
    assert (items[0].place.version, items[0].place.level) == (3, 2)


def test_what_the_reference_library_of_version_3_writes_is_read() -> None:
    """The fixture comes from IIIF's own Python library, which validates what it writes."""
    prezi = pytest.importorskip("iiif_prezi3")
    manifest = prezi.Manifest(id=f"{BASE}m", label={"en": ["Hay"]})
    for name in ("a", "b"):
        canvas = manifest.make_canvas(id=f"{BASE}canvas/{name}", height=3000, width=4000)
        canvas.add_image(
            image_url=f"{BASE}{name}.jpg", format="image/jpeg", height=3000, width=4000
        )
    collection = prezi.Collection(id=f"{BASE}c", label={"en": ["Barns"]})
    collection.add_item(manifest)
    documents = {"c": json.loads(collection.json()), "m": json.loads(manifest.json())}
    items, problems, _ = read(documents, "c")
    assert problems == []
    assert [item.place.url for item in items] == [f"{BASE}a.jpg", f"{BASE}b.jpg"]
    assert {item.metadata["collection"] for item in items} == {"Barns"}


def test_pages_of_annotations_elsewhere_and_other_motivations() -> None:
    canvas = canvas3("a")
    canvas["items"] = [{"id": f"{BASE}page", "type": "AnnotationPage"}]
    page = {
        "type": "AnnotationPage",
        "items": [
            {"motivation": ["painting"], "body": {"type": "Choice", "items": [image3("x"), 1]}},
            {"motivation": "commenting", "body": image3("y")},
        ],
    }
    items, problems, _ = read({"m": manifest3("m", canvas), "page": page}, "m")
    assert (problems, [item.place.url for item in items]) == ([], [f"{BASE}x.jpg"])


# Bad input ---------------------------------------------------------------------------------------


def test_what_names_itself_is_read_once_and_told() -> None:
    loop = {"a": collection3("a", {"id": f"{BASE}b"}), "b": collection3("b", {"id": f"{BASE}a"})}
    _, problems, loaded = read(loop, "a")
    assert loaded == ["a", "b"]
    assert [(item.key, item.reason[:15]) for item in problems] == [(f"{BASE}a", "it names itself")]
    own = collection3("own", {"id": f"{BASE}own", "type": "Manifest"})
    _, problems, loaded = read({"own": own}, "own")
    assert (loaded, len(problems)) == (["own"], 1)
    inside = collection3("in", collection3("in", {"id": f"{BASE}m"}))
    _, problems, loaded = read({"in": inside, "m": manifest3("m")}, "in")
    assert loaded == ["in"]
    assert "names itself" in problems[0].reason


def test_a_manifest_in_two_collections_is_read_once() -> None:
    twice = collection3("c", {"id": f"{BASE}m"}, collection3("d", {"id": f"{BASE}m"}))
    items, problems, loaded = read({"c": twice, "m": manifest3("m", canvas3("a", image3()))}, "c")
    assert (len(items), problems, loaded) == (1, [], ["c", "m"])


def test_depth_documents_and_items_have_an_end() -> None:
    deep = {str(i): collection3(str(i), {"id": f"{BASE}{i + 1}"}) for i in range(50)}
    _, problems, loaded = read(deep, "0", IiifCaps(depth=3))
    assert loaded == ["0", "1", "2", "3"]
    assert "nested more than 3 deep" in problems[0].reason
    inside: dict[str, Any] = {"type": "Collection", "items": [{"id": f"{BASE}x"}]}
    for _ in range(30):
        inside = {"type": "Collection", "items": [inside]}
    _, problems, _ = read({"c": inside}, "c", IiifCaps(depth=3))
    assert "too deep" in problems[0].reason
    wide = {"c": collection3("c", *({"id": f"{BASE}{i}"} for i in range(50)))}
    _, problems, loaded = read(wide, "c", IiifCaps(documents=5))
    assert len(loaded) == 5
    assert "more than 5 documents" in problems[-1].reason
    many = manifest3("m", *(canvas3(str(i), image3(str(i))) for i in range(9)))
    items, problems, _ = read({"m": many}, "m", IiifCaps(items=4))
    assert (len(items), len(problems)) == (4, 1)


@pytest.mark.parametrize(
    "value", [None, 7, "text", [], {}, {"type": "Canvas"}, {"@type": 5}, [1, 2], {"type": {}}]
)
def test_what_is_no_manifest_is_told(value: Any) -> None:
    items, problems, _ = read({"m": value}, "m")
    assert (items, len(problems)) == ([], 1)
    assert "no IIIF manifest or collection" in problems[0].reason


def test_one_bad_canvas_costs_no_other() -> None:
    document = manifest3(
        "m",
        canvas3("empty"),
        canvas3("video", {"type": "Video", "id": f"{BASE}v.mp4"}),
        canvas3("nowhere", {"type": "Image"}),
        {"type": "Canvas", "items": [{"id": f"{BASE}gone"}], "id": f"{BASE}canvas/gone"},
        {"type": "Canvas", "items": 5, "metadata": "x", "label": [[[]]]},
        canvas3("good", image3("good", width="wide", height=-3, service=5)),
        label={"en": 5},
        metadata=[None, 5, {"label": None}, {"label": "a"}, {"value": "b"}],
        rights=5,
        homepage=[[]],
    )
    items, problems, _ = read({"m": document}, "m")
    assert [item.place for item in items] == [Place(url=f"{BASE}good.jpg")]
    reasons = [item.reason for item in problems]
    assert "but nothing" in reasons[0]
    assert "but Video" in reasons[1]
    assert "no address" in reasons[2]
    assert "404" in reasons[3]
    assert len(reasons) == 5


def test_a_member_that_is_not_there_costs_no_other() -> None:
    documents = {
        "c": collection3("c", {"id": f"{BASE}gone"}, {"type": "Manifest"}, {"id": f"{BASE}m"}),
        "m": manifest3("m", canvas3("a", image3())),
    }
    items, problems, _ = read(documents, "c")
    assert len(items) == 1
    assert [item.key for item in problems] == [f"{BASE}gone", f"{BASE}c"]


@pytest.mark.parametrize("label", ["-", "n/a", "[–]", "", "Herbal"])
def test_pages_whose_labels_say_nothing_are_numbered(label: str) -> None:
    """As a library with thousands of pages labelled "-"."""
    pages = [canvas2(f"{n}", image2(f"{n}"), label=label) for n in (1, 2)]
    items, _, _ = read({"m": manifest2("m", *pages, label="Herbal")}, "m")
    assert [item.title for item in items] == ["Herbal, 1", "Herbal, 2"]
    alone, _, _ = read({"m": manifest2("m", pages[0], label="Herbal")}, "m")
    assert [item.title for item in alone] == ["Herbal"]


def test_a_licence_written_as_a_link_is_its_address() -> None:
    mark = "http://creativecommons.org/about/pdm"
    document = manifest2("m", canvas2("a", image2()), license=f'<a href="{mark}">Public domain</a>')
    assert read({"m": document}, "m")[0][0].rights == mark


def test_a_specific_resource_that_is_its_own_source() -> None:
    """A picture that is turned by a style sheet, written without a source."""
    body = image3(service=[SERVICE3]) | {"type": "SpecificResource", "format": "image/jpeg"}
    items, problems, _ = read({"m": manifest3("m", canvas3("a", body))}, "m")
    assert [item.place.service for item in items] == [SERVICE3["id"]]
    assert not problems


def test_a_museums_list_of_people_names_the_artist() -> None:
    rows = [
        {"label": {"none": ["People"]}, "value": {"none": ["Artist: Vincent van Gogh, Dutch"]}},
        {"label": {"none": ["Credit line"]}, "value": {"none": ["Photographer: Somebody Else"]}},
        {"label": {"none": ["Usage terms"]}, "value": {"none": ["Public domain"]}},
    ]
    known, others = pairs(rows)
    assert known == {"artist": "Vincent van Gogh, Dutch", "rights": "Public domain"}
    assert set(others) == {"People", "Credit line"}
    named, _ = pairs([{"label": "Artist", "value": "Gauguin"}, *rows])
    assert named["artist"] == "Gauguin"


# Pages, ids, bodies ------------------------------------------------------------------------------


@pytest.mark.parametrize("inside", [False, True])
def test_pages_follow_each_other_to_any_length(inside: bool) -> None:
    """Far more than collections may be nested, or Python may call functions within each other."""
    count = 2500
    pages = {
        f"page{n}": {
            "@type": "sc:Collection",
            "first": f"{BASE}page1",
            "manifests": [{"@id": f"{BASE}m{n}"}],
            **({"next": f"page{n + 1}"} if n < count else {"next": "rdf:nil"}),
        }
        for n in range(1, count + 1)
    }
    works = {f"m{n}": manifest3(f"m{n}", canvas3(f"{n}", image3())) for n in range(1, count + 1)}
    first = pages.pop("page1") | {"@id": f"{BASE}page1"} if inside else f"{BASE}page1"
    top = {"@type": "sc:Collection", "label": "All", "total": count, "first": first}
    items, problems, _ = read({"top": top, **pages, **works}, "top", IiifCaps(documents=50))
    assert problems == []
    assert [item.canvas.rpartition("/")[2] for item in items] == [
        str(n) for n in range(1, count + 1)
    ]
    assert {item.metadata["collection"] for item in items} == {"All"}


def test_pages_of_version_3_and_pages_that_lead_back_or_break_off() -> None:
    documents = {
        "top": collection3("top", {"id": f"{BASE}a"}, next={"id": f"{BASE}p2", "type": "Page"}),
        "p2": {"items": [{"id": f"{BASE}b"}], "next": f"{BASE}p3"},
        "p3": {"items": [{"id": f"{BASE}c"}], "next": f"{BASE}p2", "first": f"{BASE}top"},
        **{name: manifest3(name, canvas3(name, image3(name))) for name in "abc"},
    }
    items, problems, _ = read(documents, "top")
    assert [item.place.url for item in items] == [f"{BASE}{name}.jpg" for name in "abc"]
    assert [(item.key, item.reason[:20]) for item in problems] == [
        (f"{BASE}p2", "its pages lead back "),
    ]
    del documents["p3"]
    items, problems, _ = read(documents, "top")
    assert len(items) == 2
    assert "what follows it is left out" in problems[0].reason
    documents["p3"] = documents["a"]
    assert "no page" in read(documents, "top")[1][0].reason


def test_pages_without_end_do_end() -> None:
    def load(address: str) -> Any:
        if address == BASE:
            return collection3("")
        number = int(address.rpartition("/")[2])
        return {"type": "Collection", "items": [], "next": f"{BASE}{number + 1}"}

    found = list(read_iiif(f"{BASE}1", load, IiifCaps(documents=20)))
    assert [isinstance(item, Problem) for item in found] == [True]
    assert "more than 20 documents brought no image" in found[0].reason  # type: ignore[union-attr]


def test_an_id_is_unique_only_within_its_document() -> None:
    """Four manifests whose canvases have one id, and one manifest whose canvases do."""
    same = {"@id": "canvas/1", "@type": "sc:Canvas"}
    documents: dict[str, Any] = {
        f"m{n}": manifest2(f"m{n}", canvas2("x", image2(f"{n}")) | same) for n in range(4)
    }
    documents["c"] = {
        "@type": "sc:Collection",
        "manifests": [f"{BASE}m{n}" for n in range(4)],
    }
    items, problems, _ = read(documents, "c")
    assert [item.place.url for item in items] == [f"{BASE}{n}.jpg" for n in range(4)]
    assert {item.canvas for item in items} == {"canvas/1"}
    assert [item.key for item in items] == [f"{BASE}m{n}#canvas/1" for n in range(4)]
    album = manifest3("album", *(canvas3("leaf", image3(f"{n}")) for n in range(5)))
    items, problems, _ = read({"album": album}, "album")
    assert [item.place.url for item in items] == [f"{BASE}{n}.jpg" for n in range(5)]
    assert len({item.key for item in items}) == 5
    assert items[0].key == f"{BASE}canvas/leaf"  # as ever, so that decisions stay with it
    assert problems == []


def test_manifests_inside_a_collection_that_share_an_id_are_all_read() -> None:
    inside = [manifest3("m", canvas3("a", image3(f"{n}"))) for n in range(3)]
    twice = collection3("c", *inside, collection3("d", inside[0]))
    items, problems, _ = read({"c": twice}, "c")
    assert [item.place.url for item in items] == [f"{BASE}{n}.jpg" for n in range(3)]
    assert len({item.key for item in items}) == 3
    assert problems == []


def test_canvases_of_a_second_sequence_are_the_same_in_another_order() -> None:
    canvases = [canvas2(name, image2(name)) for name in "ab"]
    document = manifest2("m", *canvases)
    document["sequences"].append({"canvases": [canvases[1], canvases[0]]})
    items, problems, _ = read({"m": document}, "m")
    assert [item.canvas[-1] for item in items] == ["a", "b"]
    elsewhere = manifest2("m") | {"sequences": f"{BASE}s"}
    items, problems, _ = read({"m": elsewhere, "s": {"canvases": canvases}}, "m")
    assert (len(items), problems) == (2, [])


@pytest.mark.parametrize(
    ("body", "service"),
    [
        ({"id": f"{BASE}x.jpg"}, ""),
        ({"id": f"{BASE}x"}, ""),
        ({"id": f"{BASE}x", "service": SERVICE2}, SERVICE2["@id"]),
        ({"service": [SERVICE3]}, SERVICE3["id"]),
        ({"id": f"{BASE}x", "@type": "dctypes:image"}, ""),
        ({"id": f"{BASE}x", "@type": "http://purl.org/dc/dcmitype/StillImage"}, ""),
        ({"id": f"{BASE}x", "type": ["Image", "schema:ImageObject"]}, ""),
        ({"id": f"{BASE}x", "format": "image/jpeg"}, ""),
        (SERVICE3, SERVICE3["id"]),
        ({"@list": [{"id": f"{BASE}x.jpg"}]}, ""),
        (f"{BASE}x.jpg", ""),
        ({"type": "SpecificResource", "source": f"{BASE}x.jpg"}, ""),
        ({"type": "oa:Choice", "default": "rdf:nil", "item": [image3("x")]}, ""),
        ({"type": "Choice", "items": [{"@id": "rdf:nil"}, image3("x")]}, ""),
    ],
)
def test_bodies_as_museums_write_them(body: Any, service: str) -> None:
    for document in (manifest3("m", canvas3("a", body)), manifest2("m", canvas2("a", body))):
        items, problems, _ = read({"m": document}, "m")
        assert (problems, [item.place.service for item in items]) == ([], [service])


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"id": f"{BASE}v.mp4"}, "nothing"),
        ({"type": "TextualBody", "value": "x"}, "TextualBody"),
        ("rdf:nil", "nothing"),
        ({"@id": "http://www.w3.org/1999/02/22-rdf-syntax-ns#nil"}, "nothing"),
        ({"id": f"{BASE}x", "service": {"@id": f"{BASE}login", "profile": "auth/1"}}, ""),
    ],
)
def test_what_is_no_image_is_told(body: Any, told: str) -> None:
    items, problems, _ = read({"m": manifest3("m", canvas3("a", body))}, "m")
    assert [told and told in item.reason for item in problems] == ([True] if told else [])
    assert len(items) + len(problems) == 1


def test_what_is_shown_beside_an_image_is_told() -> None:
    bodies = (image3(), {"type": "Video", "id": f"{BASE}v.mp4"}, {"type": "TextualBody"})
    items, problems, _ = read({"m": manifest3("m", canvas3("a", *bodies))}, "m")
    assert len(items) == 1
    assert [item.reason for item in problems] == ["beside its image the canvas shows Video"]


def test_objects_instead_of_lists_and_addresses_without_a_host() -> None:
    document = {
        "@type": "sc:Manifest",
        "label": "Objects",
        "metadata": {"label": "Artist", "value": "A. Painter"},
        "sequences": {
            "canvases": {"@id": "c1", "images": {"resource": image2() | {"@id": "img/1.jpg"}}}
        },
    }
    items, problems, _ = read({"a/m": document}, "a/m")
    assert problems == []
    assert (items[0].artist, items[0].place.url) == ("A. Painter", f"{BASE}a/img/1.jpg")
    listed = {"type": "Collection", "items": ["m", {"id": "../b/m"}]}
    _, _, loaded = read({"a/c": listed, "a/m": document, "b/m": document}, "a/c")
    assert loaded == ["a/c", "a/m", "b/m"]


def test_annotations_on_several_pages() -> None:
    canvas = canvas3("a", image3("x"))
    canvas["items"][0]["next"] = f"{BASE}page"
    page = {
        "id": f"{BASE}page",
        "next": f"{BASE}page",
        "items": [{"motivation": "painting", "body": image3("y")}],
    }
    items, problems, _ = read({"m": manifest3("m", canvas), "page": page}, "m")
    assert [item.place.url for item in items] == [f"{BASE}x.jpg", f"{BASE}y.jpg"]
    assert problems == []


def test_a_document_without_a_bottom_costs_no_other() -> None:
    deep: Any = image3()
    for _ in range(3000):
        deep = {"type": "Choice", "items": [deep]}
    documents = {
        "c": collection3("c", {"id": f"{BASE}deep"}, {"id": f"{BASE}m"}),
        "deep": manifest3("deep", canvas3("a", deep)),
        "m": manifest3("m", canvas3("b", image3())),
    }
    items, problems, _ = read(documents, "c")
    assert [item.canvas[-1] for item in items] == ["b"]
    assert "nested too deep" in problems[0].reason


# Titles and credit -------------------------------------------------------------------------------


def test_the_canvas_names_the_artwork_and_the_manifest_what_it_is_part_of() -> None:
    document = manifest3(
        "m",
        canvas3("a", image3("a"), label={"en": ["Waves"]}, summary={"en": ["At sea."]}),
        canvas3("b", image3("b"), label={"en": ["Io"]}),
        canvas3("c", image3("c"), label={"en": ["f. 12r"]}),
        canvas3("d", image3("d"), label={"ja": ["波"]}),
        canvas3("e", image3("e"), label={"none": ["DP-12.jpg"]}),
        label={"en": ["Loan exhibition"]},
        summary={"en": ["A long text."]},
    )
    items, _, _ = read({"m": document}, "m")
    assert [item.title for item in items] == [
        *("Waves", "Io", "Loan exhibition, f. 12r", "波", "Loan exhibition, DP-12.jpg")
    ]
    assert {item.metadata["part of"] for item in items} == {"Loan exhibition"}
    assert [item.metadata.get("summary") for item in items] == ["At sea.", *[None] * 4]
    said = [item.metadata.get("summary of the whole") for item in items]
    assert said == ["A long text.", *[None] * 4]
    alone = manifest3("m", document["items"][2], label="Herbal", summary="A book.")
    item = read({"m": alone}, "m")[0][0]
    assert (item.title, item.metadata) == ("Herbal", {"summary": "A book."})
    named = manifest3("m", document["items"][0], label="Hokusai's views")
    item = read({"m": named}, "m")[0][0]
    assert (item.title, item.metadata["part of"]) == ("Waves", "Hokusai's views")


@pytest.mark.parametrize("label", [None, "", {"en": [""]}, {"@value": None}, [], {}])
def test_a_missing_label_takes_the_collections(label: Any) -> None:
    documents = {
        "m": manifest3("m", canvas3("a", image3()), label=label),
        "c": collection3("c", {"id": f"{BASE}m", "label": {"en": ["Waves"]}}, label="Sea"),
        "d": collection3("d", {"id": f"{BASE}m"}, label="Sea"),
    }
    assert read(documents, "c")[0][0].title == "Waves"
    assert read(documents, "d")[0][0].title == "Sea"


def test_who_is_to_be_named_goes_along() -> None:
    document = manifest3(
        "m",
        canvas3("a", image3("a"), requiredStatement={"label": "Credit", "value": "Gift of B."}),
        canvas3("b", image3("b"), rights="https://creativecommons.org/publicdomain/zero/1.0/"),
        label="M",
        requiredStatement={"label": {"en": ["Courtesy"]}, "value": {"en": ["<b>A museum</b>"]}},
        rights="https://rightsstatements.org/vocab/InC/1.0/",
        metadata=[{"label": "Rights", "value": "© The heirs"}],
        provider=[{"id": "x", "type": "Agent", "label": {"en": ["A museum"]}}, {"label": "Two"}],
    )
    first, second = read({"m": document}, "m")[0]
    assert first.rights == "https://rightsstatements.org/vocab/InC/1.0/"
    assert first.metadata["attribution"] == "Gift of B."
    assert second.metadata["attribution"] == "Courtesy: A museum"
    assert first.metadata["provider"] == "A museum; Two"
    assert first.metadata["rights statement"] == "© The heirs"
    assert second.rights == "https://creativecommons.org/publicdomain/zero/1.0/"
    assert second.metadata["rights of the whole"] == first.rights
    old = manifest2(
        "m",
        canvas2("a", image2()),
        attribution=[{"@value": "Ein Museum", "@language": "de"}],
        license=["https://a.example/l", "https://b.example/l"],
    )
    item = read({"m": old}, "m")[0][0]
    assert item.metadata["attribution"] == "Ein Museum"
    assert item.rights == "https://a.example/l; https://b.example/l"


def test_what_a_collection_forbids_holds_for_its_manifests_and_its_licence_does_not() -> None:
    cc0 = "https://creativecommons.org/publicdomain/zero/1.0/"
    documents = {
        "m": manifest3("m", canvas3("a", image3())),
        "c": collection3("c", {"id": f"{BASE}m"}, rights=cc0, provider=[{"label": "Museum"}]),
        "d": collection3("d", {"id": f"{BASE}m"}, rights="No AI training, please."),
    }
    item = read(documents, "c")[0][0]
    assert (item.rights, item.metadata["provider"]) == ("", "Museum")
    item = read(documents, "d")[0][0]
    assert item.metadata["rights of the collection"] == "No AI training, please."


@pytest.mark.parametrize(
    ("statement", "machines"),
    [
        ("No AI", True),
        ("Not for training AI models or text and data mining.", True),
        ("Nutzung für Künstliche Intelligenz untersagt", True),
        ("All uses but machine learning", True),
        ("noimageai", True),
        ("© The heirs. All rights reserved.", False),
        ("http://rightsstatements.org/vocab/InC-EDU/1.0/", False),
        ("https://creativecommons.org/licenses/by-nc-nd/4.0/", False),
        ("May not be reproduced without the written permission of the museum", False),
        ("https://creativecommons.org/publicdomain/mark/1.0/", None),
        ("https://creativecommons.org/licenses/by/4.0/", None),
        ("http://rightsstatements.org/vocab/NoC-US/1.0/", None),
        ("Photograph: Ai Weiwei", None),
        ("Public domain. Free to use.", None),
    ],
)
def test_restricting_statements_are_found(statement: str, machines: bool | None) -> None:
    item = Item("a", Place(), rights=statement)
    other = Item("b", Place(), metadata={"Usage terms": statement, "Subject": "No AI"})
    found = restrictions([item, other, item])
    assert [(row.works, row.machines) for row in found] == (
        [(3, machines)] if machines is not None else []
    )


# Texts -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        (1889, "1889"),
        ({"@value": "one", "@language": "fr"}, "one"),
        ([{"@value": "un", "@language": "fr"}, {"@value": "one", "@language": "en"}], "one"),
        ({"fr": ["un", "deux"], "en-GB": ["one"]}, "one"),
        ({"fr": ["un", "deux"]}, "un; deux"),
        ({"none": ["none"], "lt": ["vienas"]}, "none"),
        ("<a href='x'>A &amp; B</a>", "A & B"),
        ("<script>alert(1)</script>", ""),
        ("&lt;script&gt;alert(1)&lt;/script&gt;", ""),
        ("Waves &amp; Wind, 5 &lt; 6", "Waves & Wind, 5 < 6"),
        ("Waves &amp;amp; Wind&nbsp;", "Waves & Wind"),
        ("Waves <i>at night</i>", "Waves at night"),
        ("Waves &lt;i&gt;at night&lt;/i&gt;", "Waves at night"),
        ("<p>Waves<br/>and <I class='x'>Wind</I></p>", "Waves and Wind"),
        ("Waves<!-- draft --> at <span lang=en>night", "Waves at night"),
        ('<span class="x" hidden>Waves</span>', "Waves"),
        ("<![CDATA[Waves]]>", "Waves"),
        ("<b-side> of <p/>it", "<b-side> of it"),
        ("<script " * 20_000, " ".join(["<script"] * 20_000)),  # in no time at all
        ("<Untitled>", "<Untitled>"),
        ("a<b and b>c", "a<b and b>c"),
        ("5 & 6; AT&T", "5 & 6; AT&T"),
        ({"@value": None, "@language": "en"}, ""),
        ({"@value": ["Waves", None, "Night"], "@language": "en"}, "Waves; Night"),
        ([{"@value": None}, {"@value": "Waves"}], "Waves"),
        ({"en": [""], "fr": ["Les Vagues"]}, "Les Vagues"),
        ({"en_US": ["Waves"], "de": ["Wellen"]}, "Waves"),
        ({"de": ["Wellen"], "@none": ["Waves"]}, "Waves"),
        ({"en": [{"@value": "Waves"}]}, "Waves"),
        (True, ""),
        ("<p>one<script>alert(1)</script></p>", "one"),
        ("1 < 2 > 1", "1 < 2 > 1"),
        (None, ""),
        ([], ""),
        ({"en": [None, {"x": 1}]}, ""),
    ],
)
def test_texts_in_every_form(value: Any, text: str) -> None:
    assert text_of(value) == text


def test_equal_pairs_are_joined_and_pairs_in_any_language_known() -> None:
    rows = [
        {"label": {"ja": ["作者"], "en": ["Made by"]}, "value": "Hokusai"},
        {"label": "Artist", "value": "Workshop"},
        {"label": "Size", "value": "25 cm"},
        {"label": "Size", "value": "37 cm"},
    ]
    known, others = pairs(rows)
    assert known == {"artist": "Hokusai; Workshop"}
    assert others == {"Size": "25 cm; 37 cm"}


# The Image API -----------------------------------------------------------------------------------


def asked(place: Place, side: int, info: Mapping[str, Any] | None = None) -> tuple[list[str], int]:
    """Addresses without the service's own, and how often info.json was wanted."""
    calls = 0

    def load(address: str) -> Mapping[str, Any]:
        nonlocal calls
        calls += 1
        assert address == f"{place.service}/info.json"
        if info is None:
            raise FetchError("gone", 404)
        return info

    found = list(requests_of(place, side, load))
    return [address.removeprefix(f"{place.service}/") for address in found], calls


@pytest.mark.parametrize(
    ("service", "size", "wanted"),
    [
        ({**SERVICE2}, (4000, 3000), "full/800,/0/default.jpg"),
        ({**SERVICE2}, (3000, 4000), "full/600,/0/default.jpg"),
        ({**SERVICE3}, (4000, 3000), "full/800,/0/default.jpg"),
        (
            {
                "@context": "http://library.stanford.edu/iiif/image-api/1.1/context.json",
                "@id": f"{BASE}image/1",
                "profile": "http://library.stanford.edu/iiif/image-api/1.1/compliance.html#level2",
            },
            (4000, 3000),
            "full/800,/0/native.jpg",
        ),
        (
            {
                "id": f"{BASE}image/0",
                "type": "ImageService3",
                "profile": "level0",
                "sizes": [{"width": w, "height": w * 3 // 4} for w in (400, 1000, 2000)],
            },
            (4000, 3000),
            "full/1000,750/0/default.jpg",
        ),
    ],
)
def test_an_image_is_asked_for_at_the_size_that_is_needed(
    service: dict[str, Any], size: tuple[int, int], wanted: str
) -> None:
    body = image3(service=[service], width=size[0], height=size[1])
    place = place_of(body)
    first = next(requests_of(place, 800, lambda address: pytest.fail("info.json is not needed")))
    assert first == f"{place.service}/{wanted}"


def test_what_the_manifest_does_not_say_the_service_does() -> None:
    bare = place_of({"id": f"{BASE}x.jpg", "type": "Image", "service": f"{BASE}image/9"})
    info = {
        "@context": "http://iiif.io/api/image/2/context.json",
        "profile": ["http://iiif.io/api/image/2/level2.json", {"maxWidth": 500}],
        "width": 2000,
        "height": 1000,
    }
    found, calls = asked(bare, 800, info)
    assert calls == 1
    assert 495 <= int(found[0].split("/")[1].rstrip(",")) <= 500
    assert found[1:] == [f"{BASE}x.jpg"]


@pytest.mark.parametrize(
    ("service", "whole", "wanted"),
    [
        (SERVICE2, (5490, 8000), "full/878,/0/default.jpg"),
        (SERVICE2, (549, 800), "full/full/0/default.jpg"),
        (SERVICE3, (549, 800), "full/max/0/default.jpg"),
    ],
)
def test_a_manifest_that_speaks_of_a_small_copy_gets_no_whole_image(
    service: dict[str, Any], whole: tuple[int, int], wanted: str
) -> None:
    """Many libraries give the size of the copy that their own page shows."""
    place = place_of(image3(service=service, width=549, height=800))
    info = {**service, "width": whole[0], "height": whole[1]}
    assert asked(place, 1280, info) == ([wanted, f"{BASE}1.jpg"], 1)


def test_a_static_service_gives_what_it_has() -> None:
    place = place_of(image3(service={**SERVICE3, "profile": "level0"}))
    info = {"type": "ImageService3", "profile": "level0", "width": 4000, "height": 3000}
    assert asked(place, 800, info)[0] == ["full/max/0/default.jpg", f"{BASE}1.jpg"]
    ready = {**info, "sizes": [{"width": 200, "height": 150}, {"width": 900, "height": 675}]}
    ready["@context"] = "http://iiif.io/api/image/3/context.json"
    assert asked(place, 800, ready)[0][0] == "full/900,675/0/default.jpg"


def test_where_the_service_is_gone_the_image_itself_is_asked_for() -> None:
    place = place_of(image2(service=SERVICE2))
    assert asked(place, 800, None)[0] == ["full/800,/0/default.jpg", f"{BASE}1.jpg"]
    only = Place(service=f"{BASE}image/1", version=2)
    with pytest.raises(FetchError):
        asked(only, 800, None)


@pytest.mark.parametrize(
    "service",
    [
        {"@context": "http://iiif.io/api/search/1/context.json", "@id": f"{BASE}search"},
        {"@id": f"{BASE}login", "profile": "http://iiif.io/api/auth/1/login"},
        {"profile": "level2"},
        7,
        None,
    ],
)
def test_other_services_are_no_image_services(service: Any) -> None:
    assert place_of(image2(service=service)).service == ""


@pytest.mark.parametrize("end", ["", "/", "/info.json", "/info.json/"])
def test_the_address_of_a_service_ends_where_it_should(end: str) -> None:
    place = place_of(image2(service={**SERVICE2, "@id": f"{BASE}image/1{end}"}))
    assert place.service == f"{BASE}image/1"


def test_sizes_written_as_text_are_sizes() -> None:
    place = place_of(image2(width="640", height=" 480 "))
    assert (place.width, place.height) == (640, 480)
    assert place_of(image2(width="6e9", height="wide")).width == 0


def test_a_place_survives_json() -> None:
    for place in (
        place_of(image3(service={**SERVICE3, "sizes": [{"width": 4, "height": 3}]})),
        Place(path="/a/b.zip", inside="c.jpg"),
        place_of(image3(service={**SERVICE3, "profile": "level0"})),
    ):
        assert Place.from_dict(json.loads(json.dumps(place.to_dict()))) == place
