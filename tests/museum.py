"""A small museum on this machine: manifests of versions 2 and 3, and an image server."""

import json
from collections.abc import Callable
from typing import Any

from local_server import Answer, LocalServer

PAINTINGS = (
    ("night", "The Night", "M. K. Čiurlionis", "1905"),
    ("wave", "Great Wave", "Katsushika Hokusai", "1831"),
    ("garden", "=Garden()", "Berthe Morisot", "1884"),
)


def furnish(server: LocalServer, picture: Callable[..., bytes]) -> str:
    """Put a collection of two manifests into a server; gives the collection's address."""
    base = server.address
    for seed, (name, title, artist, date) in enumerate(PAINTINGS):
        server.answers[f"/image/{name}/full/800,/0/default.jpg"] = (
            *(200, {"Content-Type": "image/jpeg"}),
            picture(size=(800, 600), seed=seed),
        )
        server.answers[f"/{name}.json"] = _json(_manifest(base, name, title, artist, date, seed))
    members = [
        {"id": f"{base}/{name}.json", "type": "Manifest", "label": {"en": [title]}}
        for name, title, _, _ in PAINTINGS
    ]
    server.answers["/collection.json"] = _json(
        {
            "@context": "http://iiif.io/api/presentation/3/context.json",
            "id": f"{base}/collection.json",
            "type": "Collection",
            "label": {"en": ["A small museum"]},
            "items": members,
        }
    )
    return f"{base}/collection.json"


def _manifest(base: str, name: str, title: str, artist: str, date: str, seed: int) -> Any:
    """Version 2 for the first painting, version 3 for the others."""
    service = {"@id": f"{base}/image/{name}", "profile": "http://iiif.io/api/image/2/level1.json"}
    size = {"width": 1600, "height": 1200}
    if seed == 0:
        image = {"@id": f"{base}/{name}.jpg", "@type": "dctypes:Image", "service": service, **size}
        canvas = {"@id": f"{base}/canvas/{name}", "images": [{"resource": image}]}
        pairs = [{"label": "Artist", "value": artist}, {"label": "Date", "value": date}]
        return {
            "@context": "http://iiif.io/api/presentation/2/context.json",
            "@id": f"{base}/{name}.json",
            "@type": "sc:Manifest",
            "label": title.replace("Night", "<b>Night</b>"),
            "metadata": pairs,
            "license": "https://creativecommons.org/publicdomain/mark/1.0/",
            "sequences": [{"canvases": [canvas]}],
        }
    service = {"@type": "ImageService2", **service}
    image = {"id": f"{base}/{name}.jpg", "type": "Image", "service": [service], **size}
    canvas = f"{base}/canvas/{name}"
    annotation = {"id": f"{canvas}/image", "type": "Annotation", "motivation": "painting"}
    annotation |= {"body": image, "target": canvas}  # type: ignore[dict-item]
    page = {"id": f"{canvas}/page", "type": "AnnotationPage", "items": [annotation]}
    pairs3 = [
        {"label": {"en": ["Artist"]}, "value": {"none": [artist]}},
        {"label": {"de": ["Datierung"]}, "value": {"none": [date]}},
    ]
    return {
        "@context": "http://iiif.io/api/presentation/3/context.json",
        "id": f"{base}/{name}.json",
        "type": "Manifest",
        "label": {"en": [title]},
        "metadata": pairs3,
        "items": [{"id": canvas, "type": "Canvas", **size, "items": [page]}],
    }


def _json(value: Any) -> Answer:
    return 200, {"Content-Type": "application/json"}, json.dumps(value).encode()
