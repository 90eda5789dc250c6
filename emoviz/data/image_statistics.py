"""What an image looks like without a network: size, light, colour, a perceptual hash.

Everything is read from one thumbnail of 32 x 32 pixels. A JPEG is decoded at a fraction of its
size where that suffices, so looking at an image costs less than decoding it whole.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields
from functools import cache
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emoviz.data.dataset import Record
from emoviz.data.images import Limits, OpenedImage, open_image, open_small, own_fault, thumbnail
from emoviz.errors import ImageError

SIDE = 32  # of the thumbnail that everything is read from
_LOW = 8  # frequencies of the hash in each direction
_TINY = 8  # side of the picture by which near duplicates are told from chance
_BATCH = 256
_READERS = 2
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Looks:
    """What N images look like; unreadable ones have a reason and zeros.

    Attributes:
        sha256: (N) of the files' bytes, "" where unreadable.
        reason: (N) why an image cannot be read, "" where it can.
        width: (N,) in pixels, upright.
        height: (N,) in pixels.
        brightness: (N,) mean luma, 0 (black) to 1 (white).
        contrast: (N,) standard deviation of luma, 0 to 0.5.
        saturation: (N,) mean of (max - min) / max over the channels, 0 to 1.
        colourfulness: (N,) Hasler and Suesstrunk 2003, of values 0-1: 0 for grey, about 0.4 for
            very colourful.
        warmth: (N,) mean of red minus blue, -1 to 1.
        spread: (N,) largest standard deviation of a channel, 0 to 0.5; near 0 for one colour.
        chroma: (N,) mean distance between the largest and the smallest channel, 0 to 1.
        hash: (N,) perceptual hash: the signs of 64 DCT coefficients around their median.
        tiny: (N, 8, 8, 3) the image in 64 pixels.
    """

    sha256: tuple[str, ...] = ()
    reason: tuple[str, ...] = ()
    width: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    height: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    brightness: Floats = field(default_factory=lambda: np.zeros(0, np.float32))
    contrast: Floats = field(default_factory=lambda: np.zeros(0, np.float32))
    saturation: Floats = field(default_factory=lambda: np.zeros(0, np.float32))
    colourfulness: Floats = field(default_factory=lambda: np.zeros(0, np.float32))
    warmth: Floats = field(default_factory=lambda: np.zeros(0, np.float32))
    spread: Floats = field(default_factory=lambda: np.zeros(0, np.float32))
    chroma: Floats = field(default_factory=lambda: np.zeros(0, np.float32))
    hash: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, np.uint64))
    tiny: Bytes = field(default_factory=lambda: np.zeros((0, _TINY, _TINY, 3), np.uint8))

    def __len__(self) -> int:
        return len(self.sha256)

    @property
    def readable(self) -> NDArray[np.bool_]:
        """(N,) whether the image could be read."""
        return np.array([not why for why in self.reason], dtype=bool)

    @property
    def aspect(self) -> NDArray[np.float64]:
        """(N,) long side over short side, at least 1; 1 where unreadable."""
        sides = np.stack([self.width, self.height]).astype(np.float64)
        return np.asarray(sides.max(axis=0) / np.maximum(sides.min(axis=0), 1)).clip(1.0)

    @classmethod
    def joined(cls, parts: Sequence["Looks"]) -> "Looks":
        """One after the other."""
        values: dict[str, Any] = {}
        for item in fields(cls):
            columns = [getattr(part, item.name) for part in parts or [cls()]]
            is_text = isinstance(columns[0], tuple)
            values[item.name] = tuple(chain(*columns)) if is_text else np.concatenate(columns)
        return cls(**values)


_NOTHING = np.zeros((SIDE, SIDE, 3), np.uint8)


def look_at(
    records: Sequence[Record],
    limits: Limits,
    report: Callable[[int, int], None] | None = None,
) -> Looks:
    """Look at each image once; memory does not grow but by the numbers (about 400 bytes an image).

    Args:
        records: Any.
        limits: Caps for each image.
        report: Told (done, total) after each batch.
    """
    parts = []
    for number, part in enumerate(_batches(records, limits), 1):
        parts.append(part)
        if report is not None:
            report(min(number * _BATCH, len(records)), len(records))
    return Looks.joined(parts)


def measure(thumbnails: Bytes) -> dict[str, Floats]:
    """Light and colour of thumbnails (N, H, W, 3) in 0-255: the float columns of `Looks`."""
    # Channels apart and flat: reductions over three neighbouring numbers are ten times slower.
    flat = thumbnails.reshape(len(thumbnails), -1, 3)
    red, green, blue = (flat[..., k].astype(np.float32) / 255.0 for k in range(3))
    luma = _LUMA[0] * red + _LUMA[1] * green + _LUMA[2] * blue
    high, low = np.maximum(np.maximum(red, green), blue), np.minimum(np.minimum(red, green), blue)
    chroma = high - low
    opponents = (red - green, 0.5 * (red + green) - blue)
    spreads = np.hypot(*(part.std(axis=1) for part in opponents))
    means = np.hypot(*(part.mean(axis=1) for part in opponents))
    return {
        "brightness": luma.mean(axis=1),
        "contrast": luma.std(axis=1),
        "saturation": (chroma / np.maximum(high, 1e-6)).mean(axis=1),
        "colourfulness": spreads + 0.3 * means,
        "warmth": red.mean(axis=1) - blue.mean(axis=1),
        "spread": np.max([part.std(axis=1) for part in (red, green, blue)], axis=0),
        "chroma": chroma.mean(axis=1),
    }


def perceptual_hash(grey: NDArray[np.floating]) -> NDArray[np.uint64]:
    """(N,) 64-bit hashes of grey pictures (N, 32, 32), as `imagehash.phash` has them.

    The 8 x 8 lowest coefficients of the two-dimensional cosine transform, each a bit: above their
    median or not. The first coefficient is the highest bit.
    """
    return likely_hashes(frequencies(grey), 0)[:, 0]


def frequencies(grey: NDArray[np.floating]) -> Floats:
    """(N, 64) lowest coefficients of the cosine transform of grey pictures (N, 32, 32)."""
    return _projected(np.asarray(grey, np.float32), _cosines()).reshape(len(grey), -1)


def likely_hashes(lowest: Floats, unsure: int) -> NDArray[np.uint64]:
    """(N, 2 ** unsure) perceptual hashes that copies of N images may have, their own first.

    The bits of those coefficients that lie nearest to the median are tried both ways: they are the
    first to turn where an image is saved anew (Lv et al. 2007, query-directed probing).

    Args:
        lowest: (N, 64) from `frequencies`.
        unsure: How many bits are tried.
    """
    above = lowest - np.median(lowest, axis=1, keepdims=True)
    places = np.argsort(np.abs(above), axis=1)[:, :unsure]
    packed = np.ascontiguousarray(np.packbits(above > 0, axis=1))
    hashes = packed.view(">u8").astype(np.uint64)
    for turned in (np.uint64(1) << (63 - places).astype(np.uint64)).T:
        hashes = np.concatenate([hashes, hashes ^ turned[:, None]], axis=1)
    return hashes


def _batches(records: Sequence[Record], limits: Limits) -> Iterator[Looks]:
    def seen(start: int) -> Looks:
        files = (_read(record, limits) for record in records[start : start + _BATCH])
        return _measured(list(open_small(files, SIDE, limits)))

    # A thread takes a whole batch: handing over image by image costs a quarter of the time.
    with ThreadPoolExecutor(_READERS, thread_name_prefix="emoviz-look") as readers:
        yield from readers.map(seen, range(0, len(records), _BATCH))


def _read(record: Record, limits: Limits) -> bytes | ImageError:
    try:
        with own_fault():
            return record.read(limits)
    except ImageError as error:
        return error


def _measured(seen: Sequence[OpenedImage | ImageError]) -> Looks:
    rows = [
        ("", 0, 0, _NOTHING, str(one))
        if isinstance(one, ImageError)
        else (one.sha256, *one.size, np.asarray(one.pixels, np.uint8), "")
        for one in seen
    ]
    thumbnails = np.stack([row[3] for row in rows])
    planes = [thumbnails[..., k].astype(np.float32) for k in range(3)]
    grey = _LUMA[0] * planes[0] + _LUMA[1] * planes[1] + _LUMA[2] * planes[2]
    tiny = np.stack([_projected(plane, _averages()) for plane in planes], axis=-1)
    return Looks(
        sha256=tuple(row[0] for row in rows),
        reason=tuple(row[4] for row in rows),
        width=np.array([row[1] for row in rows], np.int32),
        height=np.array([row[2] for row in rows], np.int32),
        hash=perceptual_hash(grey),
        tiny=tiny.astype(np.uint8),
        **measure(thumbnails),
    )


def _projected(pictures: Floats, basis: Floats) -> Floats:
    """(N, 8, 8) basis @ picture @ basis^T of pictures (N, 32, 32), as two large products."""
    count, side, low = len(pictures), pictures.shape[-1], len(basis)
    across = (pictures.reshape(-1, side) @ basis.T).reshape(count, side, low)
    turned = np.ascontiguousarray(across.transpose(0, 2, 1)).reshape(-1, side)
    return (turned @ basis.T).reshape(count, low, low).transpose(0, 2, 1)


@cache
def _averages() -> Floats:
    """(8, 32) rows that average four neighbours each."""
    step = SIDE // _TINY
    return np.repeat(np.eye(_TINY, dtype=np.float32) / np.float32(step), step, axis=1)


@cache
def _cosines() -> Floats:
    """(8, 32) rows of the cosine transform (type II, without scale, as scipy has it)."""
    k, n = np.arange(_LOW)[:, None], np.arange(SIDE)[None, :]
    return (2 * np.cos(np.pi * k * (2 * n + 1) / (2 * SIDE))).astype(np.float32)


def thumbnail_of(record: Record, limits: Limits, side: int = 96) -> bytes | None:
    """A small JPEG of a record's image, its long side `side` pixels; None where unreadable."""
    try:
        with own_fault():
            return thumbnail(open_image(record.read(limits), limits, side).pixels, side, quality=80)
    except ImageError:
        return None
