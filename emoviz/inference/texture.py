"""Texture pictures: another image with the same Gram matrices (Gatys, Ecker, Bethge 2015).

Figure 4.4 of the dissertation, made with the checkpoint's own layers: an image of noise is changed
until the Gram matrices of its feature maps are those of the original. Layout is lost; texture and
colour stay.

    L(x) = sum_i ||G_i(x) - G_i||^2 / ||G_i||^2 + 10 mean(overshoot^2)

Each layer counts the same whatever its scale; the last term keeps colours within 0-1. The image is
held as Fourier coefficients divided by their frequency, in the original's three principal colours
(Olah et al., Feature Visualization, Distill 2017): strides of 4 and more leave the finest
frequencies open, and noise stays there when single pixels are changed. L-BFGS, one pass through the
network a step.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from emoviz.inference.explainer import Bytes, Explainer, Layer

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import LBFGS

# Keeps the division defined where a layer is silent.
_SILENT = 1e-12
_OVERSHOOT = 10.0
# Strength of the first noise, in the original's colours. Weak noise comes nearest on trained
# networks; untrained ones answer so weakly to it that the loss hardly falls.
_START = 0.1
_HISTORY = 5
SMALLEST, LARGEST = 128, 512


@dataclass(frozen=True)
class TextureStep:
    """Where a synthesis stands.

    Attributes:
        number: Passes through the network so far, from 1.
        loss: Of the image before this step's change; of the picture, where there is one.
        picture: (size, size, 3) bytes, where one was asked for.
    """

    number: int
    loss: float
    picture: Bytes | None = field(default=None, repr=False, compare=False)


def synthesise(
    explainer: Explainer,
    image: Bytes,
    layers: Sequence[Layer] = (),
    steps: int = 200,
    seed: int = 0,
    every: int = 10,
) -> Iterator[TextureStep]:
    """Make a texture picture, step by step; whoever stops listening cancels it.

    Args:
        explainer: From `load_explainer`.
        image: (size, size, 3) bytes of the original; the picture gets the same size.
        layers: Whose Gram matrices are matched; all of `Explainer.gram_layers` where none.
        steps: Passes through the network.
        seed: Of the noise at the beginning.
        every: Steps from one picture to the next; the last step always has the best picture.

    Yields:
        Every step with its loss.

    Raises:
        ValueError: There is no layer to match.
    """
    wanted = tuple(layers) or explainer.gram_layers
    if not wanted:
        raise ValueError("The network has no layer whose Gram matrices could be matched.")
    canvas = _Canvas(explainer, image, seed)
    goal = [G.detach() for G in _grams(explainer, explainer.to_input(image[None]), wanted)]
    optimiser = canvas.optimiser()
    best = (math.inf, image)

    def closure() -> "Tensor":
        optimiser.zero_grad()
        pixels = canvas.pixels()
        loss = gram_loss(_grams(explainer, canvas.normalised(pixels), wanted), goal)
        total = loss + _OVERSHOOT * (pixels - pixels.clamp(0, 1)).square().mean()
        total.backward()  # type: ignore[no-untyped-call]
        return total.detach()

    for number in range(1, steps + 1):
        shown = canvas.picture() if number % every == 0 or number == steps else None
        loss = float(optimiser.step(closure))  # type: ignore[no-untyped-call]
        if shown is not None and loss < best[0]:
            best = (loss, shown)
        if not math.isfinite(loss) or number == steps:
            yield TextureStep(number, *best)
            return
        yield TextureStep(number, loss, shown)


def gram_loss(grams: "Sequence[Tensor]", goal: "Sequence[Tensor]") -> "Tensor":
    """sum_i ||G_i - goal_i||^2 / ||goal_i||^2 over the layers (Frobenius)."""
    import torch

    terms = [
        (G - wanted).square().sum() / (wanted.square().sum() + _SILENT)
        for G, wanted in zip(grams, goal, strict=True)
    ]
    return torch.stack(terms).sum()


def gram_matrices(explainer: Explainer, images: Bytes) -> list[NDArray[np.float32]]:
    """Gram matrices of images, divided by the number of positions (equation 4.10).

    Args:
        explainer: From `load_explainer`.
        images: (N, H, W, 3) bytes.

    Returns:
        (N, C_i, C_i) for each of `Explainer.gram_layers`.
    """
    import torch

    with torch.inference_mode():
        grams = _grams(explainer, explainer.to_input(images), explainer.gram_layers)
        return [G.cpu().numpy() for G in grams]


def feature_maps(explainer: Explainer, image: Bytes) -> list[NDArray[np.float32]]:
    """(C_i, H_i, W_i) for each of `Explainer.gram_layers`, of one (H, W, 3) image."""
    import torch

    with torch.inference_mode():
        maps = explainer.maps(explainer.to_input(image[None]), explainer.gram_layers)
        return [F[0].float().cpu().numpy() for F in maps]


def _grams(explainer: Explainer, images: "Tensor", layers: tuple[Layer, ...]) -> "list[Tensor]":
    from emoviz.models.gram import gram_matrix

    return [gram_matrix(F) for F in explainer.maps(images, layers)]


class _Canvas:
    """The image that changes: scaled Fourier coefficients in the original's principal colours."""

    def __init__(self, explainer: Explainer, image: Bytes, seed: int) -> None:
        import torch

        preprocessing = explainer.checkpoint.card.preprocessing
        self._size = image.shape[0], image.shape[1]
        own = torch.from_numpy(np.array(image)).to(explainer.device).float() / 255.0
        colours = own.flatten(0, 1)
        self._colour = colours.mean(dim=0).view(1, 3, 1, 1)
        self._mixing = _principal_colours(colours)
        self._scale = _frequency_scale(self._size).to(explainer.device)
        self._mean = own.new_tensor(preprocessing.mean).view(1, 3, 1, 1)
        self._std = own.new_tensor(preprocessing.std).view(1, 3, 1, 1)
        noise = torch.randn(1, 3, *self._size, generator=torch.Generator().manual_seed(seed))
        spectrum = torch.fft.rfft2(_START * noise, norm="ortho")
        self._weights = torch.view_as_real(spectrum).to(explainer.device).clone().requires_grad_()

    def optimiser(self) -> "LBFGS":
        """L-BFGS without line search: one pass through the network a step."""
        import torch

        return torch.optim.LBFGS(
            [self._weights],
            max_iter=1,
            history_size=_HISTORY,
            tolerance_grad=0.0,
            tolerance_change=0.0,
        )

    def pixels(self) -> "Tensor":
        """(1, 3, H, W), about 0-1, with its gradient."""
        import torch

        spectrum = torch.view_as_complex(self._weights) * self._scale
        plane = torch.fft.irfft2(spectrum, s=self._size, norm="ortho")
        coloured: Tensor = (self._mixing @ plane.flatten(2)).view_as(plane)
        return coloured + self._colour

    def normalised(self, pixels: "Tensor") -> "Tensor":
        """What the network takes."""
        return (pixels - self._mean) / self._std

    def picture(self) -> Bytes:
        """(H, W, 3) bytes."""
        import torch

        with torch.no_grad():
            values = self.pixels()[0].clamp(0, 1).permute(1, 2, 0)
            return np.asarray((255 * values).round().byte().cpu().numpy())


def _principal_colours(colours: "Tensor") -> "Tensor":
    """(P, 3) -> (3, 3) symmetric square root of the covariance: noise times it has the colours."""
    import torch

    centred = colours - colours.mean(dim=0)
    covariance = centred.T @ centred / len(colours) + 1e-5 * torch.eye(3, device=colours.device)
    values, vectors = torch.linalg.eigh(covariance)
    root: Tensor = vectors @ torch.diag(values.sqrt()) @ vectors.T
    return root


def _frequency_scale(size: tuple[int, int]) -> "Tensor":
    """(H, W // 2 + 1): one over the frequency, as spectra of natural images fall; mean square 1/16.

    The factor only sets how far the first steps of the optimiser reach.
    """
    import torch

    rows = torch.fft.fftfreq(size[0])[:, None]
    columns = torch.fft.rfftfreq(size[1])[None]
    frequency = (rows.square() + columns.square()).sqrt()
    scale: Tensor = 0.25 / frequency.clamp(min=1.0 / max(size))
    return scale
