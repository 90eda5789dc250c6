"""Gram-matrix modules: what a feature map says of texture and colour, whatever the layout.

Three ways of taking Gram matrices into a network, from three works::

    GramModule                z = Gram branch + convolution branch     dissertation, section 4.2
    MultiplicativeGramModule  z = Gram branch * convolution branch     IJCCC 2024
    GatheredGram              all layers -> dense layers -> width of h Zhang et al. 2022
"""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from emoviz.models.dropout import Dropout

LEAKY_SLOPE = 0.2  # IJCCC 2024, section 4.2


def gram_matrix(maps: Tensor, divide: bool = True) -> Tensor:
    """Gram matrices of feature maps (equation 4.10): G = F F^T / (H W), F as C x HW.

    Division by H W keeps the values in one range whatever the map's size. Computed in float32,
    also under mixed precision: products of half-precision activations overflow.

    Args:
        maps: (N, C, H, W).
        divide: False leaves the division out (equation 4.9, and equation 1 of IJCCC 2024).

    Returns:
        (N, C, C), symmetric and positive semi-definite.
    """
    flat = maps.flatten(2).float()
    with torch.autocast(device_type=maps.device.type, enabled=False):
        product = flat @ flat.transpose(1, 2)
        return product / flat.shape[2] if divide else product


