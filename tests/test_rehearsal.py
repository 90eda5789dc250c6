"""The road to the papers' sets, walked on small ones in the very layouts that are published.

From the folder as it is unpacked to the card of a network, by the commands that people type.
"""

import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import load_file

from emoviz.__main__ import main
from emoviz.checkpoints import read_checkpoint
from emoviz.errors import WeightsError
from emoviz.labels import MIKELS8
from emoviz.training.cost import Shape, estimate, hours
from emoviz.training.prepare import build_network
from emoviz.training.recipe_loading import read_recipe

EACH = 10  # images of an emotion
SPLITS = {"train": range(7), "val": range(7, 8), "test": range(8, EACH)}


def jpeg(emotion: int, number: int) -> bytes:
    """A noisy picture whose brightness tells the emotion."""
    rng = np.random.default_rng(100 * emotion + number)
    pixels = np.clip(rng.normal(25 + 28 * emotion, 12, (40, 48, 3)), 0, 255).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG")
    return stream.getvalue()


def emoset(root: Path) -> Path:
    """Three lists, images and annotations, as the set's own loader reads them."""
    lists: dict[str, list[list[str]]] = {name: [] for name in SPLITS}
    for e, name in enumerate(MIKELS8.names):
        (root / "image" / name).mkdir(parents=True)
        (root / "annotation" / name).mkdir(parents=True)
        for i in range(EACH):
            image = f"image/{name}/{name}_{i:05d}.jpg"
            note = f"annotation/{name}/{name}_{i:05d}.json"
            (root / image).write_bytes(jpeg(e, i))
            (root / note).write_text(json.dumps({"brightness": e / 8, "colorfulness": 0.5}))
            (split,) = (word for word, numbers in SPLITS.items() if i in numbers)
            lists[split].append([name, image, note])
    for word, rows in lists.items():
        (root / f"{word}.json").write_text(json.dumps(rows))
    return root


def fi8(root: Path) -> Path:
    """One folder of JPEGs an emotion, without a split."""
    for e, name in enumerate(MIKELS8.names):
        (root / name).mkdir(parents=True)
        for i in range(EACH):
            (root / name / f"{name}_{i}.jpg").write_bytes(jpeg(e, i))
    return root


def weights_folder(folder: Path) -> Path:
    """A backbone as timm writes it for the hub, which stands for weights brought by hand."""
    from timm.models import save_for_hf

    torch.manual_seed(3)
    model = timm.create_model("test_efficientnet", num_classes=10)
    folder.mkdir()
    save_for_hf(model, folder, safe_serialization=True)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "make"), [("emoset", emoset), ("fi8", fi8)])
def test_from_the_published_layout_to_a_card(
    kind: str,
    make: Callable[[Path], Path],
    tmp_path: Path,
    home: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    root, weights = make(tmp_path / "unpacked"), weights_folder(tmp_path / "backbone")
    assert main(["data", "import", kind, str(root), "--library", kind]) == 0
    run = tmp_path / "run"
    changed = [
        "network.backbone=test_efficientnet",
        f"network.weights={weights}",
        "input.size=64",
        "phases.0.epochs=1",
        "phases.0.batch=8",
    ]
    train = ["train", "dissertation", "--data", kind, "--run", str(run), "--no-graph"]
    assert main([*train, "--set", *changed]) == 0
    told = (run / "log.txt").read_text()
    cost = told.index("What this will take here, about: ")
    assert cost < told.index("phase 1 epoch 1")  # before the start
    assert re.search(r"to train, \d+\.\d GB of memory\.", told)
    card = read_checkpoint(run / "checkpoints" / "dissertation").card
    assert card.versions["backbone_weights"].startswith(
        "test_efficientnet in the folder 'backbone'"
    )
    (entry,) = card.data
    assert entry["images"] == 8 * EACH
    assert "research" in entry["terms"].casefold()
    if kind == "emoset":  # its own split
        assert entry["images in the finished weights"] == 8 * 7
        assert entry["kept out for measuring"] == "8 for validation, 16 for the test"
    assert [name for name in card.measures if "test" in name]

    assert main(["add-encoder", str(weights), "--data", kind, "--id", "mine"]) == 0
    (measured,) = read_checkpoint(home / "checkpoints" / "mine").card.measures.values()
    assert measured["accuracy"] > 1 / 8  # brightness tells, also to filters that nobody trained
    capsys.readouterr()


def test_a_backbone_takes_the_weights_of_a_folder(tmp_path: Path) -> None:
    folder = weights_folder(tmp_path / "backbone")
    recipe = "network: {{backbone: {name}, layers: [], weights: '{folder}'}}\ninput: {{size: 64}}"
    made, source = build_network(
        read_recipe(recipe.format(name="test_efficientnet", folder=folder))
    )
    given = load_file(folder / "model.safetensors")
    for name, value in made.backbone.body.state_dict().items():
        assert torch.equal(value, given[name]), name
    assert "sha256" in source
    with pytest.raises(WeightsError, match="do not fit"):
        build_network(read_recipe(recipe.format(name="test_resnet", folder=folder)))
    with pytest.raises(WeightsError, match="no folder"):
        build_network(read_recipe(recipe.format(name="test_efficientnet", folder="gone")))


def test_the_cost_counts_every_phase_and_network() -> None:
    shape = Shape((4,), (100,), 10, 1000)
    whole = read_recipe("data: {validation: 0.1, test: 0.1}\nphases: [{train: all, epochs: 5}]")
    # Three passes for each of 800 images that are learned from, one for 100 that are watched.
    assert estimate(whole, 1000, 0.01, shape).seconds_training == pytest.approx(5 * 25)
    heads = "{train: heads, epochs: 4, views: 3, positions: 10}"
    once = read_recipe(f"data: {{validation: 0.1, test: 0.1}}\nphases: [{heads}]")
    one = estimate(once, 1000, 0.01, shape)
    assert one.seconds_reading == pytest.approx(1000 * 0.01 * (1 + 4 / 3))
    assert one.disk == 1000 * 3 * (4 * 10 + 2 * 4 * 5 + 4 * 40 * 2)
    folds = estimate(read_recipe(f"data: {{folds: 5}}\nphases: [{heads}]"), 1000, 0.01, shape)
    assert folds.networks == 6
    # Each of five folds learns from four fifths, the finished network from all: five times all.
    assert folds.seconds_training - 2 == pytest.approx((one.seconds_training - 2) * 5 / 0.8)
    assert "6 networks" in folds.words()
    tail = "{train: tail, epochs: 2, views: 3, positions: 10}"
    both = read_recipe(f"data: {{validation: 0.1, test: 0.1}}\nphases: [{heads}, {tail}]")
    more = estimate(both, 1000, 0.01, shape).seconds_training - one.seconds_training
    assert more == pytest.approx(2 * 3 * 800 * 0.01 + 2)


def test_durations_are_said_in_the_unit_that_suits() -> None:
    assert [hours(s) for s in (0.2, 40, 720, 111_600)] == ["1 s", "40 s", "12 min", "31 h"]
