"""Bringing a collection's images in: listed once, fetched one by one, never twice.

Each collection has a folder, from which a killed process goes on::

    <home>/collections/<name>/about.json     what was asked for
                              items.jsonl    what the source names, whole or not at all
                              states.jsonl   one line an image, as soon as it is there or refused
                              last.json      why the last run stopped early, if it did
                              changes.json   how the source differed when it was listed again
                              documents/     IIIF documents, so that they are asked for once
                              images/ab/...  what was fetched or unpacked, by its SHA-256
                              works.csv      the artworks as a table that `embed` takes

Images that are files on this machine stay where they are.
"""

import csv
import hashlib
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeGuard

from emoviz.data.dataset import Holder
from emoviz.data.fetch import Fetcher
from emoviz.data.images import (
    Limits,
    OpenedImage,
    open_image,
    own_fault,
    read_file,
    thumbnail,
)
from emoviz.data.importers import Found, Item, Place, Problem
from emoviz.data.importers.artworks import read_artworks
from emoviz.data.importers.iiif import ReadManifest, read_iiif
from emoviz.data.importers.iiif_reading import SIDE, Documents, fetch_image
from emoviz.data.importers.wikiart_emotions import is_wikiart_emotions, read_wikiart_emotions
from emoviz.data.reading import kind_of_file, open_holder
from emoviz.data.sources import is_address
from emoviz.errors import EmovizError, FetchError, ImageError, TableError
from emoviz.files import made_of, read_json, read_lines, replaced_file, write_json
from emoviz.inference.cache import THUMBNAIL_SIDE, Thumbnails
from emoviz.inference.tabular import safe_cell
from emoviz.review.images import ending
from emoviz.settings import Settings

Kind = Literal["folder", "zip", "table", "iiif", "wikiart-emotions", "sample"]
SAMPLE = "sample"
NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
_GIVE_UP = 5  # failures of the line, one after another, after which the rest waits for later
_NAMED = ("title", "artist", "style", "date", "rights", "canvas", "manifest", "page")
_RESERVED = frozenset({"file", "path", "image", "filename", "key", "label", "emotion", "class"})
_MOST_COLUMNS = 60

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class AcquireRequest:
    """What a person asked for.

    Attributes:
        name: Of the collection: small letters, digits, ``-``, ``_`` and ``.``.
        source: A path, an address, or ``sample``.
        kind: What is there.
        title: For people.
        images: Folder of images, for WikiArt Emotions.
        voters: Whose votes are taken from WikiArt Emotions.
        side: Long side in pixels at which IIIF images are asked for.
        sent: Whether the source came through a browser: then it may name no files here.
    """

    name: str
    source: str
    kind: Kind
    title: str = ""
    images: str = ""
    voters: str = "image"
    side: int = SIDE
    sent: bool = False


@dataclass(frozen=True)
class Brought:
    """What became of one item.

    Attributes:
        key: Of the item.
        sha256: Of the image; "" where it was refused.
        file: Absolute path of the image.
        error: Why it was refused.
    """

    key: str
    sha256: str = ""
    file: str = ""
    error: str = ""


@dataclass(frozen=True)
class SourceChanges:
    """How a source, listed again, differed from what it was before; titles of artworks.

    Attributes:
        time: When it was listed again, in UTC as ISO 8601.
        came: They are new.
        pictures: Their pictures are others; they were brought in once more.
        words: They are described in other words.
        gone: They are not named any more; decisions on them are kept.
    """

    time: str
    came: tuple[str, ...] = ()
    pictures: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.came or self.pictures or self.words or self.gone)


@dataclass(frozen=True)
class AcquiredWorks:
    """A collection's folder, read.

    Attributes:
        request: What was asked for; None where there is no such collection.
        items: What the source names, in its order; empty before it was listed.
        problems: What it names and cannot be listed.
        states: Key -> what became of the image, as far as it was tried.
        stopped: Why the rest waits for later; "" where nothing does.
        notes: How the source was read, where it might have been read in another way.
        changes: What was found when the source was listed again; None where it never was.
    """

    request: AcquireRequest | None
    items: tuple[Item, ...] = ()
    problems: tuple[Problem, ...] = ()
    states: Mapping[str, Brought] = field(default_factory=dict)
    stopped: str = ""
    notes: tuple[str, ...] = ()
    changes: SourceChanges | None = None

    @property
    def found(self) -> int:
        """What the source names: artworks, and what cannot be taken for one."""
        return len(self.items) + len(self.problems)

    @property
    def ready(self) -> list[tuple[Item, Brought]]:
        """Items whose image is here."""
        pairs = ((item, self.states.get(item.key)) for item in self.items)
        return [(item, state) for item, state in pairs if state is not None and state.sha256]

    @property
    def failed(self) -> list[tuple[Item, Brought]]:
        """Items whose image was refused or cannot be had."""
        pairs = ((item, self.states.get(item.key)) for item in self.items)
        return [(item, state) for item, state in pairs if state is not None and state.error]

    @property
    def waiting(self) -> int:
        """Items that were not tried yet."""
        return len(self.items) - len(self.ready) - len(self.failed)


