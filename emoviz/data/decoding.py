"""One image's bytes to upright 8-bit sRGB, in this process: what `emoviz.data.images` stands on.

What is refused is refused before it is unpacked. What cannot be read raises `ImageError` with a
reason that a person understands, whatever a decoder raised.
"""

import contextlib
import hashlib
import io
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image, ImageOps, UnidentifiedImageError

from emoviz.data import image_formats
from emoviz.data.colours import to_srgb
from emoviz.errors import ImageError
from emoviz.settings import Settings

# Pillow's own cap is a warning first and a refusal at twice the size. There is one cap here, it
# is a refusal, and it is checked below, before the pixels are unpacked.
Image.MAX_IMAGE_PIXELS = None

# Pillow also warns on the console of what it finds odd in a file; here a file is read or refused.
warnings.filterwarnings("ignore", module=r"PIL\.")

_ENDLESS = "its end marker was missing; nothing of the picture was"


@dataclass(frozen=True)
class Limits:
    """What is refused before it is unpacked: bytes of a file, pixels of an image and its side."""

    max_bytes: int = 200_000_000
    max_pixels: int = 120_000_000
    max_side: int = 100_000  # what follows costs memory by the longest side, whatever the other

    @classmethod
    def of(cls, settings: Settings) -> "Limits":
        """The limits that the settings ask for."""
        return cls(int(settings.max_file_mb * 1e6), int(settings.max_megapixels * 1e6))

    def check_bytes(self, size: int) -> None:
        """Raise `ImageError` for a file of no bytes or too many."""
        if size == 0:
            raise ImageError("the file is empty")
        if size > self.max_bytes:
            raise ImageError(
                f"the file has {size / 1e6:,.0f} MB; at most {self.max_bytes / 1e6:,.0f} MB are "
                "read (EMOVIZ_MAX_FILE_MB)"
            )

    def check_pixels(self, width: int, height: int) -> None:
        """Raise `ImageError` for an image of too many pixels, in all or along a side."""
        if width * height > self.max_pixels:
            raise ImageError(
                f"it has {width:,} x {height:,} pixels; at most {self.max_pixels / 1e6:,.0f} "
                "million are unpacked (EMOVIZ_MAX_MEGAPIXELS)"
            )
        if max(width, height) > self.max_side:
            raise ImageError(
                f"it has {width:,} x {height:,} pixels; a side may have {self.max_side:,} at most"
            )


@dataclass(frozen=True)
class OpenedImage:
    """One readable image.

    Attributes:
        pixels: Upright 8-bit sRGB. Possibly decoded smaller than the file, never below the
            `short_side` that was asked for.
        sha256: Of the file's bytes: the image's identity everywhere in emoviz.
        size: (width, height) of the upright original, in pixels.
        notes: What was done to it that a person may want to know, such as "first of several
            frames"; empty for an ordinary file.
    """

    pixels: Image.Image
    sha256: str
    size: tuple[int, int]
    notes: tuple[str, ...] = ()


def decode(
    data: bytes, limits: Limits, short_side: int | None = None, square: int | None = None
) -> OpenedImage:
    """`emoviz.data.images.open_image` in this very process; of `square` pixels a side if wanted."""
    limits.check_bytes(len(data))
    with own_fault():
        try:
            pixels, size, notes = _decode(data, limits, short_side)
        except UnidentifiedImageError:
            raise ImageError(image_formats.what_it_is(data)) from None
        if square is not None:
            side = (square, square)
            pixels = pixels.resize(side, Image.Resampling.BOX, reducing_gap=2.0)
    return OpenedImage(pixels, hashlib.sha256(data).hexdigest(), size, notes)


@contextlib.contextmanager
def own_fault(words: str = "it is damaged or cut short") -> Iterator[None]:
    """Whatever goes wrong inside is the fault of one file, and costs no other.

    Raises:
        ImageError: With `words`, for everything that Pillow and its decoders raise on damaged
            files (they raise whatever they stumble on) and that NumPy says of impossible shapes.
    """
    try:
        yield
    except ImageError:
        raise
    except MemoryError:
        raise ImageError("there is not enough memory for it") from None
    except Exception as error:
        told = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ImageError(f"{words} ({told[:120]})") from None


