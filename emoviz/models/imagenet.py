"""EfficientNet-Lite2 as it was trained: what of ImageNet's 1,000 classes a picture looks like."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from timm.data.imagenet_info import ImageNetInfo

from emoviz.data.preprocessing import Preprocessing
from emoviz.models.backbones import load_classifier
from emoviz.models.network import Normalise

_BACKBONE, _SIDE = "tf_efficientnet_lite2", 260
SURE = 0.4  # a word that is less likely is not said
SURE_OF_GROUP = 0.7  # where no word is sure, a group that is
# ImageNet's classes are ordered by what they are; first and last of each group, narrow ones first.
# Things that people make are no group: half of all classes, and what is none of them goes there.
GROUPS: Mapping[str, Sequence[tuple[int, int]]] = {
    "a bird": ((7, 24), (80, 100), (127, 146)),
    "a dog": ((151, 268),),
    "an insect or spider": ((69, 79), (300, 326)),
    "an animal": ((0, 397),),
    "a landscape": ((970, 970), (972, 980)),
    "plants": ((984, 998),),
    "food": ((924, 969),),
}


def load_naming() -> Callable[[Sequence[NDArray[np.uint8]]], list[tuple[str, float] | None]]:
    """What names pictures: (H, W, 3) bytes each to a word and its probability.

    The word is one of ImageNet's classes where one has a probability of `SURE`; else one of
    `GROUPS` with `SURE_OF_GROUP`; else nothing is said.

    Raises:
        WeightsError: The package with the weights is not installed.
    """
    backbone, weight, bias = load_classifier(_BACKBONE)
    normalise, info = Normalise(*backbone.normalisation), ImageNetInfo()
    whole = Preprocessing(_SIDE)

    def naming(pictures: Sequence[NDArray[np.uint8]]) -> list[tuple[str, float] | None]:
        arrays = np.stack([whole.to_array(Image.fromarray(picture)) for picture in pictures])
        with torch.inference_mode():
            pooled = backbone(normalise(torch.from_numpy(arrays))).pooled
            shares = torch.softmax(pooled @ weight.T + bias, dim=1)
        return [_word(row, info) for row in shares.numpy()]

    return naming


def _word(shares: NDArray[np.float32], info: ImageNetInfo) -> tuple[str, float] | None:
    """What is said of one picture: its likeliest class or else group, if that is sure enough."""
    best = int(shares.argmax())
    if shares[best] >= SURE:
        return info.index_to_description(best).split(",")[0], float(shares[best])
    for group, ranges in GROUPS.items():
        share = sum(float(shares[first : last + 1].sum()) for first, last in ranges)
        if share >= SURE_OF_GROUP:
            return group, share
    return None
