"""CAER-S: 70,000 stills of television scenes, seven emotions of the people in context.

Layout (certain): ``train/<Emotion>/<number>.png`` and ``test/<Emotion>/<number>.png`` with the
folders Anger, Disgust, Fear, Happy, Neutral, Sad, Surprise. There is no validation split. The
stills of one scene are not marked as such: near duplicates across the split are to be expected.
"""

from pathlib import Path

from emoviz.data.dataset import Dataset
from emoviz.data.importers.common import Importer, expect, read_folders
from emoviz.labels import CAER7

TITLE = "CAER-S"


def _read(root: Path, labels: str = "") -> Dataset:
    expect(root, TITLE, "train/Anger|train/Happy", "test/Anger|test/Happy")
    return read_folders(root, CAER7, TITLE)


IMPORTER = Importer(
    kind="caers",
    title=TITLE,
    layout="train and test, each with the folders Anger to Surprise",
    source="https://caer-dataset.github.io",
    terms="Academic research only.",
    citation="Lee, Kim, Kim, Park, Sohn, Context-Aware Emotion Recognition Networks, ICCV 2019",
    read=_read,
)
