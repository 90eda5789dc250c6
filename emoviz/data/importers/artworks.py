"""Folders, ZIPs and tables of artworks as items, with what their names and columns say of them."""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from emoviz.data.cells import number, plain_name
from emoviz.data.dataset import Dataset, Record
from emoviz.data.importers import Found, Item, Place
from emoviz.data.reading import open_dataset
from emoviz.data.sources import parts_of
from emoviz.settings import Settings

# ``vincent-van-gogh_starry-night-1889``: how collections of art for research often name files.
_ARTIST_TITLE = re.compile(r"([^\W_]+(?:-[^\W_]+)*)_([^_]+)")
_YEAR = re.compile(r"-((?:1[0-9]|20)\d\d)(?:\(\d+\))?$")
_MOSTLY = 0.8  # of the names must be so, before they are read so
_VOTES = "p_"
_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "key": ("id", "key", "objectnumber", "inventory", "accession", "accessionnumber"),
    "title": ("title", "titel", "titre", "name", "caption"),
    "artist": ("artist", "artistorauthor", "creator", "author", "maker", "künstler", "artiste"),
    "style": ("style", "category", "movement", "school"),
    "date": ("date", "year", "created", "datierung", "jahr"),
    "rights": ("rights", "licence", "license", "copyright"),
    "page": ("page", "homepage", "pageurl", "paintinginfourl"),
}


def read_artworks(
    place: str | Path,
    settings: Settings,
    sent: bool = False,
    tell: Callable[[str], None] = lambda note: None,
) -> Iterator[Found]:
    """The artworks of a folder, a ZIP, a table or the sample, and its problems.

    Args:
        place: As `open_dataset` takes it. A table's rows name images by paths, relative to the
            table, or by http(s) addresses; columns such as title and artist say more.
        settings: Caps.
        sent: Whether the place came through a browser: then a table may name no files here.
        tell: Called with how the place was read, where it might have been read in another way.

    Raises:
        TableError: It cannot be read, or holds no image.
    """
    found = open_dataset(place, settings, level=0, sent=sent)
    for note in found.notes:
        tell(note)
    if found.shown and len(found.records):
        stems = [PurePosixPath(parts_of(record.name)[-1]).stem for record in found.records]
        fitting = [stem for stem in stems if _ARTIST_TITLE.fullmatch(stem)]
        hyphens = sum("-" in stem.partition("_")[0] for stem in fitting)
        named = len(fitting) >= _MOSTLY * len(stems) and 2 * hyphens > len(stems)
        yield from (_of_name(record, named) for record in found.records)
    else:
        yield from (_of_row(found, record) for record in found.records)
    yield from found.problems


def _place(record: Record) -> Place:
    if record.url:
        return Place(url=record.url)
    return Place(path=str(record.path.absolute()), inside=record.inside)


def _of_name(record: Record, artist_in_name: bool) -> Item:
    *folders, file = parts_of(record.name)
    stem = PurePosixPath(file).stem
    artist, title, date = _parts(stem) if artist_in_name else ("", stem, "")
    return Item(
        key=record.name,
        place=_place(record),
        title=_words(title),
        artist=_words(artist).title(),
        style=folders[0].replace("_", " ") if folders else "",
        date=date,
        metadata={"folder": "/".join(folders)} if folders else {},
    )


def _of_row(found: Dataset, record: Record) -> Item:
    plain = {plain_name(name): name for name in reversed(list(record.metadata))}
    column = {
        meaning: next((plain[word] for word in words if word in plain), "")
        for meaning, words in _COLUMNS.items()
    }
    cells = {meaning: record.metadata.get(name, "") for meaning, name in column.items()}
    names = found.taxonomy.names
    shares = dict(zip(names, record.shares, strict=False)) if found.votes else {}
    outside = [name for name in record.metadata if name.startswith(_VOTES) and found.votes]
    for name in outside:
        shares[name.removeprefix(_VOTES)] = number(record.metadata[name], name) or 0.0
    used = {*column.values(), *outside}
    stem = parts_of(record.name)[-1].partition("?")[0].rpartition(".")[0]
    return Item(
        key=cells.pop("key") or record.name,
        place=_place(record),
        label=names[record.label] if record.label >= 0 else record.written,
        shares=shares,
        metadata={name: text for name, text in record.metadata.items() if name not in used},
        **{**cells, "title": cells["title"] or stem or record.name},
    )


def _parts(stem: str) -> tuple[str, str, str]:
    found = _ARTIST_TITLE.fullmatch(stem)
    if found is None:
        return "", stem, ""
    year = _YEAR.search(found[2])
    title = found[2][: year.start()] if year else re.sub(r"\(\d+\)$", "", found[2])
    return found[1], title, year[1] if year else ""


def _words(slug: str) -> str:
    text = " ".join(slug.replace("-", " ").replace("_", " ").split())
    return text[:1].upper() + text[1:]
