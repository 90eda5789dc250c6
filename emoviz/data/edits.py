"""What if the image had no colour, another hue, less light, no detail? Pure functions of images."""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

MAX_BLUR = 0.05


@dataclass(frozen=True)
class Edit:
    """Changes to an image, made in this order; the defaults change nothing.

    Attributes:
        hue: Turn of the colour circle in degrees, -180 to 180; greys stay.
        colour: Share of the colour that is kept, 0 (grey) to 1.
        brightness: Factor on all values, 0 (black) to 2; 1 as it is.
        blur: Standard deviation of a Gaussian blur as a share of the short side, 0 to 0.05.
    """

    hue: int = 0
    colour: float = 1.0
    brightness: float = 1.0
    blur: float = 0.0

    @property
    def changes_nothing(self) -> bool:
        """Whether the image stays as it is."""
        return self == Edit()


def edit_image(image: Image.Image, edit: Edit) -> Image.Image:
    """The changed image, RGB of the same size; the given one is left as it is."""
    image = _turned(image, edit.hue) if edit.hue % 360 else image
    if edit.colour != 1.0:
        image = ImageEnhance.Color(image).enhance(edit.colour)
    if edit.brightness != 1.0:
        image = ImageEnhance.Brightness(image).enhance(edit.brightness)
    if edit.blur:
        image = image.filter(ImageFilter.GaussianBlur(edit.blur * min(image.size)))
    return image


def to_png(image: Image.Image) -> bytes:
    """The image as a PNG file, every pixel kept."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _turned(image: Image.Image, degrees: int) -> Image.Image:
    """Shift the hue; Pillow counts the circle in 256 steps."""
    values = np.array(image.convert("HSV"))
    values[..., 0] += np.uint8(round(degrees / 360 * 256) % 256)
    return Image.fromarray(values, "HSV").convert("RGB")
