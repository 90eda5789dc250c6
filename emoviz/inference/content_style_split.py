"""How much of each logit came from content and how much from texture, without approximation.

The logits are linear in u = p + [z_1; ...; z_v], so each class's logit is a sum (dissertation,
chapter 4)::

    y = W p + W_1 z_1 + ... + W_v z_v + b          W_i: the columns of W that read z_i
    W_i z_i = W_i gram_branch(G_i) + W_i conv_branch(F_i)

Where p and z depend on the kind of image (`emoviz.models.network.KindGate`), p holds its
correction and z_i its scale for the kinds that the network gives this image: the sum stays exact.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from emoviz.inference.explainer import Bytes, Explainer

if TYPE_CHECKING:
    from torch import Tensor

    from emoviz.models.network import EmotionNetwork

Array = NDArray[np.float64]
SEMANTIC, BIAS = "semantic", "bias"


@dataclass(frozen=True)
class Branches:
    """One Gram module's part of the logits, in two: they add up to it.

    Attributes:
        gram: (N, C) through the Gram matrix.
        conv: (N, C) through the 1x1 convolution.
    """

    gram: Array
    conv: Array


@dataclass(frozen=True)
class ContentStyleSplit:
    """The logits of N images in parts.

    Attributes:
        classes: Names of the C outputs.
        logits: (N, C) as the network gives them, before calibration.
        parts: (N, C) each, adding up to `logits`: ``semantic`` (W p), one for each Gram module
            (``texture, stage 1``), ``bias``.
        branches: Of each Gram module's part, by the same name.
    """

    classes: tuple[str, ...]
    logits: Array
    parts: Mapping[str, Array]
    branches: Mapping[str, Branches] = field(default_factory=dict)

    @property
    def textures(self) -> tuple[str, ...]:
        """Names of the Gram modules' parts; empty for a plain backbone."""
        return tuple(name for name in self.parts if name not in (SEMANTIC, BIAS))


@dataclass(frozen=True)
class NoSplit:
    """The network has no such split, and why, as a sentence."""

    reason: str


_FUSION = (
    "This network is a fusion of several networks. Its probabilities are the mean of theirs, so "
    "its logits are no sum of a semantic and a texture part, and no exact split exists."
)
_MULTIPLIED = (
    "In this network each Gram module multiplies its Gram branch with its convolution branch, so "
    "what one adds depends on the other, and no exact split exists."
)
_GATHERED = (
    "This network gathers the Gram matrices of all layers through further nonlinear layers, so no "
    "part of a logit belongs to one Gram module, and no exact split exists."
)


def no_split(explainer: Explainer) -> NoSplit | None:
    """Why the network has no split; None where it has one."""
    members = explainer.checkpoint.card.members
    if len(members) > 1:
        return NoSplit(_FUSION)
    kind = members[0].get("module", "additive") if members[0]["layers"] else "additive"
    reasons = {"multiplicative": _MULTIPLIED, "gathered": _GATHERED}
    return NoSplit(reasons[kind]) if kind in reasons else None


def part_names(explainer: Explainer) -> tuple[str, ...]:
    """Names of the parts of a network that has a split, in order."""
    config = explainer.checkpoint.card.members[0]
    k = int(config.get("parallel", 1))
    layers = [layer.name for layer in explainer.gram_layers] if config["layers"] else []
    textures = [
        f"texture, {name}" + (f", module {i} of {k}" if k > 1 else "")
        for name in layers
        for i in range(1, k + 1)
    ]
    return (SEMANTIC, *textures, BIAS)


def split(explainer: Explainer, images: Bytes) -> ContentStyleSplit | NoSplit:
    """Split the logits of a batch.

    Args:
        explainer: From `load_explainer`.
        images: (N, side, side, 3) bytes, as the checkpoint's preprocessing makes them.

    Returns:
        The parts, or why there are none: fusions, multiplicative and gathered networks.
    """
    return split_and_grams(explainer, images)[0]


def split_and_grams(
    explainer: Explainer, images: Bytes
) -> "tuple[ContentStyleSplit | NoSplit, list[Tensor] | None]":
    """The split, and the Gram matrices that the network's modules saw on the way.

    Returns:
        As `split`; and (N, C_i, C_i) for each of `Explainer.gram_layers`, or None where the pass
        did not make them: no modules, no split, ten crops.
    """
    if (reason := no_split(explainer)) is not None:
        return reason, None
    import torch

    from emoviz.models.gram import gram_matrix

    with torch.inference_mode():
        maps, pooled = _seen(explainer, images)
        pieces = _pieces(explainer, maps, pooled)
        found = {key: _over_crops(value, len(images)) for key, value in pieces}
        whole = maps and not explainer.checkpoint.card.preprocessing.ten_crop
        grams = [gram_matrix(F) for F in maps] if whole else None
    return _joined(explainer.classes, found), grams


def _joined(classes: tuple[str, ...], found: dict[Any, Array]) -> ContentStyleSplit:
    logits = found.pop("logits")
    names = list(dict.fromkeys(name for name, _ in found))
    branches = {
        name: Branches(found[name, "gram"], found[name, "conv"])
        for name in names
        if (name, "gram") in found
    }
    parts = {
        name: branches[name].gram + branches[name].conv
        if name in branches
        else np.broadcast_to(found[name, ""], logits.shape)
        for name in names
    }
    return ContentStyleSplit(classes, logits, parts, branches)


def _seen(explainer: Explainer, images: Bytes) -> "tuple[tuple[Tensor, ...], Tensor]":
    """What the backbone makes of the images; ten rows an image where it has crops."""
    from emoviz.models.crops import ten_crops

    network: Any = explainer.network
    side = explainer.checkpoint.card.preprocessing.ten_crop
    batch = explainer.to_input(images)
    maps, pooled = network.backbone(ten_crops(batch, side) if side else batch)
    return maps, pooled


def _pieces(
    explainer: Explainer, maps: "tuple[Tensor, ...]", pooled: "Tensor"
) -> Iterator[tuple[Any, "Tensor"]]:
    """("logits", (N, C)), then ((part, branch), (N, C))."""
    network: Any = explainer.network
    out = network.head(maps, pooled)
    yield "logits", out.logits
    W, b = network.classifier.weight, network.classifier.bias
    p = network.content(pooled, out.kinds)
    yield (SEMANTIC, ""), p @ W.T
    yield from _module_pieces(explainer, network, maps, network.texture_scale(out.kinds))
    yield (BIAS, ""), b.expand(len(p), -1)


def _module_pieces(
    explainer: Explainer,
    network: "EmotionNetwork",
    maps: "tuple[Tensor, ...]",
    scale: "Tensor",
) -> Iterator[tuple[tuple[str, str], "Tensor"]]:
    k, start = network.config.parallel, 0
    modules: Any = network.gram_modules
    names = part_names(explainer)[1:-1]
    for number, module in enumerate(modules):
        F = maps[number // k]
        W = network.classifier.weight[:, start : start + module.width]
        s = scale[:, start : start + module.width]
        start += module.width
        name = names[number]
        yield (name, "gram"), (s * module.gram_branch(module.gram(F))) @ W.T
        yield (name, "conv"), (s * module.conv_branch(module.reduce(F))) @ W.T


def _over_crops(rows: "Tensor", count: int) -> Array:
    """(N or 10 N, C) -> (N, C): the mean over an image's crops, which keeps the sum of parts."""
    values = rows.double().cpu().numpy()
    return np.asarray(values.reshape(-1, count, values.shape[1]).mean(axis=0))
