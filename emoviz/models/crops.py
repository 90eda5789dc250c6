"""Ten crops at test time: four corners, the centre, and the mirror images of these five.

The facial-emotion networks of the 2021 thesis are measured so (torchvision's ``TenCrop``).
"""

from collections.abc import Callable

import torch
from torch import Tensor

from emoviz.models.network import Output

CROPS = 10


def ten_crops(images: Tensor, side: int) -> Tensor:
    """Ten crops of each image.

    Args:
        images: (N, C, H, W), with H and W at least `side`.
        side: Of the crops in pixels.

    Returns:
        (10 N, C, side, side): all images' first crops, all images' second crops, and so on, in
        the order of torchvision.
    """
    mirrored = images.flip(3)
    return torch.cat([*_five_crops(images, side), *_five_crops(mirrored, side)])


def run_on_crops(network: Callable[[Tensor], Output], images: Tensor, side: int) -> Output:
    """One pass over all crops; logits, u, h and energy are averaged over each image's ten.

    Args:
        network: Takes normalised images.
        images: (N, 3, H, W), normalised.
        side: Of the crops in pixels; 0 gives the network the images as they are.
    """
    if not side:
        return network(images)
    parts = network(ten_crops(images, side))
    return Output(*(part.view(CROPS, images.shape[0], part.shape[1]).mean(dim=0) for part in parts))


def _five_crops(images: Tensor, side: int) -> list[Tensor]:
    height, width = images.shape[2:]
    bottom, right = height - side, width - side
    middle = (round(bottom / 2), round(right / 2))
    places = ((0, 0), (0, right), (bottom, 0), (bottom, right), middle)
    return [images[:, :, top : top + side, left : left + side] for top, left in places]
