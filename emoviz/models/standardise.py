"""Training on standardised features, and folding that away.

The entries of a Gram matrix differ in size by orders of magnitude, and so do the channels of h;
gradient descent on small sets does much better once each has mean 0 and deviation 1. Both are
fixed affine maps in front of linear layers, so after training they are merged into those layers
and the network has exactly the form of the paper again.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from emoviz.models.gram import GramModule
from emoviz.models.network import EmotionNetwork


@dataclass(frozen=True)
class Moments:
    """Mean and standard deviation of each entry of a feature vector, over training images."""

    mean: Tensor
    std: Tensor

    @classmethod
    def of(cls, rows: Tensor) -> "Moments":
        """Moments of (N, K) rows; entries that hardly vary are not blown up."""
        std = rows.float().std(dim=0)
        return cls(rows.float().mean(dim=0), std.clamp(min=1e-3 * float(std.mean()) + 1e-8))


@dataclass(frozen=True)
class FeatureMoments:
    """Moments of h (C*), and for each layer of the flattened Gram matrix (C*C) and the map (C).

    Gram matrices are those that the modules take: undivided for multiplicative ones.
    """

    pooled: Moments
    grams: tuple[Moments, ...]
    maps: tuple[Moments, ...]


class Standardise(nn.Module):
    """(x - mean) / std with fixed mean and std."""

    mean: Tensor
    std: Tensor

    def __init__(self, moments: Moments, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.register_buffer("mean", moments.mean.reshape(shape), persistent=False)
        self.register_buffer("std", moments.std.reshape(shape), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as x."""
        return (x - self.mean) / self.std


def standardise(network: EmotionNetwork, moments: FeatureMoments, keep: bool = False) -> None:
    """Put standardisation in front of the projection and of both branches of each module.

    Args:
        network: Its layers behind are changed where `keep`.
        moments: Of the features.
        keep: For weights that were learned without: the layers behind undo the standardisation,
            so that the logits stay what they were (`fold` turns this round).

    Raises:
        ValueError: The network gathers its layers, or reduces its maps before it makes Gram
            matrices; neither has a linear layer of its own for each of these features.
    """
    if network.config.module == "gathered" or network.config.reduce:
        raise ValueError(
            "A network with gathered or reduced Gram matrices cannot be trained on standardised "
            "features. Set network.standardise: false."
        )
    network.pooled_scale = Standardise(moments.pooled, (1, -1))
    k = network.config.parallel
    for number, module in enumerate(network.gram_modules):
        gram, maps = moments.grams[number // k], moments.maps[number // k]
        assert isinstance(module, GramModule)
        module.gram_scale = Standardise(gram, (1, -1))
        module.map_scale = Standardise(maps, (1, -1, 1, 1))
    if keep:
        for layer, scale in _scaled_layers(network):
            _unfold_into(layer, scale)


@torch.no_grad()
def fold(network: EmotionNetwork) -> None:
    """Merge standardisation into the layers behind it; the network's logits stay the same.

    So does u, but where there is no projection: then the scale goes into the classifier, and u is
    the backbone's own h again.
    """
    for layer, scale in _scaled_layers(network):
        _fold_into(layer, scale)
    network.pooled_scale = nn.Identity()
    for module in network.gram_modules:
        if isinstance(module, GramModule):  # gathered ones are never standardised
            module.gram_scale, module.map_scale = nn.Identity(), nn.Identity()


def _scaled_layers(
    network: EmotionNetwork,
) -> Iterator[tuple[nn.Linear | nn.Conv2d, "Standardise"]]:
    """Each linear layer behind a standardisation, with it."""
    projected = isinstance(network.projection, nn.Linear)
    behind = network.projection if projected else network.classifier
    pairs: list[tuple[nn.Module, nn.Module]] = [(behind, network.pooled_scale)]
    if network.gate is not None:
        pairs += [
            (layer, network.pooled_scale) for layer in (network.gate.kind, network.gate.correction)
        ]
    for module in network.gram_modules:
        if isinstance(module, GramModule):
            pairs += [(module.dense, module.gram_scale), (module.conv, module.map_scale)]
    for layer, scale in pairs:
        if isinstance(scale, Standardise):
            assert isinstance(layer, nn.Linear | nn.Conv2d)
            yield layer, scale


def _fold_into(layer: nn.Linear | nn.Conv2d, scale: Standardise) -> None:
    """W ((x - mean) / std) + b  =  (W / std) x + (b - (W / std) mean)."""
    mean, std = scale.mean.flatten(), scale.std.flatten()
    flat = layer.weight.flatten(1) / std
    assert layer.bias is not None
    layer.bias.sub_(flat @ mean)
    layer.weight.copy_(flat.view_as(layer.weight))


@torch.no_grad()
def _unfold_into(layer: nn.Linear | nn.Conv2d, scale: Standardise) -> None:
    """W x + b  =  (W std) ((x - mean) / std) + (b + W mean)."""
    mean, std = scale.mean.flatten(), scale.std.flatten()
    flat = layer.weight.flatten(1)
    assert layer.bias is not None
    layer.bias.add_(flat @ mean)
    layer.weight.copy_((flat * std).view_as(layer.weight))


def restore_scales(network: EmotionNetwork, tensors: Mapping[str, Tensor]) -> None:
    """Put standardisation where a kept state has it, so that the state can be filled in.

    Args:
        network: Without standardisation where the state has some.
        tensors: By name, as `named_buffers` gives them.
    """
    known = dict(network.named_modules())
    for name, mean in tensors.items():
        path, _, field = name.rpartition(".")
        if field == "mean" and path.endswith("_scale") and path in known:
            moments = Moments(mean.flatten(), tensors[f"{path}.std"].flatten())
            network.set_submodule(path, Standardise(moments, tuple(mean.shape)))