def _decode(
    data: bytes, limits: Limits, short_side: int | None
) -> tuple[Image.Image, tuple[int, int], tuple[str, ...]]:
    """Upright sRGB, the size of the upright original, and notes."""
    data, notes = image_formats.mended(data)
    if data.startswith((b"II", b"MM")):
        return _decode_tiff(data, limits, notes)
    try:
        return _decode_by_pillow(data, limits, short_side, notes)
    except OSError:
        whole = image_formats.with_end(data) if data.startswith(b"\xff\xd8") else None
        if whole is None:
            raise
    return _decode_by_pillow(whole, limits, short_side, (*notes, _ENDLESS))


def _decode_by_pillow(
    data: bytes, limits: Limits, short_side: int | None, notes: tuple[str, ...], page: int = 0
) -> tuple[Image.Image, tuple[int, int], tuple[str, ...]]:
    with Image.open(io.BytesIO(data), formats=image_formats.formats_of(data)) as file:
        if page:
            file.seek(page)
        limits.check_pixels(*file.size)
        size = file.size
        notes += _of_several(file)
        scale = min(size) / max(short_side, 1) if short_side is not None else 1
        if file.format in ("JPEG", "MPO") and scale >= 2:  # libjpeg halves as often as fits
            file.draft(None, (int(size[0] / scale), int(size[1] / scale)))
        file.load()
        limits.check_pixels(*file.size)  # a HEIC's true size may be known only now
        # Asked after loading: Pillow turns a TIFF by itself, and says so only then.
        size = size[::-1] if _orientation(file) >= 5 else size
        image = _opaque_bmp(file, data) if file.format == "BMP" else file
        if numbers := image_formats.colour_numbers(data):
            image.info["nclx_profile"] = numbers
        return to_srgb(_upright(image)), size, notes


def _decode_tiff(
    data: bytes, limits: Limits, notes: tuple[str, ...]
) -> tuple[Image.Image, tuple[int, int], tuple[str, ...]]:
    from emoviz.data import tiff  # hundredths of a second, for those who need it

    try:
        page = tiff.find_page(data)
    except Exception:  # tags that make no sense; Pillow says so in its own way, or reads it yet
        page = None
    if page is None:
        return _decode_by_pillow(data, limits, None, notes)
    if page.several:
        notes += ("several pages: the first is used",)
    if page.raw:
        notes += ("a camera's raw file: the picture that it holds for viewing is used",)
    if not page.is_ours:
        return _decode_by_pillow(data, limits, None, notes, page.number)
    limits.check_pixels(page.width, page.height)
    image, alpha = tiff.read_page(data, page, limits.max_pixels)
    turned = _upright(image)
    if alpha is not None:
        alpha.getexif()[0x0112] = _orientation(image)
        alpha = _upright(alpha)
    return to_srgb(turned, alpha), turned.size, notes


def _orientation(image: Image.Image) -> int:
    """EXIF orientation 1 to 8; 1, upright, where there is none or an impossible one."""
    try:
        value = int(image.getexif().get(0x0112, 1))
    except Exception:  # a broken EXIF block must not cost the picture
        return 1
    return value if 1 <= value <= 8 else 1


def _upright(image: Image.Image) -> Image.Image:
    if _orientation(image) == 1:
        return image
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # as above: an unreadable block turns nothing
        return image


def _of_several(image: Image.Image) -> tuple[str, ...]:
    """A note where the file holds more pictures of the same standing."""
    # Behind a phone's JPEG lie a gain map or a depth map; pages of a TIFF are told by its tags.
    if image.format in ("MPO", "TIFF") or not getattr(image, "is_animated", False):
        return ()
    if image.format == "HEIF":
        return ("several pictures: the main one is used",)
    return ("animated: its first frame is used",)


def _opaque_bmp(image: Image.Image, data: bytes) -> Image.Image:
    """A BMP with its profile; where all of it would be transparent, its alpha means nothing."""
    if image.mode == "RGBA" and image.getchannel("A").getextrema() == (0, 0):
        image = image.convert("RGB")
    if profile := image_formats.bmp_profile(data):
        image.info["icc_profile"] = profile
    return image
