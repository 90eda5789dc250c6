"""``import emoviz``: what a script written from its documentation finds."""

import csv
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import emoviz
from emoviz.api import Network
from emoviz.checkpoints import Checkpoint
from emoviz.errors import (
    AnalysisError,
    CheckpointError,
    EmovizError,
    ImageError,
    ReviewError,
    TableError,
    TaxonomyError,
)
from emoviz.labels import MIKELS8
from emoviz.settings import PACKAGE, Settings


@pytest.fixture
def net(tiny_checkpoint: Checkpoint) -> Network:
    return emoviz.load("tiny")


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Twelve pictures of noise, one file that is none, and their labels."""
    folder = tmp_path / "images"
    folder.mkdir()
    rng = np.random.default_rng(3)
    rows = []
    for i in range(12):
        values = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(values).resize((80, 60)).save(folder / f"{i:02}.png")
        rows.append((f"images/{i:02}.png", MIKELS8.names[i % 8]))
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    with (tmp_path / "labels.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([("file", "label"), *rows])
    return folder


def shown(result: Any) -> str:
    """What a notebook shows; every result has it, a table and a picture."""
    assert len(result.to_pandas().columns) > 1
    assert result.plot() is not None
    html = result._repr_html_()
    assert isinstance(html, str)
    return html


def test_importing_emoviz_loads_nothing_and_offers_the_api() -> None:
    code = """
import sys, emoviz
assert not [name for name in sys.modules if name.startswith("emoviz.")], sys.modules
assert {"load", "open", "evaluate", "compare", "train", "collection"} <= set(dir(emoviz))
emoviz.load
assert not {"torch", "pandas", "streamlit", "onnxruntime", "plotly"} & set(sys.modules)
try:
    emoviz.nothing
except AttributeError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout == "module 'emoviz' has no attribute 'nothing'\n"


def test_the_stub_names_what_the_module_gives() -> None:
    stub = (PACKAGE / "__init__.pyi").read_text(encoding="utf-8")
    assert [name for name in emoviz.__all__ if f"{name} as {name}" not in stub] == ["__version__"]


def test_predictions_are_those_of_the_network(net: Network, images: Path) -> None:
    found = net.predict([images, images / "missing.png"])
    assert len(found) == 14
    assert set(found.problems) == {str(images / "broken.jpg"), str(images / "missing.png")}
    table = found.to_pandas()
    assert list(table["path"]) == [item.path for item in found]
    read = table[table["error"].isna()]
    assert read[list(net.classes)].to_numpy().sum(axis=1) == pytest.approx(1, abs=1e-4)
    best = np.array(net.classes)[read[list(net.classes)].to_numpy(float).argmax(axis=1)]
    assert list(best) == list(read["predicted"])
    html = shown(found)
    assert "estimate of the emotion" in html
    assert "14 images evokes; 2 could not be read" in html
    assert len(found[2:5]) == 3


def test_embeddings_come_as_vectors_and_as_a_file(
    net: Network, images: Path, tmp_path: Path
) -> None:
    found = net.embed(images)
    assert found.vectors.shape == (len(found), net.card.width) == (12, 52)
    assert [Path(name).name for name in found.problems] == ["broken.jpg"]
    assert "12 images as vectors u of 52 numbers" in shown(found)
    again = net.embed(emoviz.open(images))
    np.testing.assert_array_equal(found.vectors, again.vectors)
    assert found.write(tmp_path / "e.parquet").stat().st_size > 1000
    with pytest.raises(EmovizError):
        found.write(tmp_path / "e.docx")


def test_an_evaluation_counts_what_one_counts_by_hand(net: Network, images: Path) -> None:
    labels = images.parent / "labels.csv"
    found = emoviz.evaluate(net, labels)
    said = {Path(p.path).name: p.predicted for p in net.predict(images) if p.error is None}
    with labels.open() as stream:
        right = [said[Path(row["file"]).name] == row["label"] for row in csv.DictReader(stream)]
    assert found.accuracy == pytest.approx(np.mean(right))
    assert found.n == 12 == found.confusion.to_numpy().sum()
    estimate = found.estimate("accuracy")
    assert (estimate.value, estimate.n) == (found.accuracy, 12)
    assert repr(found) == "<EvaluationResult: tiny on 12 images, labels of mikels8>"
    with pytest.raises(AnalysisError, match=r"no metric 'f1' here\. Known: accuracy"):
        found.estimate("f1")
    assert np.trace(found.confusion.to_numpy()) == sum(right)
    assert "tiny on 12 images, labels of mikels8" in shown(found)
    report = found.write(images.parent / "report.md")
    assert "tiny" in report.read_text(encoding="utf-8")


def test_a_comparison_of_a_network_with_itself_finds_no_difference(
    net: Network, images: Path
) -> None:
    found = emoviz.compare(net, "tiny", images.parent / "labels.csv")
    table = found.to_pandas().set_index("metric")
    assert table.loc["accuracy", "value"] == 0
    assert found.p == 1
    assert found.n == 12
    assert "on the same 12 images" in shown(found)


