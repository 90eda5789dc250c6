"""Why, in sentences: regions of an image, what they look like, and what happens without each.

The image is cut into regions of like colour (superpixels: k-means over colour and place, as SLIC,
Achanta et al., PAMI 2012). Each is hidden in turn; what the estimate loses without it is what
the clause says, so nothing is claimed that was not tried. What a region looks like is said by
another network, EfficientNet-Lite2 with the 1,000 classes of ImageNet, which sees the region's
frame alone and knows nothing of emotions.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from emoviz.checkpoints import Card
from emoviz.errors import WeightsError
from emoviz.inference.attribution import HeatMap, grey
from emoviz.inference.engines import Engine
from emoviz.inference.explainer import Bytes
from emoviz.inference.predict import softmax

REGIONS, _MOST_REGIONS = 9, 25
Naming = Callable[[Sequence[Bytes]], list[tuple[str, float] | None]]
Mask = NDArray[np.bool_]
# k-means looks at so small a picture; weight of the place against the colour, as SLIC's m of 20.
_LOOKED_AT, _COMPACT = 64, 20.0
_SMALLEST = 0.02  # of the image; a smaller region joins its neighbour
_FRAME = 0.25  # a region is named with so much of its surroundings, as a share of its own size
_ROWS, _COLUMNS = ("upper ", "", "lower "), ("left", "middle", "right")


@dataclass(frozen=True)
class Clause:
    """One region, and what the estimate of an emotion is without it.

    Attributes:
        number: From 1, by place: from the top left, as one reads; the same for every emotion.
        place: ``upper left`` ... ``middle`` ... ``lower right``, of its middle.
        region: (side, side) over the network's input.
        without: Probability of the emotion while the region is hidden.
        effect: What it loses without the region, in probability; below 0 where it wins.
        looks_like: A word of ImageNet's 1,000 and its probability; None where nothing was sure
            enough, or nobody was asked.
    """

    number: int
    place: str
    region: Mask
    without: float
    effect: float
    looks_like: tuple[str, float] | None = None

    def words(self) -> str:
        """Where it is, what it looks like, and what happens without it."""
        seen = ""
        if self.looks_like is not None:
            word, share = self.looks_like
            seen = f" (taken for “{word}”, {100 * share:.0f} %)"
        points = abs(round(100 * self.effect, 1))
        way = "less" if self.effect > 0 else "more"
        return (
            f"region {self.number}, {self.place}{seen}. Without it the estimate is "
            f"{100 * self.without:.0f} %, {points:g} points {way}."
        )


@dataclass(frozen=True)
class InWords:
    """Why the network says an emotion of an image, region by region.

    Attributes:
        emotion: Of the network's classes.
        share: Its probability for the whole image.
        clauses: All regions, those that matter most first.
    """

    emotion: str
    share: float
    clauses: tuple[Clause, ...]

    def told(self, least: float = 0.01, most: int = 3) -> tuple[list[Clause], list[Clause]]:
        """What spoke for the emotion and what against it: at most so many each.

        Args:
            least: What a region must move, in probability, to be told of.
            most: Clauses on either side.
        """
        for_it = [clause for clause in self.clauses if clause.effect >= least]
        against = [clause for clause in self.clauses if clause.effect <= -least]
        return for_it[:most], against[:most]

    def heat(self) -> HeatMap:
        """At each pixel what the estimate loses without its region, in probability."""
        values = sum(clause.effect * clause.region for clause in self.clauses)
        return HeatMap(self.emotion, np.asarray(values, np.float32))

    def lines(self) -> list[str]:
        """The whole as sentences that can be read aloud."""
        for_it, against = self.told()
        percent = f"{100 * self.share:.0f} %"
        if not for_it and not against:
            return [
                f"{self.emotion}, estimated {percent}: no single region matters; whichever is "
                "hidden, the estimate moves by less than a point."
            ]
        found = [f"{self.emotion}, estimated {percent}."]
        for words, clauses in (("for", for_it), ("against", against)):
            found += [f"What spoke {words} it: {clause.words()}" for clause in clauses]
        return found


@dataclass(frozen=True)
class HiddenRegions:
    """What a network says of an image while each of its regions is hidden; of all emotions at once.

    Attributes:
        card: Of the network.
        regions: (R) masks (side, side), from the top left on.
        shares: (R + 1, C) probabilities: of the whole image, then without each region.
        words: (R) what each looks like; None where nobody was sure, or asked.
    """

    card: Card
    regions: Sequence[Mask]
    shares: NDArray[np.float64]
    words: Sequence[tuple[str, float] | None]

    def about(self, emotion: str) -> InWords:
        """Regions in the order of what they matter for one of the network's classes."""
        whole, *without = self.shares[:, self.card.taxonomy.names.index(emotion)].tolist()
        rows = zip(self.regions, without, self.words, strict=True)
        clauses = [
            Clause(number, _place(mask), mask, share, whole - share, word)
            for number, (mask, share, word) in enumerate(rows, start=1)
        ]
        return InWords(emotion, whole, tuple(sorted(clauses, key=lambda x: -abs(x.effect))))


