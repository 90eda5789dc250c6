"""IIIF Presentation 2 and 3: manifests and collections, however nested, as items.

Read by hand, not by a validating library: what museums publish departs from the specifications
in a hundred ways, and a painting whose manifest has a wrong date is still worth looking at.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from emoviz.data.importers import Found, Item, Problem
from emoviz.data.importers.iiif_images import place_of
from emoviz.data.importers.iiif_texts import pairs, text_of
from emoviz.errors import EmovizError, TableError

# Gives the JSON at an address, or raises an `EmovizError` with the reason.
Load = Callable[[str], Any]


@dataclass(frozen=True)
class IiifCaps:
    """Where reading ends, so that no source keeps a machine busy for ever.

    Attributes:
        depth: Collections inside collections.
        documents: Fetched in all.
        items: Images in all.
    """

    depth: int = 8
    documents: int = 10_000
    items: int = 100_000


@dataclass(frozen=True)
class _About:
    """What a manifest says of all its canvases."""

    address: str
    title: str
    known: Mapping[str, str]
    others: Mapping[str, str]
    rights: str
    page: str
    collection: str


def read_iiif(address: str, load: Load, caps: IiifCaps | None = None) -> Iterator[Found]:
    """Every image of a manifest or collection, in its order, each canvas once.

    Args:
        address: Of the manifest or collection.
        load: Called for it, and for whatever it refers to.
        caps: Where reading ends; what was left out is then a problem.

    Yields:
        Items, and problems: of documents that cannot be read and of canvases without an image.
    """
    caps = caps or IiifCaps()
    walk = _Walk(load, caps)
    for number, found in enumerate(walk.document(address, (), "")):
        if number >= caps.items:
            yield Problem(address, f"it has more than {caps.items:,} images; the rest is left out")
            return
        yield found


class _Walk:
    """One reading, which remembers where it has been."""

    def __init__(self, load: Load, caps: IiifCaps) -> None:
        self._load, self._caps = load, caps
        self._seen: set[str] = set()
        self._canvases: set[str] = set()
        self._loaded = 0

    def document(self, address: str, above: tuple[str, ...], within: str) -> Iterator[Found]:
        """What a document holds; `above` are the collections that lead to it."""
        if address in above:
            yield Problem(address, "it names itself, directly or by others; it is read once")
            return
        if address in self._seen or self._loaded > self._caps.documents:
            return
        if len(above) > self._caps.depth:
            reason = f"collections are nested more than {self._caps.depth} deep here"
            yield Problem(address, f"{reason}; it is left out")
            return
        try:
            value = self._document(address)
        except EmovizError as error:
            yield Problem(address, str(error))
            return
        yield from self._resource(value, address, above, within)

    def _resource(
        self, value: Any, address: str, above: tuple[str, ...], within: str
    ) -> Iterator[Found]:
        kind = _kind(value)
        if kind == "collection":
            yield from self._collection(value, address, (*above, address), within)
        elif kind == "manifest":
            yield from self._manifest(value, _id(value) or address, within)
        else:
            what = f"a '{kind[:40]}'" if kind else "something else"
            yield Problem(address, f"it is no IIIF manifest or collection, but {what}")

    def _collection(
        self, value: Mapping[str, Any], address: str, above: tuple[str, ...], within: str
    ) -> Iterator[Found]:
        title = text_of(value.get("label")) or within
        members = [
            row
            for key in ("items", "members", "collections", "manifests")
            for row in _dicts(value.get(key))
        ]
        for member in members:
            yield from self._member(member, above, title)
        for key in ("first", "next"):  # pages of version 2.1
            page = _reference(value.get(key))
            if page and page not in self._seen:
                yield from self.document(page, above, title)
        if not members and not _reference(value.get("first")):
            yield Problem(address, "the collection is empty")

    def _member(
        self, member: Mapping[str, Any], above: tuple[str, ...], within: str
    ) -> Iterator[Found]:
        address = _id(member)
        whole = any(member.get(key) for key in ("items", "sequences", "members", "manifests"))
        if not address and not whole:
            yield Problem(above[-1], "a member of the collection has no address")
        elif address in above or not whole:
            yield from self.document(address, above, within)
        elif len(above) > self._caps.depth:
            yield Problem(address or above[-1], "collections are nested too deep here")
        elif not address or address not in self._seen:
            self._seen.add(address)
            yield from self._resource(member, address or above[-1], above, within)

    def _manifest(self, value: Mapping[str, Any], address: str, within: str) -> Iterator[Found]:
        canvases = _dicts(value.get("items")) or [
            canvas
            for sequence in _dicts(value.get("sequences"))
            for canvas in _dicts(sequence.get("canvases"))
        ]
        if not canvases:
            yield Problem(address, "the manifest has no canvases")
        about = _about(value, address, within)
        for number, canvas in enumerate(canvases, start=1):
            key = _id(canvas) or f"{address}#canvas-{number}"
            if key in self._canvases:
                continue
            self._canvases.add(key)
            yield from self._canvas(canvas, key, about, number if len(canvases) > 1 else 0)

    def _canvas(
        self, canvas: Mapping[str, Any], key: str, about: _About, number: int
    ) -> Iterator[Found]:
        """The images of a canvas; `number` is its place among several, 0 where it is alone."""
        try:
            bodies = list(self._bodies(canvas))
        except EmovizError as error:
            yield Problem(key, str(error))
            return
        images = [body for body in bodies if _is_image(body)]
        if not images:
            other = ", ".join(sorted({_type(body) or "nothing" for body in bodies})) or "nothing"
            yield Problem(key, f"the canvas shows no image, but {other[:80]}")
            return
        item = _item(canvas, key, about, number)
        for shown, body in enumerate(images, start=1):
            place = place_of(body)
            if not (place.url or place.service):
                yield Problem(key, "the image on the canvas has no address")
                continue
            own = key if len(images) == 1 else f"{key}#image-{shown}"
            yield replace(item, key=own, place=place)

    def _bodies(self, canvas: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        for annotation in _dicts(canvas.get("images")):  # version 2
            yield from _resolved(annotation.get("resource"))
        for page in _dicts(canvas.get("items")):  # version 3
            if "items" not in page and _id(page):
                page = self._document(_id(page))
            for annotation in _dicts(page.get("items")) if isinstance(page, Mapping) else ():
                if "painting" in str(annotation.get("motivation", "painting")):
                    yield from _resolved(annotation.get("body"))

    def _document(self, address: str) -> Any:
        """The JSON at an address; past the cap it is told once, and silent from then on."""
        self._loaded += 1
        if self._loaded > self._caps.documents:
            raise TableError(f"more than {self._caps.documents:,} documents; the rest is left out")
        self._seen.add(address)
        return self._load(address)


def _about(value: Mapping[str, Any], address: str, within: str) -> _About:
    known, others = pairs(value.get("metadata"))
    statement = value.get("requiredStatement")
    said = text_of(statement.get("value")) if isinstance(statement, Mapping) else ""
    rights = _licence(value.get("rights")) or _licence(value.get("license"))
    summary = text_of(value.get("summary")) or text_of(value.get("description"))
    return _About(
        address=address,
        title=text_of(value.get("label")) or known.get("title", ""),
        known={"date": text_of(value.get("navDate"))[:10], **known},
        others={**others, **({"summary": summary} if summary else {})},
        rights=rights or known.get("rights", "") or said or text_of(value.get("attribution")),
        page=_reference(value.get("homepage")) or _reference(value.get("related")),
        collection=within,
    )


def _item(canvas: Mapping[str, Any], key: str, about: _About, number: int) -> Item:
    """A canvas's own words go before those of its manifest."""
    known, others = pairs(canvas.get("metadata"))
    title = known.get("title", "") or _title(text_of(canvas.get("label")), about.title, number)
    collection = {"collection": about.collection} if about.collection else {}
    return Item(
        key=key,
        place=place_of({}),
        title=title,
        artist=known.get("artist") or about.known.get("artist", ""),
        date=known.get("date") or about.known.get("date", ""),
        rights=_licence(canvas.get("rights")) or known.get("rights", "") or about.rights,
        canvas=_id(canvas),
        manifest=about.address,
        page=_reference(canvas.get("homepage")) or about.page,
        metadata={**collection, **about.others, **others},
    )


