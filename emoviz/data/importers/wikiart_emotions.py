"""WikiArt Emotions (Mohammad and Kiritchenko, LREC 2018), as artworks and as a labelled set.

Its table, ``WikiArt-Emotions-All.tsv`` (certain), comes without images. Those that a person has
are found by the work's id, by the last part of its address at WikiArt, or by artist and title; what
does not match, on either side, is told. Works may be fetched instead where no folder is given. In a
labelled set, works of one artist are one group.
"""

import html
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

import numpy as np

from emoviz.data.dataset import Dataset
from emoviz.data.importers import Found, Item, Place, Problem
from emoviz.data.importers.common import (
    FIGURATIVE,
    Gathered,
    Importer,
    artist_group,
    expect,
    kind_of_style,
)
from emoviz.data.sources import walk_images
from emoviz.data.tables import read_table
from emoviz.errors import TableError
from emoviz.labels import WIKIART3, WIKIART20, bridge_between

# What the voters saw; the column's name goes before the emotion.
VOTERS: Mapping[str, str] = {
    "image": "ImageOnly",
    "image and title": "Art (image+title)",
    "title": "TitleOnly",
}
GROUP = "sentiment group"
TITLE = "WikiArt Emotions"
_TABLE = "WikiArt-Emotions-All.tsv"
_NEEDED = ("ID", "Artist", "Title", "Year", "Image URL")


def read_wikiart_emotions(
    table: Path, images: Path | None = None, voters: str = "image"
) -> Iterator[Found]:
    """The works of WikiArt Emotions.

    Args:
        table: ``WikiArt-Emotions-All.tsv``, or a table with its columns.
        images: Folder of images, searched to its depth; None takes the addresses of the table.
        voters: Whose votes: those who saw the ``image``, ``image and title`` or ``title``.

    Yields:
        Items in the table's order with their twenty shares; then problems: works without an image
        or with several, and images without a work.

    Raises:
        TableError: The table is another one, or the folder is not there.
    """
    if voters not in VOTERS:
        raise TableError(f"There are no votes on '{voters}'; wanted: {', '.join(VOTERS)}.")
    rows = _rows(table, VOTERS[voters])
    if images is None:
        yield from (_item(row, Place(url=row["Image URL"]), VOTERS[voters]) for row in rows)
        return
    if not images.is_dir():
        raise TableError(f"There is no folder of images '{images}'.")
    files = list(walk_images(images))
    matched, problems = _matched(rows, files)
    for row in rows:
        if row["ID"] in matched:
            place = Place(path=str(matched[row["ID"]].absolute()))
            yield _item(row, place, VOTERS[voters])
    yield from problems
    used = set(matched.values())
    for file in files:
        if file not in used:
            reason = "no work of the table has this id, or this artist and title"
            yield Problem(file.relative_to(images).as_posix(), reason)


def _rows(table: Path, voters: str) -> list[dict[str, str]]:
    # Titles hold bare quotation marks; the table uses none to enclose cells.
    columns = read_table(table, quotes=False).columns
    wanted = [*_NEEDED, *(f"{voters}: {name}" for name in WIKIART20.names)]
    missing = [name for name in wanted if name not in columns]
    if missing:
        raise TableError(
            f"'{table}' is not the table of WikiArt Emotions (WikiArt-Emotions-All.tsv): it has no "
            f"column {', '.join(missing[:3])}."
        )
    rows = [
        dict(zip(columns, map(html.unescape, cells), strict=True))
        for cells in zip(*columns.values(), strict=True)
    ]
    return [row for row in rows if row["ID"]]


def _matched(
    rows: Iterable[Mapping[str, str]], files: Iterable[Path]
) -> tuple[dict[str, Path], list[Problem]]:
    """Id of a work -> its image, and the works that have none or more than one."""
    by_name: dict[str, list[Path]] = defaultdict(list)
    for file in files:
        for name in _names_of_file(file):
            by_name[name].append(file)
    matched: dict[str, Path] = {}
    problems = []
    taken: dict[Path, str] = {}
    for row in rows:
        title = f"{row['Artist']}: {row['Title']} ({row['ID']})"
        found = next((by_name[name] for name in _names_of_work(row) if name in by_name), [])
        if not found:
            problems.append(
                Problem(title, "no image in the folder has its id, or artist and title")
            )
        elif len(set(found)) > 1:
            several = ", ".join(sorted(file.name for file in set(found))[:3])
            problems.append(Problem(title, f"several images fit it: {several}"))
        elif found[0] in taken:
            problems.append(Problem(title, f"its image belongs to {taken[found[0]]} already"))
        else:
            matched[row["ID"]], taken[found[0]] = found[0], row["ID"]
    return matched, problems


