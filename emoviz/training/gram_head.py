"""A Gram head on a frozen encoder of any width.

The dense layer of a Gram module grows with the cube of the channels, and encoders have many. So
each layer's channels are brought to a few by their principal components over the training images,
which stay as they are (the 1x1 convolution in front of each module); modules, projection and
classifier are then learned on the reduced maps of all images, which fit into memory.
"""

import copy
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from emoviz.errors import TrainingError
from emoviz.models.backbones import Backbone
from emoviz.models.network import EmotionNetwork
from emoviz.models.standardise import Moments, Standardise, fold

REDUCED = 32  # channels of each layer
EPOCHS, _BATCH, _RATE, _DECAY = 40, 32, 2e-3, 0.05
_FEW = 10  # images in the validation split, below which the last epoch is kept


def gram_stages(backbone: Backbone) -> tuple[int, ...]:
    """Stages at a quarter, a half and three quarters of an encoder; 1, 2 and 3 of five.

    Raises:
        TrainingError: It has no stages whose maps can be had.
    """
    able = hasattr(backbone.body, "forward_intermediates")
    count = len(getattr(backbone.body, "feature_info", ())) if able else 0
    if not count:
        raise TrainingError(
            "This encoder has no stages whose maps can be had, so it takes no Gram modules. Take a "
            "linear head."
        )
    return tuple(sorted({count // 4, count // 2, 3 * count // 4}))


@torch.no_grad()
def set_reductions(network: EmotionNetwork, batches: Iterable[Tensor]) -> None:
    """Make each module's 1x1 convolution the principal components of its layer, of variance 1.

    Args:
        network: With `NetworkConfig.reduce`.
        batches: Normalised images (N, 3, H, W) that stand for the training set.
    """
    sums: list[tuple[int, Tensor, Tensor]] = []
    for images in batches:
        rows = [
            F.flatten(2).transpose(1, 2).flatten(0, 1).double()
            for F in network.backbone(images).maps
        ]
        new = [(len(x), x.sum(dim=0), x.T @ x) for x in rows]
        sums = (
            [(n + a, t + b, q + c) for (n, t, q), (a, b, c) in zip(sums, new, strict=True)]
            if sums
            else new
        )
    for (count, total, squares), module in zip(sums, network.gram_modules, strict=True):
        mean = total / count
        values, vectors = torch.linalg.eigh(squares / count - mean.outer(mean))
        kept = network.config.reduce
        scale = values[-kept:].clamp(min=1e-6 * float(values[-1]) + 1e-12).rsqrt()
        weight = (vectors[:, -kept:] * scale).T
        reduction = module.reduce
        assert isinstance(reduction, nn.Conv2d)
        assert reduction.bias is not None
        reduction.weight.copy_(weight[:, :, None, None])
        reduction.bias.copy_(-weight @ mean)


@torch.inference_mode()
def reduced(network: EmotionNetwork, images: Tensor) -> tuple[Tensor, list[Tensor]]:
    """h (N, C*) and each layer's map behind its reduction (N, r, H, W)."""
    maps, pooled = network.backbone(images)
    return pooled, [m.reduce(F) for m, F in zip(network.gram_modules, maps, strict=True)]  # type: ignore[operator]


def fit_gram_head(
    network: EmotionNetwork,
    pooled: Tensor,
    maps: Sequence[Tensor],
    y: NDArray[np.int64],
    split: NDArray[np.str_],
) -> NDArray[np.float32]:
    """Learn all behind the reductions; of the epochs the best on the validation split is kept.

    Args:
        network: Whose reductions are set; it is changed.
        pooled: (N, C*) h of all images.
        maps: Their reduced maps, one (N, r, H, W) a layer.
        y: (N,) classes.
        split: (N,) ``train``, ``validation`` or ``test``.

    Returns:
        (N, C) logits of all images.
    """
    torch.manual_seed(0)
    reductions = [module.reduce for module in network.gram_modules]
    for module in network.gram_modules:
        module.reduce = nn.Identity()
    rows, watched = (torch.from_numpy(np.flatnonzero(split == s)) for s in ("train", "validation"))
    truth = torch.from_numpy(y)
    network.pooled_scale = Standardise(Moments.of(pooled[rows]), (1, -1))
    heads = [network.gram_modules, network.projection, network.classifier]
    learned = [p for part in heads for p in part.parameters()]
    optimiser = torch.optim.AdamW(learned, lr=_RATE, weight_decay=_DECAY)
    best, state = float("inf"), None
    for _ in range(EPOCHS):
        network.train()
        for batch in torch.split(rows[torch.randperm(len(rows))], _BATCH):
            if len(batch) > 1:  # batch normalisation knows no batch of one
                logits = network.head([F[batch] for F in maps], pooled[batch]).logits
                optimiser.zero_grad()
                nn.functional.cross_entropy(logits, truth[batch]).backward()  # type: ignore[no-untyped-call]
                optimiser.step()
        if len(watched) >= _FEW:
            found = _logits(network, pooled[watched], [F[watched] for F in maps])
            loss = float(nn.functional.cross_entropy(found, truth[watched]))
            if loss < best:
                best, state = loss, copy.deepcopy([part.state_dict() for part in heads])
    for part, values in zip(heads, state or (), strict=False):
        part.load_state_dict(values)
    network.eval()
    fold(network)
    logits = _logits(network, pooled, maps)
    for module, reduction in zip(network.gram_modules, reductions, strict=True):
        module.reduce = reduction
    return np.asarray(logits.numpy(), np.float32)


@torch.inference_mode()
def _logits(network: EmotionNetwork, pooled: Tensor, maps: Sequence[Tensor]) -> Tensor:
    network.eval()
    parts = [
        network.head([F[start : start + 256] for F in maps], pooled[start : start + 256]).logits
        for start in range(0, len(pooled), 256)
    ]
    return torch.cat(parts)
