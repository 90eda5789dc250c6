"""UnbiasedEmo: 3,045 photographs of ten objects, each object with six emotions; for tests.

Layout: one folder an emotion (anger, fear, joy, love, sadness, surprise) with images, directly or
in a folder an object (the six emotions certain, the nesting assumed), in the root or below
``images``. Where there is a folder an object, it becomes metadata ``object`` and the group: images
of one object share what the emotion is not. The set is a test set; no split is given.
"""

from dataclasses import replace
from pathlib import Path

from emoviz.data.dataset import Dataset, Record
from emoviz.data.importers.common import Importer, expect, read_folders
from emoviz.data.tables import Files
from emoviz.labels import own_taxonomy

TITLE = "UnbiasedEmo"
EMOTIONS = ("anger", "fear", "joy", "love", "sadness", "surprise")


def _read(root: Path, labels: str = "") -> Dataset:
    below = "images" if Files(root).find("images/sadness") is not None else ""
    expect(root, TITLE, *(f"{below}/{name}".lstrip("/") for name in EMOTIONS))
    taxonomy = own_taxonomy("unbiasedemo6", EMOTIONS, "UnbiasedEmo, six emotions")
    found = read_folders(root, taxonomy, TITLE)
    return replace(found, records=tuple(map(_with_object, found.records)))


def _with_object(record: Record) -> Record:
    folders = Path(record.name).parts[:-1]
    inner = folders[folders.index(record.written) + 1 :]
    return replace(record, metadata={"object": inner[0]}, group=inner[0]) if inner else record


IMPORTER = Importer(
    kind="unbiasedemo",
    title=TITLE,
    layout="one folder an emotion: anger, fear, joy, love, sadness, surprise",
    source="https://rpand002.github.io/emotion.html",
    terms="Research; the images belong to their owners.",
    citation="Panda, Zhang, Li, Lee, Lu, Roy-Chowdhury, Contemplating Visual Emotions: "
    "Understanding and Overcoming Dataset Bias, ECCV 2018",
    read=_read,
)
