"""One input gives one answer, whichever verb or page it is given to.

Each place is odd in a way that people's places are; what is in it is known, because the test made
it. Every front must say the same of it: so many found, so many taken, these problems.
"""

import io
import json
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from streamlit.testing.v1 import AppTest

from emoviz.checkpoints import Checkpoint
from emoviz.cli import main
from emoviz.data.library import find_set
from emoviz.data.reading import read_labelled
from emoviz.errors import TrainingError
from emoviz.settings import Settings
from emoviz.training.prepare import prepare
from emoviz.training.recipe_loading import read_recipe

Picture = Callable[..., bytes]
Files = Mapping[str, bytes]
LABELS = {"fear": 2, "awe": 1}
RECIPE = """
name: little
taxonomy: mikels8
network: {backbone: test_efficientnet, pretrained: false}
input: {size: 64}
phases: [{train: heads, epochs: 1, batch: 2}]
"""
PROBLEM = "notes"  # what every problem of these places has in its name


def the_files(picture: Picture) -> dict[str, bytes]:
    """Two images of fear, one of awe, and one file that is none."""
    made = {"fear/1.jpg": picture(seed=1), "fear/2.png": picture("PNG", seed=2)}
    return {**made, "awe/3.jpg": picture(seed=3), "awe/notes.pdf": b"%PDF-1.7"}


def packed(files: Files) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def folder(root: Path, files: Files) -> Path:
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def wrapped_folder(root: Path, files: Files) -> Path:
    litter = {".DS_Store": b"x", "__MACOSX/1.jpg": b"x", "set/Thumbs.db": b"x"}
    return folder(root, {f"set/images/{name}": data for name, data in files.items()} | litter)


def linked_folder(root: Path, files: Files) -> Path:
    away = folder(root / "away", files)
    (root / "here").mkdir()
    for label in LABELS:
        (root / "here" / label).symlink_to(away / label)
    return root / "here"


def backslash_zip(root: Path, files: Files) -> Path:
    place = root / "mine.ZIP"
    place.write_bytes(packed({f"set\\{n.replace('/', chr(92))}": d for n, d in files.items()}))
    return place


def windows_table(root: Path, files: Files) -> Path:
    """As Excel of a German office writes it: semicolons, code page, backslashes, its own line."""
    folder(root, {name.replace("1.jpg", "Bäume.jpg"): data for name, data in files.items()})
    names = {"fear/Bäume.jpg": "fear", "fear/2.png": "fear", "awe/3.jpg": "awe"}
    rows = [f"{name.replace('/', chr(92))};{label}" for name, label in names.items()]
    text = "\r\n".join(["sep=;", "filepath;label", *rows, "notes.jpg;awe", ""])
    (root / "table.csv").write_bytes(text.encode("cp1252"))
    return root / "table.csv"


def utf16_table(root: Path, files: Files) -> Path:
    folder(root, files)
    names = [name.replace(".pdf", ".jpg") for name in files]  # a file that is not there
    rows = [f"{name}\t{name.partition('/')[0]}" for name in names]
    (root / "table.tsv").write_bytes("\n".join(["img\temotion", *rows, ""]).encode("utf-16"))
    return root / "table.tsv"


def parquet_of_images(root: Path, files: Files) -> Path:
    names = [name.replace(".pdf", ".jpg") for name in files]
    given = [None if PROBLEM in name else data for name, data in files.items()]
    images = [{"bytes": data, "path": name} for name, data in zip(names, given, strict=True)]
    labels = [name.partition("/")[0] for name in names]
    pq.write_table(pa.table({"image": images, "label": labels}), root / "t.parquet")
    return root / "t.parquet"


PLACES = (
    *(wrapped_folder, linked_folder, backslash_zip),
    *(windows_table, utf16_table, parquet_of_images),
)


@pytest.fixture(params=PLACES, ids=lambda place: place.__name__)
def place(request: pytest.FixtureRequest, tmp_path: Path, picture: Picture) -> Path:
    root = tmp_path / "given"
    root.mkdir()
    made: Path = request.param(root, the_files(picture))
    return made


def said(capsys: pytest.CaptureFixture[str], *words: object) -> dict[str, Any]:
    """What a verb says in JSON."""
    assert main([*map(str, words), "--format", "json"]) == 0, capsys.readouterr().err
    values: dict[str, Any] = json.loads(capsys.readouterr().out)
    return values


def test_every_verb_says_the_same(
    place: Path,
    settings: Settings,
    tiny_checkpoint: Checkpoint,
    capsys: pytest.CaptureFixture[str],
) -> None:
    told = {
        "embed": said(capsys, "embed", place, "--checkpoint", "tiny"),
        "evaluate": said(capsys, "evaluate", "--data", place, "--checkpoint", "tiny"),
        "compare": said(capsys, "compare", "tiny", "tiny", "--data", place),
        "import": said(capsys, "data", "import", "table", place, "--library", "mine"),
        "collection": said(capsys, "collection", "add", "c", place, "--checkpoint", "none"),
    }
    for verb, values in told.items():
        assert (values["found"], values["taken"]) == (4, 3), verb
        (problem,) = values["problems"]
        assert PROBLEM in f"{problem['what']}: {problem['reason']}", (verb, problem)
    assert main(["predict", str(place), "--checkpoint", "tiny"]) == 0
    assert "4 found: 3 taken, 1 problem" in capsys.readouterr().out
    recipe, learned = read_recipe(RECIPE), list[str]()
    with pytest.raises(TrainingError):  # three images are too few to learn from
        prepare(recipe, [str(place)], learned.append)
    assert "4 found: 3 taken, 1 problem" in learned[0]
    assert any(PROBLEM in line for line in learned[1:])
    for labelled in (read_labelled(place), read_labelled(find_set(settings, "mine").path)):
        assert Counter(labelled.labels) == LABELS


def brought_on_pages() -> None:
    """What the pages' forms say of the place that the session names."""
    import streamlit as st

    from emoviz.settings import load_settings
    from emoviz.ui import intake
    from emoviz.ui.explorer import sources
    from emoviz.ui.library.bring_in import Arrival
    from emoviz.ui.workspace import workspace

    arrival, settings = Arrival("path", st.session_state["place"]), load_settings()
    outcome = sources.image_form(settings, "explore", sources.VECTORS).take(arrival)
    assert outcome is not None
    st.session_state["explore"] = outcome.taken, list(map(str, outcome.problems))
    intake.bring_in_more(settings)
    intake._take(settings, arrival)
    st.session_state["classify"] = [entry.name for entry in workspace().entries]


def test_every_page_says_the_same(place: Path, settings: Settings) -> None:
    app = AppTest.from_function(brought_on_pages, default_timeout=60)
    app.session_state["place"] = str(place)
    app.run()
    assert not app.exception
    taken, problems = app.session_state["explore"]
    classify = app.session_state["classify"]
    assert len(classify) == 4
    assert (taken, len(problems)) == (3, 1)
