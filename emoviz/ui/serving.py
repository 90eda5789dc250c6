"""The reviews as IIIF while the app runs: manifests with their annotations, and a search in them.

Read-only. It answers this machine alone, unless a setting says otherwise, and nobody where a login
is set up, for a viewer of IIIF cannot sign in. Pages of other origins may read it only where they
are named. ``emoviz.ui.web`` mounts the routes at ``/iiif``.

Sources: IIIF Presentation 3.0, IIIF Content Search 2.0.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode, urlsplit

import streamlit as st
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router
from streamlit.runtime.secrets import secrets_singleton

from emoviz.data.importers.iiif import ReadManifest
from emoviz.data.importers.iiif_texts import text_of
from emoviz.errors import EmovizError
from emoviz.review.acquire import collection_folder, kept_manifests
from emoviz.review.exports.iiif import CONTEXT, annotated, list_of, page_of
from emoviz.review.exports.material import Material, gather
from emoviz.review.rights import is_loopback
from emoviz.review.store import open_store
from emoviz.settings import Settings, load_settings

SEARCH_CONTEXT = "http://iiif.io/api/search/2/context.json"
_CONTEXT_2 = "http://iiif.io/api/presentation/2/context.json"
_FORWARDED = ("x-forwarded-for", "x-forwarded-host", "x-real-ip", "forwarded")
_AT_ONCE = 100  # annotations on a page of search results
_FRESH = 5.0  # seconds for which what was read answers further requests
_KNOWN = ("q", "motivation", "user", "date", "page")
Answer = Callable[[Request, Settings], Response]


def _refusal(request: Request, settings: Settings) -> str:
    """Why this request is not answered; "" where it is."""
    if settings.serve_iiif == "all":
        return ""
    if settings.serve_iiif == "off":
        return "The reviews are not served as IIIF here."
    host = urlsplit(f"//{request.headers.get('host', '')}").hostname
    client = request.client.host if request.client else ""
    near = is_loopback(client) and is_loopback(host)
    if not near or any(name in request.headers for name in _FORWARDED):
        return "The reviews are served as IIIF to this machine alone."
    if secrets_singleton.load_if_toml_exists() and "auth" in st.secrets:
        return "Where people sign in, the reviews are not served as IIIF."
    return ""


def _answered(make: Answer) -> Callable[[Request], Response]:
    """An endpoint that answers whom it may, in JSON, faults too."""

    def endpoint(request: Request) -> Response:
        try:
            settings = load_settings()
            refusal = _refusal(request, settings)
            response = _told(refusal, 403) if refusal else make(request, settings)
        except EmovizError as error:
            return _told(str(error), 500)
        origin = request.headers.get("origin")
        named = [one.strip() for one in settings.iiif_origins.split(",")]
        if origin and not refusal and (settings.serve_iiif == "all" or origin in named):
            response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Vary"] = "Origin"
        response.headers["Cache-Control"] = "no-store"
        return response

    return endpoint


def _told(reason: str, status: int) -> Response:
    return JSONResponse({"error": reason}, status)


def _gone() -> Response:
    return _told("There is nothing at this address.", 404)


def _json(value: Mapping[str, Any], context: str = CONTEXT[-1]) -> Response:
    kind = f'application/ld+json;profile="{context}"'
    return Response(json.dumps(value, ensure_ascii=False), media_type=kind)


def _base(request: Request, *parts: str) -> str:
    where = request.scope["root_path"]  # of the mount, below the app's base path
    address = f"{request.url.scheme}://{request.headers['host']}{where}"
    return "/".join((address, *parts))


def _collections(request: Request, settings: Settings) -> Response:
    """All collections that came from IIIF."""
    items = [
        {
            "id": _base(request, row.name, "collection.json"),
            "type": "Collection",
            "label": {"none": [row.title]},
        }
        for row in open_store(settings).collections()
        if row.kind == "iiif"
    ]
    label = {"en": ["Collections under review"]}
    return _json(_collection(_base(request, "collection.json"), label, items))


def _manifests(request: Request, settings: Settings) -> Response:
    """A collection's manifests."""
    name = request.path_params["name"]
    material = _material(settings, name)
    if material is None:
        return _gone()
    items = [
        {
            "id": _base(request, name, "manifests", f"{number}.json"),
            "type": "Manifest",
            "label": {"none": [text_of(read.document.get("label")) or "Untitled"]},
        }
        for number, read in enumerate(_kept(settings, name), start=1)
    ]
    label = {"none": [material.collection.title]}
    found = _collection(_base(request, name, "collection.json"), label, items)
    return _json({**found, "service": _search_service(request, name)})


def _collection(id: str, label: Any, items: list[dict[str, Any]]) -> dict[str, Any]:
    return {"@context": CONTEXT[-1], "id": id, "type": "Collection", "label": label, "items": items}


