"""IIIF from the network: documents and images, asked for once and kept; an address as a Dataset."""

import contextlib
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from emoviz.data.dataset import UNLABELLED, Dataset, Problem, Record
from emoviz.data.fetch import Fetcher, checked_url, url_digest
from emoviz.data.images import Limits, open_image, read_file
from emoviz.data.importers import Item, Place
from emoviz.data.importers.content_state import address_in
from emoviz.data.importers.iiif import read_iiif
from emoviz.data.importers.iiif_images import requests_of
from emoviz.data.sources import is_address, unpacked
from emoviz.errors import EmovizError, FetchError, ImageError, TableError
from emoviz.files import read_json, replaced_file, write_json
from emoviz.settings import Settings

SIDE = 1280  # long side in pixels at which images are asked for
_DOCUMENT = 50_000_000  # bytes of a manifest at most
_DAY = 24 * 3600.0
_SMALL = 64  # a decoded side that shows whether bytes are an image
_OWN = ("title", "artist", "style", "date", "rights", "canvas", "manifest", "page")
Opened = TypeVar("Opened")


class Documents:
    """IIIF documents by their addresses, kept so that a second try asks for none twice.

    Args:
        folder: Where they are kept.
        fetcher: Fetches those that are not; None where only what is kept counts.
        source: What the person named, alone of all may be a file of this machine: a document that
            names one reads nothing here.
        valid: Seconds for which one that is kept is not asked for again.
    """

    def __init__(
        self, folder: Path, fetcher: Fetcher | None, source: str, valid: float = float("inf")
    ) -> None:
        self._folder, self._fetcher = folder, fetcher
        self._source, self._valid, self._fresh = source, valid, set[str]()

    def load(self, address: str) -> Any:
        """The JSON there; `FetchError` with the reason where there is none."""
        if address == self._source and not is_address(address):
            return parsed(read_file(Path(address), Limits(max_bytes=_DOCUMENT)))
        file = self._folder / f"{url_digest(address)}.json"
        kept = read_json(file)
        if kept is not None:
            age = time.time() - file.stat().st_mtime
            if address in self._fresh or age < self._valid:
                return kept["document"]
        if self._fetcher is None:
            raise FetchError("it is not kept on this machine")
        found = self._fetcher.get(address, _DOCUMENT, kept["marks"] if kept else None)
        self._fresh.add(address)
        if found.unchanged and kept is not None:
            os.utime(file)
            return kept["document"]
        document = parsed(found.body)
        write_json(file, {"address": address, "marks": dict(found.marks), "document": document})
        return document


def parsed(body: bytes) -> Any:
    """JSON, also packed by gzip, or in the code page of Western Windows, as some have it."""
    body = unpacked(body)
    for text in (body, body.decode("cp1252", errors="replace")):
        with contextlib.suppress(ValueError, RecursionError):
            return json.loads(text, strict=False)
    if body[:200].lstrip().lower().startswith((b"<!doctype", b"<html")):
        raise FetchError("it is a web page, not a IIIF manifest")
    raise FetchError("it is no readable JSON, so it is no IIIF manifest")


def fetch_image(
    fetcher: Fetcher, place: Place, side: int, limits: Limits, opened: Callable[[bytes], Opened]
) -> tuple[bytes, Opened]:
    """The image at a place, from the first of its addresses that gives one.

    Args:
        fetcher: Fetches.
        place: Of the image.
        side: Its long side in pixels, about.
        limits: Caps on its bytes.
        opened: Opens them; raises `ImageError` where they are no image.
    """

    def info(address: str) -> Mapping[str, Any]:
        found = parsed(fetcher.get(address, _DOCUMENT).body)
        if not isinstance(found, dict):
            raise FetchError("the image service does not say what it can do")
        return found

    first: EmovizError | None = None
    for address in requests_of(place, side, info):
        try:
            data = fetcher.get(address, limits.max_bytes).body
            return data, opened(data)
        except FetchError as error:
            first = first or error
            if error.unanswered or error.status == 401:  # a login is wanted, whatever the size
                break
        except ImageError as error:
            first = first or error
    raise first or FetchError("it has no address")


@dataclass(frozen=True)
class _RemoteImage:
    """An image of the web, fetched when it is read for the first time, then kept."""

    place: Place
    file: Path
    fetcher: Fetcher = field(repr=False)

    def read(self, inside: str, limits: Limits) -> bytes:
        if not self.file.is_file():
            try:
                opened = partial(open_image, limits=limits, short_side=_SMALL)
                data, _ = fetch_image(self.fetcher, self.place, SIDE, limits, opened)
                with replaced_file(self.file) as aside:
                    aside.write_bytes(data)
            except (FetchError, OSError) as error:
                raise ImageError(str(error)) from None
        return read_file(self.file, limits)


def read_address(source: str, settings: Settings) -> Dataset:
    """The images of a IIIF manifest or collection, by its address or as a file.

    Its documents are kept at home, and asked for changes once a day; images are fetched one by
    one when they are read, and kept.

    Raises:
        TableError: It cannot be asked for, or is no IIIF.
    """
    fetcher = Fetcher.of(settings)
    is_remote = is_address(source)
    try:
        if is_remote:
            source = address_in(source)
            checked_url(source)
        folder = settings.home / "fetched" / url_digest(source)
        documents = Documents(folder, fetcher, source, _DAY)
        documents.load(source)  # the first one: where it fails, all does
    except (FetchError, ImageError) as error:
        raise TableError(f"'{source}': {error}.") from None
    records, problems = list[Record](), list[Problem]()
    for row in read_iiif(source, documents.load):
        if isinstance(row, Problem):
            problems.append(row)
        else:
            records.append(_record(row, folder / "images" / url_digest(row.key), fetcher))
    name = source.rstrip("/").rpartition("/")[2] or source
    return Dataset(
        name,
        UNLABELLED,
        tuple(records),
        tuple(problems),
        path=folder,
        root=folder,
        address=source if is_remote else "",
    )


def _record(item: Item, file: Path, fetcher: Fetcher) -> Record:
    about = {name: getattr(item, name) for name in _OWN} | dict(item.metadata)
    return Record(
        item.key,
        file,
        group=item.key,
        holder=_RemoteImage(item.place, file, fetcher),
        metadata={name: text for name, text in about.items() if text},
    )
