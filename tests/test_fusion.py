"""Several networks in one checkpoint, and ten crops at test time: each against a slow loop."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.transforms import functional as vision

from emoviz.checkpoints import Card, Checkpoint, load_network, read_checkpoint, save_checkpoint
from emoviz.data.preprocessing import Preprocessing
from emoviz.errors import CheckpointError
from emoviz.inference.engines import OnnxEngine, RawOutput, TorchEngine
from emoviz.labels import MIKELS8
from emoviz.models.crops import run_on_crops, ten_crops
from emoviz.models.fusion import FusedConfig, FusedNetwork, Network, build
from emoviz.models.network import EmotionNetwork, NetworkConfig, Output
from emoviz.ui.card_page import card_html


def member(name: str = "test_efficientnet", classes: int = 8) -> EmotionNetwork:
    """A plain backbone whose classes are far enough apart to tell."""
    network = EmotionNetwork(NetworkConfig(name, classes, layers=())).eval()
    with torch.no_grad():
        network.classifier.weight.mul_(20)
    return network


def fusion() -> FusedNetwork:
    torch.manual_seed(0)
    return FusedNetwork([member(), member("test_resnet")]).eval()


def saved(
    network: Network, folder: Path, ten_crop: int = 0, with_graph: bool = False
) -> Checkpoint:
    card = Card(
        id="mine",
        title="t",
        summary="s",
        taxonomy=MIKELS8,
        network=network.config.to_dict(),
        preprocessing=Preprocessing(48, ten_crop=ten_crop),
    )
    return save_checkpoint(folder / "mine", card, network, with_graph=with_graph)


def images(count: int, side: int = 48) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


# The mean of probabilities -------------------------------------------------------------------


def test_fused_probabilities_are_the_mean_of_the_members() -> None:
    network = fusion()
    batch = torch.randn(3, 3, 48, 48)
    with torch.no_grad():
        one, two = (part(batch) for part in network.members)
        out = network(batch)
    for k in range(3):
        for c in range(8):
            p = [
                float(torch.exp(o.logits[k, c]) / torch.exp(o.logits[k]).sum()) for o in (one, two)
            ]
            found = float(torch.softmax(out.logits[k], dim=0)[c])
            assert found == pytest.approx(sum(p) / 2, abs=1e-6)
    torch.testing.assert_close(out.embedding, torch.cat([one.embedding, two.embedding], dim=1))
    torch.testing.assert_close(out.pooled, torch.cat([one.pooled, two.pooled], dim=1))
    assert out.energy.shape == (3, 0)
    assert network.width == out.embedding.shape[1] == 256 + 96


def test_networks_of_different_classes_cannot_be_fused() -> None:
    with pytest.raises(ValueError, match=r"Networks of \[7, 8\] classes"):
        FusedNetwork([member(), member(classes=7)])


def test_the_card_builds_what_it_describes() -> None:
    network = fusion()
    again = build(json.loads(json.dumps(network.config.to_dict())))
    assert isinstance(again, FusedNetwork)
    assert again.config == network.config
    assert again.state_dict().keys() == network.state_dict().keys()
    assert isinstance(build(member().config.to_dict()), EmotionNetwork)


@pytest.mark.parametrize("values", [{"members": []}, {"members": 3}, {"members": [], "k": 1}])
def test_fusions_without_members_are_told(values: dict[str, object]) -> None:
    with pytest.raises(CheckpointError, match="wanted a list of members"):
        FusedConfig.from_dict(values)


# The checkpoint ------------------------------------------------------------------------------


def test_a_fused_checkpoint_comes_back_and_both_engines_run_it(tmp_path: Path) -> None:
    network = fusion()
    checkpoint = saved(network, tmp_path, with_graph=True)
    assert checkpoint.card.backbone == "test_efficientnet + test_resnet"
    assert checkpoint.card.layers == []
    assert checkpoint.card.width == network.width
    loaded = load_network(checkpoint)
    for key, value in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], value), key
    batch = images(3)
    ours, theirs = (
        OnnxEngine(checkpoint.graph, 1).run(batch),
        TorchEngine(checkpoint, "cpu").run(batch),
    )
    assert np.ptp(ours.logits, axis=1).min() > 0.1
    for one, two in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-3, atol=1e-3)


def test_the_cards_page_shows_every_member(tmp_path: Path) -> None:
    html = card_html(saved(fusion(), tmp_path).card)
    assert "test_efficientnet" in html
    assert "test_resnet" in html


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([], "no list of members"),
        ("both", "no list of members"),
        ([3], "a member that is no table"),
        ([{"backbone": "a"}], "lacks layers"),
        ([{"backbone": "a", "layers": []}], "the weights have 8 and 256"),
    ],
)
def test_a_card_with_impossible_members_is_told(
    tmp_path: Path, members: object, message: str
) -> None:
    folder = saved(fusion(), tmp_path).folder
    path = folder / "card.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "network": {"members": members}}))
    with pytest.raises(CheckpointError, match=message):
        read_checkpoint(folder)


# Ten crops -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("height", "width", "side"), [(48, 48, 44), (9, 12, 6), (5, 8, 5)])
def test_crops_are_those_of_torchvision(height: int, width: int, side: int) -> None:
    batch = torch.randn(2, 3, height, width)
    found = ten_crops(batch, side).view(10, 2, 3, side, side)
    for number, wanted in enumerate(vision.ten_crop(batch, [side, side])):
        assert torch.equal(found[number], wanted)


def test_outputs_are_averaged_over_each_images_crops() -> None:
    """One crop of one image at a time."""
    torch.manual_seed(0)
    network = EmotionNetwork(NetworkConfig("test_efficientnet", 8, layers=(1, 2))).eval()
    batch = torch.randn(2, 3, 48, 48)
    with torch.no_grad():
        found = run_on_crops(network, batch, 44)
        for k in range(2):
            crops = vision.ten_crop(batch[k], [44, 44])
            parts = [network(crop[None]) for crop in crops]
            for name in Output._fields:
                wanted = sum(getattr(part, name)[0] for part in parts) / 10
                torch.testing.assert_close(getattr(found, name)[k], wanted, atol=1e-5, rtol=1e-4)


def test_without_ten_crops_the_network_sees_the_image() -> None:
    network = member()
    batch = torch.randn(2, 3, 48, 48)
    with torch.no_grad():
        assert torch.equal(run_on_crops(network, batch, 0).logits, network(batch).logits)


CONFIGS = {
    "plain": NetworkConfig("test_efficientnet", 8, layers=()),
    "named part": NetworkConfig("test_efficientnet", 8, layers=("blocks.1.0", 2)),
    "multiplicative": NetworkConfig(
        "test_efficientnet",
        8,
        layers=(1,),
        module="multiplicative",
        parallel=3,
        pooled_activation="leaky_relu",
    ),
    "gathered": NetworkConfig("test_resnet", 8, layers=(0, 1), module="gathered", reduce=4),
}


@pytest.mark.parametrize(
    ("kind", "ten_crop"),
    [
        ("plain", 0),
        ("plain", 44),
        ("named part", 0),
        ("multiplicative", 44),
        ("gathered", 0),
        ("fused", 44),
    ],
)
def test_every_kind_of_network_runs_in_the_graph(tmp_path: Path, kind: str, ten_crop: int) -> None:
    torch.manual_seed(0)
    network = fusion() if kind == "fused" else EmotionNetwork(CONFIGS[kind]).eval()
    checkpoint = saved(network, tmp_path, ten_crop, with_graph=True)
    batch = images(3)
    found = OnnxEngine(checkpoint.graph, 1).run(batch)
    preprocessing = checkpoint.card.preprocessing
    by_hand = (batch / 255.0 - np.array(preprocessing.mean)) / np.array(preprocessing.std)
    pixels = torch.tensor(by_hand.transpose(0, 3, 1, 2), dtype=torch.float32)
    with torch.no_grad():
        crops = vision.ten_crop(pixels, [44, 44]) if ten_crop else (pixels,)
        outputs = [network(crop) for crop in crops]
    for name in Output._fields:
        wanted = sum(getattr(out, name) for out in outputs) / len(outputs)
        given = getattr(found, name)
        if name in RawOutput._field_defaults and wanted.shape[1] == 0:
            assert given.shape == (0, 0), name  # the graph of a network without it does not give it
            continue
        np.testing.assert_allclose(given, wanted.numpy(), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("ten_crop", [-1, 49, 4.5])
def test_impossible_crops_on_a_card_are_told(ten_crop: float) -> None:
    values = {**Preprocessing(48).to_dict(), "ten_crop": ten_crop}
    with pytest.raises(CheckpointError, match="preprocessing does not fit"):
        Preprocessing.from_dict(values)


def test_cards_of_before_have_no_crops() -> None:
    values = Preprocessing(48).to_dict()
    del values["ten_crop"]
    assert Preprocessing.from_dict(values).ten_crop == 0
