"""Which regions of an image spoke for a class: heat maps over the network's input square.

::

    grad_cam               a logit's gradients, averaged over a stage's map (Selvaraju 2017)
    integrated_gradients   gradients on the way from a baseline to the image (Sundararajan 2017)
    occlusion              what a logit loses when a grey window hides a place (Zeiler 2014)

All explain logits. Grad-CAM is Captum's. Its integrated gradients know one rule for the whole way,
and its occlusion one class at a time; here the way is cut where it must be, and a batch of windows
goes once through any engine and answers for all classes. The tests compare both with Captum's.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from emoviz.data.preprocessing import Preprocessing
from emoviz.errors import CheckpointError
from emoviz.inference.engines import Engine
from emoviz.inference.explainer import Bytes, Explainer, Layer, Progress

if TYPE_CHECKING:
    from torch import Tensor

Map = NDArray[np.float32]
Baseline = Literal["mean", "black", "blurred"]
BASELINES: tuple[Baseline, ...] = get_args(Baseline)
# Where the way is cut at first, and points in each piece. Next to an image of one colour all places
# of a map answer alike, so a network of rectifiers turns there sharply, again and again.
_EDGES, _POINTS = (0.0, 0.02, 0.05, 0.15, 1.0), 8
# Pieces are halved until what they miss (the root of the sum of squares: some miss above, some
# below) is this share of the difference, or so many logits.
_MISSED_SHARE, _MISSED = 0.03, 0.03
_BLURRED = 1 / 8  # of the image's side: the standard deviation


@dataclass(frozen=True)
class Completeness:
    """Whether integrated gradients add up to what they should (their axiom of completeness).

    Attributes:
        attributed: Sum of the heat map.
        difference: The image's logit less that of the baseline.
        steps: Points on the way that were looked at.
        baseline: Where the way begins.
    """

    attributed: float
    difference: float
    steps: int = 0
    baseline: Baseline = "mean"

    @property
    def gap(self) -> float:
        """What the sum misses, in logits: 0 is complete."""
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

    Raises:
        CheckpointError: The stage gives no maps, as those of vision transformers, which are tokens.
    """
    from captum.attr import LayerGradCam
    from torch.nn.functional import interpolate

    asked = LayerGradCam(explainer.logits, explainer.module(layer))
    x = explainer.to_input(image[None]).requires_grad_()  # or the layer's map has no gradient
    maps = []
    for index in classes:
        cam = asked.attribute(x, target=index, relu_attributions=True).detach()
        if cam.dim() != 4 or cam.shape[2] != cam.shape[3]:  # tokens; channels in the last place
            raise CheckpointError(
                f"Grad-CAM needs feature maps, and the {layer.name} of this network gives none, as "
                "a vision transformer's. Take attention rollout, integrated gradients or occlusion."
            )
        crop = explainer.checkpoint.card.preprocessing.ten_crop or explainer.side
        fine = interpolate(cam, (crop, crop), mode="bicubic", align_corners=False).clamp(min=0)
        whole = fine if len(fine) == 1 else _from_crops(fine, explainer.side)
        maps.append(HeatMap(explainer.classes[index], _plain(whole[0, 0])))
    return maps


