"""The IIIF Image API, versions 1 to 3: which service an image has, and asking it for a size.

Levels 1 and 2 scale to any width. Level 0 has some sizes ready, or only the image as it is; what
the manifest does not say, the service's own ``info.json`` does.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from emoviz.data.importers import Place
from emoviz.errors import FetchError

NIL = ("", "rdf:nil", "http://www.w3.org/1999/02/22-rdf-syntax-ns#nil")
_FULL = {1: "full", 2: "full", 3: "max"}  # how the versions call the whole image


def place_of(body: Mapping[str, Any]) -> Place:
    """Where the image of an annotation's body is.

    Args:
        body: An image resource of a manifest, with its service where it has one.
    """
    url = id_of(body)
    service = next(filter(None, map(_as_service, listed(body.get("service")))), None)
    if service is None and "ImageService" in str(body.get("type") or body.get("@type")):
        url, service = "", body
    width, height = _number(body.get("width")), _number(body.get("height"))
    if service is None:
        return Place(url=url, width=width, height=height)
    return Place(
        url=url,
        service=id_of(service).rstrip("/").removesuffix("/info.json").rstrip("/"),
        version=_version(service),
        level=_level(service),
        width=_number(service.get("width")) or width,
        height=_number(service.get("height")) or height,
        sizes=_sizes(service),
    )


def requests_of(place: Place, side: int, info: Callable[[str], Mapping[str, Any]]) -> Iterator[str]:
    """Addresses to try for an image, the best first; the next one is only needed if one fails.

    Args:
        place: Of the image.
        side: Its long side in pixels, about; never more than the image has.
        info: Fetches a service's ``info.json``; called only where the manifest does not say
            enough, where what it says is smaller than `side`, or turned out wrong.
    """
    told: set[str] = set()
    for address in _candidates(place, side, info):
        if address and address not in told:
            told.add(address)
            yield address


def _candidates(place: Place, side: int, info: Callable[[str], Mapping[str, Any]]) -> Iterator[str]:
    if place.service:
        # A manifest that says less than is needed often speaks of a small copy; the service's
        # whole image, asked for on its word, may be the scan of a hundred megapixels.
        large = max(place.width, place.height) >= side and min(place.width, place.height) > 0
        if large and (place.level > 0 or place.sizes):
            yield _request(place, side)
        try:
            known = info(f"{place.service}/info.json")
        except FetchError:
            if not place.url:
                raise
        else:
            yield _request(_informed(place, known), side, _most(known))
    yield place.url


def _request(place: Place, side: int, most: float = 1.0) -> str:
    """The address of the whole image at a size; `most` is the share that the service allows."""
    quality = "native" if place.version == 1 else "default"
    size = _size(place, side, most)
    return f"{place.service}/full/{size}/0/{quality}.jpg"


def _size(place: Place, side: int, most: float) -> str:
    version = place.version
    ready = sorted(place.sizes, key=max)
    if place.level == 0 and ready:
        width, height = next((size for size in ready if max(size) >= side), ready[-1])
        return f"{width},{height}" if version == 3 else f"{width},"
    if place.level == 0 or not (place.width and place.height):
        return _FULL.get(version, "full")
    scale = min(side / max(place.width, place.height), most)
    return _FULL.get(version, "full") if scale >= 1 else f"{max(1, round(place.width * scale))},"


def _informed(place: Place, info: Mapping[str, Any]) -> Place:
    """The place by what the service says of itself."""
    level = _level(info)
    return Place(
        service=place.service,
        version=_version(info) if "@context" in info else place.version,
        level=level if level >= 0 else place.level,
        width=_number(info.get("width")) or place.width,
        height=_number(info.get("height")) or place.height,
        sizes=_sizes(info),
    )


def _most(info: Mapping[str, Any]) -> float:
    """The largest share of the whole that a service gives out: maxWidth, maxHeight, maxArea."""
    width, height = _number(info.get("width")), _number(info.get("height"))
    if not (width and height):
        return 1.0
    rules = [info, *(row for row in listed(info.get("profile")) if isinstance(row, Mapping))]
    shares = [1.0]
    for rule in rules:
        wide = _number(rule.get("maxWidth"))
        high = _number(rule.get("maxHeight")) or wide
        area = _number(rule.get("maxArea"))
        shares += [wide / width] if wide else []
        shares += [high / height] if high else []
        shares += [(area / (width * height)) ** 0.5] if area else []
    share = min(shares)
    return share if share >= 1 else share * 0.999  # rounded up it would be one pixel too wide


def is_image_service(value: Any) -> bool:
    """Whether something that a resource names as its service gives images."""
    return _as_service(value) is not None


def _as_service(value: Any) -> Mapping[str, Any] | None:
    """The value where it is an Image API service; others (search, login) are none."""
    if isinstance(value, str):
        value = {"id": value}
    if not isinstance(value, Mapping) or not id_of(value):
        return None
    named = _named(value)
    is_image = re.search(r"image|level[012]", named, re.IGNORECASE)
    return value if is_image or not named.strip() else None


def _named(service: Mapping[str, Any]) -> str:
    return " ".join(str(service.get(key, "")) for key in ("@context", "type", "@type", "profile"))


def _version(service: Mapping[str, Any]) -> int:
    named = _named(service)
    if re.search(r"ImageService3|image/3", named):
        return 3
    return 1 if re.search(r"ImageService1|image/1|image-api/1|stanford", named) else 2


def _level(service: Mapping[str, Any]) -> int:
    for value in listed(service.get("profile")):
        pattern = r"level([012])" if isinstance(value, str) else r"compliance.*#level([012])"
        if found := re.search(pattern, str(value)):
            return int(found[1])
    return -1


def _sizes(service: Mapping[str, Any]) -> tuple[tuple[int, int], ...]:
    rows = [row for row in listed(service.get("sizes")) if isinstance(row, Mapping)]
    sizes = [(_number(row.get("width")), _number(row.get("height"))) for row in rows]
    return tuple((width, height) for width, height in sizes if width and height)


def id_of(value: Mapping[str, Any]) -> str:
    """The id of a resource, "" where it has none or that of nothing."""
    found = value.get("id") or value.get("@id") or ""
    return found.strip() if isinstance(found, str) and found.strip() not in NIL else ""


def listed(value: Any) -> list[Any]:
    """A list, also as JSON-LD writes one; what is alone is the only one of its list."""
    if isinstance(value, Mapping) and isinstance(value.get("@list", value.get("@set")), list):
        value = value.get("@list", value.get("@set"))
    return value if isinstance(value, list) else [] if value is None else [value]


def _number(value: Any) -> int:
    """A size in pixels, also written as text; 0 where it is none that an image can have."""
    if isinstance(value, str) and re.fullmatch(r"\s*\d{1,7}(\.0*)?\s*", value):
        value = float(value)
    good = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e7
    return int(value) if good else 0
