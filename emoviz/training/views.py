"""Views of training images.

A view depends on (seed, epoch, image) alone, never on the order in which images are read, so a
run can be repeated and resumed to the same numbers.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torchvision.transforms import InterpolationMode, v2

from emoviz.data.images import Limits, open_image, read_file
from emoviz.data.preprocessing import Preprocessing
from emoviz.data.records import Record
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
    """Random views as the recipe wants them, of the size that the network takes."""
    steps: list[torch.nn.Module] = [
        v2.RandomResizedCrop(
            preprocessing.size,
            scale=(part.scale, 1.0),
            ratio=(1 / part.ratio, part.ratio),
            interpolation=_INTERPOLATION[preprocessing.interpolation],
            antialias=True,
        )
    ]
    if part.flip:
        steps.append(v2.RandomHorizontalFlip())
    if part.randaugment:
        steps.append(v2.RandAugment(num_ops=2, magnitude=part.randaugment))
    if part.colour:
        steps.append(v2.ColorJitter(part.colour, part.colour, part.colour))
    composed: Callable[[Image.Image], Image.Image] = v2.Compose(steps)
    return composed


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
        limits = Limits()
        try:
            data = read_file(record.path, limits)
            image = open_image(data, limits, self.preprocessing.short_side).pixels
        except ImageError:
            return None
        if epoch is None:
            return self.preprocessing.to_array(image)
        key = f"{self.seed}/{epoch}/{record.name}".encode()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int.from_bytes(hashlib.sha256(key).digest()[:7], "big"))
            return np.asarray(transform(image), dtype=np.uint8)


def unreadable(records: Sequence[Record], preprocessing: Preprocessing) -> dict[str, str]:
    """Names and reasons of the images that cannot be read; each is opened once."""
    limits = Limits()
    reasons = {}
    for record in records:
        try:
            open_image(read_file(record.path, limits), limits, preprocessing.short_side)
        except ImageError as error:
            reasons[record.name] = str(error)
    return reasons
