"""FI-8 (Flickr and Instagram): about 23,000 photographs, eight emotions of Mikels.

Layout: one folder of JPEGs an emotion (certain), by itself or below ``train``, ``val`` and
``test`` as some mirrors have it (assumed). The set has no official split: where there are no such
folders, `assign_splits` or a recipe makes one.
"""

from pathlib import Path

from emoviz.data.dataset import SPLIT_WORDS, Dataset
from emoviz.data.importers.common import Importer, expect, read_folders
from emoviz.data.tables import Files
from emoviz.labels import MIKELS8

TITLE = "FI-8"


def _read(root: Path, labels: str = "") -> Dataset:
    split = next(filter(Files(root).find, SPLIT_WORDS), None)
    expect(root, TITLE, *([f"{split}/amusement"] if split else MIKELS8.names))
    return read_folders(root, MIKELS8, TITLE)


IMPORTER = Importer(
    kind="fi8",
    title=TITLE,
    layout="one folder an emotion, amusement to sadness",
    source="https://qzyou.github.io (on request)",
    terms="Research; the images belong to their owners.",
    citation="You, Luo, Jin, Yang, Building a Large Scale Dataset for Image Emotion Recognition: "
    "The Fine Print and the Benchmark, AAAI 2016",
    read=_read,
)
