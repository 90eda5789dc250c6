"""IIIF Presentation 2 and 3: manifests and collections, however nested or paged, as items.

Read by hand, not by a validating library: what museums publish departs from the specifications
in a hundred ways, and a painting whose manifest has a wrong date is still worth looking at.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from itertools import chain, count
from typing import Any
from urllib.parse import urljoin, urlsplit

from emoviz.data.importers import Found, Item, Problem
from emoviz.data.importers.iiif_images import NIL, id_of, is_image_service, listed, place_of
from emoviz.data.importers.iiif_texts import pairs, says_something, text_of
from emoviz.data.importers.restrictions import is_restricting
from emoviz.errors import EmovizError, TableError

# Gives the JSON at an address, or raises an `EmovizError` with the reason.
Load = Callable[[str], Any]

_MEMBERS = ("items", "members", "collections", "manifests")
_OTHER = re.compile(r"\.(mp[34]|m4[av]|webm|og[agv]|wav|mov|pdf|txt|html?|json|xml|glb|obj)$")


@dataclass(frozen=True)
class IiifCaps:
    """Where reading ends, so that no source keeps a machine busy for ever.

    Attributes:
        depth: Collections inside collections; pages of one are not inside each other.
        documents: Fetched at most beyond two for each image that they brought.
        items: Images in all.
    """

    depth: int = 8
    documents: int = 10_000
    items: int = 100_000


@dataclass(frozen=True)
class ReadManifest:
    """A manifest as its museum wrote it.

    Attributes:
        address: Where it is, or its id where it stood inside a collection.
        document: All of it.
        canvases: Key, as of the `Item` that came of it without ``#image-...`` -> the canvas, which
            is a part of `document`.
    """

    address: str
    document: Mapping[str, Any]
    canvases: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class _Said:
    """What a collection says of what it holds.

    Attributes:
        above: Addresses of the collections that lead there.
        title: Of the collection.
        label: That the collection gives the member.
        credit: Its ``rights``, ``attribution`` and ``provider``.
    """

    above: tuple[str, ...] = ()
    title: str = ""
    label: str = ""
    credit: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _About:
    """What a manifest says of its canvases, `canvases` in number."""

    address: str
    title: str
    canvases: int
    known: Mapping[str, str]
    others: Mapping[str, str]
    credit: Mapping[str, str]
    summary: str
    page: str
    collection: str


def read_iiif(
    address: str,
    load: Load,
    caps: IiifCaps | None = None,
    tell: Callable[[ReadManifest], None] | None = None,
) -> Iterator[Found]:
    """Every image of a manifest or collection, in its order.

    An id is taken to be unique within its document alone: canvases that share one are all read.
    What several collections name is read once.

    Args:
        address: Of the manifest or collection.
        load: Called for it, and for whatever it refers to.
        caps: Where reading ends; what was left out is then a problem.
        tell: Given each manifest once its canvases have been read.

    Yields:
        Items, and problems: of documents that cannot be read and of canvases without an image.
    """
    caps = caps or IiifCaps()
    walk = _Walk(load, caps, tell)
    try:
        for number, found in enumerate(walk.document(address, _Said())):
            if number >= caps.items:
                reason = f"it has more than {caps.items:,} images; the rest is left out"
                yield Problem(address, reason)
                return
            walk.taken += isinstance(found, Item)
            yield found
    except RecursionError:
        yield Problem(address, "its parts lie too deep in one another; the rest is left out")


class _Walk:
    """One reading, which remembers where it has been."""

    def __init__(
        self, load: Load, caps: IiifCaps, tell: Callable[[ReadManifest], None] | None
    ) -> None:
        self._load, self._caps, self._tell = load, caps, tell
        self._seen: set[str] = set()
        self._inside: set[tuple[str, str]] = set()
        self._keys: set[str] = set()
        self._loaded = 0
        self.taken = 0

    def document(self, address: str, said: _Said) -> Iterator[Found]:
        """What a document holds."""
        if address in said.above:
            yield Problem(address, "it names itself, directly or by others; it is read once")
            return
        if address in self._seen or self._is_over:
            return
        if len(said.above) > self._caps.depth:
            reason = f"collections are nested more than {self._caps.depth} deep here"
            yield Problem(address, f"{reason}; it is left out")
            return
        try:
            value = self._document(address)
        except EmovizError as error:
            yield Problem(address, str(error))
            return
        try:
            yield from self._resource(value, address, said)
        except RecursionError:
            yield Problem(address, "its parts are nested too deep to be read to the end")

    def _resource(self, value: Any, address: str, said: _Said) -> Iterator[Found]:
        kind = _kind(value)
        if kind == "collection":
            yield from self._collection(value, address, said)
        elif kind == "manifest":
            yield from self._manifest(value, address, said)
        else:
            yield Problem(address, "it is no IIIF manifest or collection")

    def _collection(self, value: Mapping[str, Any], address: str, said: _Said) -> Iterator[Found]:
        title = text_of(value.get("label")) or said.label or said.title
        # A collection's licence often is that of its descriptions alone; what it forbids holds.
        own = _credit(value, pairs(value.get("metadata"))[0])
        credit = _narrowed(own, {"rights": ""}, "collection")
        within = _Said((*said.above, address), title, "", {**said.credit, **credit})
        empty = True
        for found, base in self._pages(value, address):
            empty = False
            if isinstance(found, Problem):
                yield found
            else:
                label = text_of(found.get("label"))
                yield from self._member(found, base, replace(within, label=label))
        if empty:
            yield Problem(address, "the collection is empty")

    def _pages(
        self, value: Mapping[str, Any], address: str
    ) -> Iterator[tuple[Mapping[str, Any] | Problem, str]]:
        """A collection's members, each with the address of the document that names it.

        Pages follow each other and are not inside each other, however many there are.
        """
        waiting: list[tuple[Mapping[str, Any], str]] = [(value, address)]
        told = {address}
        while waiting:
            part, base = waiting.pop(0)
            for key in _MEMBERS:
                for member in _dicts(part.get(key)):
                    yield member, base
            for key in ("first", "next"):
                place = _joined(base, _reference(part.get(key)))
                row = next(iter(_dicts(part.get(key))), {})
                inside = any(row.get(name) for name in (*_MEMBERS, "next"))
                if not (place or inside):
                    continue
                if place in told:
                    if key == "next":
                        yield Problem(place, "its pages lead back to it; they are read once"), base
                    continue
                told.add(place)
                try:
                    page = row if inside else self._document(place)
                except EmovizError as error:
                    reason = f"a page of the collection: {error}; what follows it is left out"
                    yield Problem(place, reason), base
                    continue
                if not isinstance(page, Mapping) or _kind(page) == "manifest":
                    yield Problem(place, "it is no page of a IIIF collection"), base
                    continue
                waiting.append((page, place or base))

    def _member(self, member: Mapping[str, Any], base: str, said: _Said) -> Iterator[Found]:
        address = _joined(base, id_of(member))
        whole = any(member.get(key) for key in (*_MEMBERS, "sequences"))
        if not address and not whole:
            yield Problem(said.above[-1], "a member of the collection has no address")
        elif not whole or (address in said.above and _kind(member) != "manifest"):
            yield from self.document(address, said)
        elif len(said.above) > self._caps.depth:
            yield Problem(address or said.above[-1], "collections are nested too deep here")
        elif address not in self._seen:
            print_of = (address, sha256(json.dumps(member).encode()).hexdigest())
            if print_of not in self._inside:
                self._inside.add(print_of)
                yield from self._resource(member, address or base, said)

    def _manifest(self, value: Mapping[str, Any], address: str, said: _Said) -> Iterator[Found]:
        canvases = list(self._canvases(value, address))
        if not canvases:
            yield Problem(address, "the manifest has no canvases")
        own = address if re.match("https?:", address) else id_of(value) or address
        about = _about(value, own, len(canvases), said)
        keys = {}
        for number, canvas in enumerate(canvases, start=1):
            key = self._key(canvas, own, number)
            keys[key] = canvas
            yield from self._canvas(canvas, key, about, number)
        if self._tell is not None:
            self._tell(ReadManifest(own, value, keys))

    def _canvases(self, value: Mapping[str, Any], address: str) -> Iterator[Mapping[str, Any]]:
        """All of version 3; of version 2 those of each sequence that no earlier one has."""
        yield from _dicts(value.get("items"))
        seen: set[str] = set()
        for sequence in _dicts(value.get("sequences")):
            place = _joined(address, id_of(sequence))
            if "canvases" not in sequence and place and not seen:
                try:
                    loaded = self._document(place)
                except EmovizError:
                    continue
                sequence = loaded if isinstance(loaded, Mapping) else sequence
            rows = [row for row in _dicts(sequence.get("canvases")) if id_of(row) not in seen]
            yield from rows
            seen.update(filter(None, map(id_of, rows)))

    def _key(self, canvas: Mapping[str, Any], manifest: str, number: int) -> str:
        """What the canvas is called for good; its own id where that can be told from others."""
        id, place = id_of(canvas), f"{manifest}#canvas-{number}"
        first = (id if ":" in id else f"{manifest}#{id}") if id else place
        names = chain((first, place), (f"{place}-{again}" for again in count(2)))
        key = next(name for name in names if name not in self._keys)
        self._keys.add(key)
        return key

    def _canvas(
        self, canvas: Mapping[str, Any], key: str, about: _About, number: int
    ) -> Iterator[Found]:
        """The images of a canvas; `number` is its place in the manifest, from 1."""
        try:
            bodies = list(self._bodies(canvas, about.address))
        except EmovizError as error:
            yield Problem(key, str(error))
            return
        images = [body for body in bodies if _is_image(body)]
        rest = sorted({_type(body) or "nothing" for body in bodies if not _is_image(body)})
        others = ", ".join(kind for kind in rest if not images or "Text" not in kind)[:80]
        if not images:
            yield Problem(key, f"the canvas shows no image, but {others or 'nothing'}")
        elif others:
            yield Problem(key, f"beside its image the canvas shows {others}")
        item = _item(canvas, key, about, number)
        for shown, body in enumerate(images, start=1):
            place = place_of(body)
            if not (place.url or place.service):
                yield Problem(key, "the image on the canvas has no address")
                continue
            url, service = (_joined(about.address, one) for one in (place.url, place.service))
            own = key if len(images) == 1 else f"{key}#image-{shown}"
            yield replace(item, key=own, place=replace(place, url=url, service=service))

    def _bodies(self, canvas: Mapping[str, Any], base: str) -> Iterator[Mapping[str, Any]]:
        for annotation in _dicts(canvas.get("images")):  # version 2
            yield from _resolved(annotation.get("resource"))
        for first in _dicts(canvas.get("items")):  # version 3
            for annotation in self._annotations(first, base):
                if "painting" in str(annotation.get("motivation", "painting")):
                    yield from _resolved(annotation.get("body"))

    def _annotations(self, page: Mapping[str, Any], base: str) -> Iterator[Mapping[str, Any]]:
        """Of a page of annotations, and of those that follow it."""
        told: set[str] = set()
        while True:
            place = _joined(base, id_of(page))
            whole = self._document(place) if "items" not in page and place else page
            if not isinstance(whole, Mapping):
                return
            told.add(place)
            yield from _dicts(whole.get("items"))
            page = next(iter(_dicts(whole.get("next"))), {})
            if not page or _joined(base, id_of(page)) in told:
                return

    def _document(self, address: str) -> Any:
        """The JSON at an address; past the cap it is told once, and silent from then on."""
        self._loaded += 1
        if self._is_over:
            raise TableError(
                f"more than {self._caps.documents:,} documents brought no image; "
                "the rest is left out"
            )
        self._seen.add(address)
        return self._load(address)

    @property
    def _is_over(self) -> bool:
        return self._loaded - 2 * self.taken > self._caps.documents


def _about(value: Mapping[str, Any], address: str, canvases: int, said: _Said) -> _About:
    known, others = pairs(value.get("metadata"))
    label = text_of(value.get("label")) or known.get("title", "") or said.label or said.title
    return _About(
        address=address,
        title=label,
        canvases=canvases,
        known={"date": text_of(value.get("navDate"))[:10], **known},
        others=others,
        credit={**said.credit, **_credit(value, known)},
        summary=text_of(value.get("summary")) or text_of(value.get("description")),
        page=_reference(value.get("homepage")) or _reference(value.get("related")),
        collection=said.title,
    )


def _item(canvas: Mapping[str, Any], key: str, about: _About, number: int) -> Item:
    """A canvas's own words go before those of its manifest."""
    known, others = pairs(canvas.get("metadata"))
    label = text_of(canvas.get("label"))
    title = known.get("title", "") or _title(label, about, number)
    credit = _narrowed(about.credit, _credit(canvas, known), "whole")
    rights = credit.pop("rights", "")
    summary = text_of(canvas.get("summary")) or text_of(canvas.get("description"))
    alone = about.canvases == 1
    own = {
        "part of": "" if alone and title == about.title else about.title,
        "collection": about.collection,
        **credit,
        "summary": summary or (about.summary if alone else ""),
        # Said once, not on each of a thousand pages.
        "summary of the whole": about.summary if number == 1 and not alone else "",
    }
    own = {name: text for name, text in own.items() if text}
    return Item(
        key=key,
        place=place_of({}),
        title=title,
        artist=known.get("artist") or about.known.get("artist", ""),
        date=known.get("date") or text_of(canvas.get("navDate"))[:10] or about.known["date"],
        rights=rights,
        canvas=id_of(canvas),
        manifest=about.address,
        page=_reference(canvas.get("homepage")) or about.page,
        metadata={**own, **about.others, **others, **own},
    )