def integrated_gradients(
    explainer: Explainer,
    image: Bytes,
    index: int,
    steps: int = 160,
    baseline: Baseline = "mean",
    progress: Progress | None = None,
) -> HeatMap:
    """Integrated gradients (Sundararajan et al., ICML 2017), summed over the three channels.

    The way from the baseline to the image is cut into pieces, each with its own Gauss-Legendre
    points. A piece's sum should be the difference of the logits at its two ends, so what it misses
    is known; the piece that misses most is halved, until little is missed or the steps are used.

    Args:
        explainer: From `load_explainer`.
        image: (side, side, 3) bytes.
        index: Of the class.
        steps: Points on the way, at most; at least 4 are taken.
        baseline: Where the way begins: the colour that normalisation makes 0, which is the mean of
            the training images; black; or the image itself, blurred until only light is left.
        progress: Called with (points done, points at most) as it goes.
    """
    way = _Way(explainer, image, index, baseline, max(1, min(_POINTS, steps // (len(_EDGES) - 1))))
    told = progress or (lambda done, total: None)
    pieces = []
    for start, end in pairwise(_EDGES):
        pieces.append(way.piece(start, end))
        told(min(way.steps, steps), steps)
    allowed = max(_MISSED_SHARE * abs(way.difference), _MISSED)
    while _missed(pieces) > allowed and way.steps + 2 * way.points <= steps:
        pieces.sort(key=lambda piece: piece.gap)
        worst = pieces.pop()
        middle = (worst.start + worst.end) / 2
        pieces += [way.piece(worst.start, middle), way.piece(middle, worst.end)]
        told(way.steps, steps)
    told(steps, steps)
    values = np.sum([piece.values for piece in pieces], axis=0)
    done = Completeness(float(values.sum()), way.difference, way.steps, baseline)
    return HeatMap(explainer.classes[index], values.astype(np.float32), done)


@dataclass(frozen=True)
class _Piece:
    """What the part of the way between two shares of it contributes.

    Attributes:
        start: Share of the way at which it begins.
        end: At which it ends.
        values: (side, side) in logits.
        gap: What their sum misses of the difference between the logits of the two ends.
    """

    start: float
    end: float
    values: NDArray[np.float64]
    gap: float


def _missed(pieces: Sequence[_Piece]) -> float:
    """What the pieces miss together, in logits."""
    return math.hypot(*(piece.gap for piece in pieces))


class _Way:
    """The straight line from a baseline to an image, and a class's logit along it."""

    def __init__(
        self, explainer: Explainer, image: Bytes, index: int, baseline: Baseline, points: int
    ) -> None:
        self.points, self.steps = points, 0
        self._explainer, self._index = explainer, index
        self._start = _baseline_of(explainer, image, baseline)
        self._whole = explainer.to_input(image[None]) - self._start
        self._logits: dict[float, float] = {}
        self._ask(_EDGES)

    @property
    def difference(self) -> float:
        """The image's logit less the baseline's."""
        return self._logits[1.0] - self._logits[0.0]

    def piece(self, start: float, end: float) -> _Piece:
        """Integrated gradients between two shares of the way."""
        import torch

        self._ask(share for share in (start, end) if share not in self._logits)
        nodes, weights = np.polynomial.legendre.leggauss(self.points)
        shares = start + (end - start) * (nodes + 1) / 2
        at = torch.tensor(shares, dtype=self._whole.dtype, device=self._whole.device)
        points = (self._start + at.view(-1, 1, 1, 1) * self._whole).requires_grad_()
        logits = self._explainer.logits(points)[:, self._index]
        (slopes,) = torch.autograd.grad(logits.sum(), points)
        share = at.new_tensor(weights * (end - start) / 2)
        mean = torch.einsum("n,nchw->chw", share, slopes)
        self.steps += self.points
        values = (mean * self._whole[0]).sum(dim=0).double().cpu().numpy()
        wanted = self._logits[end] - self._logits[start]
        return _Piece(start, end, values, abs(float(values.sum()) - wanted))

    def _at(self, share: float) -> "Tensor":
        place: Tensor = self._start + share * self._whole
        return place

    def _ask(self, shares: Iterable[float]) -> None:
        import torch

        asked = list(shares)
        if asked:
            with torch.inference_mode():
                logits = self._explainer.logits(torch.cat([self._at(share) for share in asked]))
            self._logits |= dict(zip(asked, logits[:, self._index].tolist(), strict=True))


def _baseline_of(explainer: Explainer, image: Bytes, baseline: Baseline) -> "Tensor":
    """(1, 3, side, side): the normalised image at which the way begins."""
    if baseline == "mean":
        import torch

        return torch.zeros_like(explainer.to_input(image[None]))  # in the same memory format
    if baseline == "black":
        return explainer.to_input(np.zeros_like(image)[None])
    if baseline != "blurred":
        raise ValueError(f"There is no baseline '{baseline}'. Known: mean, black, blurred.")
    blur = ImageFilter.GaussianBlur(_BLURRED * len(image))
    return explainer.to_input(np.asarray(Image.fromarray(image).filter(blur))[None])


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