def guess_kind(source: str) -> Kind:
    """What lies at a path or address; an image by itself is read as a folder of one.

    Raises:
        TableError: There is nothing there, or a workbook; what else cannot be taken in is told by
            what opens it.
    """
    if source == SAMPLE:
        return "sample"
    if is_address(source):
        return "iiif"
    path = Path(source)
    try:
        if path.is_dir():
            return "folder"
        is_file = path.is_file()
    except (OSError, ValueError):
        is_file = False
    if not is_file:
        raise TableError(
            f"There is no '{source}'. Wanted: a folder, a ZIP, a table (CSV, TSV, Parquet), the "
            f"address or file of a IIIF manifest, or '{SAMPLE}'."
        )
    kind = kind_of_file(path)
    if kind == "table":
        return "wikiart-emotions" if is_wikiart_emotions(path) else "table"
    kinds: dict[str, Kind] = {"zip": "zip", "manifest": "iiif", "image": "folder"}
    return kinds[kind]


def collection_folder(settings: Settings, name: str) -> Path:
    """Where a collection's files are.

    Raises:
        TableError: It is no name for a collection.
    """
    if not NAME.fullmatch(name):
        raise TableError(
            f"'{name}' cannot be a collection's name; wanted small letters, digits, '-', '_' or "
            "'.', at most 64."
        )
    return settings.home / "collections" / name


def gather(
    request: AcquireRequest,
    settings: Settings,
    progress: Progress,
    again: bool = False,
    fetcher: Fetcher | None = None,
) -> AcquiredWorks:
    """List a source and bring its images in, as far as they are not here.

    What was refused before is tried once more. A source is listed once; the same name with
    another source is another collection.

    Args:
        request: What to bring in.
        settings: Where, and what is allowed.
        progress: Called with (done, all) after each image.
        again: List the source anew, for what came or changed. Images that are here stay, but those
            whose address or file is another; a server is not asked again for the same address.
        fetcher: Fetches; as the settings allow where left out.

    Raises:
        TableError: The source cannot be read, or the name is taken by another one.
        FetchError: The manifest cannot be fetched.
    """
    folder = collection_folder(settings, request.name)
    _check_same(folder, request)
    fetcher = fetcher or Fetcher.of(settings)
    if again or not (folder / "items.jsonl").is_file():
        notes: list[str] = []
        rows = list(_each_once(_found(request, folder, settings, fetcher, again, notes)))
        if not any(isinstance(row, Item) for row in rows):
            told = "".join(f" {row.key}: {row.reason}." for row in rows[:1] if _is_problem(row))
            raise TableError(f"'{request.source}' has no image that can be brought in.{told}")
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "about.json", asdict(request))
        before = read_gathered(settings, request.name)
        if again and before.items:
            listed = [row for row in rows if isinstance(row, Item)]
            moved = _moved(before, listed, _Bringer(request, folder, settings, fetcher))
            had = {item.key for item in before.items}
            came = [item.key for item in listed if item.key not in had]  # back, perhaps, as another
            with (folder / "states.jsonl").open("a+b") as states:
                _drop_half_line(states)
                states.writelines(
                    json.dumps(asdict(Brought(key))).encode() + b"\n" for key in (*moved, *came)
                )
            write_json(folder / "changes.json", asdict(_changes(before, listed, moved)))
        _write_items(folder / "items.jsonl", rows, notes)
    found = read_gathered(settings, request.name)
    stopped = _bring_all(found, folder, settings, fetcher, progress)
    write_json(folder / "last.json", {"stopped": stopped})
    found = read_gathered(settings, request.name)
    write_table(folder / "works.csv", found)
    return found