def _title(label: str, about: _About, number: int) -> str:
    """The canvas's label; where that says nothing, the manifest's with it or the place.

    Libraries label thousands of pages "-", "n/a" or "12r", which would leave all titles alike.
    """
    if not about.title or (says_something(label) and label != about.title):
        return label
    if about.canvases == 1:
        return about.title
    shown = any(map(str.isalnum, label)) and label.casefold() not in ("n/a", "none")
    shown = shown and label != about.title
    return f"{about.title}, {label if shown else number}"


def _credit(value: Mapping[str, Any], known: Mapping[str, str]) -> dict[str, str]:
    """Who has to be named, whose it is, and what may be done with it, as far as it says.

    Args:
        value: A collection, manifest or canvas.
        known: What its metadata says of ``rights``.
    """
    licences = map(_licence, [*listed(value.get("rights")), *listed(value.get("license"))])
    licence = "; ".join(dict.fromkeys(filter(None, licences)))
    own = known.get("rights", "")
    agents = listed(value.get("provider"))
    agents = [agent.get("label") if isinstance(agent, Mapping) else agent for agent in agents]
    found = {
        "rights": licence or own,
        "attribution": _statement(value) or text_of(value.get("attribution")),
        "provider": "; ".join(filter(None, map(text_of, agents))),
        "rights statement": own if licence and own != licence else "",
    }
    return {name: text for name, text in found.items() if text}