def _names_of_work(row: Mapping[str, str]) -> Iterator[str]:
    """What an image of the work may be called, the surest first."""
    yield _plain(row["ID"])
    address = PurePosixPath(row["Image URL"].partition("!")[0])
    yield _plain(f"{address.parent.name} {address.stem}")
    yield _plain(f"{row['Artist']} {row['Title']} {row['Year']}")
    yield _plain(f"{row['Artist']} {row['Title']}")


def _names_of_file(file: Path) -> set[str]:
    """Its name; the folder may be the artist's."""
    return {_plain(file.stem), _plain(f"{file.parent.name} {file.stem}")}


def _plain(text: str) -> str:
    """Letters and digits alone, without accents: how an artist is written differs."""
    bare = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().casefold()
    return re.sub(r"[^a-z0-9]+", "", bare)


def _item(row: Mapping[str, str], place: Place, voters: str) -> Found:
    shares = {}
    for name in WIKIART20.names:
        try:
            shares[name] = float(row[f"{voters}: {name}"] or 0)
        except ValueError:
            return Problem(row["ID"], f"its share of {name} is no number")
        if not 0 <= shares[name] <= 1:
            return Problem(row["ID"], f"its share of {name} is not 0 to 1")
    others = {
        "WikiArt Emotions id": row["ID"],
        "period": row.get("Style", ""),
        "face or body": row.get("Face/body", ""),
        "average rating": row.get("Ave. art rating", ""),
        GROUP: sentiment_group(shares),
    }
    return Item(
        key=row["ID"],
        place=place,
        title=row["Title"],
        artist=row["Artist"],
        style=row.get("Category", ""),
        date=row["Year"],
        page=row.get("Painting Info URL", ""),
        shares=shares,
        metadata={name: text for name, text in others.items() if text},
    )


def sentiment_group(shares: Mapping[str, float]) -> str:
    """The group of the three (positive, negative, other or mixed) that got most of the answers.

    The twenty emotions go to their groups through the bridge; "" where nobody answered.
    """
    row = np.array([[shares.get(name, 0.0) for name in WIKIART20.names]])
    if not row.any():
        return ""
    return WIKIART3.names[int(bridge_between(WIKIART20, WIKIART3).predict(row)[0])]


def is_wikiart_emotions(table: Path) -> bool:
    """Whether a table's first line is that of WikiArt Emotions."""
    try:
        with table.open(encoding="utf-8-sig", errors="replace") as stream:
            head = stream.readline(20_000).rstrip("\n").split("\t")
    except (OSError, ValueError):
        return False
    return {*_NEEDED, f"{VOTERS['image']}: {WIKIART20.names[0]}"} <= set(head)


def _read(root: Path, labels: str = "") -> Dataset:
    """`labels` says whose votes: ``image`` (the default), ``image and title`` or ``title``."""
    files, table = expect(root, TITLE, _TABLE)
    found = Gathered(WIKIART20)
    for item in read_wikiart_emotions(table, root, labels or "image"):
        if isinstance(item, Problem):
            found.refuse(item.key, item.reason)
            continue
        path = Path(item.place.path)
        known = {name: getattr(item, name) for name in ("artist", "title", "style", "date")}
        kind = kind_of_style(item.style, FIGURATIVE)
        found.add(
            item.key,
            files.name(path) if path.is_relative_to(root) else path.name,
            path,
            shares=item.shares,
            group=artist_group(item.artist),
            metadata={**known, "kind": kind, **item.metadata},
        )
    return found.finish(root, TITLE, votes=True)


IMPORTER = Importer(
    kind="wikiart_emotions",
    title=TITLE,
    layout="WikiArt-Emotions-All.tsv and, anywhere below, the images that you have",
    source="http://saifmohammad.com/WebPages/wikiartemotions.html",
    terms="Research; the images belong to their owners.",
    citation="Mohammad, Kiritchenko, WikiArt Emotions: An Annotated Dataset of Emotions Evoked by "
    "Art, LREC 2018",
    read=_read,
    choices=tuple(VOTERS),
)