class GramModule(nn.Module):
    """z = g(F): the Gram branch plus the convolution branch of one feature map.

    Gram branch: G flattened (C*C) -> linear (C // 2) -> SiLU -> batch normalisation.
    Convolution branch: 1x1 convolution (C // 2) -> SiLU -> global average pooling.

    The dense layer holds C*C * (C // 2) weights: half a cube of the channels.

    Args:
        channels: Of the map.
        dropout: Share of the entries of G that are left out in training, in [0, 1).
        reduce: Channels C of a 1x1 convolution (linear, with bias) in front of both branches,
            where the map's own are too many; 0 leaves it out, as the papers do.

    Attributes:
        width: d = C // 2, the length of z.
        divided: Whether G is divided by the number of positions.
    """

    divided: ClassVar[bool] = True

    def __init__(self, channels: int, dropout: float = 0.0, reduce: int = 0) -> None:
        super().__init__()
        self.channels = reduce or channels
        self.width = self._width_for(self.channels)
        self.reduce = _reduction(channels, reduce)
        self.gram_scale: nn.Module = nn.Identity()  # in training: models/standardise.py
        self.map_scale: nn.Module = nn.Identity()
        self.dropout = Dropout(dropout)
        self.dense = nn.Linear(self.channels * self.channels, self.width)
        self.norm = nn.BatchNorm1d(self.width)
        self.conv = nn.Conv2d(self.channels, self.width, kernel_size=1)
        self.act = self._activation()

    def forward(self, maps: Tensor, gram: Tensor | None = None) -> Tensor:
        """(N, channels, H, W) -> (N, width).

        Args:
            maps: F; with `gram` given, a sample of its positions serves.
            gram: (N, C, C) where it is known already, with or without division as `divided` says.
        """
        return self.gram_branch(self.gram(maps, gram)) + self.conv_branch(self.reduce(maps))

    def gram(self, maps: Tensor, known: Tensor | None = None) -> Tensor:
        """(N, C, C) G of the map behind the reduction, unless it is known."""
        return gram_matrix(self.reduce(maps), self.divided) if known is None else known

    def gram_branch(self, gram: Tensor) -> Tensor:
        """(N, C, C) Gram matrices -> (N, width)."""
        flat = self.gram_scale(gram.flatten(1))
        out: Tensor = self.norm(self.act(self.dense(self.dropout(flat))))
        return out

    def conv_branch(self, maps: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, width)."""
        if maps.shape[2] == 1 and not maps.requires_grad:
            return self._on_kept(maps.flatten(2))
        out: Tensor = self.act(self.conv(self.map_scale(maps))).mean(dim=(2, 3))
        return out

    def _on_kept(self, flat: Tensor) -> Tensor:
        """The same of maps kept as rows of positions (N, C, P), on a CPU three times as quick.

        The convolution is a product of matrices, and standardisation goes into its weights, so
        that the maps are read once.
        """
        weight, bias = self.conv.weight.flatten(1), self.conv.bias
        assert bias is not None
        scale: Any = self.map_scale
        if not isinstance(scale, nn.Identity):
            weight = weight / scale.std.flatten()
            bias = bias - weight @ scale.mean.flatten()
        out: Tensor = _MeanOfActivations.apply(weight, bias, flat, self.act)
        return out

    @staticmethod
    def _width_for(channels: int) -> int:
        return channels // 2

    @staticmethod
    def _activation() -> nn.Module:
        return nn.SiLU()


class _MeanOfActivations(torch.autograd.Function):
    """mean over p of act(W x_p + b), for maps x that want no gradient.

    The gradient with respect to W is g_n mean_p(act'(y_np) x_np^T), where g_n does not depend on
    p. So the forward pass takes these means along while a few images' maps are in the processor's
    cache, and the backward pass reads no map again.
    """

    @staticmethod
    def forward(ctx: Any, weight: Tensor, bias: Tensor, maps: Tensor, act: nn.Module) -> Tensor:
        """(d, C), (d), (N, C, P) in any precision -> (N, d)."""
        few = max(1, _CACHED_BYTES // (4 * maps.shape[1] * maps.shape[2]))
        wanted = any(ctx.needs_input_grad[:2])
        parts = [_means(weight, bias, some.float(), act, wanted) for some in torch.split(maps, few)]
        means, *along = (torch.cat(column) for column in zip(*parts, strict=True))
        ctx.save_for_backward(*along)
        return means

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None]:
        """(N, d) -> (d, C) and (d)."""
        slopes, products = ctx.saved_tensors
        weight = torch.einsum("nd,ndc->dc", gradients[0], products)
        return weight, (gradients[0] * slopes).sum(dim=0), None, None


_CACHED_BYTES = 2_000_000  # of maps that are gone through at once


def _means(
    weight: Tensor, bias: Tensor, maps: Tensor, act: nn.Module, wanted: bool
) -> tuple[Tensor, ...]:
    """(N, d) means of act(y); where wanted those of act'(y), and (N, d, C) of act'(y) x^T."""
    weights = weight.detach().expand(len(maps), -1, -1)
    y = torch.baddbmm(bias.detach()[None, :, None], weights, maps)
    if not wanted:
        return (act(y).mean(dim=2),)
    means, slope = _silu_with_slope(y) if isinstance(act, nn.SiLU) else _with_slope(y, act)
    products = torch.bmm(slope, maps.transpose(1, 2)).div_(maps.shape[2])
    return means, slope.mean(dim=2), products


def _silu_with_slope(y: Tensor) -> tuple[Tensor, Tensor]:
    """(N, d, P) -> (N, d) means of y s(y), and its derivative s (1 + y (1 - s)) for each entry.

    In place, and with no second sigmoid: a tenth of a training step.
    """
    s = torch.sigmoid(y)
    out = y.mul_(s)
    means = out.mean(dim=2)
    return means, out.mul_(1 - s).add_(s)


def _with_slope(y: Tensor, act: nn.Module) -> tuple[Tensor, Tensor]:
    """The same for any activation."""
    with torch.enable_grad():
        out = act(y.requires_grad_())
        (slope,) = torch.autograd.grad(out, y, torch.ones_like(out))
    return out.detach().mean(dim=2), slope


class MultiplicativeGramModule(GramModule):
    """z = g(F): the Gram branch times the convolution branch (IJCCC 2024, figure 3).

    Gram branch: G = F F^T without division (equation 1), flattened (C*C) -> linear (C) ->
    activation -> batch normalisation. Convolution branch: 1x1 convolution (C) -> activation ->
    average of each sub-map. The two are multiplied entry by entry.

    The paper does not name the activation: it is leaky ReLU with slope 0.2 here, the one that the
    paper names for its dense layer behind the backbone.

    Attributes:
        width: C, the length of z.
        divided: False.
    """

    divided: ClassVar[bool] = False

    def forward(self, maps: Tensor, gram: Tensor | None = None) -> Tensor:
        """(N, channels, H, W) -> (N, C); see `GramModule.forward`."""
        return self.gram_branch(self.gram(maps, gram)) * self.conv_branch(self.reduce(maps))

    @staticmethod
    def _width_for(channels: int) -> int:
        return channels

    @staticmethod
    def _activation() -> nn.Module:
        return nn.LeakyReLU(LEAKY_SLOPE)


class GatheredGram(nn.Module):
    """z of all selected layers together, as long as h (Zhang et al. 2022).

    For each layer, G flattened (C*C) is concatenated with the averages of a 1x1 convolution's
    sub-maps (C); the layers are concatenated, and dense layers gather them to the backbone's
    width.

    The source was read through IJCCC 2024 (section 3), which gives the flattened Gram matrices,
    the 1x1 convolution, the dense layers and their width of 2048. Open there, and chosen here:
    concatenation as the fusion of the two, as many sub-maps as channels, the division by H W,
    two dense layers with ReLU (ResNet's activation) between them, and z being added to h.

    Args:
        channels: Of each layer's map.
        width: Of h.
        dropout: Share of the entries of the Gram matrices that are left out in training.
        reduce: Channels C of a 1x1 convolution in front of each layer; 0 leaves it out.

    Attributes:
        width: The length of z.
        divided: True.
    """

    divided: ClassVar[bool] = True

    def __init__(
        self, channels: Sequence[int], width: int, dropout: float = 0.0, reduce: int = 0
    ) -> None:
        super().__init__()
        inner = [reduce or count for count in channels]
        self.width = width
        self.reduce = nn.ModuleList(_reduction(count, reduce) for count in channels)
        self.conv = nn.ModuleList(nn.Conv2d(count, count, kernel_size=1) for count in inner)
        self.dropout = Dropout(dropout)
        length = sum(count * count + count for count in inner)
        self.dense = nn.Sequential(nn.Linear(length, width), nn.ReLU(), nn.Linear(width, width))

    def forward(self, maps: Sequence[Tensor], grams: Sequence[Tensor | None]) -> Tensor:
        """One (N, C_i, H_i, W_i) and, where known, (N, C_i, C_i) for each layer -> (N, width)."""
        parts = []
        for F, known, reduce, conv in zip(maps, grams, self.reduce, self.conv, strict=True):
            F = reduce(F.float())
            G = gram_matrix(F) if known is None else known
            parts += [self.dropout(G.flatten(1)), conv(F).mean(dim=(2, 3))]
        out: Tensor = self.dense(torch.cat(parts, dim=1))
        return out


def _reduction(channels: int, reduce: int) -> nn.Module:
    return nn.Conv2d(channels, reduce, kernel_size=1) if reduce else nn.Identity()
