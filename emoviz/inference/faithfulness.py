"""Whether a heat map means anything: deletion and insertion curves (Petsiuk et al., BMVC 2018).

Deletion hides the pixels that the map calls most important first: a good map makes the class's
probability fall early. Insertion shows them first on a blurred image: a good map makes it rise
early. Both are set against maps of random blobs, which know nothing of the image.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from emoviz.data.preprocessing import Preprocessing
from emoviz.inference.attribution import Map, grey
from emoviz.inference.engines import Engine
from emoviz.inference.explainer import Bytes, Progress
from emoviz.inference.predict import softmax

Curve = NDArray[np.float64]
# Grain of the random maps and strength of the blur, as shares of the image's side.
_GRAIN, _BLUR = 1 / 9, 1 / 16


@dataclass(frozen=True)
class Faithfulness:
    """One class's probability while pixels go or come, most important ones first.

    Attributes:
        shares: (K + 1,) of the pixels that are gone or shown, from 0 to 1.
        deletion: (K + 1,) probabilities under the heat map.
        insertion: (K + 1,) likewise.
        random_deletion: (K + 1,) mean over the random maps.
        random_insertion: (K + 1,) likewise.
    """

    shares: Curve
    deletion: Curve
    insertion: Curve
    random_deletion: Curve
    random_insertion: Curve

    def area(self, curve: Curve) -> float:
        """Area under one of the curves, in [0, 1] (trapezoids)."""
        return area(curve)

    @property
    def better_deletion(self) -> float:
        """How much lower the deletion curve runs than at random, in probability."""
        return self.area(self.random_deletion) - self.area(self.deletion)

    @property
    def better_insertion(self) -> float:
        """How much higher the insertion curve runs than at random, in probability."""
        return self.area(self.insertion) - self.area(self.random_insertion)


def faithfulness(
    engine: Engine,
    image: Bytes,
    heat: Map,
    index: int,
    preprocessing: Preprocessing,
    temperature: float = 1.0,
    steps: int = 16,
    rivals: int = 3,
    seed: int = 0,
    progress: Progress | None = None,
) -> Faithfulness:
    """Deletion and insertion curves of a heat map and of random ones.

    Args:
        engine: What answers; each curve is one batch of K + 1 images.
        image: (side, side, 3) bytes.
        heat: (side, side), larger for what matters more.
        index: Of the class.
        preprocessing: Gives the mean colour that hides.
        temperature: Of the checkpoint's calibration.
        steps: K, groups of pixels that go or come at once.
        rivals: Random maps.
        seed: Of the random maps.
        progress: Called with (curves done, curves).
    """
    random = np.random.default_rng(seed)
    maps = [heat, *(random_map(len(image), random) for _ in range(rivals))]
    curves = []
    for done, values in enumerate(maps, start=1):
        curves.append(
            deletion_and_insertion(engine, image, values, index, preprocessing, temperature, steps)
        )
        if progress is not None:
            progress(2 * done, 2 * len(maps))
    deleted, inserted = np.array(curves).swapaxes(0, 1)
    return Faithfulness(
        np.linspace(0, 1, steps + 1),
        deleted[0],
        inserted[0],
        deleted[1:].mean(axis=0),
        inserted[1:].mean(axis=0),
    )


def deletion_and_insertion(
    engine: Engine,
    image: Bytes,
    heat: Map,
    index: int,
    preprocessing: Preprocessing,
    temperature: float = 1.0,
    steps: int = 16,
) -> tuple[Curve, Curve]:
    """(K + 1,) probabilities while pixels go, and while they come; arguments as `faithfulness`."""
    blank = np.broadcast_to(grey(preprocessing), image.shape)
    blur = np.asarray(
        Image.fromarray(image).filter(ImageFilter.GaussianBlur(_BLUR * len(image))), np.uint8
    )
    ranks = _ranks(heat)
    gone, shown = (
        softmax(engine.run(frames).logits, temperature)[:, index]
        for frames in (_mixed(ranks, blank, image, steps), _mixed(ranks, image, blur, steps))
    )
    return gone, shown


def area(curve: Curve) -> float:
    """Area under a curve over 0 to 1, in [0, 1] (trapezoids)."""
    return float(np.trapezoid(curve, np.linspace(0, 1, len(curve))))


def random_map(side: int, random: np.random.Generator) -> Map:
    """(side, side) smooth random blobs, of about the grain of a heat map."""
    count = max(2, round(1 / _GRAIN))
    coarse = Image.fromarray(random.random((count, count), dtype=np.float32))
    return np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC), np.float32)


def _ranks(values: Map) -> NDArray[np.float64]:
    """(side, side) place of each pixel in the order of importance, in [0, 1); most important 0."""
    order = np.argsort(-values, axis=None, kind="stable")
    ranks = np.empty(values.size)
    ranks[order] = np.arange(values.size) / values.size
    return ranks.reshape(values.shape)


def _mixed(ranks: NDArray[np.float64], first: Bytes, rest: Bytes, steps: int) -> Bytes:
    """(K + 1, side, side, 3): `first` where the rank is below 0, 1/K, ..., 1, else `rest`."""
    shares = np.linspace(0, 1, steps + 1)
    return np.stack([np.where((ranks < share)[..., None], first, rest) for share in shares])
