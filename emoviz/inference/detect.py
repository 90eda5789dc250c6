"""Text and faces in images, by detectors that come with their packages; nothing is fetched.

Text: RapidOCR (PaddleOCR's small networks on ONNX Runtime, Apache-2.0). A word counts where it is
read with confidence 0.7 and more and has two signs or more: single signs are what the network
sees in brush strokes, and a wing or a wheel is soon an "8". The share is the area of these words.

Faces: dlib's frontal face detector (histograms of oriented gradients, Boost licence), at 480
pixels. It finds faces that look at the viewer and take a sixth of the long side or more; profiles,
small and strongly stylised faces escape it. The share is the area of the largest one.

What was looked at once is kept by the image's hash, so a run that was stopped goes on.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from emoviz.data.dataset import Record
from emoviz.data.images import Limits, open_image, own_fault
from emoviz.errors import ImageError, NotInstalledError
from emoviz.inference.cache import Store
from emoviz.settings import Settings

CONFIDENT = 0.7  # from this confidence on a word counts as read
LEAST_SIGNS = 2
_TEXT_SIDE = 1280  # larger images are reduced before text is looked for
_FACE_SIDE = 480
_KEPT_AT_ONCE = 32


class Detection(NamedTuple):
    """What a detector found in one image.

    Attributes:
        share: Of the image's area, 0 to 1: all words together, or the largest face.
        number: Of words, or of faces.
        words: What was read; "" for faces.
    """

    share: float
    number: int
    words: str = ""


class Detector(NamedTuple):
    """One way of looking.

    Attributes:
        name: ``text`` or ``faces``.
        version: Changes where its answers may.
        side: Longest side in pixels that it looks at.
        look: From an upright RGB image to what is in it.
    """

    name: str
    version: str
    side: int
    look: Callable[[Image.Image], Detection]


def detector(kind: str, settings: Settings) -> Detector:
    """The one for ``text`` or for ``faces``.

    Raises:
        NotInstalledError: Its package is not installed.
    """
    return text_detector(settings) if kind == "text" else face_detector()


def text_detector(settings: Settings) -> Detector:
    """Finds text that can be read.

    Raises:
        NotInstalledError: The package is not installed.
    """
    return Detector("text", f"rapidocr-{_version('rapidocr')}-1", _TEXT_SIDE, _text_look(settings))


def face_detector() -> Detector:
    """Finds faces that look at the viewer.

    Raises:
        NotInstalledError: The package is not installed.
    """
    return Detector("faces", f"dlib-{_version('dlib-bin')}-1", _FACE_SIDE, _face_look())


def detect(
    detector: Detector,
    records: Sequence[Record],
    sha256: Sequence[str],
    settings: Settings,
    report: Callable[[int, int], None] | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Look at each image once, whoever asked before.

    Args:
        detector: What is looked for.
        records: N images.
        sha256: (N) of their bytes; "" for those that cannot be read.
        settings: Caps, and where answers are kept.
        report: Told (done, total).

    Returns:
        (N,) shares, NaN for images that cannot be read, and (N,) counts.

    Raises:
        TableError: The answers cannot be kept.
    """
    limits = Limits.of(settings)
    with DetectedStore(settings, detector) as store:
        known = dict(store.get_many(key for key in sha256 if key))
        todo = {key: record for key, record in zip(sha256, records, strict=True) if key}
        todo = {key: record for key, record in todo.items() if key not in known}
        done = len(records) - len(todo)
        fresh: dict[str, Detection] = {}
        try:
            for number, (key, record) in enumerate(todo.items(), 1):
                seen = _looked(detector, record, limits)
                if seen is not None:
                    fresh[key] = seen
                if len(fresh) == _KEPT_AT_ONCE:
                    store.put(fresh)
                    known |= fresh
                    fresh = {}
                if report is not None:
                    report(done + number, len(records))
        finally:  # also when stopped: what was seen is kept
            store.put(fresh)
            known |= fresh
    rows = [known.get(key) for key in sha256]
    shares = np.array([np.nan if row is None else row.share for row in rows], np.float64)
    return shares, np.array([0 if row is None else row.number for row in rows], np.int64)


