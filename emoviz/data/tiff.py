"""TIFF kinds that Pillow does not read, or reads wrongly: deep, floating, planar, ink with alpha.

Pillow reads the tags and libtiff unpacks the strips or tiles; here they are put together and
brought to eight bits (TIFF 6.0; predictor 3 and associated alpha: Adobe's Technical Notes).
"""

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

from emoviz.data.colours import eight_bit, white_of
from emoviz.errors import ImageError

_MAX_PAGES = 64  # looked at for the first that is no preview
_CHANNELS = {0: 1, 1: 1, 2: 3, 5: 4, 8: 3, 9: 3}  # photometric interpretation -> colour samples
_MODES = {0: "L", 1: "L", 2: "RGB", 5: "CMYK", 8: "LAB", 9: "LAB"}
_DEFLATE = (8, 32946)
_BY_LIBTIFF = (5, 32773, 34925, 50000)  # LZW, PackBits, LZMA, Zstandard
_REVERSED = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))
_KINDS = {1: "u", 2: "i", 3: "f", 4: "u"}  # sample format -> NumPy's kind
_BYTES_A_PIXEL = 8  # of the cap on pixels: four channels of sixteen bits


@dataclass(frozen=True)
class Page:
    """The picture of a TIFF: which page it is, and what its tags say."""

    number: int
    several: bool
    raw: bool
    width: int
    height: int
    bits: int
    kind: str
    photometric: int
    samples: int
    extras: tuple[int, ...]
    planar: bool
    compression: int
    predictor: int
    reversed_bits: bool
    order: str
    tags: TiffImagePlugin.ImageFileDirectory_v2

    @property
    def is_ours(self) -> bool:
        """Whether `read_page` reads it better than Pillow does."""
        readable = (
            self.photometric in _CHANNELS
            and self.samples >= _CHANNELS[self.photometric]
            and self.compression in (1, *_DEFLATE, *_BY_LIBTIFF)
            and (self.kind != "f" or self.bits in (16, 32, 64))
            and 8 <= self.bits <= 64
        )
        odd = self.bits != 8 or self.kind != "u" or (self.planar and self.samples > 1)
        inks = self.photometric == 5 and self.samples != 4
        # 9 is CIELAB as ICC writes it, which Pillow does not know
        return readable and (odd or inks or len(self.extras) > 1 or self.photometric == 9)


def find_page(data: bytes) -> Page | None:
    """The first page that is no reduced version of another; None where the tags make no sense."""
    pages = list(enumerate(_directories(data)))
    whole = [(number, tags) for number, tags in pages if not _one(tags, 254, 0) & 1]
    if not pages:
        return None
    number, tags = (whole or pages)[0]
    bits = _all(tags, 258, (1,))
    kinds = _all(tags, 339, (1,))
    if len(set(bits)) != 1 or len(set(kinds)) != 1:
        return None
    return Page(
        number=number,
        several=len(whole) > 1,
        raw=50706 in tags,
        width=_one(tags, 256, 0),
        height=_one(tags, 257, 0),
        bits=bits[0],
        kind=_KINDS.get(kinds[0], "?"),
        photometric=_one(tags, 262, -1),
        samples=_one(tags, 277, 1),
        extras=_all(tags, 338, ()),
        planar=_one(tags, 284, 1) == 2,
        compression=_one(tags, 259, 1),
        predictor=_one(tags, 317, 1),
        reversed_bits=_one(tags, 266, 1) == 2,
        order="<" if data[:2] == b"II" else ">",
        tags=tags,
    )


