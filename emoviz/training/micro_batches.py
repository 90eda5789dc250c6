"""A batch that does not fit in memory, in pieces, with the result of the whole.

The loss couples the samples of a batch (batch normalisation in the modules, weighted means), so
adding up the gradients of small batches would be another training. Instead the backbone runs
piece by piece without a gradient, the rest of the network on the whole batch, and the backbone
once more with the gradient that came back. Where the backbone's batch normalisation keeps its
statistics the result is that of the whole batch; where they are trained each piece is normalised
by itself.
"""

import contextlib
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from emoviz.models.network import EmotionNetwork, Output


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether an error says that a GPU's or the machine's memory is too short."""
    text = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError) or any(
        words in text for words in ("out of memory", "can't allocate memory", "not enough memory")
    )


def moving_statistics(network: nn.Module) -> list[Tensor]:
    """Buffers that a step moves while it computes: those of batch normalisation in training."""
    norms = (m for m in network.modules() if isinstance(m, _BatchNorm) and m.training)
    return [buffer for norm in norms for buffer in norm.buffers()]


def backward(terms: Tensor) -> Tensor:
    """Add the gradients of the first of a batch's terms, the loss; the terms come back without."""
    terms[0].backward()  # type: ignore[no-untyped-call]
    return terms.detach()


def backward_in_pieces(
    network: EmotionNetwork,
    inputs: Tensor,
    pieces: int,
    precision: Callable[[], torch.autocast],
    terms_of: Callable[[Output], Tensor],
) -> Tensor:
    """Add the gradients of a whole batch's loss, with the backbone run in pieces.

    Args:
        network: In training mode.
        inputs: (N, 3, H, W).
        pieces: How many.
        precision: Gives the context in which the network runs.
        terms_of: Terms of the loss of the batch's outputs (float32); the first is the loss.

    Returns:
        The terms.
    """
    parts = inputs.chunk(pieces)
    with torch.no_grad(), _still_statistics(network), precision():
        known = [network.backbone(part) for part in parts]
    columns = zip(*((*features.maps, features.pooled) for features in known), strict=True)
    leaves = [torch.cat(column).requires_grad_() for column in columns]
    with precision():
        out = network.head(leaves[:-1], leaves[-1])
    terms = backward(terms_of(Output(*(part.float() for part in out))))
    if not any(p.requires_grad for p in network.backbone.parameters()):
        return terms
    start = 0
    for part in parts:
        with precision():
            features = network.backbone(part)
        rows = slice(start, start + len(part))
        made = [*features.maps, features.pooled]
        torch.autograd.backward(made, [_gradient(leaf)[rows] for leaf in leaves])
        start += len(part)
    return terms


def _gradient(leaf: Tensor) -> Tensor:
    return torch.zeros_like(leaf) if leaf.grad is None else leaf.grad


@contextlib.contextmanager
def _still_statistics(network: nn.Module) -> Iterator[None]:
    """Running statistics are not moved by the pass that is repeated."""
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    before = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, before, strict=True):
            norm.momentum = momentum
