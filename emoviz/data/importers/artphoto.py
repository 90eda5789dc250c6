"""ArtPhoto: 806 artistic photographs, eight emotions of Mikels, labelled by their makers.

Layout (certain): one folder, ``testImages_artphoto``, of ``<emotion>_<number>.jpg``; "content"
stands for contentment.
"""

import re
from pathlib import Path

from emoviz.data.dataset import Dataset
from emoviz.data.importers.common import Gathered, Importer
from emoviz.data.sources import walk_images
from emoviz.errors import TableError
from emoviz.labels import MIKELS8

TITLE = "ArtPhoto"
_NAME = re.compile(r"([a-z]+)_\d+", re.IGNORECASE)
SHORT = {"content": "contentment", "sad": "sadness"}


def _read(root: Path, labels: str = "") -> Dataset:
    found = Gathered(MIKELS8)
    fits = 0
    for image in walk_images(root):
        name = image.relative_to(root).as_posix()
        match = _NAME.fullmatch(image.stem)
        if match is None:
            found.refuse(name, "its name is no emotion and number, such as awe_0001.jpg")
            continue
        fits += 1
        word = match[1].casefold()
        found.add(name, name, image, SHORT.get(word, word))
    if not fits:
        seen = ", ".join(place for place, _ in found.problems[:5]) or "no image"
        raise TableError(
            f"'{root}' is not the folder of {TITLE}. Wanted: images called <emotion>_<number>.jpg, "
            f"such as awe_0001.jpg, in testImages_artphoto. Found: {seen}."
        )
    return found.finish(root, TITLE)


IMPORTER = Importer(
    kind="artphoto",
    title=TITLE,
    layout="images called <emotion>_<number>.jpg (the folder testImages_artphoto)",
    source="http://www.imageemotion.org",
    terms="Research; the images belong to their owners.",
    citation="Machajdik, Hanbury, Affective Image Classification using Features Inspired by "
    "Psychology and Art Theory, ACM Multimedia 2010",
    read=_read,
)
