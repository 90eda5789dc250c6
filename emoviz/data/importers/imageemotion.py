"""ArtPhoto and Abstract, the two sets of Machajdik and Hanbury; eight emotions of Mikels.

- **ArtPhoto**: 806 artistic photographs, labelled by their makers, in one folder,
  ``testImages_artphoto``, of ``<emotion>_<number>.jpg`` (certain); "content" is contentment.
- **Abstract**: 280 abstract paintings. ``ABSTRACT_groundTruth.csv`` beside the images
  ``abstract_0001.jpg`` ... (certain), with an image's name and the count of votes for Amusement,
  Anger, Awe, Content, Disgust, Excitement, Fear and Sad in each row; names may stand in single
  quotes (assumed). Votes become shares; a painting whose first two answers are tied keeps its
  shares and is called by the first of them in the order of Mikels, where the field leaves those
  52 out: drop them with a recipe (``tie`` in the metadata).
"""

import re
from dataclasses import replace
from pathlib import Path

from emoviz.data.cells import number
from emoviz.data.dataset import Dataset
from emoviz.data.importers.common import Gathered, Importer, expect, plain_rows
from emoviz.data.sources import walk_images
from emoviz.errors import TableError
from emoviz.labels import MIKELS8

_NAME = re.compile(r"([a-z]+)_\d+", re.IGNORECASE)
_TABLE = "ABSTRACT_groundTruth.csv"


def _read_artphoto(root: Path, labels: str = "") -> Dataset:
    found = Gathered(MIKELS8)
    fits = 0
    for image in walk_images(root):
        name = image.relative_to(root).as_posix()
        match = _NAME.fullmatch(image.stem)
        if match is None:
            found.refuse(name, "its name is no emotion and number, such as awe_0001.jpg")
            continue
        fits += 1
        found.add(name, name, image, match[1])
    if not fits:
        seen = ", ".join(place for place, _ in found.problems[:5]) or "no image"
        raise TableError(
            f"'{root}' is not the folder of ArtPhoto. Wanted: images called <emotion>_<number>.jpg,"
            f" such as awe_0001.jpg, in testImages_artphoto. Found: {seen}."
        )
    return found.finish(root, ARTPHOTO.title)


def _read_abstract(root: Path, labels: str = "") -> Dataset:
    files, table = expect(root, ABSTRACT.title, _TABLE)
    found = Gathered(MIKELS8)
    for place, row in plain_rows(table, MIKELS8.names, ABSTRACT.title, _column):
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
    return found.finish(root, ABSTRACT.title, votes=True)


def _column(cell: str) -> str:
    word = cell.strip().strip("'\"").casefold()
    return MIKELS8.names[MIKELS8.index(word)] if MIKELS8.holds(word) else word


ARTPHOTO = Importer(
    kind="artphoto",
    title="ArtPhoto",
    layout="images called <emotion>_<number>.jpg (the folder testImages_artphoto)",
    source="http://www.imageemotion.org",
    terms="Research; the images belong to their owners.",
    citation="Machajdik, Hanbury, Affective Image Classification using Features Inspired by "
    "Psychology and Art Theory, ACM Multimedia 2010",
    read=_read_artphoto,
)
ABSTRACT = replace(
    ARTPHOTO,
    kind="abstract",
    title="Abstract",
    layout="ABSTRACT_groundTruth.csv and the images abstract_0001.jpg and on",
    read=_read_abstract,
)
