"""Measured images that a network was trained on, by content, whatever they are called.

Asked by the bytes of their files, and by the perceptual hashes that their thumbnails may have, so
that copies that were shrunk or saved anew are told too (how many: docs/training.md). An image
without a thumbnail here, as in a table that was made elsewhere, is known by its bytes alone.
"""

import contextlib
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from emoviz.checkpoints import Checkpoint, load_seen
from emoviz.data.hash_filter import SeenImages
from emoviz.data.image_statistics import SIDE, frequencies, likely_hashes
from emoviz.errors import ImageError, TableError
from emoviz.inference.cache import THUMBNAIL_SIDE, Frequencies, Thumbnails
from emoviz.settings import Settings

_AT_ONCE = 4096  # images whose hashes are in memory
_BYTES = 256  # of the frequencies of an image
_SHA256 = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class SeenRows:
    """Which of N images some networks have learned from.

    Attributes:
        by_bytes: (N,) their very files.
        by_looks: (N,) others that look like one, but for mistakes.
        unlooked: How many others have no thumbnail, so that only their bytes were asked for.
    """

    by_bytes: NDArray[np.bool_]
    by_looks: NDArray[np.bool_]
    unlooked: int

    @property
    def either(self) -> NDArray[np.bool_]:
        """(N,) whether it was in a training, one way or the other."""
        return self.by_bytes | self.by_looks


def seen_rows(
    members: Sequence[Checkpoint], sha256: Sequence[str], settings: Settings
) -> SeenRows | None:
    """Which images any of the members has learned from; None where none of them can say.

    Args:
        members: Networks.
        sha256: (N) of the images' files.
        settings: Where thumbnails are kept.
    """
    filters = [known for m in members if (known := load_seen(m)) is not None]
    if not filters:
        return None
    sha256 = [text if _SHA256.fullmatch(text) else "" for text in sha256]  # of a damaged table
    by_bytes = np.logical_or.reduce([known.seen(sha256) for known in filters])
    by_looks, unlooked = np.zeros(len(sha256), bool), 0
    rest = np.flatnonzero(~by_bytes)
    for start in range(0, len(rest), _AT_ONCE):
        rows = rest[start : start + _AT_ONCE]
        found = frequencies_of([sha256[i] for i in rows], settings)
        looked = [i for i in rows if sha256[i] in found]
        unlooked += len(rows) - len(looked)
        if looked:
            lowest = np.stack([found[sha256[i]] for i in looked])
            by_looks[looked] = np.logical_or.reduce([looks_like(one, lowest) for one in filters])
    return SeenRows(by_bytes, by_looks, unlooked)


def looks_like(known: SeenImages, lowest: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(N,) whether images of such frequencies (N, 64) look like one that was learned from."""
    return known.seen([""] * len(lowest), likely_hashes(lowest, known.unsure))


def look_at_thumbnails(jpegs: Iterable[bytes]) -> NDArray[np.float32]:
    """(N, 64) of `emoviz.data.image_statistics.frequencies`, of at least one thumbnail.

    NaN where one cannot be read.
    """
    return frequencies(np.stack([_grey(jpeg) for jpeg in jpegs]))


def keep_frequencies(
    jpegs: Mapping[str, bytes], settings: Settings
) -> dict[str, NDArray[np.float32]]:
    """Keep what perceptual hashes are made of, where that can be written.

    Args:
        jpegs: SHA-256 -> thumbnail.
        settings: Where the home is.

    Returns:
        SHA-256 -> (64,), of `emoviz.data.image_statistics.frequencies`.
    """
    if not jpegs:
        return {}
    rows = zip(jpegs, look_at_thumbnails(jpegs.values()), strict=True)
    made = {sha256: lowest for sha256, lowest in rows if np.isfinite(lowest).all()}
    with contextlib.suppress(TableError), Frequencies(settings) as kept:
        kept.put({sha256: lowest.tobytes() for sha256, lowest in made.items()})
    return made


def frequencies_of(sha256: Sequence[str], settings: Settings) -> dict[str, NDArray[np.float32]]:
    """Those of images that have a thumbnail, made where they are not kept yet."""
    found, jpegs = dict[str, bytes](), dict[str, bytes]()
    with contextlib.suppress(TableError), Frequencies(settings) as kept:
        rows = kept.get_many(sha256)
        found = {key: row for key, row in rows.items() if len(row) == _BYTES}
    with contextlib.suppress(TableError), Thumbnails(settings) as thumbnails:
        jpegs = thumbnails.get_many(set(sha256) - set(found))
    read = {key: np.frombuffer(row, np.float32) for key, row in found.items()}
    return read | keep_frequencies(jpegs, settings)


def _grey(jpeg: bytes) -> NDArray[np.float32]:
    try:
        with Image.open(io.BytesIO(jpeg)) as image:
            if max(image.size) > THUMBNAIL_SIDE:  # it would be unpacked to any size
                raise ImageError("it is no thumbnail")
            small = image.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    except Exception:  # damaged on the disk, in whatever way: it has no looks
        return np.full((SIDE, SIDE), np.nan, np.float32)
    return np.asarray(small, np.float32)
