"""Training on standardised features, and folding that away.

The entries of a Gram matrix differ in size by orders of magnitude, and so do the channels of h;
gradient descent on small sets does much better once each has mean 0 and deviation 1. Both are
fixed affine maps in front of linear layers, so after training they are merged into those layers
and the network has exactly the form of the paper again.
"""

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
    """Moments of h (C*), and for each module of the flattened Gram matrix (C*C) and the map (C)."""

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


def standardise(network: EmotionNetwork, moments: FeatureMoments) -> None:
    """Put standardisation in front of the projection and of both branches of each module."""
    network.pooled_scale = Standardise(moments.pooled, (1, -1))
    modules = zip(network.gram_modules, moments.grams, moments.maps, strict=True)
    for module, gram, maps in modules:
        assert isinstance(module, GramModule)
        module.gram_scale = Standardise(gram, (1, -1))
        module.map_scale = Standardise(maps, (1, -1, 1, 1))


@torch.no_grad()
def fold(network: EmotionNetwork) -> None:
    """Merge standardisation into the layers behind it; the network's function stays the same."""
    if isinstance(network.pooled_scale, Standardise) and isinstance(network.projection, nn.Linear):
        _fold_into(network.projection, network.pooled_scale)
        network.pooled_scale = nn.Identity()
    for module in network.gram_modules:
        assert isinstance(module, GramModule)
        if isinstance(module.gram_scale, Standardise):
            _fold_into(module.dense, module.gram_scale)
            module.gram_scale = nn.Identity()
        if isinstance(module.map_scale, Standardise):
            _fold_into(module.conv, module.map_scale)
            module.map_scale = nn.Identity()


def _fold_into(layer: nn.Linear | nn.Conv2d, scale: Standardise) -> None:
    """W ((x - mean) / std) + b  =  (W / std) x + (b - (W / std) mean)."""
    mean, std = scale.mean.flatten(), scale.std.flatten()
    flat = layer.weight.flatten(1) / std
    assert layer.bias is not None
    layer.bias.sub_(flat @ mean)
    layer.weight.copy_(flat.view_as(layer.weight))
