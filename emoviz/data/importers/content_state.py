"""IIIF Content State 1.0: a manifest, or a canvas of one, in a link that any viewer opens.

Source: https://iiif.io/api/content-state/1.0/. The parameter is ``iiif-content``; its value is an
address, or an annotation as JSON, in the specification's own base64url or plain.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from emoviz.errors import FetchError

PARAMETER = "iiif-content"
MIRADOR = "https://projectmirador.org/embed/"
_LONGEST = 50_000


@dataclass(frozen=True)
class ContentState:
    """What a link asks for.

    Attributes:
        document: Address of the manifest or collection.
        canvas: Id of the canvas that is to be seen, without its part; "" for the whole.
    """

    document: str
    canvas: str = ""


def read_content_state(text: str) -> ContentState:
    """What the value of ``iiif-content`` asks for, in any of its forms.

    Raises:
        FetchError: It is none, or names a canvas without saying of which manifest.
    """
    text = text.strip()
    if not text or len(text) > _LONGEST:
        raise FetchError("the link names no IIIF content")
    if text.startswith(("http://", "https://")):
        return ContentState(text)
    state = _state(_parsed(text))
    if not state.document.startswith(("http://", "https://")):
        raise FetchError(
            "the link names a canvas without the manifest that it is part of"
            if state.canvas
            else "the link names no address of a IIIF manifest"
        )
    return state


def address_in(text: str) -> str:
    """The address that a pasted text or dropped IIIF icon means: itself, or what its link carries.

    Raises:
        FetchError: It carries a content state that cannot be read.
    """
    try:
        asked = parse_qs(urlsplit(text.strip()).query)
    except ValueError:
        return text
    if asked.get(PARAMETER):
        return read_content_state(asked[PARAMETER][0]).document
    for name in ("manifest", "collection"):
        if asked.get(name, [""])[0].startswith(("http://", "https://")):
            return asked[name][0]
    return text


def encoded(document: str, canvas: str = "") -> str:
    """The value of ``iiif-content`` for a manifest or a canvas of it."""
    target: dict[str, Any] = {"id": document, "type": "Manifest"}
    if canvas:
        target = {"id": canvas, "type": "Canvas", "partOf": [target]}
    state = {
        "@context": "http://iiif.io/api/presentation/3/context.json",
        "type": "Annotation",
        "motivation": ["contentState"],
        "target": target,
    }
    plain = quote(json.dumps(state, separators=(",", ":")), safe="!'()*-._~")
    return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")


def mirador(document: str, canvas: str = "") -> str:
    """Link that opens it in Mirador, the viewer of many museums; "" for no address on the web."""
    if not document.startswith(("http://", "https://")):
        return ""
    value = encoded(document, canvas) if canvas else quote(document, safe="")
    return f"{MIRADOR}?{PARAMETER}={value}"


def _parsed(text: str) -> Any:
    """JSON, plain, percent-encoded or in base64url, with or without its padding."""
    decoded = [text, unquote(text)]
    try:
        inside = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
        decoded += [inside, unquote(inside)]
    except (binascii.Error, ValueError):
        pass
    for one in decoded:
        if one.startswith(("http://", "https://")):
            return one
        try:
            found = json.loads(one)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, Mapping | list | str):
            return found
    raise FetchError("the link's IIIF content cannot be read")


def _state(value: Any, depth: int = 0) -> ContentState:
    """The first target; an annotation's, a part's, or a resource by itself."""
    if isinstance(value, list):
        return _state(value[0], depth + 1) if value and depth < 5 else ContentState("")
    if isinstance(value, str):
        return ContentState(value.partition("#")[0])
    if not isinstance(value, Mapping) or depth > 5:
        return ContentState("")
    for name in ("target", "source"):
        if value.get(name):
            return _state(value[name], depth + 1)
    id = str(value.get("id") or value.get("@id") or "")
    if str(value.get("type") or value.get("@type")).rpartition(":")[2] == "Canvas":
        whole = _state(value.get("partOf") or value.get("within") or "", depth + 1)
        return ContentState(whole.document, id.partition("#")[0])
    return ContentState(id)