def read_page(data: bytes, page: Page, max_pixels: int) -> tuple[Image.Image, Image.Image | None]:
    """Colours in eight bits (sixteen for opaque grey) and the transparency beside them.

    Raises:
        ImageError: It unpacks to too much, or is cut short.
    """
    size = page.width * page.height * page.samples * page.bits // 8
    if page.width * page.height > max_pixels or size > _BYTES_A_PIXEL * max_pixels:
        raise ImageError(
            f"it has {page.width:,} x {page.height:,} pixels and unpacks to {size / 1e6:,.0f} MB; "
            f"at most {_BYTES_A_PIXEL * max_pixels / 1e6:,.0f} MB are unpacked"
        )
    samples = _samples(data, page)
    count = _CHANNELS[page.photometric]
    colours = samples[..., :count]
    place = next((i for i, extra in enumerate(page.extras) if extra in (1, 2)), None)
    if place is None or count + place >= page.samples:
        if page.photometric <= 1 and page.bits > 8:
            return _deep_grey(colours[..., 0], page), None
        return _image(_bytes(colours, page), page), None
    beside = samples[..., count + place]
    alpha = eight_bit(beside, _white(beside, page))
    colours = _bytes(colours, page)
    if page.extras[place] == 1:  # the colours were multiplied by it
        share = np.maximum(alpha[..., None], 1) / np.float32(255)
        colours = np.minimum(np.round(colours / share), 255).astype(np.uint8)
    return _image(colours, page), Image.fromarray(alpha)


def _directories(data: bytes) -> Iterator[TiffImagePlugin.ImageFileDirectory_v2]:
    big = data[2:4] in (b"+\0", b"\0+")
    stream = io.BytesIO(data)
    directory = TiffImagePlugin.ImageFileDirectory_v2(data[: 16 if big else 8])
    seen: set[int] = set()
    while directory.next and directory.next not in seen and len(seen) < _MAX_PAGES:
        seen.add(directory.next)
        stream.seek(directory.next)
        directory.load(stream)
        if 256 not in directory or 257 not in directory:
            return
        yield directory
        following = directory.next
        directory = TiffImagePlugin.ImageFileDirectory_v2(data[: 16 if big else 8])
        directory.next = following


def _all(tags: Any, number: int, otherwise: tuple[int, ...]) -> tuple[int, ...]:
    value = tags.get(number, otherwise)
    return tuple(int(one) for one in (value if isinstance(value, tuple) else (value,)))


def _one(tags: Any, number: int, otherwise: int) -> int:
    return (_all(tags, number, (otherwise,)) or (otherwise,))[0]


def _samples(data: bytes, page: Page) -> NDArray[Any]:
    """(H, W, S) samples as they are stored."""
    tiled = 322 in page.tags
    width = _one(page.tags, 322, page.width) if tiled else page.width
    rows = _one(page.tags, 323, page.height) if tiled else _one(page.tags, 278, page.height)
    height = max(1, rows if tiled else min(rows, page.height))
    if not 0 < width * height <= max(page.width, 16384) * max(page.height, 16384):
        raise ValueError("tiles of an impossible size")
    starts = _all(page.tags, 324 if tiled else 273, ())
    lengths = _all(page.tags, 325 if tiled else 279, ())
    channels = 1 if page.planar else page.samples
    out = np.zeros((page.height, page.width, page.samples), _dtype(page).newbyteorder("="))
    places = [
        (top, left, plane)
        for plane in range(page.samples if page.planar else 1)
        for top in range(0, page.height, height)
        for left in range(0, page.width, width)
    ]
    if len(starts) < len(places) or len(lengths) < len(places):
        raise ValueError("it has fewer strips than rows")
    for (top, left, plane), start, length in zip(places, starts, lengths, strict=False):
        wanted = height if tiled else min(height, page.height - top)
        block = _block(data[start : start + length], page, wanted, width, channels)
        area = out[top : top + height, left : left + width]
        cut = block[: area.shape[0], : area.shape[1]]
        area[..., plane : plane + channels] = cut
    return out


def _dtype(page: Page) -> np.dtype[Any]:
    size = next(size for size in (1, 2, 4, 8) if 8 * size >= page.bits)
    return np.dtype(f"{page.order}{page.kind}{size}")


def _block(data: bytes, page: Page, height: int, width: int, channels: int) -> NDArray[Any]:
    """(height, width, channels) of one strip or tile."""
    row = (width * channels * page.bits + 7) // 8
    packed = data.translate(_REVERSED) if page.reversed_bits else data
    plain = _unpacked(packed, page.compression, height, row)
    if len(plain) < height * row:
        raise ValueError(f"{height * row - len(plain)} bytes are missing")
    flat = np.frombuffer(plain, np.uint8, height * row).reshape(height, row)
    kind = _dtype(page)
    if page.bits != 8 * kind.itemsize:
        return _of_bits(flat, page.bits, width * channels).reshape(height, width, channels)
    if page.predictor == 3 and page.kind == "f":
        return _of_float_differences(flat, kind.itemsize, width, channels)
    values = flat.view(kind).astype(kind.newbyteorder("=")).reshape(height, width, channels)
    if page.predictor == 2:
        whole = values.view(f"u{kind.itemsize}")
        np.cumsum(whole, axis=1, dtype=whole.dtype, out=whole)
    return values


