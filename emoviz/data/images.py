"""Bytes to pixels: every image that enters emoviz comes through `open_image`.

A file is read once, hashed, checked against the caps before anything is unpacked, turned upright,
and brought to 8-bit RGB in sRGB. What cannot be read raises `ImageError` with a reason that a
person understands; nothing is written anywhere.
"""

import hashlib
import io
import os
import stat
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from emoviz.errors import ImageError
from emoviz.settings import Settings

# Pillow's own cap is a warning first and a refusal at twice the size. There is one cap here, it
# is a refusal, and it is checked below, before the pixels are unpacked.
Image.MAX_IMAGE_PIXELS = None

# Pillow also warns on the console of what it finds odd in a file; here a file is read or refused.
warnings.filterwarnings("ignore", module=r"PIL\.")

# MPO (a JPEG with more pictures behind it) is opened as JPEG; Pillow knows no opener of that name.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF", "JPEG2000")
_SUFFIX_LIST = ".jpg .jpeg .jpe .jfif .png .webp .gif .bmp .tif .tiff .mpo .ppm .pgm .avif .jp2"
SUFFIXES = frozenset(_SUFFIX_LIST.split())
_BEGINNINGS: tuple[tuple[bytes, str], ...] = (
    (b"%PDF", "a PDF document; save its pictures as JPEG or PNG"),
    (b"PK\x03\x04", "a ZIP archive or an office document, not an image"),
    (b"<svg", "an SVG drawing; save it as PNG"),
    (b"<!doctype html", "a web page, not an image; the link may have led to an error page"),
    (b"<html", "a web page, not an image; the link may have led to an error page"),
    (b"<?xml", "an XML text, not an image"),
    (b"\x1f\x8b", "a gzip archive, not an image"),
    (b"8BPS", "a Photoshop file; save it as JPEG or PNG"),
)
_SRGB = ImageCms.createProfile("sRGB")
_WORKING_MODES = ("RGB", "L", "CMYK")


@dataclass(frozen=True)
class Limits:
    """What is refused before it is unpacked: bytes of a file, pixels of an image."""

    max_bytes: int = 200_000_000
    max_pixels: int = 120_000_000

    @classmethod
    def of(cls, settings: Settings) -> "Limits":
        """The limits that the settings ask for."""
        return cls(int(settings.max_file_mb * 1e6), int(settings.max_megapixels * 1e6))


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


