"""Explanations for the page: each is computed once for an image and a checkpoint.

Torch is imported when the first of them is asked for. One is computed at a time, whoever asks:
Captum hangs hooks into the network that all sessions share.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from emoviz.data.images import Limits, open_image
from emoviz.errors import ImageError
from emoviz.inference.explainer import Explainer, Layer, Progress, load_explainer
from emoviz.inference.parts import NoSplit, Split, split
from emoviz.memory import keep_large_blocks
from emoviz.ui.models import ready
from emoviz.ui.samples import known_samples
from emoviz.ui.shell import Context
from emoviz.ui.textures.subject import Subject

T = TypeVar("T")
_ONE_AT_A_TIME = threading.RLock()
_BATCH, _KEPT = 8, 128


@dataclass(frozen=True)
class Collection:
    """What a checkpoint makes of a set of images.

    Attributes:
        files: (N) names.
        captions: (N).
        embedding: (N, D) u.
        grams: (N, C_i, C_i) for each of the explainer's Gram layers.
        split: Of all their logits, or why there is none.
    """

    files: tuple[str, ...]
    captions: tuple[str, ...]
    embedding: NDArray[np.float32]
    grams: tuple[NDArray[np.float32], ...]
    split: Split | NoSplit


def explainer(context: Context) -> Explainer:
    """The checkpoint's network in torch."""
    assert context.checkpoint is not None
    return _explainer(context.identity, context.settings.device, context)


@st.cache_resource(max_entries=2, show_spinner="Loading the network for explanations …")
def _explainer(identity: str, device: str, _context: Context) -> Explainer:
    assert _context.checkpoint is not None
    keep_large_blocks()  # before torch takes its first block; batches here are small
    return load_explainer(_context.checkpoint, _context.settings)


def split_of(context: Context, subject: Subject) -> Split | NoSplit:
    """The image's logits in parts."""
    return _kept("split", context, subject, (), lambda found, pixels: split(found, pixels[None]))


def grams_of(context: Context, subject: Subject) -> list[NDArray[np.float32]]:
    """(C_i, C_i) of each Gram layer."""
    from emoviz.inference.texture import gram_matrices

    def compute(found: Explainer, pixels: Any) -> list[NDArray[np.float32]]:
        return [G[0] for G in gram_matrices(found, pixels[None])]

    return _kept("grams", context, subject, (), compute)


def maps_of(context: Context, subject: Subject) -> list[NDArray[np.float32]]:
    """(C_i, H_i, W_i) of each Gram layer."""
    from emoviz.inference.texture import feature_maps

    return _kept("maps", context, subject, (), feature_maps)


def grad_cam_of(context: Context, subject: Subject, name: str, layer: Layer) -> Any:
    """Heat map of one class on one stage."""
    from emoviz.inference.attribution import grad_cam

    def compute(found: Explainer, pixels: Any) -> Any:
        return grad_cam(found, pixels, [found.classes.index(name)], layer)[0]

    return _kept("gradcam", context, subject, (name, layer.name), compute)


def gradients_of(context: Context, subject: Subject, name: str, progress: Progress) -> Any:
    """Integrated gradients of one class."""
    from emoviz.inference.attribution import integrated_gradients

    def compute(found: Explainer, pixels: Any) -> Any:
        return integrated_gradients(found, pixels, found.classes.index(name), progress=progress)

    return _kept("ig", context, subject, (name,), compute)


def occlusion_of(context: Context, subject: Subject, progress: Progress) -> Any:
    """(C, side, side): what each class's logit loses; needs no torch."""
    from emoviz.inference.attribution import occlusion

    assert context.checkpoint is not None
    checkpoint, settings = context.checkpoint, context.settings

    def compute(pixels: Any) -> Any:
        engine = ready(checkpoint, settings).engine
        return occlusion(engine, pixels, checkpoint.card.preprocessing, progress=progress)

    return _computed("occlusion", context, subject, (), compute)