def _title(label: str, whole: str, number: int) -> str:
    """The manifest's title; of several canvases with the label, or the place where it says nothing.

    Libraries label thousands of pages "-" or "n/a", which would leave all titles alike.
    """
    if not number:
        return whole or label
    says = any(letter.isalnum() for letter in label) and label.casefold() not in ("n/a", "none")
    return ", ".join(filter(None, (whole, label if says and label != whole else str(number))))


def _licence(value: Any) -> str:
    """A licence's address, also where it was written as an HTML link."""
    found = _reference(value)
    link = re.search(r"""<a\s[^>]*href=["']?(https?://[^"'\s>]+)""", found, re.IGNORECASE)
    return link[1] if link else text_of(found)


def _resolved(body: Any) -> Iterator[Mapping[str, Any]]:
    """The resources that are shown: of a choice the first, of a part the whole that it is of."""
    for part in body if isinstance(body, list) else [body]:
        if isinstance(part, str):
            yield {"id": part, "type": "Image"}
        elif isinstance(part, Mapping):
            kind = _type(part)
            if kind.endswith("Choice"):
                options = part.get("default") or part.get("items") or part.get("item")
                yield from _resolved(options[:1] if isinstance(options, list) else options)
            elif kind.endswith("SpecificResource") and (part.get("source") or part.get("full")):
                yield from _resolved(part.get("source") or part.get("full"))
            else:
                yield part


def _is_image(body: Mapping[str, Any]) -> bool:
    return "Image" in _type(body) or str(body.get("format", "")).startswith("image/")


def _kind(value: Any) -> str:
    """``collection``, ``manifest``, or what else it says that it is."""
    if not isinstance(value, Mapping):
        return ""
    kind = _type(value).rpartition(":")[2].casefold()
    if kind in ("collection", "manifest"):
        return kind
    if "sequences" in value:
        return "manifest"
    return "collection" if "manifests" in value or "collections" in value else kind


def _type(value: Mapping[str, Any]) -> str:
    kind = value.get("type") or value.get("@type") or ""
    return " ".join(map(str, kind)) if isinstance(kind, list) else str(kind)


def _id(value: Mapping[str, Any]) -> str:
    found = value.get("id") or value.get("@id") or ""
    return found.strip() if isinstance(found, str) else ""


def _reference(value: Any) -> str:
    """An address, written as text, as an object, or as a list of which the first counts."""
    first = value[0] if isinstance(value, list) and value else value
    if isinstance(first, Mapping):
        return _id(first)
    return first.strip() if isinstance(first, str) else ""


def _dicts(value: Any) -> list[Mapping[str, Any]]:
    """What there is of objects; a reference written as text is one with that id."""
    rows = value if isinstance(value, list) else [value]
    named = [{"id": row} if isinstance(row, str) and row else row for row in rows]
    return [row for row in named if isinstance(row, Mapping)]