def read_gathered(settings: Settings, name: str) -> AcquiredWorks:
    """What is known of a collection's images, whatever state it is in."""
    folder = collection_folder(settings, name)
    files = ("about.json", "items.jsonl", "states.jsonl", "last.json", "changes.json")
    return _read(folder, tuple(_changed(folder / file) for file in files))


@lru_cache(maxsize=16)
def _read(folder: Path, changed: tuple[tuple[int, int], ...]) -> AcquiredWorks:
    """Kept by the files' sizes and times of change, too."""
    about = read_json(folder / "about.json")
    try:
        request = made_of(AcquireRequest, about) if about else None
    except TypeError:
        request = None
    if request is not None and request.name != folder.name:
        request = None
    items, problems, notes = [], [], []
    rows, damaged = read_lines(folder / "items.jsonl")
    for row in rows:
        try:
            if "note" in row:
                notes.append(str(row["note"]))
            elif "problem" in row:
                told = row["problem"]
                problems.append(Problem(str(told["key"]), str(told["reason"])))
            else:
                place = Place.from_dict(row["item"]["place"])
                items.append(made_of(Item, {**row["item"], "place": place}))
        except (TypeError, KeyError, ValueError, AttributeError):
            damaged.append(0)
    states = {}
    rows, lost = read_lines(folder / "states.jsonl")
    for row in rows:
        try:
            states[row["key"]] = made_of(Brought, row)
        except (TypeError, KeyError):
            lost.append(0)
    for name, count in (("items.jsonl", len(damaged)), ("states.jsonl", len(lost))):
        if count:
            words = f"{count:,} of its lines cannot be read; bringing it in again mends that"
            problems.append(Problem(name, words))
    stopped = str((read_json(folder / "last.json") or {}).get("stopped", ""))
    try:
        told = read_json(folder / "changes.json")
        changes = (
            SourceChanges(**{name: _whole(value) for name, value in told.items()}) if told else None
        )
    except (TypeError, AttributeError):
        changes = None
    return AcquiredWorks(
        request, tuple(items), tuple(problems), states, stopped, tuple(notes), changes
    )


def _whole(value: Any) -> Any:
    return tuple(map(str, value)) if isinstance(value, list) else str(value)


def _moved(before: AcquiredWorks, listed: Sequence[Item], bringer: "_Bringer") -> list[str]:
    """Keys of items whose picture is here and is another at the source now."""
    known = {item.key: (item, state) for item, state in before.ready}
    found = []
    for item in listed:
        if item.key not in known:
            continue
        old, state = known[item.key]
        is_other = item.place.to_dict() != old.place.to_dict()
        if not is_other and not item.place.is_remote:
            try:
                data = bringer.data(item.place)
            except ImageError:
                continue  # it is told when it is brought in
            is_other = hashlib.sha256(data).hexdigest() != state.sha256
        if is_other:
            found.append(item.key)
    return found


def _changes(before: AcquiredWorks, listed: Sequence[Item], moved: Sequence[str]) -> SourceChanges:
    old, new = ({item.key: item for item in items} for items in (before.items, listed))
    pictures = set(moved)
    words = [
        key
        for key, item in new.items()
        if key in old and key not in pictures and replace(item, place=old[key].place) != old[key]
    ]

    def titles(keys: Iterable[str], items: Mapping[str, Item]) -> tuple[str, ...]:
        return tuple(items[key].title or key for key in keys)

    return SourceChanges(
        datetime.now(UTC).isoformat(timespec="seconds"),
        titles((key for key in new if key not in old), new),
        titles((key for key in new if key in pictures), new),
        titles(words, new),
        titles((key for key in old if key not in new), old),
    )


def _changed(file: Path) -> tuple[int, int]:
    try:
        status = file.stat()
    except OSError:
        return 0, 0
    return status.st_size, status.st_mtime_ns


def kept_manifests(settings: Settings, name: str) -> Iterator[ReadManifest]:
    """The IIIF manifests that a collection came from, as they were then; nothing is fetched."""
    folder = collection_folder(settings, name)
    request = read_gathered(settings, name).request
    if request is None or request.kind != "iiif":
        return
    documents = Documents(folder / "documents", None, request.source)
    told: list[ReadManifest] = []
    for _ in read_iiif(request.source, documents.load, tell=told.append):
        yield from told
        told.clear()
    yield from told