def read_file(path: Path, limits: Limits) -> bytes:
    """Read a file's bytes if it is an ordinary file within the limit.

    Raises:
        ImageError: The path is missing, not an ordinary file, too large, or not readable.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ImageError("it is not an ordinary file")
        _check_bytes(status.st_size, limits)
        return path.read_bytes()
    except FileNotFoundError:
        raise ImageError("there is no such file") from None
    except OSError as error:
        raise ImageError(f"it cannot be read: {os.strerror(error.errno or 0)}") from None
    except ValueError:  # a zero byte in the name
        raise ImageError("no file can have such a name") from None


def open_image(
    data: bytes, limits: Limits | None = None, short_side: int | None = None
) -> OpenedImage:
    """Decode one image.

    Args:
        data: The file's bytes.
        limits: Caps on bytes and pixels; the defaults of `Limits` where None.
        short_side: A JPEG may be decoded at a fraction of its size, as long as its short side
            stays at least this many pixels. None decodes it whole.

    Returns:
        The upright RGB pixels with the file's hash and true size.

    Raises:
        ImageError: The bytes are no image that is read here, are damaged, or exceed a cap.
    """
    limits = limits or Limits()
    _check_bytes(len(data), limits)
    digest = hashlib.sha256(data).hexdigest()
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            _check_pixels(image, limits)
            size = image.size
            notes = _notes(image)
            if short_side is not None:
                _draft(image, short_side)
            image.load()
            # Asked after loading: Pillow turns a TIFF by itself, and says so only then.
            size = size[::-1] if _orientation(image) >= 5 else size
            pixels = _to_srgb(_upright(image))
    except ImageError:
        raise
    except UnidentifiedImageError:
        raise ImageError(_what_it_is(data)) from None
    except MemoryError:
        raise ImageError("there is not enough memory to unpack it") from None
    # Pillow's decoders raise much besides OSError on damaged files, whatever they stumble on.
    except (OSError, ValueError, SyntaxError, EOFError, IndexError, KeyError, TypeError) as error:
        raise ImageError(f"it is damaged or cut short ({_first_line(error)})") from None
    except (zlib.error, ArithmeticError, AttributeError, RuntimeError, AssertionError) as error:
        raise ImageError(f"it is damaged ({_first_line(error)})") from None
    except Exception as error:  # struct.error and what plug-ins define for themselves
        if type(error).__module__.split(".")[0] not in ("struct", "PIL", "_struct"):
            raise
        raise ImageError(f"it is damaged ({_first_line(error)})") from None
    return OpenedImage(pixels, digest, size, notes)


def thumbnail(image: Image.Image, side: int = 480, quality: int = 82) -> bytes:
    """A JPEG of the image with its long side at most `side` pixels."""
    small = image.copy()
    small.thumbnail((side, side), Image.Resampling.BICUBIC, reducing_gap=2.0)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def _check_bytes(size: int, limits: Limits) -> None:
    if size == 0:
        raise ImageError("the file is empty")
    if size > limits.max_bytes:
        raise ImageError(
            f"the file has {size / 1e6:,.0f} MB; at most {limits.max_bytes / 1e6:,.0f} MB are "
            "read (EMOVIZ_MAX_FILE_MB)"
        )


def _check_pixels(image: Image.Image, limits: Limits) -> None:
    width, height = image.size
    if width * height > limits.max_pixels:
        raise ImageError(
            f"it has {width:,} x {height:,} pixels; at most {limits.max_pixels / 1e6:,.0f} "
            "million are unpacked (EMOVIZ_MAX_MEGAPIXELS)"
        )


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


def _notes(image: Image.Image) -> tuple[str, ...]:
    return ("animated: its first frame is used",) if getattr(image, "is_animated", False) else ()


def _draft(image: Image.Image, short_side: int) -> None:
    """Let libjpeg decode at 1/2, 1/4 or 1/8 while the short side stays above what is needed."""
    scale = min(image.size) / max(short_side, 1)
    if image.format in ("JPEG", "MPO") and scale >= 2:
        image.draft(None, (int(image.size[0] / scale), int(image.size[1] / scale)))


def _to_srgb(image: Image.Image) -> Image.Image:
    image = _eight_bit(image)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = _on_white(image)
    profile = image.info.get("icc_profile")
    if profile and image.mode in _WORKING_MODES:
        image = _from_profile(image, profile)
    return image if image.mode == "RGB" else image.convert("RGB")


def _eight_bit(image: Image.Image) -> Image.Image:
    """Bring 16-bit, 32-bit and floating-point grey to 8 bits; Pillow would clip them."""
    if not image.mode.startswith(("I", "F")):
        return image
    values = np.asarray(image)
    top = float(np.max(values, where=np.isfinite(values), initial=0))
    scale = 1.0
    if image.mode.startswith("I;16") or (image.mode == "I" and 255 < top <= 65535):
        scale = 1 / 257
    elif top <= 1.0 and image.mode == "F":
        scale = 255.0
    elif top > 255.0:
        scale = 255.0 / top
    out = np.empty(values.shape, np.uint8)
    for start in range(0, len(values), 64):  # a strip at a time: floats take eight bytes a pixel
        strip = values[start : start + 64].astype(np.float64) * scale
        known = np.nan_to_num(strip, posinf=255, neginf=0)
        out[start : start + 64] = np.clip(np.round(known), 0, 255)
    return Image.fromarray(out)


def _on_white(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    layer = image.convert("RGBA")
    ground = Image.new("RGBA", layer.size, (255, 255, 255, 255))
    ground.alpha_composite(layer)
    flat = ground.convert("RGB")
    if profile and image.mode in ("RGBA", "P"):
        flat.info["icc_profile"] = profile
    return flat


def _from_profile(image: Image.Image, profile: bytes) -> Image.Image:
    """Follow an embedded colour profile; a profile that cannot be read is left aside."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if image.mode == "RGB" and "srgb" in ImageCms.getProfileDescription(source).casefold():
            return image
        converted = ImageCms.profileToProfile(image, source, _SRGB, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image
    return image if converted is None else converted


def _what_it_is(data: bytes) -> str:
    head = data[:512].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if head.startswith((b"<?xml", b"<!--", b"<!doctype svg")) and b"<svg" in head:
        head = b"<svg"
    for beginning, words in _BEGINNINGS:
        if head.startswith(beginning.lower()):
            return f"it is {words}"
    if data[4:8] == b"ftyp" and data[8:12] in (b"heic", b"heix", b"mif1", b"hevc", b"msf1"):
        return "it is a HEIC photograph, which is not read here; export it as JPEG"
    if data[:64].isascii() and b"\x00" not in data[:512]:
        return "it is a text, whatever its name says, not an image"
    return "it is no image of a kind that is read here (JPEG, PNG, WebP, TIFF, GIF, BMP, AVIF)"


def _first_line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return (text[0] if text else type(error).__name__)[:120]