def test_a_set_that_is_open_is_measured_like_its_place(net: Network, images: Path) -> None:
    place = images.parent / "labels.csv"
    opened = emoviz.open(place)
    assert repr(opened) == f"<Dataset: {opened.name}, 12 records, labels of mikels8, 0 problems>"
    one, other = emoviz.evaluate(net, opened), emoviz.evaluate(net, place)
    assert one.to_pandas().equals(other.to_pandas())
    assert one.values["set_sha256"] == other.values["set_sha256"]
    assert emoviz.compare(net, "tiny", opened).n == 12
    fewer = replace(opened, records=opened.records[:5])
    assert emoviz.evaluate(net, fewer).n == 5
    with pytest.raises(TableError, match="is open already"):
        emoviz.evaluate(net, opened, level=1)
    bare = emoviz.open(images)
    assert repr(bare) == "<Dataset: images, 13 records, no labels, 0 problems>"
    with pytest.raises(TableError, match="has no labels"):
        emoviz.evaluate(net, bare)


@pytest.mark.parametrize("method", ["gradcam", "occlusion", "words"])
def test_an_explanation_is_a_map_over_the_input(net: Network, images: Path, method: Any) -> None:
    found = net.explain(images / "00.png", method, emotion="awe")
    assert found.emotion == "awe"
    assert found.values.shape == (96, 96)
    assert found.plot().size == (96, 96)
    assert shown(found).startswith("<p>What spoke for awe in 00.png, by " + method)
    likely = net.explain(images / "00.png", method).emotion
    assert likely == net.predict(images / "00.png")[0].predicted


def test_what_cannot_be_done_says_so(net: Network, images: Path) -> None:
    with pytest.raises(TaxonomyError, match=r"has no class .joy.\. It has: amusement"):
        net.explain(images / "00.png", emotion="joy")
    with pytest.raises(ImageError, match=r"broken\.jpg cannot be read"):
        net.explain(images / "broken.jpg")
    with pytest.raises(CheckpointError, match="There is no method 'magic'"):
        net.explain(images / "00.png", "magic")  # type: ignore[arg-type]
    with pytest.raises(CheckpointError, match="There is no checkpoint 'none'"):
        emoviz.load("none")
    with pytest.raises(ReviewError, match="no collection 'none'"):
        emoviz.collection("none")
    with pytest.raises(ValueError, match="no baseline 'white'"):
        net.explain(images / "00.png", "ig", baseline="white")  # type: ignore[arg-type]


def test_a_place_that_is_not_there_raises_alone_and_is_a_row_of_several(
    net: Network, images: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    asked = (net.predict, net.embed, emoviz.open, partial(emoviz.evaluate, net))
    for place in ("nowhere", tmp_path / "nowhere", tmp_path / "empty"):
        for ask in asked:
            with pytest.raises(TableError, match=r"There is no '|holds no images|has no labels"):
                ask(place)
        assert list(net.predict([place]).problems) == [str(place)]
    for ask in asked:
        with pytest.raises(TypeError, match="A NoneType came where a place was wanted"):
            ask(None)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="A int came"):
        net.predict([images, 3])  # type: ignore[list-item]
    assert net.predict([]).to_pandas().empty


@pytest.mark.parametrize("several", [False, True])
def test_what_opens_is_predicted(net: Network, images: Path, several: bool) -> None:
    """A folder whatever tables lie in it, the images that come along, a set that is open."""
    assert len(net.predict([images] if several else images)) == 13
    sample = net.predict(["sample"] if several else "sample")
    assert [item.path for item in sample] == emoviz.open("sample").names
    if not several:
        assert net.predict(emoviz.open(images.parent / "labels.csv")).problems == {}


def test_a_collection_is_brought_in_decided_on_and_exported(
    net: Network, images: Path, settings: Settings
) -> None:
    works = emoviz.collection("works", images, checkpoint="tiny")
    table = works.to_pandas().set_index("key")
    first = table.index[0]
    said = {Path(p.path).name: p.predicted for p in net.predict(images)}
    assert table.loc[first, "estimate"] == said[Path(first).name]
    works.decide(first, None, reviewer="Ona")
    works.decide(table.index[1], {"awe": 3, "fear": 1}, reviewer="Ona", note="the light")
    works.decide(table.index[2], {}, reviewer="Ona")
    decided = emoviz.collection("works").to_pandas()["decisions"].tolist()
    assert decided[:4] == [table.loc[first, "estimate"], "awe, fear", "none", ""]
    assert "3 decisions" in shown(works)
    assert works.export("w3c", images.parent / "notes.json").read_text().count('"awe"') >= 1
    with pytest.raises(ReviewError, match="no artwork 'nothing'"):
        works.decide("nothing", None, reviewer="Ona")


@pytest.mark.slow
@pytest.mark.usefixtures("no_graph")
def test_a_training_gives_a_network_that_can_be_asked(images: Path, settings: Settings) -> None:
    recipe = images.parent / "tiny.yaml"
    recipe.write_text(
        """
name: little
taxonomy: mikels8
network: {backbone: test_efficientnet, pretrained: false}
input: {size: 64}
data: {validation: 0.25, test: 0.25}
phases:
  - {train: all, epochs: 3, batch: 4, precision: fp32, optimiser: sgd, learning_rate: 0.01}
"""
    )
    lines: list[str] = []
    run = emoviz.train(
        recipe,
        images.parent / "labels.csv",
        run=images.parent / "run",
        changes={"phases.0.epochs": 2},
        tell=lines.append,
    )
    assert run.folder == images.parent / "run"
    assert lines
    assert "Trained in" in shown(run)
    assert len(run.plot().data[0].y) == 2
    network = run.load()
    assert len(network.predict(images)) == 13
    # The card tells what ran.
    assert network.card.summary.startswith("test_efficientnet, Gram modules on 3 layers, ")
    assert "backbone weights: random. 8 classes, trained on " in network.card.summary
