"""The pages Embeddings and Class centers without a browser: empty, normal and broken input."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from app_pages import drawn_tables, healthy
from encoder_folders import write_clip
from streamlit.testing.v1 import AppTest

from emoviz import jobs
from emoviz.checkpoints import Checkpoint, read_checkpoint
from emoviz.data.reading import open_dataset
from emoviz.inference.embedding import embed_collection
from emoviz.inference.predict import load_model
from emoviz.inference.stored import read_embeddings, table_path, write_embeddings
from emoviz.settings import PROJECT_ROOT, Settings
from emoviz.training.zero_shot import add_zero_shot, text_vectors
from emoviz.ui.explorer import asking

pytestmark = pytest.mark.usefixtures("jobs_end")

Make = Callable[..., bytes]
MAP = "emoviz.ui.map.component._MAP"


@pytest.fixture
def folder(tmp_path: Path, picture: Make) -> Path:
    """Twelve images: four each of awe, fear and sadness."""
    for i, name in enumerate(["awe", "fear", "sadness"] * 4):
        file = tmp_path / "paintings" / name / f"{i}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(picture(seed=i))
    return tmp_path / "paintings"


@pytest.fixture
def other(tiny_checkpoint: Checkpoint) -> Checkpoint:
    """A second checkpoint, without learned centers."""
    folder = tiny_checkpoint.folder.parent / "other"
    shutil.copytree(tiny_checkpoint.folder, folder)
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps({**card, "title": "Other network"}))
    return read_checkpoint(folder)


def embedded(folder: Path, checkpoint: Checkpoint, settings: Settings) -> str:
    """Store the collection's table; gives the collection's key in the link."""
    collection = open_dataset(folder, settings, likely=checkpoint.card.taxonomy)
    found = embed_collection(load_model(checkpoint, settings), collection, settings)
    path = table_path(settings, collection.identity, collection.name, checkpoint.card.id)
    write_embeddings(path, found.parts(settings))
    return path.parent.name


def open_page(page: str = "embeddings", **query: str) -> AppTest:
    app = AppTest.from_file(str(PROJECT_ROOT / "app.py"), default_timeout=90)
    for name, value in {"checkpoint": "tiny", **query}.items():
        app.query_params[name] = value
    app.run()
    app.switch_page(f"pages/explore/{page}.py")
    for name, value in {"checkpoint": "tiny", **query}.items():
        app.query_params[name] = value
    return healthy(app.run())


def said(app: AppTest) -> str:
    """All plain text of the page."""
    kinds: tuple[Any, ...] = (app.markdown, app.info, app.caption, app.warning, app.error)
    return "\n".join(str(item.value) for kind in kinds for item in kind)


def widget(app: AppTest, label: str) -> Any:
    return next(item for item in app.selectbox if item.label == label)


def test_a_collection_is_mapped_and_explained(
    folder: Path, tiny_checkpoint: Checkpoint, settings: Settings
) -> None:
    key = embedded(folder, tiny_checkpoint, settings)
    app = open_page(collection=key, map="pca")
    assert app.title[0].value == "What has the network learned?"
    assert widget(app, "Collection").value == key
    assert "True class" in widget(app, "Colour by").options
    assert "Draw around points" in said(app)


def test_the_chosen_checkpoint_stays_from_page_to_page(
    folder: Path, tiny_checkpoint: Checkpoint, settings: Settings
) -> None:
    embedded(folder, tiny_checkpoint, settings)
    app = AppTest.from_file(str(PROJECT_ROOT / "app.py"), default_timeout=90).run()
    app.selectbox(key="checkpoint").set_value("tiny")
    healthy(app.run())
    app.switch_page("pages/explore/centers.py")
    app.query_params.clear()  # as a press in the menu does
    healthy(app.run())
    assert app.selectbox(key="checkpoint").value == "tiny"
    assert app.query_params["checkpoint"] == "tiny"


def test_every_colouring_draws(
    folder: Path, tiny_checkpoint: Checkpoint, settings: Settings
) -> None:
    app = open_page(collection=embedded(folder, tiny_checkpoint, settings), map="pca")
    for name in widget(app, "Colour by").options:
        widget(app, "Colour by").set_value(name)
        healthy(app.run())
        assert app.query_params.get("colour", "True class") == name


def test_images_that_are_not_embedded_are_offered_and_embedded_by_a_job(
    folder: Path, tiny_checkpoint: Checkpoint, settings: Settings
) -> None:
    app = open_page(map="pca")
    app.text_input(key="explore-path").set_value(str(folder))
    healthy(app.button(key="explore-bring").click().run())
    job = next(job for job in jobs.list_jobs(settings) if str(folder) in job.command)
    assert job.wait(60) == "done", job.tail()
    healthy(app.run())
    assert widget(app, "Collection").value.startswith("paintings")
    assert "Draw around points" in said(app)


def test_a_path_that_is_not_there_is_told(tiny_checkpoint: Checkpoint) -> None:
    app = open_page(map="pca")
    app.text_input(key="explore-path").set_value("/no/such/folder")
    healthy(app.button(key="explore-bring").click().run())
    assert "There is no" in said(app)
    assert app.text_input(key="explore-path").value == "/no/such/folder"  # to be mended


def test_two_checkpoints_stand_side_by_side(
    folder: Path, tiny_checkpoint: Checkpoint, other: Checkpoint, settings: Settings
) -> None:
    key = embedded(folder, tiny_checkpoint, settings)
    embedded(folder, other, settings)
    app = open_page(collection=key, map="pca", beside="other")
    assert widget(app, "Beside it").value == "other"
    assert "Draw around points" in said(app)


def test_a_single_image_is_no_error(
    tmp_path: Path, picture: Make, tiny_checkpoint: Checkpoint, settings: Settings
) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "a.jpg").write_bytes(picture())
    key = embedded(tmp_path / "one", tiny_checkpoint, settings)
    for kind in ("pca", "umap"):
        healthy(open_page(collection=key, map=kind))


def test_a_link_with_an_impossible_seed_opens_the_map(
    folder: Path, tiny_checkpoint: Checkpoint, settings: Settings
) -> None:
    key = embedded(folder, tiny_checkpoint, settings)
    app = open_page(collection=key, map="umap", seed="9" * 400)
    assert app.number_input(key="seed").value == 0


def test_images_all_alike_are_no_error(
    tmp_path: Path, picture: Make, tiny_checkpoint: Checkpoint, settings: Settings
) -> None:
    (tmp_path / "alike").mkdir()
    for i in range(5):
        (tmp_path / "alike" / f"{i}.jpg").write_bytes(picture())
    key = embedded(tmp_path / "alike", tiny_checkpoint, settings)
    healthy(open_page(collection=key, map="pca"))
    healthy(open_page("centers", collection=key))


def test_a_table_of_other_weights_is_made_anew(
    folder: Path, tiny_checkpoint: Checkpoint, settings: Settings
) -> None:
    key = embedded(folder, tiny_checkpoint, settings)
    card = json.loads((tiny_checkpoint.folder / "card.json").read_text())
    (tiny_checkpoint.folder / "card.json").write_text(json.dumps({**card, "temperature": 3.0}))
    open_page(collection=key, map="pca")
    assert any(str(folder) in job.command for job in jobs.list_jobs(settings))


def test_a_damaged_table_costs_only_itself(
    folder: Path, tiny_checkpoint: Checkpoint, settings: Settings
) -> None:
    embedded(folder, tiny_checkpoint, settings)
    table = next((settings.home / "tables").glob("*/*.parquet"))
    table.write_bytes(b"no parquet")
    app = open_page(map="pca")
    assert widget(app, "Collection").options == ["Sample images"]


def test_own_vectors_are_mapped_without_images(
    tiny_checkpoint: Checkpoint, settings: Settings
) -> None:
    file = settings.home / "vectors" / "abcd-own.csv"
    file.parent.mkdir(parents=True)
    rows = np.random.default_rng(0).normal(size=(20, 3))
    lines = [",".join(map(str, row)) + f",{'ab'[i % 2]}" for i, row in enumerate(rows)]
    file.write_text("\n".join(["x1,x2,x3,label", *lines, "nan,1,2,a"]))
    app = open_page(collection="vectors-abcd-own", map="pca")
    assert widget(app, "Colour by").value == "True class"
    assert "1 row left out" in said(app)


def test_centers_are_shown_with_what_falls_short(
    folder: Path, tiny_checkpoint: Checkpoint, settings: Settings
) -> None:
    key = embedded(folder, tiny_checkpoint, settings)
    app = open_page("centers", collection=key)
    assert app.title[0].value == "Which emotions can the network not tell apart?"
    assert "Distances from" in said(app)
    assert "Spearman" in str(drawn_tables(app)[0].reset_index().columns)


def test_without_a_checkpoint_both_pages_say_what_to_do(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emoviz.settings.PROJECT_ROOT", home)
    for page in ("embeddings", "centers"):
        app = open_page(page)
        assert "trained network" in said(app)


# Ask in words ----------------------------------------------------------------------------------


def test_a_network_without_words_says_what_brings_one(
    folder: Path, tiny_checkpoint: Checkpoint, settings: Settings
) -> None:
    app = open_page(collection=embedded(folder, tiny_checkpoint, settings), map="pca")
    app.session_state["ask"] = True
    healthy(app.run())
    assert "This network knows images and no words" in said(app)
    assert "emoviz add-encoder FOLDER --zero-shot" in said(app)


@pytest.mark.slow
def test_a_text_finds_the_images_that_fit_it_best(
    folder: Path, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_clip(tmp_path / "clip")
    prompts = tmp_path / "prompts.yaml"
    prompts.write_text(json.dumps({"calm": "grass", "storm": "a snake"}))
    made = add_zero_shot(str(tmp_path / "clip"), "words", str(prompts), settings, lambda line: None)
    key = embedded(folder, made, settings)
    [file] = settings.home.glob(f"tables/{key}/words.parquet")
    table = read_embeddings(file)
    cosines = table.embedding @ text_vectors(made, settings)("a sea at night")
    shown: list[list[str]] = []
    monkeypatch.setattr(
        asking, "gallery", lambda tiles, *_: shown.append([t.caption for t in tiles])
    )

    app = open_page(checkpoint="words", collection=key, map="pca")
    app.session_state["ask"] = True
    healthy(app.run())
    app.text_input(key="ask-text").set_value("a sea at night")
    healthy(app.run())
    names = [Path(path).name for path in table.paths]
    assert shown[-1] == [names[i] for i in np.argsort(-cosines, kind="stable")]
    assert "12 images of 12" in said(app)
    for emotion, index in (("calm", 0), ("storm", 1)):
        app.selectbox(key="ask-emotion").set_value(emotion)
        healthy(app.run())
        rows = np.flatnonzero(table.predicted == index)
        if len(rows):
            order = rows[np.argsort(-cosines[rows], kind="stable")]
            assert shown[-1] == [names[i] for i in order]
        else:
            assert f"calls no image {emotion}" in said(app)
    shutil.rmtree(tmp_path / "clip")
    asking._tower.clear()
    healthy(app.run())
    assert "is not at its place any more" in said(app)