def faithfulness_of(
    context: Context, subject: Subject, method: str, name: str, heat: Any, progress: Progress
) -> Any:
    """Deletion and insertion curves of a heat map."""
    from emoviz.inference.faithfulness import faithfulness

    assert context.checkpoint is not None
    checkpoint, settings = context.checkpoint, context.settings
    card = checkpoint.card

    def compute(pixels: Any) -> Any:
        engine = ready(checkpoint, settings).engine
        index = card.taxonomy.names.index(name)
        return faithfulness(
            engine, pixels, heat, index, card.preprocessing, card.temperature, progress=progress
        )

    return _computed("curves", context, subject, (method, name), compute)


def sample_collection(context: Context, progress: Progress) -> Collection:
    """The images that come with the project, as this checkpoint sees them."""
    key = ("collection", context.identity)
    found: Collection = _remembered(key, lambda: _collection(context, progress))
    return found


def _collection(context: Context, progress: Progress) -> Collection:
    from emoviz.inference.texture import gram_matrices

    assert context.checkpoint is not None
    found, preprocessing = explainer(context), context.checkpoint.card.preprocessing
    engine = ready(context.checkpoint, context.settings).engine
    samples, pixels = [], []
    for sample in known_samples(context.settings.sample_data).values():
        try:
            data = (context.settings.sample_data / sample.file).read_bytes()
            image = open_image(data, Limits.of(context.settings), preprocessing.short_side)
        except (OSError, ImageError):
            continue
        samples.append(sample)
        pixels.append(preprocessing.to_array(image.pixels))
    u, grams, parts = [], [], []
    for start in range(0, len(pixels), _BATCH):
        batch = np.stack(pixels[start : start + _BATCH])
        u.append(engine.run(batch).embedding)
        grams.append(gram_matrices(found, batch))
        parts.append(split(found, batch))
        progress(start + len(batch), len(pixels))
    return Collection(
        tuple(sample.file for sample in samples),
        tuple(sample.caption for sample in samples),
        np.concatenate(u),
        tuple(np.concatenate(layer) for layer in zip(*grams, strict=True)),
        _joined(parts),
    )


def _joined(splits: Sequence[Split | NoSplit]) -> Split | NoSplit:
    """The splits of several batches as one."""
    known = [item for item in splits if isinstance(item, Split)]
    if len(known) < len(splits):
        return next(item for item in splits if isinstance(item, NoSplit))
    parts = {name: np.concatenate([item.parts[name] for item in known]) for name in known[0].parts}
    logits = np.concatenate([item.logits for item in known])
    return Split(known[0].classes, logits, parts)


def _kept(
    what: str,
    context: Context,
    subject: Subject,
    key: tuple[str, ...],
    compute: Callable[[Explainer, Any], T],
) -> T:
    found: T = _computed(
        what, context, subject, key, lambda pixels: compute(explainer(context), pixels)
    )
    return found


def _computed(
    what: str,
    context: Context,
    subject: Subject,
    key: tuple[str, ...],
    compute: Callable[[Any], Any],
) -> Any:
    """What `compute` makes of the network's view of the image."""
    checkpoint = context.checkpoint
    assert checkpoint is not None
    whole = (what, context.identity, subject.sha256, *key)
    return _remembered(whole, lambda: compute(subject.seen(checkpoint)))


def _remembered(key: tuple[str, ...], compute: Callable[[], Any]) -> Any:
    """From the store, or computed.

    Streamlit's own caches would record the progress bar that is drawn meanwhile, and fail to
    replay it.
    """
    with _ONE_AT_A_TIME:
        store = _store()
        if key not in store:
            store[key] = compute()
            while len(store) > _KEPT:
                store.popitem(last=False)
        store.move_to_end(key)
        return store[key]


@st.cache_resource(show_spinner=False)
def _store() -> OrderedDict[tuple[str, ...], Any]:
    """Explanations of all sessions, those used last at the end."""
    return OrderedDict()
