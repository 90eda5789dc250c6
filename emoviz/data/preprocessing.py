"""From an upright RGB image to the square of bytes that a network takes."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from emoviz.errors import CheckpointError

MOST_PIXELS, LEAST_CROP = 4096, 0.05  # of a card: a side; the share of it that is taken
_RESAMPLING = {
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
    "lanczos": Image.Resampling.LANCZOS,
}


@dataclass(frozen=True)
class Preprocessing:
    """How an image becomes a network's input. Part of a checkpoint's card.

    Attributes:
        size: Side of the square input in pixels, `MOST_PIXELS` at most.
        fit: ``squash`` scales the whole picture to the square, so that nothing is cut off;
            ``crop`` scales the short side to ``size / crop`` and takes the middle.
        crop: Share of the short side that ``crop`` keeps, `LEAST_CROP` to 1.
        interpolation: bicubic, bilinear or lanczos, always with antialiasing.
        mean: Of the channels R, G, B in 0-1, subtracted inside the network.
        std: Of the channels in 0-1, divided by inside the network.
        ten_crop: Side in pixels of ten crops out of the square (corners, centre, and their mirror
            images) over which the network's outputs are averaged; 0: it sees the square.
    """

    size: int = 224
    fit: Literal["squash", "crop"] = "squash"
    crop: float = 1.0
    interpolation: str = "bicubic"
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    ten_crop: int = 0

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Preprocessing":
        """Read what a card holds.

        Raises:
            CheckpointError: A field is unknown or cannot be used.
        """
        try:
            made = cls(**{**values, "mean": tuple(values["mean"]), "std": tuple(values["std"])})
        except (TypeError, KeyError) as error:
            raise CheckpointError(f"The card's preprocessing does not fit: {error}.") from None
        if not made.is_possible:
            raise CheckpointError(f"The card's preprocessing does not fit: {values}.")
        return made

    @property
    def is_possible(self) -> bool:
        """Whether every field has a value of its kind and range."""
        numbers = (self.size, self.crop, *self.mean, *self.std)
        return (
            all(isinstance(value, int | float) for value in numbers)
            and isinstance(self.size, int)
            and 0 < self.size <= MOST_PIXELS
            and LEAST_CROP <= self.crop <= 1
            and len(self.mean) == len(self.std) == 3
            and min(self.std) > 0
            and self.interpolation in _RESAMPLING
            and self.fit in ("squash", "crop")
            and isinstance(self.ten_crop, int)
            and 0 <= self.ten_crop <= self.size
        )

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain values for JSON."""
        return asdict(self)

    @property
    def short_side(self) -> int:
        """A JPEG's short side may be decoded down to this many pixels, twice what is kept."""
        return 2 * round(self.size / self.crop)

    def resize(self, image: Image.Image) -> Image.Image:
        """The RGB square (size x size) that the network will see."""
        return image.resize(
            (self.size, self.size),
            _RESAMPLING[self.interpolation],
            box=self._box(*image.size),
            reducing_gap=None,
        )

    def to_array(self, image: Image.Image) -> NDArray[np.uint8]:
        """(H, W, C) bytes 0-255 in RGB order, H = W = size."""
        return np.asarray(self.resize(image), dtype=np.uint8)

    def _box(self, width: int, height: int) -> tuple[float, float, float, float]:
        if self.fit == "squash":
            return (0.0, 0.0, float(width), float(height))
        side = min(width, height) * self.crop
        left, top = (width - side) / 2, (height - side) / 2
        return (left, top, left + side, top + side)