def _statement(value: Mapping[str, Any]) -> str:
    """What has to be shown with it, after its label where that says more than "Attribution"."""
    statement = next(iter(_dicts(value.get("requiredStatement"))), {})
    label, said = text_of(statement.get("label")), text_of(statement.get("value"))
    plain = label.casefold().strip(": ") in ("", "attribution", "credit", "required statement")
    return said if plain or not said else f"{label.strip(': ')}: {said}"


def _narrowed(above: Mapping[str, str], own: Mapping[str, str], what: str) -> dict[str, str]:
    """The credit of a part: its own goes before that of the whole, whose restrictions hold."""
    whole = above.get("rights", "")
    lost = whole != own.get("rights", whole) and is_restricting(whole)
    return {**above, **own, **({f"rights of the {what}": whole} if lost else {})}


def _licence(value: Any) -> str:
    """A licence's address, also where it was written as an HTML link."""
    found = _reference(value) or (text_of(value) if isinstance(value, Mapping) else "")
    link = re.search(r"""<a\s[^>]*href=["']?(https?://[^"'\s>]+)""", found, re.IGNORECASE)
    return link[1] if link else text_of(found)


def _resolved(body: Any) -> Iterator[Mapping[str, Any]]:
    """The resources that are shown: of a choice the first, of a part the whole that it is of."""
    for part in _dicts(body):
        kind = _type(part)
        if kind.endswith("Choice"):
            options = [
                row for name in ("default", "items", "item") for row in _dicts(part.get(name))
            ]
            yield from _resolved(options[:1])
        elif kind.endswith("SpecificResource") and (part.get("source") or part.get("full")):
            yield from _resolved(part.get("source") or part.get("full"))
        else:
            yield part


