"""No message quotes what a table holds: it may be somebody's passwords that a path names."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from emoviz.cli import main
from emoviz.data.importers.registry import importers
from emoviz.data.reading import open_dataset
from emoviz.errors import EmovizError
from emoviz.inference.predictions import read_predictions
from emoviz.inference.vectors import read_vectors
from emoviz.labels import MIKELS8

SECRET = "swordfish"
# Files that are no tables, by what they hold.
OTHERS = {
    "one word": SECRET,
    "a letter": f"Dear Ona, the word is {SECRET}\nGreetings\n",
    "passwords": f"name,user,password\nbank,Ona,{SECRET}\n",
    "settings": f"[auth]\npassword = {SECRET}\n",
    "users": f"root:x:0:0:{SECRET}:/root:/bin/sh\n",
    "a key": json.dumps({"type": SECRET, "private_key": SECRET}),
    "an open quote": f'file,label\n"{SECRET},awe\n' + "x\n" * 10,
}
MIKELS = ",".join(MIKELS8.names)
EMOTION6 = ["anger", "disgust", "fear", "joy", "sadness", "surprise", "neutral"]
ARTEMIS = "anger,amusement,awe,contentment,disgust,excitement,fear,sadness,something else"
# kind of set -> its table's name, its columns, a row that fits
TABLES = {
    "table": ("labels.csv", "file,label,split,valence (1 to 9)", "a.jpg,awe,train,5"),
    "votes": ("labels.csv", "file,p_awe,p_fear", "a.jpg,0.5,0.5"),
    "emotion6": (
        "labels.csv",
        f"file,valence,arousal,{','.join(f'p_{x}' for x in EMOTION6)}",
        "joy/a.jpg,5,5,0,0,0,1,0,0,0",
    ),
    "gaped": ("labels.csv", "file,category,valence,arousal", "a.jpg,P,50,50"),
    "abstract": ("ABSTRACT_groundTruth.csv", f"file,{MIKELS}", "a.jpg,1,0,0,0,0,0,0,2"),
    "artemis": ("artemis_dataset_release_v0.csv", "art_style,painting,emotion", "x,a_b,awe"),
}


def _picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(path)


def _messages(*reads: Callable[[], object]) -> str:
    """All that is said of a place by those who read it."""
    said = ""
    for read in reads:
        try:
            found = read()
        except EmovizError as error:
            said += str(error)
            continue
        said += str(getattr(found, "problems", ())) + str(getattr(found, "refused", ()))
        said += str(getattr(found, "notes", ()))
    return said


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("name", ["x.csv", "x.parquet", "x"])
def test_a_file_of_another_kind_is_refused_without_its_words(
    kind: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    path.write_text(OTHERS[kind])
    said = _messages(
        lambda: open_dataset(path),
        lambda: open_dataset(path, taxonomy=MIKELS8, labelled=True),
        lambda: read_predictions(path),
        lambda: read_vectors(path),
        *(lambda read=item.read: read(path, "") for item in importers().values()),
    )
    assert said
    assert SECRET not in said
    if name == "x.csv":
        main(["collection", "add", "x", str(path), "--checkpoint", "none"])
        main(["predict", str(path)])
    assert SECRET not in "".join(capsys.readouterr())


def _cells() -> list[tuple[str, int]]:
    cells = [(k, at) for k, (_, _, row) in TABLES.items() for at in range(row.count(",") + 1)]
    return [cell for cell in cells if cell not in (("artemis", 0), ("artemis", 1))]  # name images


@pytest.mark.parametrize(("kind", "at"), _cells())
@pytest.mark.parametrize("secret", [SECRET, "5550123"])
def test_a_cell_that_does_not_fit_is_told_by_line_and_fault_alone(
    kind: str, at: int, secret: str, tmp_path: Path
) -> None:
    name, columns, row = TABLES[kind]
    cells = row.split(",")
    cells[at] = secret
    (tmp_path / name).write_text(f"{columns}\n{','.join(cells)}\n{row}\n")
    for file in ("a.jpg", "images/joy/a.jpg", "x/a_b.jpg"):
        _picture(tmp_path / file)
    if kind in ("table", "votes"):
        path = tmp_path / name
        said = _messages(
            lambda: open_dataset(path, taxonomy=MIKELS8, labelled=True),
            lambda: read_predictions(path),
        )
    else:
        said = _messages(lambda: importers()[kind].read(tmp_path, ""))
    assert said, "the cell was taken for good"
    assert secret not in said


def test_an_image_that_is_not_there_is_named(tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_text("file,label\na.jpg,awe\ngone.jpg,awe\n" + f"{SECRET},awe\n")
    _picture(tmp_path / "a.jpg")
    assert dict(open_dataset(table).problems) == {
        "line 3": "gone.jpg: there is no such file",
        "line 4": "there is no such file",
    }


def test_rows_of_parquet_are_told_by_their_fault(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(buffer, "PNG")
    rows = [{"image": {"bytes": buffer.getvalue(), "path": None}, "label": SECRET}]
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "t.parquet")
    said = _messages(lambda: open_dataset(tmp_path / "t.parquet", taxonomy=MIKELS8, labelled=True))
    assert "its label is none of taxonomy 'mikels8'" in said
    assert SECRET not in said