def list_gathered(settings: Settings) -> list[AcquiredWorks]:
    """Every collection that was brought in on this machine, by name."""
    folders = sorted((settings.home / "collections").glob("*/about.json"))
    found = []
    for file in folders:
        try:
            found.append(read_gathered(settings, file.parent.name))
        except EmovizError:  # a folder that somebody else put there
            continue
    return [item for item in found if item.request is not None]


def list_damaged(settings: Settings) -> list[str]:
    """Why folders among the collections cannot be used, a sentence each."""
    whole = {item.request.name for item in list_gathered(settings) if item.request is not None}
    folders = sorted((settings.home / "collections").glob("[!.]*"))
    return [
        f"'{folder.name}' cannot be used: its about.json is missing or damaged. Remove the folder "
        f"'{folder}', or bring the collection in again under another name."
        for folder in folders
        # one that holds nothing was begun by a process that was ended at once
        if folder.name not in whole and next(folder.glob("[!.]*"), None) is not None
    ]


def works_table(settings: Settings, name: str) -> Path:
    """The collection as a table that `embed`, `evaluate` and other programs take."""
    return collection_folder(settings, name) / "works.csv"


def _check_same(folder: Path, request: AcquireRequest) -> None:
    known = read_json(folder / "about.json")
    if known and (known.get("source"), known.get("kind")) != (request.source, request.kind):
        raise TableError(
            f"There is a collection '{request.name}' already, made from {known.get('source')}. "
            "Choose another name, or remove it first."
        )


# Listing -----------------------------------------------------------------------------------------


def _each_once(rows: Iterable[Found]) -> Iterator[Found]:
    """The rows; an artwork whose key came before is a problem."""
    seen: set[str] = set()
    for row in rows:
        if isinstance(row, Item):
            if row.key in seen:
                yield Problem(row.key, "the source names it twice; the first one counts")
                continue
            seen.add(row.key)
        yield row


def _found(
    request: AcquireRequest,
    folder: Path,
    settings: Settings,
    fetcher: Fetcher,
    again: bool,
    notes: list[str],
) -> Iterator[Found]:
    """What the source names; how it was read goes to `notes`."""
    path = Path(request.source)
    if request.kind in ("folder", "zip", "table"):
        return read_artworks(path, settings, request.sent, notes.append)
    if request.kind == "wikiart-emotions":
        images = Path(request.images) if request.images else None
        return read_wikiart_emotions(path, images, request.voters)
    if request.kind == "sample":
        return read_artworks(settings.sample_data / "images.csv", settings)
    valid = 0.0 if again else math.inf
    documents = Documents(folder / "documents", fetcher, request.source, valid)
    if is_address(request.source):
        documents.load(request.source)  # the first one: where it fails, all does
    return read_iiif(request.source, documents.load)


def _write_items(file: Path, rows: Sequence[Found], notes: Sequence[str]) -> None:
    with replaced_file(file) as aside, aside.open("w", encoding="utf-8") as stream:
        for note in notes:
            stream.write(json.dumps({"note": note}) + "\n")
        for row in rows:
            if isinstance(row, Item):
                line: dict[str, Any] = {"item": {**asdict(row), "place": row.place.to_dict()}}
            else:
                line = {"problem": row._asdict()}
            stream.write(json.dumps(line) + "\n")


def _is_problem(row: Found) -> TypeGuard[Problem]:
    return isinstance(row, Problem)


# Bringing ----------------------------------------------------------------------------------------


def _bring_all(
    found: AcquiredWorks, folder: Path, settings: Settings, fetcher: Fetcher, progress: Progress
) -> str:
    """Bring in what is missing; why it stopped early, or ""."""
    here = {item.key for item, state in found.ready if Path(state.file).is_file()}
    missing = [item for item in found.items if item.key not in here]
    broken, done = 0, len(here)
    progress(done, len(found.items))
    if not missing:
        return ""
    assert found.request is not None
    bring = _Bringer(found.request, folder, settings, fetcher)
    with Thumbnails(settings) as kept, (folder / "states.jsonl").open("a+b") as states:
        _drop_half_line(states)
        for item in missing:
            state, line_broke = bring.one(item, kept)
            broken = broken + 1 if line_broke else 0
            if broken >= _GIVE_UP:
                return f"{state.error} ({_GIVE_UP} times in a row)"
            states.write(json.dumps(asdict(state)).encode() + b"\n")
            states.flush()
            done += 1
            progress(done, len(found.items))
    return ""


