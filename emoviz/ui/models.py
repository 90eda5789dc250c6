"""Networks for the pages: each is loaded once for all sessions, and runs once before it is asked.

Nothing here imports torch; the engine does where it must.
"""

import atexit
import gc
import hashlib
import io
import json
import threading
from dataclasses import replace

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from PIL import Image

from emoviz.checkpoints import Checkpoint
from emoviz.data.sources import from_bytes
from emoviz.inference.engines import Engine, RawOutput
from emoviz.inference.predict import Model, load_model, predict
from emoviz.settings import Settings

_LOADED: set[tuple[str, str, int]] = set()


class Serial:
    """An engine that runs one batch at a time, so that sessions do not fight for the cores."""

    def __init__(self, engine: Engine) -> None:
        self.description = engine.description
        self._engine = engine
        self._lock = threading.Lock()

    def run(self, images: NDArray[np.uint8]) -> RawOutput:
        """Logits, u and h of a batch (N, H, W, 3)."""
        with self._lock:
            return self._engine.run(images)


def identity(checkpoint: Checkpoint) -> str:
    """What a prediction depends on besides the image: the weights' digest and the whole card."""
    text = json.dumps(checkpoint.card.to_dict(), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def ready(checkpoint: Checkpoint, settings: Settings) -> Model:
    """The checkpoint's network, loaded and warm.

    Raises:
        CheckpointError: It cannot be run.
        SettingsError: A GPU is asked for and there is none.
    """
    key = _key(checkpoint, settings)
    model = _load(*key, checkpoint, settings)
    _LOADED.add(key)
    return model


def is_ready(checkpoint: Checkpoint, settings: Settings) -> bool:
    """Whether `ready` would answer at once."""
    return _key(checkpoint, settings) in _LOADED


@st.cache_resource(max_entries=4, show_spinner=False)
def _load(
    name: str, device: str, threads: int, _checkpoint: Checkpoint, _settings: Settings
) -> Model:
    """Cached by the first three; the underscores keep the others out of the key."""
    model = load_model(_checkpoint, _settings)
    _run_blank(model)
    _spare_the_collector()
    return replace(model, engine=Serial(model.engine))


def _run_blank(model: Model) -> None:
    """One white image through everything, so that the first real one does not wait."""
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), "white").save(buffer, "JPEG")
    blank = from_bytes("blank.jpg", buffer.getvalue())
    for _ in predict(model, [blank], thumbnail_side=32):
        pass


def _spare_the_collector() -> None:
    """Take what is loaded by now out of garbage collection: it stays as long as the server does.

    A full collection holds up everybody: 40 ms with all that is imported here, 2 ms without. Open
    sessions are among it; `emoviz.ui.web` looks at it all every few minutes, for those that ended.
    """
    gc.collect()
    gc.freeze()
    atexit.register(gc.unfreeze)


def _key(checkpoint: Checkpoint, settings: Settings) -> tuple[str, str, int]:
    return identity(checkpoint), settings.device, settings.threads
