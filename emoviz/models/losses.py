"""The losses: bridged soft cross-entropy and the contrastive-center loss.

L_total = L_entr + beta (L_intra + lambda L_inter)
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

NO_CLASS = -1
# Stands for log 0: minus infinity would turn the gradient of an unreachable label into NaN.
_NEVER = -1e4


class CenterTerms(NamedTuple):
    """The two terms of the contrastive-center loss, unweighted."""

    intra: Tensor
    inter: Tensor


class ContrastiveCenterLoss(nn.Module):
    """Pulls each sample's u to its class center and pushes the centers apart (dissertation 4.3).

    ::

        L_intra = 1/N sum_k ||u_k - c_(y_k)||^2
        L_inter = 1/(C (C-1)) sum_i sum_(j != i) max(0, m - ||c_i - c_j||)^2

    The centers are parameters: random at first, updated by gradient with the rest.

    Args:
        classes: C.
        width: D, the length of u.
        margin: m, the distance that two centers should keep; above 0.
        spread: Standard deviation of the centers at the start.
    """

    def __init__(self, classes: int, width: int, margin: float = 5.0, spread: float = 1.0) -> None:
        super().__init__()
        if margin <= 0:
            raise ValueError(f"margin is {margin}; it must be above 0.")
        self.margin = margin
        self.centers = nn.Parameter(torch.randn(classes, width) * spread)

    def forward(self, embedding: Tensor, classes: Tensor) -> CenterTerms:
        """Both terms for a batch.

        Args:
            embedding: (N, D) u.
            classes: (N,) class indices; samples marked -1 belong to no single class and pull on
                no center.

        Returns:
            The terms L_intra (0 where no sample has a class) and L_inter.
        """
        return CenterTerms(self.intra(embedding, classes), self.inter())

    def intra(self, embedding: Tensor, classes: Tensor) -> Tensor:
        """L_intra over the samples that have a single class."""
        single = (classes != NO_CLASS).float()  # a factor: choosing rows would make a GPU wait
        gap = embedding.float() - self.centers[classes.clamp(min=0)]
        return (gap.square().sum(dim=1) * single).sum() / single.sum().clamp(min=1)

    def inter(self) -> Tensor:
        """L_inter over all ordered pairs of different centers."""
        count = self.centers.shape[0]
        upper = torch.pdist(self.centers) if count > 1 else self.centers.new_zeros(1)
        missing = F.relu(self.margin - upper).square().sum()
        return 2.0 * missing / max(count * (count - 1), 1)


def bridged_cross_entropy(
    logits: Tensor,
    targets: Tensor,
    bridge: Tensor,
    sample_weights: Tensor | None = None,
) -> Tensor:
    """-sum_s t_s log sum_c M[s, c] p_c, averaged over the batch.

    With an identity bridge and one-hot targets this is the ordinary cross-entropy.

    Args:
        logits: (N, C) of the model's classes.
        targets: (N, S) shares of the labels, each row adding up to 1. Rows of zeros take no part.
        bridge: (S, C) 0/1, or (N, S, C) where the samples come from sets with different labels.
            Targets on labels that no class may be called must be 0.
        sample_weights: (N,) weight of each sample; the result is the weighted mean.

    Returns:
        A scalar.
    """
    log_p = F.log_softmax(logits.float(), dim=1).unsqueeze(1)
    allowed = bridge if bridge.dim() == 3 else bridge.unsqueeze(0)
    log_s = torch.logsumexp(log_p.masked_fill(allowed == 0, _NEVER), dim=2)
    each = -(targets * log_s.masked_fill(targets == 0, 0.0)).sum(dim=1)
    weights = (targets.sum(dim=1) > 0).to(each.dtype)
    if sample_weights is not None:
        weights = weights * sample_weights
    return (each * weights).sum() / weights.sum().clamp(min=1e-8)


def kind_cross_entropy(kinds: Tensor, truth: Tensor) -> Tensor:
    """Mean of -log of the probability of each image's kind, over those whose kind is known.

    Args:
        kinds: (N, K) probabilities.
        truth: (N,) index of each image's kind, -1 where it is not known.
    """
    known = (truth >= 0).float()
    right = kinds.gather(1, truth.clamp(min=0).unsqueeze(1)).squeeze(1).clamp(min=1e-7)
    return -(right.log() * known).sum() / known.sum().clamp(min=1)


def dimension_error(dimensions: Tensor, truth: Tensor) -> Tensor:
    """Mean squared error over the values that are known.

    Args:
        dimensions: (N, A) outputs.
        truth: (N, A), NaN where a value is not known.
    """
    known = ~truth.isnan()
    gap = torch.where(known, dimensions.float() - truth.nan_to_num(), 0.0)
    return gap.square().sum() / known.sum().clamp(min=1)
