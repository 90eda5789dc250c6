"""What leaves the house: a kept network's ZIPs run elsewhere, its curves are read elsewhere."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch
from safetensors.torch import load_file

from emoviz.checkpoints import load_network, read_checkpoint
from emoviz.models.network import Normalise
from emoviz.settings import Settings
from emoviz.training.promote import promote
from emoviz.training.recipe_loading import read_recipe
from emoviz.training.run import train_in_folder
from emoviz.training.runs import read_curves, read_run
from emoviz.ui.training.promotion import onnx_archive, weights_archive

RECIPE = """
name: little
taxonomy: mikels8
network: {backbone: test_efficientnet, pretrained: false, standardise: true}
input: {size: 64}
loss: {beta: 0.1}
data: {validation: 0.25, test: 0.25}
phases: [{train: heads, epochs: 3, batch: 8, views: 1, positions: 0, learning_rate: 1e-3}]
"""


@pytest.fixture
def run(table: Path, settings: Settings) -> Path:
    """A finished run under the home, its network without a graph, as the page leaves it."""
    folder = settings.runs / "one"
    train_in_folder(
        read_recipe(RECIPE), [str(table)], folder, settings, lambda line: None, with_graph=False
    )
    return folder


def test_the_downloaded_onnx_gives_the_networks_numbers(
    run: Path, settings: Settings, tmp_path: Path
) -> None:
    kept = promote(run / "checkpoints" / "little", "ours", {}, settings)
    zipfile.ZipFile(io.BytesIO(onnx_archive(kept.folder))).extractall(tmp_path / "elsewhere")
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(
        str(tmp_path / "elsewhere" / "ours" / "graph.onnx"),
        options,
        providers=["CPUExecutionProvider"],
    )
    images = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    names = [output.name for output in session.get_outputs()]
    found = dict(zip(names, session.run(None, {session.get_inputs()[0].name: images}), strict=True))
    way = kept.card.preprocessing
    with torch.no_grad():
        wanted = load_network(kept)(Normalise(way.mean, way.std)(torch.from_numpy(images)))
    np.testing.assert_allclose(found["logits"], wanted.logits, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found["embedding"], wanted.embedding, rtol=1e-3, atol=1e-4)


def test_the_downloaded_weights_and_card_are_a_checkpoint(
    run: Path, settings: Settings, tmp_path: Path
) -> None:
    source = run / "checkpoints" / "little"
    data = weights_archive(source, read_run(settings.runs, run))
    zipfile.ZipFile(io.BytesIO(data)).extractall(tmp_path / "elsewhere")
    found = read_checkpoint(tmp_path / "elsewhere" / "little")
    one, two = load_file(found.weights), load_file(source / "model.safetensors")
    assert set(one) == set(two)
    assert all(torch.equal(one[key], two[key]) for key in one)
    measures = json.loads((tmp_path / "elsewhere" / "little" / "measures.json").read_text())
    assert measures == json.loads((run / "measures.json").read_text())


def test_tensorboard_reads_the_curves(run: Path) -> None:
    """The library itself, not a reader of ours."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = EventAccumulator(str(run / "events" / "training"))
    board.Reload()
    curves = read_curves(run)
    for key in ("loss", "validation_accuracy", "validation_entropy"):
        read = [(event.step, event.value) for event in board.Scalars(f"epoch/{key}")]
        told = [(row["step"], row[key]) for row in curves.epochs]
        assert [step for step, _ in read] == [step for step, _ in told]
        np.testing.assert_allclose([v for _, v in read], [v for _, v in told], rtol=1e-5)
