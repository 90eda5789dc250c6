"""The image of a work, wherever it is."""

from functools import lru_cache
from pathlib import Path

from emoviz.data.dataset import Holder
from emoviz.data.images import Limits, read_file
from emoviz.data.reading import open_holder
from emoviz.errors import ImageError, TableError
from emoviz.review.model import Work
from emoviz.settings import Settings

_BEGINNINGS = (
    *((b"\xff\xd8", ".jpg"), (b"\x89PNG", ".png"), (b"GIF8", ".gif"), (b"BM", ".bmp")),
    *((b"II*\x00", ".tif"), (b"MM\x00*", ".tif"), (b"RIFF", ".webp")),
)


def ending(data: bytes) -> str:
    """How the name of a file with these bytes ends; ``.img`` where that cannot be told."""
    return next((end for start, end in _BEGINNINGS if data.startswith(start)), ".img")


def read_work(work: Work, settings: Settings) -> bytes:
    """The encoded image of a work, in full size.

    Raises:
        ImageError: It is not on this machine (yet), was moved or deleted, or cannot be read.
    """
    if not work.file:
        raise ImageError(work.error or "its image was not brought in yet")
    limits = Limits.of(settings)
    if not work.inside:
        return read_file(Path(work.file), limits)
    changed = _changed(work.file)
    return _holder(work.file, changed, settings).read(work.inside, limits)


@lru_cache(maxsize=4)
def _holder(archive: str, changed: int, settings: Settings) -> Holder:
    """Kept by the time of change, too."""
    try:
        return open_holder(Path(archive), settings)
    except TableError as error:
        raise ImageError(str(error)) from None


def _changed(file: str) -> int:
    try:
        return Path(file).stat().st_mtime_ns
    except OSError:
        raise ImageError("there is no such file") from None
