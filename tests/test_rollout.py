"""Vision transformers are explained: rollout against a slow loop; no method fails in silence."""

from typing import Any

import numpy as np
import pytest
import torch
from test_parts import explainer_of, images, untrained

from emoviz.errors import CheckpointError
from emoviz.inference.attribution import grad_cam, integrated_gradients
from emoviz.inference.explainer import Explainer
from emoviz.inference.explanations import explain_by
from emoviz.inference.rollout import attention_rollout, has_attention, roll_out
from emoviz.models.network import EmotionNetwork, NetworkConfig

SIDE, WIDTH, HEADS = 32, 24, 3
OPTIONS = {
    "img_size": SIDE,
    "patch_size": 8,
    "embed_dim": WIDTH,
    "depth": 2,
    "num_heads": HEADS,
    "mlp_ratio": 2.0,
}


def transformer(**changes: Any) -> Explainer:
    torch.manual_seed(0)
    options = {**OPTIONS, **changes}
    network = EmotionNetwork(NetworkConfig("vision_transformer", 8, (), options=options))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(0.3 * torch.randn_like(parameter))
    return explainer_of(network, SIDE)


def attention_by_hand(block: Any, tokens: torch.Tensor) -> np.ndarray:
    """(heads, T, T): every weight by its own softmax, from the block's own arrays."""
    x = block.norm1(tokens)[0].double()
    qkv = (x @ block.attn.qkv.weight.double().T + block.attn.qkv.bias.double()).numpy()
    q, k, _ = np.split(qkv, 3, axis=1)
    size = WIDTH // HEADS
    found = np.zeros((HEADS, len(q), len(q)))
    for head in range(HEADS):
        part = slice(head * size, (head + 1) * size)
        for i in range(len(q)):
            scores = np.array([q[i, part] @ k[j, part] for j in range(len(q))]) / size**0.5
            shares = np.exp(scores - scores.max())
            found[head, i] = shares / shares.sum()
    return found


@pytest.mark.parametrize("registers", [0, 2])
def test_rollout_is_the_formula(registers: int) -> None:
    explainer, image = transformer(reg_tokens=registers), images(1, SIDE)[0]
    body: Any = explainer.backbones[0].body
    told: list[np.ndarray] = []
    hooks = [
        block.register_forward_pre_hook(
            lambda b, given: told.append(attention_by_hand(b, given[0]))
        )
        for block in body.blocks
    ]
    heat = explain_by("rollout", explainer, image, 3)
    for hook in hooks:
        hook.remove()
    rolled = np.eye(told[0].shape[1])
    for heads in told:
        rolled = (heads.mean(axis=0) / 2 + np.eye(len(rolled)) / 2) @ rolled
    np.testing.assert_allclose(
        roll_out([heads.astype(np.float32) for heads in told]), rolled, atol=1e-5
    )
    row = rolled[0, 1 + registers :].reshape(4, 4)
    assert heat.name == explainer.classes[3]
    assert heat.values.shape == (SIDE, SIDE)
    assert heat.values.max() == 1.0
    middles = heat.values.reshape(4, 8, 4, 8)[:, 3:5, :, 3:5].mean(axis=(1, 3))
    # in the middle of its patch bicubic leaves a value nearly as it is
    np.testing.assert_allclose(middles / middles.mean(), row / row.mean(), rtol=0.1)
    assert all(block.attn.fused_attn for block in body.blocks)  # as it was


def test_the_other_methods_fit_a_transformer_or_say_that_they_do_not() -> None:
    explainer, image = transformer(), images(1, SIDE)[0]
    assert has_attention(explainer)
    with pytest.raises(CheckpointError, match="Grad-CAM needs feature maps"):
        grad_cam(explainer, image, [0], explainer.stages[-1])
    heat = integrated_gradients(explainer, image, 0)
    assert heat.completeness is not None
    assert heat.completeness.gap <= max(0.03, 0.1 * abs(heat.completeness.difference))


def test_rollout_of_what_is_no_transformer_says_so() -> None:
    explainer = explainer_of(untrained())
    assert not has_attention(explainer)
    with pytest.raises(CheckpointError, match="needs a vision transformer"):
        attention_rollout(explainer, images(1)[0], 0)
