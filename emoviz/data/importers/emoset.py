"""EmoSet-118K: 118,102 images, eight emotions of Mikels, six attributes, official split.

Layout, as the set's own loader reads it (certain)::

    train.json, val.json, test.json    [[emotion, "image/awe/awe_00001.jpg",
                                         "annotation/awe/awe_00001.json"], ...]
    image/<emotion>/<name>.jpg
    annotation/<emotion>/<name>.json   brightness and colorfulness 0-1; scene, object,
                                       facial_expression, human_action where they are known

94,481 + 5,905 + 17,716 images. Attributes become metadata; one whose file is missing or damaged
is named, and the image is kept without it.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emoviz.data.dataset import SPLIT_WORDS, Dataset, Split
from emoviz.data.importers.common import Gathered, Importer, expect
from emoviz.data.named_files import Files
from emoviz.errors import TableError
from emoviz.files import read_json
from emoviz.labels import MIKELS8

TITLE = "EmoSet-118K"
ATTRIBUTES = (
    *("brightness", "colorfulness", "scene", "object", "facial_expression", "human_action"),
)


def _read(root: Path, labels: str = "") -> Dataset:
    files, _ = expect(root, TITLE, "train.json|val.json|test.json", "image")
    found = Gathered(MIKELS8)
    for name in ("train", "val", "test"):
        path = files.find(f"{name}.json")
        if path is None:
            found.refuse(f"{name}.json", "the list is not there; its images are left out")
            continue
        for number, row in enumerate(_list(path), 1):
            _take(found, files, f"{path.name}, entry {number}", row, SPLIT_WORDS[name])
    return found.finish(root, TITLE)


def _take(found: Gathered, files: Files, place: str, row: Any, split: Split) -> None:
    fits = isinstance(row, list) and len(row) >= 2 and all(isinstance(x, str) for x in row)
    if not fits:
        found.refuse(place, "wanted [emotion, image, annotation]")
        return
    label, image, *annotation = row
    metadata: Mapping[str, str] = {}
    if annotation:
        path = files.find(annotation[0])
        known = (path and read_json(path)) or {}
        metadata = {name: _text(known[name]) for name in ATTRIBUTES if known.get(name) is not None}
        if not metadata:
            found.refuse(place, "its annotation is not there or no JSON; image kept without it")
    found.add(place, image, files.find(image), label, split=split, metadata=metadata)


def _text(value: Any) -> str:
    """Several objects become one text."""
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _list(path: Path) -> list[Any]:
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TableError(f"'{path}' cannot be read: {error}.") from None
    if not isinstance(rows, list):
        raise TableError(f"'{path}' holds no list; wanted [[emotion, image, annotation], ...].")
    return rows


IMPORTER = Importer(
    kind="emoset",
    title=TITLE,
    layout="train.json, val.json, test.json and the folders image and annotation",
    source="https://vcc.tech/EmoSet",
    terms="Non-commercial research; the images belong to their owners.",
    citation="Yang et al., EmoSet: A Large-scale Visual Emotion Dataset with Rich Attributes, "
    "ICCV 2023",
    read=_read,
)
