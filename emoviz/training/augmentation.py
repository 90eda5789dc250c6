"""Views of training images.

A view depends on (seed, epoch, image) alone, never on the order in which images are read, so a
run can be repeated and resumed to the same numbers.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.transforms import InterpolationMode, v2

from emoviz.data.dataset import Record
from emoviz.data.images import Limits, open_image, own_fault
from emoviz.data.preprocessing import Preprocessing
from emoviz.errors import ImageError
from emoviz.inference.prefetch import ahead
from emoviz.training.recipe import AugmentPart

_INTERPOLATION = {
    "bicubic": InterpolationMode.BICUBIC,
    "bilinear": InterpolationMode.BILINEAR,
    "lanczos": InterpolationMode.LANCZOS,
}


def augmentation(
    part: AugmentPart, preprocessing: Preprocessing
) -> Callable[[Image.Image], Image.Image]:
    """Random views as the recipe wants them, of the size that the network takes in training."""
    steps: list[Any] = []
    interpolation = _INTERPOLATION[preprocessing.interpolation]
    if part.crop == "resized":
        steps.append(
            v2.RandomResizedCrop(
                preprocessing.size,
                scale=(part.scale, 1.0),
                ratio=(1 / part.ratio, part.ratio),
                interpolation=interpolation,
                antialias=True,
            )
        )
    else:
        steps.append(preprocessing.resize)
    if part.zoom or part.rotate:
        scale = (1 + part.zoom_least, 1 + part.zoom)
        bilinear = InterpolationMode.BILINEAR
        steps.append(v2.RandomAffine(part.rotate, scale=scale, interpolation=bilinear))
    if part.crop == "window":
        steps.append(v2.RandomCrop(preprocessing.ten_crop))
    if part.flip:
        steps.append(v2.RandomHorizontalFlip())
    if part.vertical_flip:
        steps.append(v2.RandomVerticalFlip())
    if part.randaugment:
        steps.append(v2.RandAugment(num_ops=part.randaugment_ops, magnitude=part.randaugment))
    if part.colour:
        steps.append(v2.ColorJitter(part.colour, part.colour, part.colour))

    def view(image: Image.Image) -> Image.Image:
        for step in steps:
            image = step(image)
        return image

    return view


@dataclass(frozen=True)
class ViewMaker:
    """Reads images and turns them into arrays for a network.

    Attributes:
        preprocessing: Of the finished network: the plain view.
        part: The recipe's augmentation.
        seed: Of the run.
    """

    preprocessing: Preprocessing
    part: AugmentPart
    seed: int

    def batches(
        self,
        records: Sequence[Record],
        order: NDArray[np.int64],
        batch: int,
        epoch: int | None,
        in_advance: bool = True,
    ) -> Iterator[tuple[NDArray[np.int64], Tensor]]:
        """Indices and bytes (N, H, W, 3) of batch after batch, one batch ahead.

        Args:
            records: The images.
            order: Indices into `records`.
            batch: Images a batch; the last may be smaller.
            epoch: Which random views; None gives the plain ones.
            in_advance: Read in a thread of its own, ahead of whoever asks. Not where that one
                draws random numbers too: random views borrow torch's one generator.

        Images that cannot be read any more are left out of their batch.
        """
        transform = augmentation(self.part, self.preprocessing)

        def read() -> Iterator[tuple[NDArray[np.int64], Tensor]]:
            for start in range(0, len(order), batch):
                index = order[start : start + batch]
                pairs = [(i, self._view(records[i], epoch, transform)) for i in index]
                kept = [(i, view) for i, view in pairs if view is not None]
                if kept:
                    views = torch.from_numpy(np.stack([view for _, view in kept]))
                    yield np.array([i for i, _ in kept], np.int64), views

        return ahead(read(), depth=2) if in_advance else read()

    def _view(
        self, record: Record, epoch: int | None, transform: Callable[[Image.Image], Image.Image]
    ) -> NDArray[np.uint8] | None:
        """One view; the caller's random numbers stay as they are."""
        if epoch is None:
            return self.view(record, epoch, transform)
        with torch.random.fork_rng(devices=[]):
            return self.view(record, epoch, transform)

    def view(
        self, record: Record, epoch: int | None, transform: Callable[[Image.Image], Image.Image]
    ) -> NDArray[np.uint8] | None:
        """One view (H, W, 3), or None where the image cannot be read; seeds torch's generator."""
        limits = Limits()
        try:
            with own_fault():
                data = record.read(limits)
                image = open_image(data, limits, self.preprocessing.short_side).pixels
        except ImageError:
            return None
        if epoch is None:
            return self.preprocessing.to_array(image)
        key = f"{self.seed}/{epoch}/{record.name}".encode(errors="surrogateescape")
        torch.manual_seed(int.from_bytes(hashlib.sha256(key).digest()[:7], "big"))
        return np.asarray(transform(image), dtype=np.uint8)


class RandomViews(Dataset[tuple[int, NDArray[np.uint8] | None]]):
    """Fresh views for torch's data loader, asked for as (epoch, row).

    Args:
        maker: Reads and augments.
        records: The images.
    """

    def __init__(self, maker: ViewMaker, records: Sequence[Record]) -> None:
        self._maker, self._records = maker, records
        self._transform: Callable[[Image.Image], Image.Image] | None = None

    def __getitem__(self, place: tuple[int, int]) -> tuple[int, NDArray[np.uint8] | None]:
        """The row and its view; None where the image cannot be read any more."""
        epoch, row = place
        if self._transform is None:  # made where it is used: workers may be started afresh
            self._transform = augmentation(self._maker.part, self._maker.preprocessing)
        return row, self._maker.view(self._records[row], epoch, self._transform)