def hide_regions(
    engine: Engine,
    image: Bytes,
    card: Card,
    regions: int = REGIONS,
    naming: Naming | None = None,
) -> HiddenRegions:
    """Cut an image into regions and hide each in turn.

    Args:
        engine: What answers; needs no gradients.
        image: (side, side, 3) bytes.
        card: Of the network: the mean colour that hides, and the temperature.
        regions: At most, and 25; one of 2 % of the image or less joins its neighbour.
        naming: Gives a word and its probability for each picture, as
            `emoviz.models.imagenet.load_naming`; None leaves regions unnamed.
    """
    masks = superpixels(image, regions)
    hidden = [np.where(mask[..., None], grey(card.preprocessing), image) for mask in masks]
    shares = softmax(engine.run(np.stack([image, *hidden])).logits, card.temperature)
    words = naming([_framed(image, mask) for mask in masks]) if naming else [None] * len(masks)
    return HiddenRegions(card, masks, shares, words)


def naming_if_installed() -> Naming | None:
    """`emoviz.models.imagenet.load_naming`, loaded once; None where its packages are missing."""
    if find_spec("torch") is None or find_spec("timm") is None:
        return None
    return _naming()


@cache
def _naming() -> Naming | None:
    from emoviz.models.imagenet import load_naming

    try:
        return load_naming()
    except WeightsError:
        return None


def superpixels(image: Bytes, count: int) -> list[Mask]:
    """At most `count` regions (H, W) of like colour; each pixel is in one. From the top left on.

    Args:
        image: (H, W, 3) bytes.
        count: At most, and 25; an image of one colour gives regions of about one size.
    """
    from sklearn.cluster import KMeans

    count = min(count, _MOST_REGIONS)
    height, width = image.shape[:2]
    small = Image.fromarray(image).resize((_LOOKED_AT, _LOOKED_AT), Image.Resampling.BOX)
    colour = np.asarray(small.convert("YCbCr"), np.float64).reshape(-1, 3) * (100 / 255)
    place = np.mgrid[:_LOOKED_AT, :_LOOKED_AT].reshape(2, -1).T
    spacing = _LOOKED_AT / np.sqrt(count)
    points = np.hstack([colour, place * (_COMPACT / spacing)])
    side = int(np.ceil(np.sqrt(count)))
    middles = (np.arange(side) + 0.5) * _LOOKED_AT / side
    starts = [points[int(y) * _LOOKED_AT + int(x)] for y in middles for x in middles][:count]
    found = KMeans(count, init=np.array(starts), n_init=1, random_state=0).fit_predict(points)
    labels = Image.fromarray(found.reshape(_LOOKED_AT, _LOOKED_AT).astype(np.uint8))
    labels = _joined(labels.filter(ImageFilter.ModeFilter(5)))
    whole = np.asarray(labels.resize((width, height), Image.Resampling.NEAREST))
    masks = [whole == label for label in np.unique(whole)]
    return sorted(masks, key=lambda mask: _thirds(mask) + tuple(map(np.mean, mask.nonzero())))


def _joined(labels: Image.Image) -> Image.Image:
    """Without regions that are too small to matter: their pixels go to the nearest other one."""
    from scipy.ndimage import distance_transform_edt

    values = np.asarray(labels)
    names, counts = np.unique(values, return_counts=True)
    small = np.isin(values, names[counts < _SMALLEST * values.size])
    nearest = distance_transform_edt(small, return_distances=False, return_indices=True)
    return Image.fromarray(values[tuple(nearest)])


def _framed(image: Bytes, mask: Mask) -> Bytes:
    """The part of the image around a region."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    parts = []
    for found, side in zip((rows, columns), image.shape, strict=False):
        more = round(_FRAME * (found[-1] + 1 - found[0]))
        parts.append(slice(max(0, int(found[0]) - more), min(side, int(found[-1]) + 1 + more)))
    return image[parts[0], parts[1]]


def _place(mask: Mask) -> str:
    """Where the middle of a region lies, in words."""
    row, column = _thirds(mask)
    name = _ROWS[row] + _COLUMNS[column]
    return {"upper middle": "top", "lower middle": "bottom"}.get(name, name)


def _thirds(mask: Mask) -> tuple[int, int]:
    """Row and column, 0 to 2, of the third of the image in which the middle of a region lies."""
    middle = [np.mean(found) / n for found, n in zip(mask.nonzero(), mask.shape, strict=True)]
    row, column = (min(2, int(3 * share)) for share in middle)
    return row, column
