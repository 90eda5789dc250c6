"""bfloat16 only where it is quicker: on a processor without instructions for it, it is far slower.

One batch is passed both ways and timed. The choice is made once for each network, size and device
of a process, is told, and stands on the card.
"""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

import torch
from torch import Tensor, nn

_SAVES = 0.8  # of float32's time at most; closer than that the exact numbers are worth more
_SHORT = 0.05  # seconds: of so short a pass the clock tells nothing
_MOST = 8  # images that are timed


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
    module: Callable[[Tensor], object],
    images: Tensor,
    tell: Callable[[str], None],
    most: int = _MOST,
) -> Precision:
    """Whether a network's pass on these images is quicker in bfloat16.

    Args:
        name: Of the network, by which the choice is remembered.
        module: The network, or its backbone.
        images: (N, 3, H, W), normalised, on its device; or maps, where the module takes those.
        tell: Told the choice when it is made.
        most: Images that are timed.
    """
    key = (name, images.shape[-1], images.device.type)
    if key not in _TIMED:
        _TIMED[key] = _time(module, images[:most])
        tell(f"Precision: {_TIMED[key].words}.")
    return _TIMED[key]


def timed_words(backbones: Collection[str]) -> str:
    """What was chosen in this process for networks with one of these backbones, for the card."""
    return "; ".join(
        f"{name} at {side} pixels: {found.words}"
        for (name, side, _), found in _TIMED.items()
        if name.split(",")[0] in backbones
    )


def _time(module: Callable[[Tensor], object], images: Tensor) -> Precision:
    if images.device.type == "cuda":
        return Precision(True, "bfloat16 on the graphics card")
    count = len(images)
    was_training = isinstance(module, nn.Module) and module.training
    if was_training:
        module.eval()  # type: ignore[attr-defined]  # statistics are not moved by the clock
    full = _seconds(module, images, False)
    if full < _SHORT:
        found = Precision(False, "float32 (too quick to tell)")
    else:
        half = _seconds(module, images, True)
        bf16 = half <= _SAVES * full
        times = f"bfloat16 {1e3 * half / count:.0f} ms an image, float32 {1e3 * full / count:.0f}"
        found = Precision(bf16, f"{'bfloat16' if bf16 else 'float32'} ({times})")
    if was_training:
        module.train()  # type: ignore[attr-defined]
    return found


@torch.no_grad()
def _seconds(module: Callable[[Tensor], object], images: Tensor, bf16: bool) -> float:
    """The quicker of two passes, after one that warms up."""
    with torch.autocast(images.device.type, dtype=torch.bfloat16, enabled=bf16):
        module(images)
        passes = []
        for _ in range(2):
            began = time.perf_counter()
            module(images)
            passes.append(time.perf_counter() - began)
    return min(passes)
