"""Heat maps: against planted patches, Captum, sums that must hold; curves against a slow loop."""

from typing import Any

import numpy as np
import pytest
import torch
from test_parts import explainer_of, images, untrained

from emoviz.data.preprocessing import Preprocessing
from emoviz.inference.attribution import (
    BASELINES,
    Baseline,
    _from_crops,
    _Way,
    grad_cam,
    integrated_gradients,
    occlusion,
    window_starts,
)
from emoviz.inference.engines import RawOutput
from emoviz.inference.explainer import Explainer
from emoviz.inference.faithfulness import Faithfulness, _mixed, _ranks, faithfulness, random_map
from emoviz.inference.predict import softmax
from emoviz.models.crops import ten_crops
from emoviz.models.fusion import FusedNetwork
from emoviz.models.network import EmotionNetwork, NetworkConfig, Output

SIDE = 64
PLAIN = Preprocessing(SIDE, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))


class RedCorner:
    """An engine that knows what it looks at: class 0 is the red in rows 8-23, columns 32-47."""

    description = "by hand"

    def __init__(self) -> None:
        self.batches: list[int] = []

    def run(self, pixels: np.ndarray) -> RawOutput:
        self.batches.append(len(pixels))
        red = pixels[:, 8:24, 32:48, 0].astype(np.float32).mean(axis=(1, 2)) / 255.0
        logits = np.stack([8 * red - 6, np.zeros_like(red)], axis=1)
        return RawOutput(logits, logits, logits, logits)


class RedCornerNetwork(EmotionNetwork):
    """The same as a network: its first stage passes the picture on, its logit reads one place."""

    def forward(self, x: torch.Tensor) -> Output:
        stage: Any = self.backbone.body.get_submodule("blocks.0")
        seen = stage(x)
        red = (4 * seen[:, :1, 8:24, 32:48]).square().mean(dim=(1, 2, 3))
        logits = torch.stack([red, *[torch.zeros_like(red)] * 7], dim=1)
        return Output(logits, logits, logits, logits)


def planted() -> np.ndarray:
    pixels = np.full((SIDE, SIDE, 3), 128, np.uint8)
    pixels[8:24, 32:48] = (255, 0, 0)
    return pixels


def reader() -> Explainer:
    network = RedCornerNetwork(NetworkConfig("test_efficientnet", 8, layers=()))
    network.backbone.body.blocks[0] = torch.nn.Sequential(torch.nn.Identity())
    return explainer_of(network, SIDE)


def share_inside(heat: np.ndarray) -> float:
    positive = np.clip(heat, 0, None)
    return float(positive[8:24, 32:48].sum() / positive.sum())


# Where -------------------------------------------------------------------------------------------