class DetectedStore(Store):
    """What one detector saw in the images that it looked at."""

    columns: Mapping[str, str] = {
        "sha256": "BLOB PRIMARY KEY",
        "share": "REAL NOT NULL",
        "count": "INTEGER NOT NULL",
        "words": "TEXT NOT NULL",
    }

    def __init__(self, settings: Settings, detector: Detector) -> None:
        super().__init__(settings.home / "detected" / f"{detector.version}.sqlite")

    def get_many(self, hashes: Any) -> dict[str, Detection]:
        """What was seen in some images, by their SHA-256; those not looked at are left out."""
        rows = self._rows(map(bytes.fromhex, hashes))
        return {key.hex(): Detection(share, count, words) for key, share, count, words in rows}

    def put(self, seen: Mapping[str, Detection]) -> None:
        """Keep answers, all or none."""
        self._put((bytes.fromhex(key), *row) for key, row in seen.items())


def _looked(detector: Detector, record: Record, limits: Limits) -> Detection | None:
    try:
        with own_fault():
            pixels = open_image(record.read(limits), limits, detector.side).pixels
            if max(pixels.size) > detector.side:
                pixels.thumbnail((detector.side, detector.side), Image.Resampling.BICUBIC)
    except ImageError:
        return None
    return detector.look(pixels)


def _text_look(settings: Settings) -> Callable[[Image.Image], Detection]:
    reader = _reader(settings.threads or len(os.sched_getaffinity(0)))

    def look(image: Image.Image) -> Detection:
        pixels = np.ascontiguousarray(np.asarray(image)[:, :, ::-1])  # BGR
        found = reader(pixels, use_cls=False, use_det=True, use_rec=True)
        boxes, words = getattr(found, "boxes", None), getattr(found, "txts", None)
        if boxes is None or not words:
            return Detection(0.0, 0)
        rows = zip(boxes, words, found.scores, strict=True)
        kept = [
            (_area(box), str(word))
            for box, word, score in rows
            if score >= CONFIDENT and len(str(word).strip()) >= LEAST_SIGNS
        ]
        share = sum(area for area, _ in kept) / (image.width * image.height)
        return Detection(min(share, 1.0), len(kept), " ".join(word for _, word in kept)[:500])

    return look


@cache
def _reader(threads: int) -> Any:
    """The networks, loaded once; they lie inside the package, and nothing is fetched."""
    from rapidocr import RapidOCR

    return RapidOCR(
        params={
            "Global.log_level": "critical",
            "EngineConfig.onnxruntime.intra_op_num_threads": threads,
        }
    )


def _face_look() -> Callable[[Image.Image], Detection]:
    import dlib

    detector = dlib.get_frontal_face_detector()

    def look(image: Image.Image) -> Detection:
        scale = _FACE_SIDE / max(image.size)  # small images are enlarged: it wants 80 pixels a face
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        boxes = detector(np.asarray(image.resize(size, Image.Resampling.BILINEAR)), 0)
        areas = [_inside(box, size) / (size[0] * size[1]) for box in boxes]
        return Detection(min(max(areas, default=0.0), 1.0), len(areas))

    return look


def _area(box: Any) -> float:
    """Of a polygon (K, 2), by the shoelace formula."""
    x, y = np.asarray(box, np.float64).T
    return float(0.5 * abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))))


def _inside(box: Any, size: tuple[int, int]) -> int:
    """Pixels of a rectangle that lie inside the image."""
    width = min(box.right(), size[0]) - max(box.left(), 0)
    height = min(box.bottom(), size[1]) - max(box.top(), 0)
    return int(max(width, 0) * max(height, 0))


def _version(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        raise NotInstalledError(
            f"This needs the package {package}, which is not in every installation of emoviz. "
            "Whoever installed it can add that package."
        ) from None
