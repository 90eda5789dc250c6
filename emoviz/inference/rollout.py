"""Attention rollout: which patches a vision transformer's answer drew on (Abnar & Zuidema 2020).

::

    A_l  = (1/2) mean over the heads of block l's attention + (1/2) I      the residual beside it
    R    = A_L ... A_1                                                     (T, T)
    map  = the row of the class token, over the patches

The same for every class: it says where the network looked, not what for.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from emoviz.errors import CheckpointError
from emoviz.inference.attribution import Map
from emoviz.inference.explainer import Bytes, Explainer

if TYPE_CHECKING:
    from torch import Tensor, nn


def attention_rollout(explainer: Explainer, image: Bytes, index: int) -> Map:
    """Where a vision transformer looked, as a share of the largest place.

    Args:
        explainer: From `load_explainer`.
        image: (side, side, 3) bytes.
        index: Of a class; the map is the same for all.

    Returns:
        A map at the input's resolution (bicubic), in 0-1.

    Raises:
        CheckpointError: The network is no vision transformer whose tokens all attend to each other.
    """
    import torch

    blocks = _attentions(explainer)
    if not blocks:
        raise CheckpointError(
            "Attention rollout needs a vision transformer, and this network is none. Take another "
            "method."
        )
    with torch.inference_mode(), _told(blocks) as told:
        explainer.logits(explainer.to_input(image[None]))
    prefix = int(getattr(explainer.backbones[0].body, "num_prefix_tokens", 0))
    tokens = told[0].shape[-1] if told else 0
    grid = round((tokens - prefix) ** 0.5)
    if len(told) != len(blocks) or grid**2 != tokens - prefix or len({a.shape for a in told}) > 1:
        raise CheckpointError(
            "The patches of this network do not all attend to each other, so there is nothing to "
            "roll out. Take another method."
        )
    rolled = roll_out([attention[0].float().cpu().numpy() for attention in told])
    # Without a class token the answer is a mean over the patches, and so is their row.
    row = rolled[0, prefix:] if prefix else rolled.mean(axis=0)
    place = Image.fromarray(row.reshape(grid, grid).astype(np.float32))
    side = (explainer.side, explainer.side)
    fine = np.asarray(place.resize(side, Image.Resampling.BICUBIC)).clip(0, None)
    return np.asarray(fine / max(float(fine.max()), 1e-12))


def roll_out(attentions: list[Map]) -> Map:
    """(T, T) from the attention (heads, T, T) of each block, the first one first."""
    rolled = np.eye(attentions[0].shape[-1], dtype=np.float32)
    for heads in attentions:
        rolled = (heads.mean(axis=0) + np.eye(len(rolled), dtype=np.float32)) / 2 @ rolled
    return rolled


def has_attention(explainer: Explainer) -> bool:
    """Whether the network is a vision transformer that rollout fits, as far as its parts tell."""
    return bool(_attentions(explainer))


def _attentions(explainer: Explainer) -> "list[nn.Module]":
    """The attention of each block, in order; none of a fusion, of ten crops, of another network."""
    if len(explainer.backbones) > 1 or explainer.checkpoint.card.preprocessing.ten_crop:
        return []
    blocks: Any = getattr(explainer.backbones[0].body, "blocks", ())
    found = [getattr(block, "attn", None) for block in blocks]
    fits = all(hasattr(item, "fused_attn") and hasattr(item, "attn_drop") for item in found)
    return [item for item in found if item is not None] if fits else []


@contextmanager
def _told(blocks: "list[nn.Module]") -> "Iterator[list[Tensor]]":
    """Attention (N, heads, T, T) of each block in the passes meanwhile; fused, it is never made."""
    told: list[Tensor] = []
    were: list[Any] = [block.fused_attn for block in blocks]
    hooks = []
    try:
        for block in blocks:
            drop: Any = block.attn_drop
            block.fused_attn = False  # type: ignore[assignment]
            hooks.append(drop.register_forward_hook(lambda _m, _i, output: told.append(output)))
        yield told
    finally:
        for hook in hooks:
            hook.remove()
        for block, fused in zip(blocks, were, strict=True):
            block.fused_attn = fused
