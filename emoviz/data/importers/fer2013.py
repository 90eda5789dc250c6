"""FER2013: 35,887 grey faces of 48 x 48 pixels, seven facial expressions.

Layouts::

    fer2013.csv                     emotion (0-6), pixels (2,304 numbers), Usage (Training,
                                    PublicTest, PrivateTest): certain
    train/<emotion>/*, test/...     as Kaggle's copies have it: certain; private and public test
                                    are one there
    train.parquet, validation.parquet, test.parquet    label (0-6 or a name) and image

Numbers are 0 angry, 1 disgust, 2 fear, 3 happy, 4 sad, 5 surprise, 6 neutral. The public test is
the validation split, the private test the test split. Pixels are kept inside the set as PNG.
"""

import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from emoviz.data.cells import by_number
from emoviz.data.dataset import SPLIT_WORDS, Dataset, Split
from emoviz.data.importers.common import Gathered, Importer, expect, read_folders, roles_with_label
from emoviz.data.parquet_tables import read_images
from emoviz.data.tables import read_table
from emoviz.errors import TableError
from emoviz.labels import FER7

TITLE = "FER2013"
NUMBERED = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
_SIDE = 48
_USAGE: dict[str, Split] = {"training": "train", "publictest": "validation", "privatetest": "test"}
_HEADER = ["emotion", "pixels", "usage"]


def _read(root: Path, labels: str = "") -> Dataset:
    """From the CSV itself, or the folder that holds it, the folders or the tables."""
    table = root if root.is_file() else root / "fer2013.csv"
    if table.is_file():
        return _from_csv(table).finish(root, TITLE)
    expect(root, TITLE, "fer2013.csv|train.parquet|train")
    tables = [
        path for path in sorted(root.glob("*.parquet")) if path.stem.casefold() in SPLIT_WORDS
    ]
    if tables:
        return _from_tables(tables).finish(root, TITLE)
    return read_folders(root, FER7, TITLE)


def _from_csv(path: Path) -> Gathered:
    found = Gathered(FER7)
    with path.open(encoding="utf-8-sig", errors="replace") as stream:
        header = [cell.strip().casefold() for cell in stream.readline().split(",")]
        if header != _HEADER:
            raise TableError(
                f"'{path}' is not FER2013's; wanted the columns emotion, pixels, Usage."
            )
        for line, text in enumerate(stream, 2):
            place = f"{path.name}, line {line}"
            with found.row(place):
                label, content, split = _csv_row(text)
                name = f"{split}/{line - 2:05}.png"
                found.add(place, name, path, label, split=split, content=content)
    return found


def _csv_row(text: str) -> tuple[str, bytes, Split]:
    cells = text.strip().split(",")
    if len(cells) != 3:
        raise TableError(f"it has {len(cells)} cells; wanted emotion, pixels, Usage")
    split = _USAGE.get(cells[2].strip().casefold())
    if split is None:
        raise TableError(
            "its Usage is none that is known; wanted Training, PublicTest or PrivateTest"
        )
    try:
        values = np.array(cells[1].strip('"').split(), dtype=np.int64)
    except ValueError:
        raise TableError("a pixel is no number") from None
    if len(values) != _SIDE**2 or values.min() < 0 or values.max() > 255:
        raise TableError(f"it has {len(values)} pixels; wanted {_SIDE**2} between 0 and 255")
    buffer = io.BytesIO()
    Image.fromarray(values.astype(np.uint8).reshape(_SIDE, _SIDE)).save(buffer, "PNG")
    return by_number(cells[0].strip(), NUMBERED), buffer.getvalue(), split


def _from_tables(paths: Iterable[Path]) -> Gathered:
    found = Gathered(FER7)
    for path in paths:
        split, table = SPLIT_WORDS[path.stem.casefold()], read_table(path)
        roles, column = roles_with_label(table)
        images = read_images(path, table.images or roles.file)
        for row, label in enumerate(table.columns[column]):
            place, name = f"{path.name}, {table.place(row)}", f"{split}/{row:05}.jpg"
            with found.row(place):
                if images[row] is None:
                    raise TableError("the row has no image")
                label = by_number(label.strip(), NUMBERED)
                found.add(place, name, path, label, split=split, content=images[row])
    return found


IMPORTER = Importer(
    kind="fer2013",
    title=TITLE,
    layout="fer2013.csv; or train and test with a folder an expression; or train.parquet",
    source="Kaggle, Challenges in Representation Learning: Facial Expression Recognition Challenge",
    terms="Research.",
    citation="Goodfellow et al., Challenges in Representation Learning: A report on three machine "
    "learning contests, ICONIP 2013",
    read=_read,
)