def _manifest(request: Request, settings: Settings) -> Response:
    """One manifest with its annotations and, in version 3, the search over them."""
    name, number = request.path_params["name"], request.path_params["number"]
    material, kept = _material(settings, name), _kept(settings, name)
    if material is None or not 1 <= number <= len(kept):
        return _gone()
    document, _ = annotated(material, kept[number - 1], _base(request, name), lists=True)
    key = "id" if "id" in document else "@id"
    document[key] = _base(request, name, "manifests", f"{number}.json")
    if key == "id":
        there = document.get("service") or []
        there = there if isinstance(there, list) else [there]
        document["service"] = [*there, *_search_service(request, name)]
    return _json(document)


def _search_service(request: Request, name: str) -> list[dict[str, str]]:
    return [{"id": _base(request, name, "search"), "type": "SearchService2"}]


def _page(request: Request, settings: Settings) -> Response:
    """The annotations of one work."""
    name, number = request.path_params["name"], request.path_params["number"]
    material = _material(settings, name)
    works = material.works if material is not None else ()
    work = next((one for one in works if one.number + 1 == number and one.canvas), None)
    if material is None or work is None:
        return _gone()
    if request.url.path.endswith(".v2.json"):
        return _json(list_of(material, work, _base(request, name)), _CONTEXT_2)
    return _json(page_of(material, work, _base(request, name)))


def _search(request: Request, settings: Settings) -> Response:
    """Annotations that fit, a page at a time, as Content Search 2 says it."""
    name, asked = request.path_params["name"], request.query_params
    material = _material(settings, name)
    if material is None:
        return _gone()
    found = [item for item in _annotations(material, _base(request, name)) if _fits(item, asked)]
    text = asked.get("page", "1")
    page = int(text) if text.isdecimal() and len(text) < 9 else 1
    shown = found[(page - 1) * _AT_ONCE : page * _AT_ONCE] if page else []
    values = {key: asked[key] for key in _KNOWN[:-1] if key in asked}

    def address(number: int) -> str:
        return f"{_base(request, name, 'search')}?{urlencode({**values, 'page': number})}"

    last = max(1, -(-len(found) // _AT_ONCE))
    result: dict[str, Any] = {
        "@context": SEARCH_CONTEXT,
        "id": str(request.url),
        "type": "AnnotationPage",
        "items": shown,
    }
    ignored = [key for key in asked if key not in _KNOWN]
    if ignored:
        result["ignored"] = ignored
    if last > 1:
        ends = {"first": address(1), "last": address(last)}
        result["partOf"] = {
            "id": f"{_base(request, name, 'search')}?{urlencode(values)}",
            "type": "AnnotationCollection",
            "total": len(found),
            **{key: {"id": id, "type": "AnnotationPage"} for key, id in ends.items()},
        }
        result["startIndex"] = (page - 1) * _AT_ONCE
        if page < last:
            result["next"] = {"id": address(page + 1), "type": "AnnotationPage"}
    return _json(result, SEARCH_CONTEXT)


def _annotations(material: Material, base: str) -> Iterator[dict[str, Any]]:
    for work in material.works:
        if work.canvas:
            yield from page_of(material, work, base)["items"]


def _fits(item: Mapping[str, Any], asked: Mapping[str, str]) -> bool:
    """Whether an annotation is what was asked for; every parameter that was given has to hold."""
    motives = item["motivation"] if isinstance(item["motivation"], list) else [item["motivation"]]
    wanted = asked.get("motivation", "").split()
    if wanted and not set(wanted) & set(motives):
        return False
    people = asked.get("user", "").split()
    if people and item["creator"]["id"] not in people:
        return False
    spans = [span.partition("/") for span in asked.get("date", "").split()]
    if spans and not any(start <= item["created"][: len(end)] <= end for start, _, end in spans):
        return False
    # Of an estimate the likeliest emotion alone: each names all, and would fit every word.
    is_estimate = item["creator"]["type"] == "Software"
    bodies = item["body"][1:2] if is_estimate else item["body"]
    text = " ".join(body["value"] for body in bodies).casefold()
    return all(word in text for word in asked.get("q", "").casefold().split())


def _material(settings: Settings, name: str) -> Material | None:
    return _read(settings, name, int(time.monotonic() / _FRESH))


@lru_cache(maxsize=4)
def _read(settings: Settings, name: str, moment: int) -> Material | None:
    """A collection as exports see it; None where there is none. Kept for a moment."""
    store = open_store(settings)
    collection = store.collection(name)
    return gather(store, collection) if collection is not None else None


def _kept(settings: Settings, name: str) -> tuple[ReadManifest, ...]:
    try:
        changed = (collection_folder(settings, name) / "items.jsonl").stat().st_mtime_ns
    except OSError:
        return ()
    return _documents(settings, name, changed)


@lru_cache(maxsize=1)
def _documents(settings: Settings, name: str, changed: int) -> tuple[ReadManifest, ...]:
    """A collection's manifests; kept until it is listed anew."""
    return tuple(kept_manifests(settings, name))


ROUTER = Router(
    [
        Route("/collection.json", _answered(_collections)),
        Route("/{name}/collection.json", _answered(_manifests)),
        Route("/{name}/manifests/{number:int}.json", _answered(_manifest)),
        Route("/{name}/annotations/{number:int}.json", _answered(_page)),
        Route("/{name}/annotations/{number:int}.v2.json", _answered(_page)),
        Route("/{name}/search", _answered(_search)),
    ]
)
