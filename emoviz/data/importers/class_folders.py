"""Published sets whose folders are their classes: FI-8, CAER-S, UnbiasedEmo.

- **FI-8** (Flickr and Instagram): about 23,000 photographs, eight emotions of Mikels, one folder
  of JPEGs an emotion (certain), by itself or below ``train``, ``val`` and ``test`` as some mirrors
  have it (assumed). The set has no official split: where there are no such folders,
  `assign_splits` or a recipe makes one.
- **CAER-S**: 70,000 stills of television scenes, seven emotions of the people in context, as
  ``train/<Emotion>/<number>.png`` and ``test/...`` (certain). There is no validation split. The
  stills of one scene are not marked as such: near duplicates across the split are to be expected.
- **UnbiasedEmo**: 3,045 photographs of ten objects, each object with six emotions; a test set
  without a split. One folder an emotion, directly or in a folder an object (the six emotions
  certain, the nesting assumed), in the root or below ``images``. A folder an object becomes
  metadata ``object`` and the group: images of one object share what the emotion is not.
"""

from dataclasses import replace
from pathlib import Path

from emoviz.data.dataset import SPLIT_WORDS, Dataset, Record
from emoviz.data.importers.common import Importer, expect, read_folders
from emoviz.data.named_files import Files
from emoviz.labels import CAER7, MIKELS8, own_taxonomy

OBJECTS6 = ("anger", "fear", "joy", "love", "sadness", "surprise")  # of UnbiasedEmo


def _read_fi8(root: Path, labels: str = "") -> Dataset:
    split = next(filter(Files(root).find, SPLIT_WORDS), None)
    expect(root, FI8.title, *([f"{split}/amusement"] if split else MIKELS8.names))
    return read_folders(root, MIKELS8, FI8.title)


def _read_caers(root: Path, labels: str = "") -> Dataset:
    expect(root, CAERS.title, "train/Anger|train/Happy", "test/Anger|test/Happy")
    return read_folders(root, CAER7, CAERS.title)


def _read_unbiasedemo(root: Path, labels: str = "") -> Dataset:
    below = "images" if Files(root).find("images/sadness") is not None else ""
    expect(root, UNBIASED.title, *(f"{below}/{name}".lstrip("/") for name in OBJECTS6))
    taxonomy = own_taxonomy("unbiasedemo6", OBJECTS6, "UnbiasedEmo, six emotions")
    found = read_folders(root, taxonomy, UNBIASED.title)
    return replace(found, records=tuple(map(_with_object, found.records)))


def _with_object(record: Record) -> Record:
    folders = Path(record.name).parts[:-1]
    inner = folders[folders.index(record.written) + 1 :]
    return replace(record, metadata={"object": inner[0]}, group=inner[0]) if inner else record


FI8 = Importer(
    kind="fi8",
    title="FI-8",
    layout="one folder an emotion, amusement to sadness",
    source="https://qzyou.github.io (on request)",
    terms="Research; the images belong to their owners.",
    citation="You, Luo, Jin, Yang, Building a Large Scale Dataset for Image Emotion Recognition: "
    "The Fine Print and the Benchmark, AAAI 2016",
    read=_read_fi8,
)
CAERS = Importer(
    kind="caers",
    title="CAER-S",
    layout="train and test, each with the folders Anger to Surprise",
    source="https://caer-dataset.github.io",
    terms="Academic research only.",
    citation="Lee, Kim, Kim, Park, Sohn, Context-Aware Emotion Recognition Networks, ICCV 2019",
    read=_read_caers,
)
UNBIASED = Importer(
    kind="unbiasedemo",
    title="UnbiasedEmo",
    layout="one folder an emotion: anger, fear, joy, love, sadness, surprise",
    source="https://rpand002.github.io/emotion.html",
    terms="Research; the images belong to their owners.",
    citation="Panda, Zhang, Li, Lee, Lu, Roy-Chowdhury, Contemplating Visual Emotions: "
    "Understanding and Overcoming Dataset Bias, ECCV 2018",
    read=_read_unbiasedemo,
)
