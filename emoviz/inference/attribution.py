"""Which regions of an image spoke for a class: heat maps over the network's input square.

::

    grad_cam               a logit's gradients, averaged over a stage's map (Selvaraju 2017)
    integrated_gradients   gradients on the way from grey to the image (Sundararajan 2017)
    occlusion              what a logit loses when a grey window hides a place (Zeiler 2014)

All explain logits; the first two are Captum's. Its occlusion answers for one class at a time; here
a batch of windows goes once through any engine and answers for all classes.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from emoviz.data.preprocessing import Preprocessing
from emoviz.inference.engines import Engine
from emoviz.inference.explainer import Bytes, Explainer, Layer, Progress

if TYPE_CHECKING:
    from torch import Tensor

Map = NDArray[np.float32]


@dataclass(frozen=True)
class Completeness:
    """Whether integrated gradients add up to what they should (their axiom of completeness).

    Attributes:
        attributed: Sum of the heat map.
        difference: The image's logit less that of the grey square.
    """

    attributed: float
    difference: float

    @property
    def gap(self) -> float:
        """What the sum misses, in logits: 0 is complete; more steps bring it closer."""
        return abs(self.attributed - self.difference)


@dataclass(frozen=True)
class HeatMap:
    """Where an image spoke for one class.

    Attributes:
        name: Of the class.
        values: (side, side) over the network's input; above 0 where the image spoke for the
            class, below where against it. Grad-CAM knows no below and has no unit; occlusion is
            in logits; integrated gradients are in logits and add up over the square.
        completeness: Of integrated gradients.
    """

    name: str
    values: Map
    completeness: Completeness | None = None


def grad_cam(
    explainer: Explainer, image: Bytes, classes: Sequence[int], layer: Layer
) -> list[HeatMap]:
    """Grad-CAM (Selvaraju et al., ICCV 2017) on one stage.

    Args:
        explainer: From `load_explainer`.
        image: (side, side, 3) bytes.
        classes: Indices of the classes to explain.
        layer: One of `Explainer.stages`.

    Returns:
        One map for each class, at the input's resolution (bicubic), nowhere below 0.
    """
    from captum.attr import LayerGradCam
    from torch.nn.functional import interpolate

    asked = LayerGradCam(explainer.logits, explainer.module(layer))
    x = explainer.to_input(image[None]).requires_grad_()  # or the layer's map has no gradient
    maps = []
    for index in classes:
        cam = asked.attribute(x, target=index, relu_attributions=True).detach()
        crop = explainer.checkpoint.card.preprocessing.ten_crop or explainer.side
        fine = interpolate(cam, (crop, crop), mode="bicubic", align_corners=False).clamp(min=0)
        whole = fine if len(fine) == 1 else _from_crops(fine, explainer.side)
        maps.append(HeatMap(explainer.classes[index], _plain(whole[0, 0])))
    return maps


def integrated_gradients(
    explainer: Explainer,
    image: Bytes,
    index: int,
    steps: int = 96,
    batch: int = 8,
    progress: Progress | None = None,
) -> HeatMap:
    """Integrated gradients (Sundararajan et al., ICML 2017), summed over the three channels.

    The way begins at the colour that normalisation makes 0, the mean of the training images.

    Args:
        explainer: From `load_explainer`.
        image: (side, side, 3) bytes.
        index: Of the class.
        steps: Points on the way (Gauss-Legendre). With 32 the sum can miss by as much as it
            should be: the network
            answers steeply near the plain colour.
        batch: Points that go through the network at once.
        progress: Called with (points done, points) as it goes.
    """
    from captum.attr import IntegratedGradients

    forward = explainer.logits if progress is None else _counted(explainer, steps, progress)
    x = explainer.to_input(image[None])
    found: Any = IntegratedGradients(forward).attribute(
        x, target=index, n_steps=steps, internal_batch_size=batch
    )
    values = _plain(found[0].sum(dim=0))
    whole, none = (
        _logits_of(explainer, x, index),
        _logits_of(explainer, x.new_zeros(x.shape), index),
    )
    return HeatMap(explainer.classes[index], values, Completeness(float(found.sum()), whole - none))


def occlusion(
    engine: Engine,
    image: Bytes,
    preprocessing: Preprocessing,
    window: float = 0.16,
    stride: float = 0.06,
    batch: int = 16,
    progress: Progress | None = None,
) -> Map:
    """What each class's logit loses when a window of the mean colour hides a place (Zeiler 2014).

    Args:
        engine: Any; needs no gradients.
        image: (side, side, 3) bytes.
        preprocessing: Gives the mean colour.
        window: Side of the window as a share of the image's.
        stride: Its step, likewise.
        batch: Windows that go through the network at once.
        progress: Called with (windows done, windows).

    Returns:
        (C, side, side) in logits: at each pixel the mean over the windows that hid it.
    """
    side = len(image)
    size, step = max(1, round(window * side)), max(1, round(stride * side))
    starts = window_starts(side, size, step)
    places = list(product(starts, starts))
    whole = engine.run(image[None]).logits[0]
    total = np.zeros((len(whole), side, side), np.float32)
    covered = np.zeros((side, side), np.float32)
    for start in range(0, len(places), batch):
        group = places[start : start + batch]
        hidden = np.stack([_hide(image, place, size, grey(preprocessing)) for place in group])
        for (top, left), logits in zip(group, engine.run(hidden).logits, strict=True):
            total[:, top : top + size, left : left + size] += (whole - logits)[:, None, None]
            covered[top : top + size, left : left + size] += 1.0
        if progress is not None:
            progress(start + len(group), len(places))
    return np.asarray(total / covered)


def window_starts(side: int, size: int, step: int) -> list[int]:
    """Where windows of `size` begin so that every pixel is hidden at least once.

    The last one begins where the others' step would leave the border out of reach.
    """
    count = math.ceil((side - size) / step) + 1
    return [i * step for i in range(count)]


def grey(preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """(3,) the training images' mean colour, which normalisation makes (almost) 0."""
    return np.round(255 * np.array(preprocessing.mean)).astype(np.uint8)


def _hide(image: Bytes, place: tuple[int, int], size: int, colour: NDArray[np.uint8]) -> Bytes:
    hidden = image.copy()
    hidden[place[0] : place[0] + size, place[1] : place[1] + size] = colour
    return hidden


def _counted(explainer: Explainer, steps: int, progress: Progress) -> "Callable[[Tensor], Tensor]":
    """The network, telling how many points have come by."""
    done = 0

    def forward(images: "Tensor") -> "Tensor":
        nonlocal done
        logits = explainer.logits(images)
        done = min(done + len(images), steps)
        progress(done, steps)
        return logits

    return forward


def _logits_of(explainer: Explainer, x: "Tensor", index: int) -> float:
    import torch

    with torch.inference_mode():
        return float(explainer.logits(x)[0, index])


def _from_crops(maps: "Tensor", side: int) -> "Tensor":
    """(10, 1, crop, crop) -> (1, 1, side, side): each crop's map at its place, overlaps averaged.

    Cutting crops is linear, so its transpose puts them back; that is what a gradient is.
    """
    import torch

    from emoviz.models.crops import ten_crops

    with torch.enable_grad():
        ground = maps.new_zeros(1, 1, side, side).requires_grad_()
        crops = ten_crops(ground, maps.shape[-1])
    (total,) = torch.autograd.grad(crops, ground, maps, retain_graph=True)
    (covered,) = torch.autograd.grad(crops, ground, torch.ones_like(maps))
    return total / covered.clamp(min=1.0)


def _plain(values: "Tensor") -> Map:
    return np.asarray(values.float().cpu().numpy())