def test_occlusion_finds_the_planted_patch() -> None:
    engine = RedCorner()
    heat = occlusion(engine, planted(), PLAIN, window=0.125, stride=0.0625, batch=16)
    row, column = np.unravel_index(heat[0].argmax(), heat[0].shape)
    assert 8 <= row < 24
    assert 32 <= column < 48
    assert share_inside(heat[0]) > 0.6
    assert np.abs(heat[1]).max() == 0.0
    assert max(engine.batches) == 16
    assert len(engine.batches) == 1 + -(-(len(window_starts(SIDE, 8, 4)) ** 2) // 16)


def test_integrated_gradients_find_the_planted_patch() -> None:
    heat = integrated_gradients(reader(), planted(), 0, steps=16)
    assert share_inside(heat.values) == pytest.approx(1.0)
    assert heat.completeness is not None
    assert heat.completeness.gap < 1e-3 * abs(heat.completeness.difference)


def test_grad_cam_finds_the_planted_patch() -> None:
    explainer = reader()
    (heat,) = grad_cam(explainer, planted(), [0], explainer.stages[0])
    assert heat.values.shape == (SIDE, SIDE)
    row, column = np.unravel_index(heat.values.argmax(), heat.values.shape)
    assert 8 <= row < 24
    assert 32 <= column < 48
    assert share_inside(heat.values) > 0.6


# Independent sums and a second implementation --------------------------------------------------


def test_integrated_gradients_are_complete_on_a_network() -> None:
    explainer = explainer_of(untrained(), SIDE)
    heat = integrated_gradients(explainer, images(1)[0], 3, steps=64)
    with torch.no_grad():
        x = explainer.to_input(images(1))
        wanted = explainer.logits(x)[0, 3] - explainer.logits(torch.zeros_like(x))[0, 3]
    assert heat.values.sum() == pytest.approx(float(wanted), abs=0.02 * abs(float(wanted)) + 1e-3)
    assert heat.completeness is not None
    assert heat.completeness.difference == pytest.approx(float(wanted), abs=1e-5)


def test_a_piece_of_the_way_is_captums() -> None:
    from captum.attr import IntegratedGradients

    explainer = explainer_of(untrained(), SIDE)
    pixels = images(1)[0]
    x, black = explainer.to_input(pixels[None]), explainer.to_input(np.zeros_like(pixels)[None])
    piece = _Way(explainer, pixels, 3, "black", 5).piece(0.25, 1.0)
    theirs: Any = IntegratedGradients(explainer.logits).attribute(
        x, baselines=black + 0.25 * (x - black), target=3, n_steps=5
    )
    np.testing.assert_allclose(piece.values, theirs[0].sum(dim=0).numpy(), atol=1e-6)


@pytest.mark.parametrize("baseline", BASELINES)
def test_steep_networks_get_steps_where_they_are_steep(baseline: Baseline) -> None:
    """Whatever the way begins with, the map adds up."""
    explainer = explainer_of(Steep(NetworkConfig("test_efficientnet", 8, layers=())), SIDE)
    pixels = images(1)[0]
    heat = integrated_gradients(explainer, pixels, 0, baseline=baseline)
    done = heat.completeness
    assert done is not None
    assert done.baseline == baseline
    assert done.gap < 0.05 + 0.03 * abs(done.difference)
    assert done.gap == pytest.approx(abs(float(heat.values.sum()) - done.difference), abs=1e-4)
    assert done.steps <= 160


def test_steep_networks_defeat_a_rule_of_as_many_steps_in_one_piece() -> None:
    """What the pieces are for: Captum's own rule over the whole way misses more."""
    from captum.attr import IntegratedGradients

    explainer = explainer_of(Steep(NetworkConfig("test_efficientnet", 8, layers=())), SIDE)
    pixels = images(1)[0]
    ours = integrated_gradients(explainer, pixels, 0, steps=96).completeness
    assert ours is not None
    assert ours.steps <= 96
    x = explainer.to_input(pixels[None])
    whole: Any = IntegratedGradients(explainer.logits).attribute(x, target=0, n_steps=96)
    assert abs(float(whole.sum()) - ours.difference) > 3 * ours.gap


class Steep(EmotionNetwork):
    """Its logit goes up and down twice, with corners, in the first 6 % of the way from grey."""

    def forward(self, x: torch.Tensor) -> Output:
        size = x.square().mean(dim=(1, 2, 3)).sqrt()
        near = (size / 0.08).clamp(max=1.0)  # 1 from 6 % of the way on
        swing = 2 * (4 * near - 2 * (2 * near).round()).abs() + size
        logits = torch.stack([swing, *[torch.zeros_like(size)] * 7], dim=1)
        return Output(logits, logits, logits, logits)


def test_occlusion_is_captums_for_every_class() -> None:
    from captum.attr import Occlusion

    explainer = explainer_of(untrained((2,)), SIDE)
    pixels = images(1)[0]
    preprocessing = explainer.checkpoint.card.preprocessing

    class Engine:
        description = "torch"

        def run(self, batch: np.ndarray) -> RawOutput:
            with torch.no_grad():
                logits = explainer.logits(explainer.to_input(batch)).numpy()
            return RawOutput(logits, logits, logits, logits)

    ours = occlusion(Engine(), pixels, preprocessing, window=0.25, stride=0.125)
    colour = explainer.to_input(
        np.round(255 * np.array([[preprocessing.mean]])).astype(np.uint8)[None]
    )
    x = explainer.to_input(pixels[None])
    for index in (0, 5):
        theirs = Occlusion(explainer.logits).attribute(
            x,
            sliding_window_shapes=(3, 16, 16),
            strides=(3, 8, 8),
            baselines=colour.expand_as(x).contiguous(),
            target=index,
        )
        np.testing.assert_allclose(ours[index], theirs[0, 0].numpy(), atol=1e-5)


def test_grad_cam_is_the_formula() -> None:
    explainer = explainer_of(untrained(), SIDE)
    layer = explainer.stages[-1]
    pixels = images(1)[0]
    (heat,) = grad_cam(explainer, pixels, [2], layer)
    kept: list[torch.Tensor] = []
    hook = explainer.module(layer).register_forward_hook(lambda *given: kept.append(given[2]))
    logit = explainer.logits(explainer.to_input(pixels[None]).requires_grad_())[0, 2]
    hook.remove()
    (slope,) = torch.autograd.grad(logit, kept[0])
    cam = torch.zeros(kept[0].shape[2:])
    for channel in range(kept[0].shape[1]):
        cam += slope[0, channel].mean() * kept[0][0, channel].detach()
    wanted = torch.nn.functional.interpolate(
        cam.clamp(min=0)[None, None], (SIDE, SIDE), mode="bicubic"
    )
    np.testing.assert_allclose(heat.values, wanted.clamp(min=0)[0, 0].numpy(), atol=1e-6)


def test_crops_come_back_to_their_places() -> None:
    """A picture cut into ten crops and put together again is the picture."""
    whole = torch.rand(1, 1, 20, 20)
    torch.testing.assert_close(_from_crops(ten_crops(whole, 16), 20), whole)


def test_ten_crop_and_fused_networks_are_explained() -> None:
    crops = explainer_of(untrained(), SIDE, ten_crop=56)
    (heat,) = grad_cam(crops, images(1)[0], [1], crops.stages[-1])
    assert heat.values.shape == (SIDE, SIDE)
    members: Any = [untrained((), seed=i) for i in range(2)]
    fused = explainer_of(FusedNetwork(members), SIDE)
    assert [layer.name for layer in fused.stages][-1] == "network 2, stage 4"
    for layer in (fused.stages[4], fused.stages[-1]):
        (heat,) = grad_cam(fused, images(1)[0], [1], layer)
        assert np.isfinite(heat.values).all()


def test_a_one_colour_image_has_an_empty_map_and_no_error() -> None:
    explainer = explainer_of(untrained(), SIDE)
    flat = np.full((SIDE, SIDE, 3), 128, np.uint8)
    assert np.isfinite(integrated_gradients(explainer, flat, 0, steps=4).values).all()
    assert np.isfinite(grad_cam(explainer, flat, [0], explainer.stages[-1])[0].values).all()
    heat = occlusion(RedCorner(), flat, PLAIN)
    assert np.abs(heat).max() == 0.0


def test_progress_ends_where_it_should() -> None:
    told: list[tuple[int, int]] = []
    explainer = explainer_of(untrained((2,)), SIDE)
    integrated_gradients(explainer, images(1)[0], 0, 20, progress=lambda *pair: told.append(pair))
    assert told[-1] == (20, 20)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    told.clear()
    occlusion(RedCorner(), planted(), PLAIN, progress=lambda *pair: told.append(pair))
    assert told[-1][0] == told[-1][1]


# Does a map mean anything -------------------------------------------------------------------------


def test_curves_tell_the_true_map_from_random_and_from_its_opposite() -> None:
    truth = np.zeros((SIDE, SIDE), np.float32)
    truth[8:24, 32:48] = 1.0
    good = faithfulness(RedCorner(), planted(), truth, 0, PLAIN)
    assert good.better_deletion > 0.05
    assert good.better_insertion > 0.05
    bad = faithfulness(RedCorner(), planted(), -truth, 0, PLAIN)
    assert bad.better_deletion < 0
    assert bad.better_insertion < 0


def test_curves_begin_and_end_at_the_images_themselves() -> None:
    engine = RedCorner()
    found = faithfulness(engine, planted(), random_map(SIDE, np.random.default_rng(1)), 0, PLAIN)
    whole = softmax(engine.run(planted()[None]).logits, 1.0)[0, 0]
    blank = softmax(engine.run(np.full((1, SIDE, SIDE, 3), 128, np.uint8)).logits, 1.0)[0, 0]
    assert found.deletion[0] == pytest.approx(whole)
    assert found.insertion[-1] == pytest.approx(whole)
    assert found.deletion[-1] == pytest.approx(blank)
    assert found.random_deletion[0] == pytest.approx(whole)


def test_pixels_go_in_the_order_of_the_map() -> None:
    heat = np.array([[3.0, 1.0], [2.0, 0.0]], np.float32)
    ones, zeros = np.ones((2, 2, 3), np.uint8), np.zeros((2, 2, 3), np.uint8)
    frames = _mixed(_ranks(heat), ones, zeros, 4)[..., 0].reshape(5, 4)
    assert frames.tolist() == [
        [0, 0, 0, 0],
        [1, 0, 0, 0],
        [1, 0, 1, 0],
        [1, 1, 1, 0],
        [1, 1, 1, 1],
    ]


def test_area_is_the_mean_height() -> None:
    line = np.linspace(0, 1, 5)
    found = Faithfulness(line, line, line, np.ones(5), np.zeros(5))
    assert found.area(line) == pytest.approx(0.5)
    assert found.better_deletion == pytest.approx(0.5)
    assert found.better_insertion == pytest.approx(0.5)