def _is_image(body: Mapping[str, Any]) -> bool:
    """Whether it says so, has an image service, or says nothing and has no other kind's name."""
    kind = _type(body).casefold()
    form = str(body.get("format") or "").casefold()
    if "image" in kind or form.startswith("image/"):
        return True
    if any(is_image_service(service) for service in listed(body.get("service"))):
        return True
    try:
        path = urlsplit(id_of(body)).path.casefold()
    except ValueError:  # no address: http://[
        return False
    return bool(path) and not kind and not form and not _OTHER.search(path)


def _kind(value: Any) -> str:
    """``collection``, ``manifest``, or what else it says that it is."""
    if not isinstance(value, Mapping):
        return ""
    kind = _type(value).rpartition(":")[2].rpartition("/")[2].casefold()
    if kind in ("collection", "manifest"):
        return kind
    if "sequences" in value:
        return "manifest"
    if "manifests" in value or "collections" in value:
        return "collection"
    first = next((_type(row) for row in _dicts(value.get("items"))), "") if not kind else ""
    return {"Canvas": "manifest", "Manifest": "collection", "Collection": "collection"}.get(
        first, kind
    )


def _type(value: Mapping[str, Any]) -> str:
    kind = value.get("type") or value.get("@type") or ""
    return " ".join(map(str, kind)) if isinstance(kind, list) else str(kind)


def _joined(base: str, address: str) -> str:
    """An address as seen from the document that names it."""
    try:
        return urljoin(base, address) if address else ""
    except ValueError:
        return address


def _reference(value: Any) -> str:
    """An address, written as text, as an object, or as a list of which the first counts."""
    return next(map(id_of, _dicts(value)), "")


def _dicts(value: Any) -> list[Mapping[str, Any]]:
    """What there is of objects; a reference written as text is one with that id, nil is none."""
    named = [{"id": row} if isinstance(row, str) else row for row in listed(value)]
    rows = [row for row in named if isinstance(row, Mapping)]
    return [row for row in rows if len(row) > 1 or (row.get("id") or row.get("@id")) not in NIL]