def _unpacked(data: bytes, compression: int, height: int, row: int) -> bytes:
    if compression == 1:
        return data
    if compression in _DEFLATE:
        return zlib.decompressobj().decompress(data, height * row)
    # libtiff unpacks a strip as grey bytes: it knows nothing of what they stand for.
    entries = [(256, row), (257, height), (258, 8), (259, compression), (262, 1)]
    entries += [(273, 122), (277, 1), (278, height), (279, len(data))]
    table = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    whole = struct.pack("<2sHIH", b"II", 42, 8, len(entries)) + table + bytes(4) + data
    with Image.open(io.BytesIO(whole), formats=("TIFF",)) as strip:
        return strip.tobytes()


def _of_bits(flat: NDArray[np.uint8], bits: int, count: int) -> NDArray[Any]:
    """(rows, count) numbers of so many bits each, most significant first."""
    places = np.unpackbits(flat, axis=1)[:, : bits * count].reshape(len(flat), count, bits)
    return places @ (1 << np.arange(bits - 1, -1, -1, dtype=np.int64))


def _of_float_differences(
    flat: NDArray[np.uint8], size: int, width: int, channels: int
) -> NDArray[Any]:
    """Predictor 3: each row holds all first bytes, then all second ones, as differences."""
    height = len(flat)
    steps = np.cumsum(flat.reshape(height, -1, channels), axis=1, dtype=np.uint8)
    whole = steps.reshape(height, size, width * channels).transpose(0, 2, 1)
    values = np.ascontiguousarray(whole).view(f">f{size}").astype(f"=f{size}")
    return values.reshape(height, width, channels)


def _white(values: NDArray[Any], page: Page) -> float:
    if page.kind == "f":
        return white_of(values)
    return white_of(values, page.bits - (page.kind == "i"))


def _bytes(colours: NDArray[Any], page: Page) -> NDArray[np.uint8]:
    """(H, W, C) of any samples, as Pillow's mode for the photometric interpretation has them."""
    if page.photometric not in (8, 9):
        made = eight_bit(colours, _white(colours, page))
        return 255 - made if page.photometric == 0 else made
    if page.kind == "f":  # L from 0 to 100, a and b as they are
        moved = colours * np.array([2.55, 1, 1]) + np.array([0, 128, 128])
        made = eight_bit(moved, 255.0)
    else:
        made = (colours.astype(np.int64) >> (page.bits - 8)).astype(np.uint8)
    if page.photometric == 9 or page.kind == "f":  # a and b counted from the middle, not signed
        made[..., 1:] ^= 128
    return made


def _deep_grey(values: NDArray[Any], page: Page) -> Image.Image:
    """Grey in sixteen bits, so that a profile may still be followed without steps."""
    white, out = _white(values, page), np.empty(values.shape, "<u2")
    for row, line in enumerate(values):
        share = np.nan_to_num(line.astype(np.float64) / white, posinf=1, neginf=0)
        out[row] = np.round(np.clip(share, 0, 1) * 65535)
    if page.photometric == 0:
        out = 65535 - out
    return _with_tags(Image.frombytes("I;16", (page.width, page.height), out.tobytes()), page)


def _image(colours: NDArray[np.uint8], page: Page) -> Image.Image:
    size = (page.width, page.height)
    return _with_tags(Image.frombytes(_MODES[page.photometric], size, colours.tobytes()), page)


def _with_tags(image: Image.Image, page: Page) -> Image.Image:
    image.getexif()[0x0112] = _one(page.tags, 274, 1)
    profile = page.tags.get(34675)
    if isinstance(profile, bytes):
        image.info["icc_profile"] = profile
    return image
