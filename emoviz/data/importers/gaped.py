"""GAPED: 730 photographs with valence and arousal; six categories with a sentiment.

Layout: ``labels.csv`` with ``file, category, valence, arousal``; or, as the set is given away,
one folder a category with the pictures and, beside or in it, ``<category>.txt`` whose columns begin
with the item, its valence and its arousal (assumed). Both ratings run from 0 to 100.

Categories: A (mistreated animals), H (human concerns), Sn (snakes), Sp (spiders) are negative, P is
positive; N (neutral) has valence and arousal alone.
"""

from collections.abc import Iterator
from pathlib import Path

from emoviz.data.affect import DIMENSIONS, Scale
from emoviz.data.dataset import Dataset
from emoviz.data.importers.common import (
    PHOTOGRAPH,
    Gathered,
    Importer,
    expect,
    list_lines,
    plain_rows,
)
from emoviz.data.named_files import Files
from emoviz.errors import TableError
from emoviz.labels import SENTIMENT2

TITLE = "GAPED"
SCALE = Scale(0, 100)
_SENTIMENT = {**dict.fromkeys(("a", "h", "sn", "sp"), "negative"), "p": "positive", "n": ""}
_CATEGORIES = ("A", "H", "N", "P", "Sn", "Sp")


def _read(root: Path, labels: str = "") -> Dataset:
    tables = (f"{c}.txt|{c}/{c}.txt" for c in _CATEGORIES)
    files, _ = expect(root, TITLE, "|".join(("labels.csv", *tables)))
    table = files.find("labels.csv")
    rows = _from_table(table) if table is not None else _from_folders(files)
    found = Gathered(SENTIMENT2)
    for place, name, category, valence, arousal in rows:
        with found.row(place):
            sentiment = _SENTIMENT.get(category.casefold())
            if sentiment is None:
                raise TableError(f"its category is none of GAPED: {', '.join(_CATEGORIES)}")
            rated = zip(DIMENSIONS, (valence, arousal), strict=True)
            found.add(
                place,
                name,
                files.find(name),  # also where the bitmaps were converted
                sentiment or None,
                None if sentiment else {"neutral": 1.0},
                metadata={"category": category, "kind": PHOTOGRAPH},
                affect={dimension: SCALE.turned(cell, dimension) for dimension, cell in rated},
            )
    return found.finish(root, TITLE)


def _from_table(table: Path) -> Iterator[tuple[str, str, str, str, str]]:
    for place, row in plain_rows(table, ("file", "category", "valence", "arousal"), TITLE):
        yield place, row["file"], row["category"], row["valence"], row["arousal"]


def _from_folders(files: Files) -> Iterator[tuple[str, str, str, str, str]]:
    for category in _CATEGORIES:
        table = files.first(f"{category}.txt", f"{category}/{category}.txt")
        for place, line in list_lines(table) if table is not None else ():
            cells = line.split()
            if len(cells) > 2 and any(map(str.isdigit, cells[1])):  # no names of columns
                yield place, f"{category}/{cells[0]}", category, cells[1], cells[2]


IMPORTER = Importer(
    kind="gaped",
    title=TITLE,
    layout="labels.csv and its images, or the folders A, H, N, P, Sn, Sp with their .txt tables",
    source="https://www.unige.ch/cisa/research/materials-and-online-research/research-material/",
    terms="Academic research only; the images belong to their owners.",
    citation="Dan-Glauser, Scherer, The Geneva Affective Picture Database (GAPED), Behavior "
    "Research Methods 43, 2011",
    read=_read,
    scale=str(SCALE),
)
