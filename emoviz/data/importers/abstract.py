"""Abstract: 280 abstract paintings, votes for the eight emotions of Mikels.

Layout: ``ABSTRACT_groundTruth.csv`` beside the images ``abstract_0001.jpg`` ... (certain), with an
image's name and the count of votes for Amusement, Anger, Awe, Content, Disgust, Excitement, Fear
and Sad in each row; names may stand in single quotes (assumed). Votes become shares; a painting
whose first two answers are tied keeps its shares and is called by the first of them in the order
of Mikels, where the field leaves those 52 out: drop them with a recipe (``tie`` in the metadata).
"""

from pathlib import Path

from emoviz.data.cells import number
from emoviz.data.dataset import Dataset
from emoviz.data.importers.artphoto import SHORT
from emoviz.data.importers.common import Gathered, Importer, expect, plain_rows
from emoviz.labels import MIKELS8

TITLE = "Abstract"
_TABLE = "ABSTRACT_groundTruth.csv"


def _read(root: Path, labels: str = "") -> Dataset:
    files = expect(root, TITLE, _TABLE)
    table = files.find(_TABLE)
    assert table is not None
    found = Gathered(MIKELS8)
    for place, row in plain_rows(table, MIKELS8.names, TITLE, _label):
        with found.row(place):
            votes = {label: number(row[label], label) or 0.0 for label in MIKELS8.names}
            first, second, *_ = sorted(votes.values(), reverse=True)
            name = next(iter(row.values())).strip("'\"")
            found.add(
                place,
                name,
                files.first(name, f"testImages_abstract/{name}"),
                counts=votes,
                metadata={"tie": "yes" if first == second else ""},
            )
    return found.finish(root, TITLE, votes=True)


def _label(cell: str) -> str:
    word = cell.strip().strip("'\"").casefold()
    return SHORT.get(word, word)


IMPORTER = Importer(
    kind="abstract",
    title=TITLE,
    layout="ABSTRACT_groundTruth.csv and the images abstract_0001.jpg and on",
    source="http://www.imageemotion.org",
    terms="Research; the images belong to their owners.",
    citation="Machajdik, Hanbury, Affective Image Classification using Features Inspired by "
    "Psychology and Art Theory, ACM Multimedia 2010",
    read=_read,
)