def _drop_half_line(stream: Any) -> None:
    """A line that a killed process or a full disk left half is none, and swallows no next one."""
    stream.seek(0)
    end = sum(len(line) for line in stream if line.endswith(b"\n"))
    stream.truncate(end)


class _Bringer:
    """Gets the bytes of one item after another."""

    def __init__(
        self, request: AcquireRequest, folder: Path, settings: Settings, fetcher: Fetcher
    ) -> None:
        self._folder, self._fetcher, self._side = folder, fetcher, request.side
        self._limits, self._settings = Limits.of(settings), settings
        self._holders: dict[str, Holder] = {}
        self._infos: dict[str, Any] = {}

    def one(self, item: Item, kept: Thumbnails) -> tuple[Brought, bool]:
        """What became of an item, and whether it failed because no server answers."""
        place = item.place
        try:
            if place.is_remote:
                given = place, self._side, self._limits, self._open
                data, opened = fetch_image(self._fetcher, *given)
            else:
                data = self.data(place)
                opened = self._open(data)
            if not kept.known([opened.sha256]):
                with own_fault("it cannot be made small"):
                    small = thumbnail(opened.pixels, THUMBNAIL_SIDE)
                kept.put({opened.sha256: small})
            copied = place.is_remote or place.inside
            file = str(self._keep(data, opened.sha256)) if copied else place.path
            return Brought(item.key, opened.sha256, file), False
        except FetchError as error:
            return Brought(item.key, error=str(error)), error.unanswered
        except ImageError as error:
            return Brought(item.key, error=str(error)), False

    def _open(self, data: bytes) -> OpenedImage:
        return open_image(data, self._limits, short_side=THUMBNAIL_SIDE)

    def data(self, place: Place) -> bytes:
        """Of an image on this machine.

        Raises:
            ImageError: It cannot be read.
        """
        with own_fault("it cannot be read"):
            if place.inside:
                return self._member(place)
            return read_file(Path(place.path), self._limits)

    def _member(self, place: Place) -> bytes:
        """Of a ZIP; images inside a Parquet file go by their rows."""
        if place.path not in self._holders:
            self._holders[place.path] = open_holder(Path(place.path), self._settings)
        return self._holders[place.path].read(place.inside, self._limits)

    def _keep(self, data: bytes, sha256: str) -> Path:
        file = self._folder / "images" / sha256[:2] / f"{sha256}{ending(data)}"
        if not file.is_file():
            with replaced_file(file) as aside:
                aside.write_bytes(data)
        return file.absolute()


# The table ---------------------------------------------------------------------------------------


def write_table(file: Path, found: AcquiredWorks) -> None:
    """The artworks whose images are here, as a table that `embed` and spreadsheets take.

    Texts that a spreadsheet would take for a formula begin with an apostrophe.
    """
    rows = [(item, state) for item, state in found.ready if _is_text(state.file)]
    names = [name for name in _NAMED if any(getattr(item, name) for item, _ in rows)]
    answers = list(dict.fromkeys(name for item, _ in rows for name in item.shares))
    labelled = any(item.label for item, _ in rows) and not answers
    counts: dict[str, int] = {}
    for item, _ in rows:
        for name in item.metadata:
            counts[name] = counts.get(name, 0) + 1
    others = sorted(counts, key=lambda name: -counts[name])[:_MOST_COLUMNS]
    header = ["file", "key", *names, *(["label"] if labelled else [])]
    header += [*(f"p_{name}" for name in answers), *map(_column, others)]
    with (
        replaced_file(file) as aside,
        aside.open("w", encoding="utf-8", errors="replace", newline="") as stream,
    ):
        writer = csv.writer(stream)
        writer.writerow(map(safe_cell, header))
        for item, state in rows:
            texts = [item.key, *(getattr(item, name) for name in names)]
            texts += [item.label] if labelled else []
            shares = [f"{item.shares.get(name, 0.0):g}" for name in answers]
            rest = [item.metadata.get(name, "") for name in others]
            writer.writerow([state.file, *map(safe_cell, texts), *shares, *map(safe_cell, rest)])


def _column(name: str) -> str:
    """A column's name that is taken for nothing else."""
    taken = name.casefold() in {*_RESERVED, *_NAMED} or name.startswith("p_")
    return f"about {name}" if taken else name


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
