"""The parts of a logit add up, are what they say, and are refused where there are none."""

from typing import Any

import numpy as np
import pytest
import torch

from emoviz.checkpoints import Card, Checkpoint, open_checkpoint, save_checkpoint
from emoviz.data.preprocessing import Preprocessing
from emoviz.inference.content_style_split import ContentStyleSplit, NoSplit, split
from emoviz.inference.explainer import Explainer, load_explainer
from emoviz.labels import MIKELS8
from emoviz.models.fusion import FusedNetwork, Network
from emoviz.models.network import EmotionNetwork, NetworkConfig
from emoviz.settings import PROJECT_ROOT, Settings


def explainer_of(network: Network, size: int = 64, ten_crop: int = 0) -> Explainer:
    """A network that was never saved."""
    card = Card(
        id="untrained",
        title="",
        summary="",
        taxonomy=MIKELS8,
        network=network.config.to_dict(),
        preprocessing=Preprocessing(size, ten_crop=ten_crop),
    )
    return Explainer(Checkpoint(card, PROJECT_ROOT), network.eval().requires_grad_(False))


def untrained(layers: tuple[int | str, ...] = (1, 2, 3), seed: int = 0, **options: Any) -> Network:
    """Random weights, also where batch normalisation starts as the identity."""
    torch.manual_seed(seed)
    network = EmotionNetwork(NetworkConfig("test_efficientnet", 8, layers, **options))
    for module in network.gram_modules.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            for tensor in (module.weight.data, module.bias.data, module.running_mean):
                assert tensor is not None
                tensor.normal_()
    if network.gate is not None:  # whose corrections begin at zero
        torch.nn.init.normal_(network.gate.correction.weight)
        torch.nn.init.normal_(network.gate.scale)
    return network


def images(count: int = 3, size: int = 64) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def parts_of(explainer: Explainer, pixels: np.ndarray) -> ContentStyleSplit:
    found = split(explainer, pixels)
    assert isinstance(found, ContentStyleSplit)
    return found


def assert_adds_up(explainer: Explainer, pixels: np.ndarray) -> ContentStyleSplit:
    found = parts_of(explainer, pixels)
    with torch.no_grad():
        logits = explainer.logits(explainer.to_input(pixels)).numpy()
    np.testing.assert_allclose(sum(found.parts.values()), logits, atol=1e-4)
    np.testing.assert_allclose(found.logits, logits, atol=1e-5)
    for name, two in found.branches.items():
        np.testing.assert_allclose(two.gram + two.conv, found.parts[name], atol=1e-6)
    return found


@pytest.mark.parametrize("layers", [(), (2,), (1, 2), (1, 2, 3)])
def test_parts_of_untrained_networks_add_up(layers: tuple[int, ...]) -> None:
    found = assert_adds_up(explainer_of(untrained(layers)), images())
    assert found.textures == tuple(f"texture, stage {layer}" for layer in layers)
    assert list(found.parts) == ["semantic", *found.textures, "bias"]


@pytest.mark.parametrize(
    "options",
    [
        {"parallel": 2},
        {"reduce": 8},
        {"pooled_activation": "leaky_relu"},
        {"kinds": ("photograph", "painting"), "dimensions": ("valence",)},
    ],
)
def test_parts_of_its_variants_add_up(options: dict[str, Any]) -> None:
    found = assert_adds_up(explainer_of(untrained((1, 2), **options)), images())
    assert len(found.textures) == 2 * options.get("parallel", 1)


def test_parts_over_ten_crops_add_up() -> None:
    assert_adds_up(explainer_of(untrained(), ten_crop=56), images())


@pytest.mark.parametrize("name", ["mikels8", "mikels8-baseline", "faces7"])
def test_parts_of_shipped_checkpoints_add_up(name: str, settings: Settings) -> None:
    explainer = load_explainer(open_checkpoint(name, settings), settings)
    assert_adds_up(explainer, images(2, explainer.side))


def test_each_part_is_the_formula_column_by_column() -> None:
    network = untrained((1, 2))
    explainer = explainer_of(network)
    pixels = images(1)
    found = parts_of(explainer, pixels)
    assert isinstance(network, EmotionNetwork)
    with torch.no_grad():
        maps, pooled = network.backbone(explainer.to_input(pixels))
        z = [module(F)[0] for module, F in zip(network.gram_modules, maps, strict=True)]
        p = network.projection(pooled)[0]
    W = network.classifier.weight
    for c in range(8):
        semantic = sum(float(W[c, j]) * float(p[j]) for j in range(network.width))
        assert found.parts["semantic"][0, c] == pytest.approx(semantic, abs=1e-5)
        at = 0
        for name, part in zip(found.textures, z, strict=True):
            texture = sum(float(W[c, at + j]) * float(part[j]) for j in range(len(part)))
            assert found.parts[name][0, c] == pytest.approx(texture, abs=1e-5)
            at += len(part)
        assert found.parts["bias"][0, c] == pytest.approx(float(network.classifier.bias[c]))


def test_the_gram_branch_forgets_the_layout_and_nothing_else() -> None:
    """A map's columns in another order have the same Gram matrix and the same sub-map averages."""
    network = untrained((1,))
    assert isinstance(network, EmotionNetwork)
    module: Any = network.eval().gram_modules[0]
    with torch.no_grad():
        maps = network.backbone(torch.randn(1, 3, 64, 64)).maps[0]
        mixed = maps.flatten(2)[:, :, torch.randperm(maps[0, 0].numel())].view_as(maps)
        torch.testing.assert_close(
            module.gram_branch(module.gram(maps)),
            module.gram_branch(module.gram(mixed)),
            atol=1e-4,
            rtol=1e-4,
        )
        doubled = module.gram_branch(module.gram(2 * maps))
    assert not torch.allclose(module.gram_branch(module.gram(maps)), doubled, atol=1e-3)


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (untrained((2,), module="multiplicative"), "multiplies"),
        (untrained((1,), module="gathered", reduce=4), "gathers"),
        (FusedNetwork([untrained((), seed=i) for i in range(2)]), "fusion"),  # type: ignore[misc]
    ],
)
def test_networks_without_a_split_say_why(network: Network, words: str) -> None:
    found = split(explainer_of(network), images())
    assert isinstance(found, NoSplit)
    assert words in found.reason
    assert "no exact split exists" in found.reason


def test_the_split_survives_saving(settings: Settings) -> None:
    network = untrained()
    card = explainer_of(network).checkpoint.card
    folder = settings.user_checkpoints / "kept"
    save_checkpoint(folder, card, network, with_graph=False)
    again = load_explainer(open_checkpoint("kept", settings), settings)
    before, after = parts_of(explainer_of(network), images()), assert_adds_up(again, images())
    for name, values in before.parts.items():
        np.testing.assert_allclose(after.parts[name], values, atol=1e-6)
