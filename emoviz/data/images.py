"""Bytes to pixels: every image that enters emoviz comes through `open_image`.

A file is read once, hashed, checked against the caps before anything is unpacked, turned upright,
and brought to 8-bit RGB in sRGB, in a process beside this one that is stopped when it takes too
long. What cannot be read raises `ImageError` with a reason that a person understands; nothing is
written anywhere.
"""

import io
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from PIL import Image

from emoviz.data import decoding_process
from emoviz.data.decoding import Limits, OpenedImage, own_fault
from emoviz.errors import ImageError

__all__ = [
    "PIXELS",
    "SUFFIXES",
    "Limits",
    "OpenedImage",
    "open_image",
    "open_small",
    "own_fault",
    "read_file",
    "thumbnail",
]

# Raised whenever some file gives other pixels than before: what was computed from them is kept
# apart (`emoviz.inference.cache`).
PIXELS = 2

_TOGETHER, _TOGETHER_BYTES = 64, 8_000_000  # images, and their bytes, handed over at once

# JPEG XL is not read, but tried, so that it is named.
_WORDS = (
    "jpg jpeg jpe jfif mpo png apng webp gif bmp tif tiff avif heic heif hif jp2 j2k ppm pgm pbm"
)
SUFFIXES = frozenset(f".{word}" for word in [*_WORDS.split(), "pnm", "jxl"])


def read_file(path: Path, limits: Limits) -> bytes:
    """Read a file's bytes if it is an ordinary file within the limit.

    Raises:
        ImageError: The path is missing, not an ordinary file, too large, or not readable.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ImageError("it is not an ordinary file")
        limits.check_bytes(status.st_size)
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
    limits.check_bytes(len(data))
    return decoding_process.decode(data, limits, short_side)


def open_small(
    files: Iterable[bytes | ImageError], side: int, limits: Limits | None = None
) -> Iterator[OpenedImage | ImageError]:
    """Tiny pictures of many images, for which most of the time would go into handing them over.

    Args:
        files: Each file's bytes, or why they could not be had, which is handed on.
        side: Height and width in pixels of every picture, whatever the image's shape.
        limits: As for `open_image`.

    Yields:
        For each file, in order: `open_image`'s answer with such a picture, or the error.
    """
    limits = limits or Limits()
    waiting: list[bytes | ImageError] = []
    held = 0
    for data in files:
        try:
            if not isinstance(data, ImageError):
                limits.check_bytes(len(data))
                held += len(data)
        except ImageError as error:
            data = error
        waiting.append(data)
        if len(waiting) == _TOGETHER or held > _TOGETHER_BYTES:
            yield from _opened(waiting, side, limits)
            waiting, held = [], 0
    yield from _opened(waiting, side, limits)


def _opened(
    files: list[bytes | ImageError], side: int, limits: Limits
) -> Iterator[OpenedImage | ImageError]:
    read = [data for data in files if not isinstance(data, ImageError)]
    # With fewer pixels than twice the side, fewer copies of an image are found.
    found = iter(decoding_process.decode_many(read, limits, 2 * side, side) if read else ())
    for data in files:
        yield data if isinstance(data, ImageError) else next(found)


def thumbnail(image: Image.Image, side: int = 480, quality: int = 82) -> bytes:
    """A JPEG of the image with its long side at most `side` pixels."""
    small = image.copy()
    small.thumbnail((side, side), Image.Resampling.BICUBIC, reducing_gap=2.0)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
