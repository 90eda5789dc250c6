"""Gram-matrix modules: what a feature map says of texture and colour, whatever the layout.

Dissertation, section 4.2: two branches from one feature map, added.
"""

import torch
from torch import Tensor, nn


def gram_matrix(maps: Tensor) -> Tensor:
    """Gram matrices of feature maps (equation 4.10): G = F F^T / (H W), F as C x HW.

    Division by H W keeps the values in one range whatever the map's size. Computed in float32,
    also under mixed precision: products of half-precision activations overflow.

    Args:
        maps: (N, C, H, W).

    Returns:
        (N, C, C), symmetric and positive semi-definite.
    """
    flat = maps.flatten(2).float()
    with torch.autocast(device_type=maps.device.type, enabled=False):
        return flat @ flat.transpose(1, 2) / flat.shape[2]


class GramModule(nn.Module):
    """z = g(F): the Gram branch plus the convolution branch of one feature map.

    Gram branch: G flattened (C*C) -> linear (C // 2) -> SiLU -> batch normalisation.
    Convolution branch: 1x1 convolution (C // 2) -> SiLU -> global average pooling.

    The dense layer holds C*C * (C // 2) weights: half a cube of the channels.

    Args:
        channels: C of the map.
        dropout: Share of the entries of G that are left out in training, in [0, 1).

    Attributes:
        width: d = C // 2, the length of z.
    """

    def __init__(self, channels: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.channels = channels
        self.width = channels // 2
        self.gram_scale: nn.Module = nn.Identity()  # in training: models/standardise.py
        self.map_scale: nn.Module = nn.Identity()
        self.dropout = nn.Dropout(dropout)
        self.dense = nn.Linear(channels * channels, self.width)
        self.norm = nn.BatchNorm1d(self.width)
        self.conv = nn.Conv2d(channels, self.width, kernel_size=1)
        self.act = nn.SiLU()

    def forward(self, maps: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C // 2)."""
        return self.gram_branch(gram_matrix(maps)) + self.conv_branch(maps)

    def gram_branch(self, gram: Tensor) -> Tensor:
        """(N, C, C) Gram matrices -> (N, C // 2)."""
        flat = self.gram_scale(gram.flatten(1))
        out: Tensor = self.norm(self.act(self.dense(self.dropout(flat))))
        return out

    def conv_branch(self, maps: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C // 2)."""
        out: Tensor = self.act(self.conv(self.map_scale(maps))).mean(dim=(2, 3))
        return out
