"""bfloat16 only where it is quicker: on a processor without instructions for it, it is far slower.

One batch is passed both ways and timed, where the network learns with its gradients, too, which may
be the slow part (of depthwise filters in bfloat16). The choice is made once for each network, size
and device of a process, is told, and stands on the card.
"""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from emoviz.models.backbones import Features

_SAVES = 0.8  # of float32's time at most; closer than that the exact numbers are worth more
_SHORT = 0.02  # seconds: of so short a pass the clock tells nothing
_MOST = 8  # images that are timed
MOST_LEARNED = 32  # likewise where the network learns: of fewer the gradients take another share


@dataclass(frozen=True)
class Precision:
    """What was timed.

    Attributes:
        bf16: Whether bfloat16 is used.
        words: For the log and the card.
    """

    bf16: bool
    words: str


_TIMED: dict[tuple[str, int, str], Precision] = {}


def timed_precision(
    name: str,
    module: Callable[[Tensor], Tensor | Features],
    images: Tensor,
    tell: Callable[[str], None],
    most: int = _MOST,
    weights: Sequence[nn.Parameter] = (),
) -> Precision:
    """Whether a network's pass on these images is quicker in bfloat16.

    Args:
        name: Of the network, by which the choice is remembered.
        module: The network, or its backbone.
        images: (N, 3, H, W), normalised, on its device; or maps, where the module takes those.
        tell: Told the choice when it is made.
        most: Images that are timed.
        weights: Of the module, that are learned; their gradients are timed, too, and not kept.
    """
    key = (name, images.shape[-1], images.device.type)
    if key not in _TIMED:
        _TIMED[key] = _time(module, images[:most], weights)
        tell(f"Precision: {_TIMED[key].words}.")
    return _TIMED[key]


def choices_made() -> list[list[Any]]:
    """What was chosen in this process, as plain values for the state of a run."""
    return [[*key, *asdict(found).values()] for key, found in _TIMED.items()]


def take_choices(kept: Sequence[Sequence[Any]]) -> None:
    """Go by what `choices_made` gave when a run was stopped."""
    for name, side, device, *found in kept:
        _TIMED[name, side, device] = Precision(*found)


def timed_words(backbones: Collection[str]) -> str:
    """What was chosen in this process for networks with one of these backbones, for the card."""
    return "; ".join(
        f"{name} at {side} pixels: {found.words}"
        for (name, side, _), found in _TIMED.items()
        if name.split(",")[0] in backbones
    )


def _time(
    module: Callable[[Tensor], Tensor | Features],
    images: Tensor,
    weights: Sequence[nn.Parameter] = (),
) -> Precision:
    if images.device.type == "cuda":
        return Precision(True, "bfloat16 on the graphics card")
    count = len(images)
    was_training = isinstance(module, nn.Module) and module.training
    if was_training:
        module.eval()  # type: ignore[attr-defined]  # statistics are not moved by the clock
    full = _seconds(module, images, False, weights)
    if full < _SHORT:
        found = Precision(False, "float32 (too quick to tell)")
    else:
        half = _seconds(module, images, True, weights)
        bf16 = half <= _SAVES * full
        times = f"bfloat16 {1e3 * half / count:.0f} ms an image, float32 {1e3 * full / count:.0f}"
        found = Precision(bf16, f"{'bfloat16' if bf16 else 'float32'} ({times})")
    if was_training:
        module.train()  # type: ignore[attr-defined]
    return found


def _seconds(
    module: Callable[[Tensor], Tensor | Features],
    images: Tensor,
    bf16: bool,
    weights: Sequence[nn.Parameter],
) -> float:
    """The quicker of two passes, after one that warms up."""
    passes = []
    for _ in range(3):
        began = time.perf_counter()
        with torch.set_grad_enabled(bool(weights)):
            with torch.autocast(images.device.type, dtype=torch.bfloat16, enabled=bf16):
                made = module(images)
            if weights:
                pooled = made if isinstance(made, Tensor) else made.pooled
                torch.autograd.grad(pooled.float().mean(), weights, allow_unused=True)
        passes.append(time.perf_counter() - began)
    return min(passes[1:])
