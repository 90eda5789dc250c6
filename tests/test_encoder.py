"""Bringing a network of one's own: small ones, in the very files that timm writes."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from scipy.special import softmax
from sklearn.decomposition import PCA

from emoviz.checkpoints import Checkpoint, load_network
from emoviz.data.dataset import assign_splits
from emoviz.data.images import Limits, open_image
from emoviz.data.preprocessing import Preprocessing
from emoviz.data.reading import read_labelled
from emoviz.errors import CheckpointError, TrainingError, WeightsError
from emoviz.inference.engines import OnnxEngine, TorchEngine
from emoviz.models.network import EmotionNetwork, NetworkConfig
from emoviz.settings import Settings
from emoviz.training import gram_head
from emoviz.training.encoder import add_encoder
from emoviz.training.encoder_reading import read_encoder
from emoviz.training.linear_probe import _fitted, fit_probe
from tests.encoder_folders import write_vision


def write_encoder(folder: Path, name: str = "test_vit", seed: int = 0) -> Path:
    """A network of random weights, as timm saves it for the hub."""
    from timm.models import save_for_hf

    torch.manual_seed(seed)
    model = timm.create_model(name, num_classes=10)
    folder.mkdir()
    save_for_hf(model, folder, safe_serialization=True)
    return folder


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """Forty bright and forty dark pictures, which any encoder tells apart."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    rng = np.random.default_rng(0)
    rows = []
    for i in range(80):
        low = 170 if i % 2 else 10
        values = rng.integers(low, low + 70, (48, 48, 3), dtype=np.uint8)
        Image.fromarray(values).save(folder / f"{i}.png")
        rows.append((f"pictures/{i}.png", ("sadness", "contentment")[i % 2]))
    with (tmp_path / "labels.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([("file", "label"), *rows])
    return tmp_path / "labels.csv"


def bring(place: Path | str, id: str, labels: Path, settings: Settings) -> Checkpoint:
    return add_encoder(str(place), id, read_labelled(labels), settings, lambda line: None)


@pytest.mark.slow
def test_a_folder_of_timm_becomes_a_checkpoint_like_any_other(
    tmp_path: Path, labels: Path, settings: Settings
) -> None:
    folder = write_encoder(tmp_path / "mine")
    made = bring(folder, "mine", labels, settings)
    body = load_network(made).backbone.body.state_dict()  # type: ignore[union-attr]
    for name, value in load_file(folder / "model.safetensors").items():
        if not name.startswith("head."):
            assert torch.equal(body[name], value), name
    card = made.card
    assert card.backbone == "test_vit"
    assert card.summary.startswith("test_vit as it came (test_vit in the folder 'mine', sha256 ")
    assert "ImageNet" not in json.dumps(card.to_dict())
    assert "EfficientNet" not in json.dumps(card.to_dict())
    expected = json.loads((folder / "config.json").read_text())["pretrained_cfg"]
    assert card.preprocessing.size == expected["input_size"][1]
    assert card.preprocessing.mean == tuple(expected["mean"])
    (counts,) = (entry["counts"] for entry in card.data)
    assert sum(counts.values()) == 80
    (measured,) = card.measures.values()
    assert measured["accuracy"] == 1.0
    assert measured["n"] == counts["test"]
    images = np.random.default_rng(1).integers(
        0, 256, (2, card.preprocessing.size, card.preprocessing.size, 3), dtype=np.uint8
    )
    ours, theirs = OnnxEngine(made.graph, 1).run(images), TorchEngine(made, "cpu").run(images)
    np.testing.assert_allclose(ours.logits, theirs.logits, atol=1e-3)
    with pytest.raises(CheckpointError, match="There is a checkpoint 'mine' already"):
        bring(folder, "mine", labels, settings)


def edit(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def _pickle(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / "pytorch_model.bin")


def _spoil(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    name = next(iter(weights))
    save_file(
        {**weights, name: torch.full_like(weights[name], torch.nan)}, folder / "model.safetensors"
    )


def _other_shape(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    save_file({**weights, "pos_embed": torch.zeros(1, 3, 64)}, folder / "model.safetensors")


def _other_size(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    edit(folder, pretrained_cfg={**config["pretrained_cfg"], "input_size": [3, 50, 50]})


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_pickle, r"pickled \(pytorch_model\.bin\), never opened"),
        (lambda f: (f / "model.safetensors").unlink(), r"no model\.safetensors; it holds none"),
        (lambda f: (f / "model.safetensors").write_bytes(b"x"), "is damaged"),
        (lambda f: (f / "config.json").write_text("{"), r"config\.json. cannot be read"),
        (lambda f: edit(f, architecture=None, model_type="swin"), "the kind 'swin'"),
        (lambda f: edit(f, architecture="hf-hub:a/b"), "no network that can be brought in"),
        (_spoil, "no finite numbers"),
        (_other_shape, "'pos_embed' should have the shape"),
        (_other_size, "takes no images of 50 x 50"),
    ],
)
def test_a_folder_that_does_not_fit_is_told_and_leaves_nothing(
    tmp_path: Path, labels: Path, settings: Settings, damage: Any, words: str
) -> None:
    folder = write_encoder(tmp_path / "mine")
    damage(folder)
    with pytest.raises(WeightsError, match=words):
        bring(folder, "mine", labels, settings)
    assert not list(settings.home.rglob("card.json"))


def test_code_of_a_folder_is_never_run(tmp_path: Path) -> None:
    folder = write_encoder(tmp_path / "mine")
    (folder / "modeling.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    edit(folder, auto_map={"AutoModel": "modeling.Model"}, trust_remote_code=True)
    assert read_encoder(str(folder)).architecture == "test_vit"
    assert not (tmp_path / "ran").exists()


def test_what_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WeightsError, match="There is no folder"):
        read_encoder(str(tmp_path / "nothing"))
    with pytest.raises(WeightsError, match="has no network 'nothing'"):
        read_encoder("timm:nothing")

    def unreachable(*_: Any, **__: Any) -> Any:
        raise ConnectionError("no route")

    monkeypatch.setattr(timm, "create_model", unreachable)
    with pytest.raises(WeightsError, match=r"'hf-hub:a/b' cannot be fetched here \(Connection"):
        read_encoder("hf-hub:a/b")


def test_too_few_images_are_told(tmp_path: Path, labels: Path, settings: Settings) -> None:
    folder = write_encoder(tmp_path / "mine", "test_efficientnet")
    few = read_labelled(labels)
    few = replace(few, records=few.records[:3])
    with pytest.raises(TrainingError, match="Too few images to learn from: of "):
        add_encoder(str(folder), "few", few, settings, lambda line: None)


@pytest.mark.parametrize("classes", [2, 4])
def test_a_probe_says_what_scikit_learn_says(classes: int) -> None:
    rng = np.random.default_rng(classes)
    y = rng.integers(0, classes, 300)
    x = (rng.normal(size=(300, 5)) * [1, 10, 100, 1, 1] + y[:, None]).astype(np.float32)
    weight, bias = fit_probe(x, y)
    assert weight.shape == (classes, 5)
    assert bias.shape == (classes,)
    ours = (x @ weight.T + bias).argmax(axis=1)
    pipeline = _fitted(x, y)  # standardised first; the weights hold for vectors as they are
    assert (ours == pipeline.predict(x)).all()
    shares = softmax(x @ weight.T + bias, axis=1)
    np.testing.assert_allclose(shares, pipeline.predict_proba(x), atol=1e-4)


def test_preprocessing_is_what_the_encoder_expects(tmp_path: Path) -> None:
    folder = write_encoder(tmp_path / "mine")
    config = json.loads((folder / "config.json").read_text())
    given = {"input_size": [3, 96, 96], "crop_pct": 0.9, "interpolation": "bilinear"}
    edit(folder, pretrained_cfg={**config["pretrained_cfg"], **given, "mean": [0.1, 0.2, 0.3]})
    found = read_encoder(str(folder)).preprocessing
    assert found == Preprocessing(
        96, "crop", 0.9, "bilinear", (0.1, 0.2, 0.3), tuple(config["pretrained_cfg"]["std"])
    )


@pytest.mark.usefixtures("no_graph")
def test_a_gram_head_learns_on_the_frozen_encoder(
    tmp_path: Path, labels: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gram_head, "EPOCHS", 5)
    monkeypatch.setattr("emoviz.training.encoder.REDUCED", 6)
    write_vision(tmp_path / "vit", "vit")
    encoder, data = read_encoder(str(tmp_path / "vit")), read_labelled(labels)
    made = add_encoder(str(tmp_path / "vit"), "g", data, settings, lambda _: None, "gram")
    network = load_network(made)
    assert isinstance(network, EmotionNetwork)
    body = network.backbone.body.state_dict()
    assert all(
        torch.equal(body[name], value) for name, value in encoder.arrays.items() if name in body
    )
    card = made.card
    assert card.layers == [0, 1]
    assert "Gram modules on stages 0, 1 (each reduced to 6 channels" in card.summary
    (measured,) = card.measures.values()
    # What was measured on the way is what the kept network answers, image by image.
    records = [r for r in assign_splits(list(data.records), 0.15, 0.15) if r.split == "test"]
    engine, right = TorchEngine(made, "cpu"), 0
    for record in records:
        opened = open_image(record.read(Limits()), Limits(), card.preprocessing.short_side)
        logits = engine.run(card.preprocessing.to_array(opened.pixels)[None]).logits[0]
        right += card.taxonomy.names[int(logits.argmax())] == data.taxonomy.names[record.label]
    assert (measured["n"], measured["accuracy"]) == (len(records), round(right / len(records), 4))
    assert measured["accuracy"] == 1.0


@torch.no_grad()
def test_reductions_are_the_principal_components(tmp_path: Path) -> None:
    network = EmotionNetwork(NetworkConfig("test_efficientnet", 2, (1,), reduce=5)).eval()
    images = torch.randn(6, 3, 64, 64)
    gram_head.set_reductions(network, images.split(4))
    rows = network.backbone(images).maps[0].movedim(1, 3).flatten(0, 2).numpy().astype(float)
    wanted = PCA(5, whiten=True, svd_solver="full").fit_transform(rows)
    found = gram_head.reduced(network, images)[1][0].movedim(1, 3).flatten(0, 2).numpy()
    np.testing.assert_allclose(abs(found[:, ::-1]), abs(wanted), rtol=2e-2, atol=2e-2)
