"""IIIF Content State: links read in every form that viewers write, written as they read them."""

import base64
import json
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from emoviz.data.importers.content_state import (
    ContentState,
    address_in,
    encoded,
    mirador,
    read_content_state,
)
from emoviz.errors import FetchError

MANIFEST, CANVAS = "https://museum.example/m.json", "https://museum.example/c/1"
# The example of section 2.2 of the specification, as its appendix encodes it: text, then base64url.
PART = {"id": CANVAS, "type": "Canvas", "partOf": [{"id": MANIFEST, "type": "Manifest"}]}


def as_specified(value: Any) -> str:
    """encodeURIComponent, base64url, no padding: written out from the specification's appendix."""
    text = quote(json.dumps(value), safe="-_.!~*'()")
    code = base64.b64encode(text.encode()).decode()
    return code.replace("+", "-").replace("/", "_").replace("=", "")


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ({"id": MANIFEST, "type": "Manifest"}, ContentState(MANIFEST)),
        (PART, ContentState(MANIFEST, CANVAS)),
        ({"type": "Annotation", "motivation": "contentState", "target": PART},
         ContentState(MANIFEST, CANVAS)),
        ({"type": "Annotation", "target": [PART, {"id": "https://x.example"}]},
         ContentState(MANIFEST, CANVAS)),
        ({"type": "Annotation", "target": {"type": "SpecificResource", "source": PART,
          "selector": {"type": "PointSelector", "x": 1}}}, ContentState(MANIFEST, CANVAS)),
        (PART | {"id": f"{CANVAS}#xywh=1,2,3,4"}, ContentState(MANIFEST, CANVAS)),
        (PART | {"partOf": MANIFEST}, ContentState(MANIFEST, CANVAS)),
        ({"@id": MANIFEST, "@type": "sc:Manifest"}, ContentState(MANIFEST)),
        ({"type": "Annotation", "target": MANIFEST}, ContentState(MANIFEST)),
        ({"id": "https://museum.example/ąž", "type": "Manifest"},
         ContentState("https://museum.example/ąž")),
    ],
)  # fmt: skip
def test_every_form_of_a_content_state_is_read(value: Any, wanted: ContentState) -> None:
    plain = json.dumps(value, ensure_ascii=False)
    padded = base64.urlsafe_b64encode(plain.encode()).decode()
    for text in (as_specified(value), plain, quote(plain), padded, f" {plain} "):
        assert read_content_state(text) == wanted


def test_an_address_is_a_content_state() -> None:
    assert read_content_state(MANIFEST) == ContentState(MANIFEST)


@pytest.mark.parametrize(
    "text",
    [
        *("", "%%%", "e30", "[]", "null", "7", "x" * 60_000, "javascript:alert(1)"),
        json.dumps({"id": CANVAS, "type": "Canvas"}),
        json.dumps({"id": "file:///etc/passwd", "type": "Manifest"}),
        "[" * 40_000,
    ],
)
def test_what_is_none_is_told(text: str) -> None:
    with pytest.raises(FetchError):
        read_content_state(text)


def test_what_is_written_is_what_the_specification_says() -> None:
    state = json.loads(_decoded(encoded(MANIFEST, CANVAS)))
    assert state["motivation"] == ["contentState"]
    assert state["target"] == PART
    assert read_content_state(encoded(MANIFEST, CANVAS)) == ContentState(MANIFEST, CANVAS)
    asked = parse_qs(urlsplit(mirador(MANIFEST, CANVAS)).query)["iiif-content"][0]
    assert read_content_state(asked) == ContentState(MANIFEST, CANVAS)
    assert parse_qs(urlsplit(mirador(MANIFEST)).query)["iiif-content"] == [MANIFEST]
    assert mirador("/home/me/manifest.json") == ""


def _decoded(text: str) -> str:
    from urllib.parse import unquote

    return unquote(base64.urlsafe_b64decode(text + "===").decode())


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (MANIFEST, MANIFEST),
        (f"https://viewer.example/?manifest={quote(MANIFEST, safe='')}&canvas=x", MANIFEST),
        (f"https://viewer.example/?iiif-content={encoded(MANIFEST, CANVAS)}", MANIFEST),
        ("https://museum.example/m?manifest=17", "https://museum.example/m?manifest=17"),
        ("not an address", "not an address"),
    ],
)
def test_a_dropped_iiif_sign_gives_its_manifest(text: str, wanted: str) -> None:
    assert address_in(text) == wanted
