"""What stands beside a decision, made in threads while people look at the artwork before.

A decision must not wait for a museum's 40-megapixel file or for a gradient. So nothing here is
made when it is asked for: the asker gets what is there, the rest is begun, and the desk asks again.
"""

import hashlib
import io
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st
from PIL import Image

from emoviz.data.images import Limits, open_image
from emoviz.errors import EmovizError, ImageError
from emoviz.inference.predict import Prediction
from emoviz.review import StoredPrediction, Work
from emoviz.review.images import read_work
from emoviz.settings import Settings
from emoviz.ui.language import tr, translated
from emoviz.ui.shell import Context

SIDE = 1600  # pixels of the long side: enough for a look 2.5 times as close on a laptop
_DEEPEST = 12_000  # pixels of the long side: about as much as a browser draws of one picture
_QUALITY = 86
_KEPT = 96  # of pictures of about 300 KB
_OPACITY = 0.7


@dataclass(frozen=True)
class Made:
    """What was made, or why it cannot be; neither while it is being made."""

    value: Any = None
    error: str = ""

    @property
    def is_waiting(self) -> bool:
        """Whether it is worth asking again."""
        return self.value is None and not self.error


class DeferredImages:
    """Makes things one by one in a thread, and keeps those that were used last.

    Args:
        kept: So many results at most.
    """

    def __init__(self, kept: int = _KEPT) -> None:
        self._kept = kept
        self._lock = threading.Lock()
        self._made: OrderedDict[str, Future[Any]] = OrderedDict()
        self._workers = ThreadPoolExecutor(1, thread_name_prefix="emoviz-beside")

    def get(self, key: str, make: Callable[[], Any]) -> Made:
        """What is there under that key; where there is nothing, it is begun."""
        with self._lock:
            future = self._made.get(key)
            if future is None or future.cancelled():
                future = self._made[key] = self._workers.submit(make)
            self._made.move_to_end(key)
            while len(self._made) > self._kept:
                self._made.popitem(last=False)[1].cancel()
        if not future.done():
            return Made()
        error = future.exception()
        if error is None:
            return Made(future.result())
        return Made(error=_reason(error))


def name_of(kind: str, sha256: str) -> str:
    """Of a picture, as the browser keeps it."""
    return f"{kind} {sha256[:20]}"


def picture(work: Work, settings: Settings) -> Made:
    """JPEG of the artwork, `SIDE` pixels at most."""
    key = f"{work.sha256} {work.file} {work.inside} {_changed(work.file)}"
    return _pictures().get(key, lambda: _large(work, settings))


def deep_picture(work: Work, settings: Settings) -> Made:
    """The artwork with all its pixels, `_DEEPEST` at most: (JPEG, width, height)."""
    key = f"{work.sha256} {work.file} {work.inside} {_changed(work.file)}"
    return _deep().get(key, lambda: _whole(work, settings))


def heat_map(work: Work, estimate: StoredPrediction, context: Context) -> Made:
    """JPEG of the artwork with what spoke for the most probable class: Grad-CAM, last stage."""
    key = f"{work.sha256} {context.identity} {estimate.first}"
    return _explanations().get(key, lambda: _heat(work, estimate, context))


def made_later(key: str, make: Callable[[], Any]) -> Made:
    """Anything else that takes longer than a press may wait."""
    return _explanations().get(key, make)


@st.cache_resource(show_spinner=False)
def _pictures() -> DeferredImages:
    return DeferredImages()


@st.cache_resource(show_spinner=False)
def _deep() -> DeferredImages:
    return DeferredImages(kept=6)


@st.cache_resource(show_spinner=False)
def _explanations() -> DeferredImages:
    return DeferredImages()


def _changed(file: str) -> int:
    """When a file was changed; 0 where it is gone, so that it is tried again once it is back."""
    try:
        return Path(file).stat().st_mtime_ns if file else 0
    except (OSError, ValueError):
        return 0


def _read(work: Work, settings: Settings) -> bytes:
    """The artwork's file, as it was brought in.

    Raises:
        ImageError: It is gone, cannot be read, or is another one by now.
    """
    data = read_work(work, settings)
    if work.sha256 and hashlib.sha256(data).hexdigest() != work.sha256:
        raise ImageError(
            "the file is another than the one that was brought in; bring the collection in again, "
            "so that nobody decides on a picture that the model did not see"
        )
    return data


def _large(work: Work, settings: Settings) -> bytes:
    return jpeg(open_image(_read(work, settings), Limits.of(settings), SIDE).pixels)


def _whole(work: Work, settings: Settings) -> tuple[bytes, int, int]:
    pixels = open_image(_read(work, settings), Limits.of(settings)).pixels
    return jpeg(pixels, _DEEPEST), pixels.width, pixels.height


def _heat(work: Work, estimate: StoredPrediction, context: Context) -> bytes:
    from emoviz.inference.rollout import has_attention
    from emoviz.plots.explaining import overlay
    from emoviz.ui.textures import asking
    from emoviz.ui.textures.subject import ExplanationSubject, opened

    assert context.checkpoint is not None
    data = _read(work, context.settings)
    image = opened(data, SIDE // 2, Limits.of(context.settings))
    prediction = Prediction(work.title or work.key, work.sha256, dict(estimate.probabilities))
    subject = ExplanationSubject(work.title, data, image, prediction)
    explainer = asking.explainer(context)
    if has_attention(explainer):
        found = asking.explained_by(context, subject, "rollout", estimate.first)
    elif explainer.stages:
        found = asking.grad_cam_of(context, subject, estimate.first, explainer.stages[-1])
    else:
        raise ImageError("this network has no stage whose maps can be had")
    return jpeg(overlay(subject.shown(context.checkpoint), found.values, _OPACITY))


def jpeg(image: Image.Image, side: int = SIDE) -> bytes:
    """At most `side` pixels, without what the camera or the scanner noted."""
    small = image.copy()
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.convert("RGB").save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()


def _reason(error: BaseException) -> str:
    if isinstance(error, EmovizError | OSError):
        text = translated(error)
        return f"{text[:1].upper()}{text[1:]}"
    return tr("It failed: {reason}.", reason=type(error).__name__)
