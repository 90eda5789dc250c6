"""Explanations for the page: each is computed once for an image and a checkpoint.

Torch is imported when the first of them is asked for. One is computed at a time, whoever asks:
Captum hangs hooks into the network that all sessions share.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection
from typing import Any, TypeVar

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from emoviz.inference.attribution import Baseline
from emoviz.inference.content_style_split import ContentStyleSplit, NoSplit, split
from emoviz.inference.explainer import Explainer, Layer, Progress, load_explainer
from emoviz.memory import keep_large_blocks
from emoviz.ui.models import ready
from emoviz.ui.shell import Context
from emoviz.ui.textures.subject import ExplanationSubject

T = TypeVar("T")
_ONE_AT_A_TIME = threading.RLock()
_KEPT = 128


def explainer(context: Context) -> Explainer:
    """The checkpoint's network in torch."""
    assert context.checkpoint is not None
    return _explainer(context.identity, context.settings.device, context)


@st.cache_resource(max_entries=2, show_spinner="Loading the network for explanations …")
def _explainer(identity: str, device: str, _context: Context) -> Explainer:
    assert _context.checkpoint is not None
    keep_large_blocks()  # before torch takes its first block; batches here are small
    return load_explainer(_context.checkpoint, _context.settings)


def split_of(context: Context, subject: ExplanationSubject) -> ContentStyleSplit | NoSplit:
    """The image's logits in parts."""
    return _kept("split", context, subject, (), lambda found, pixels: split(found, pixels[None]))


def grams_of(context: Context, subject: ExplanationSubject) -> list[NDArray[np.float32]]:
    """(C_i, C_i) of each Gram layer."""
    from emoviz.inference.texture import gram_matrices

    def compute(found: Explainer, pixels: Any) -> list[NDArray[np.float32]]:
        return [G[0] for G in gram_matrices(found, pixels[None])]

    return _kept("grams", context, subject, (), compute)


def maps_of(context: Context, subject: ExplanationSubject) -> list[NDArray[np.float32]]:
    """(C_i, H_i, W_i) of each Gram layer."""
    from emoviz.inference.texture import feature_maps

    return _kept("maps", context, subject, (), feature_maps)


def grad_cam_of(context: Context, subject: ExplanationSubject, name: str, layer: Layer) -> Any:
    """Heat map of one class on one stage."""
    from emoviz.inference.attribution import grad_cam

    def compute(found: Explainer, pixels: Any) -> Any:
        return grad_cam(found, pixels, [found.classes.index(name)], layer)[0]

    return _kept("gradcam", context, subject, (name, layer.name), compute)


def explained_by(context: Context, subject: ExplanationSubject, method: str, name: str) -> Any:
    """Heat map of one class by one of `EXPLANATIONS`."""
    from emoviz.inference.explanations import explain_by

    def compute(found: Explainer, pixels: Any) -> Any:
        return explain_by(method, found, pixels, found.classes.index(name))

    return _kept(method, context, subject, (name,), compute)


def gradients_of(
    context: Context, subject: ExplanationSubject, name: str, baseline: Baseline, progress: Progress
) -> Any:
    """Integrated gradients of one class from a baseline."""
    from emoviz.inference.attribution import integrated_gradients

    def compute(found: Explainer, pixels: Any) -> Any:
        index = found.classes.index(name)
        return integrated_gradients(found, pixels, index, baseline=baseline, progress=progress)

    return _kept("ig", context, subject, (name, baseline), compute)


def occlusion_of(context: Context, subject: ExplanationSubject, progress: Progress) -> Any:
    """(C, side, side): what each class's logit loses; needs no torch."""
    from emoviz.inference.attribution import occlusion

    assert context.checkpoint is not None
    checkpoint, settings = context.checkpoint, context.settings

    def compute(pixels: Any) -> Any:
        engine = ready(checkpoint, settings).engine
        return occlusion(engine, pixels, checkpoint.card.preprocessing, progress=progress)

    return _computed("occlusion", context, subject, (), compute)


def hidden_regions_of(context: Context, subject: ExplanationSubject) -> Any:
    """Regions of the image hidden in turn, for all classes; without torch things have no names."""
    from emoviz.inference.clauses import hide_regions, naming_if_installed

    assert context.checkpoint is not None
    model = ready(context.checkpoint, context.settings)

    def compute(pixels: Any) -> Any:
        card = model.checkpoint.card
        return hide_regions(model.engine, pixels, card, naming=naming_if_installed())

    return _computed("regions", context, subject, (), compute)


def faithfulness_of(
    context: Context,
    subject: ExplanationSubject,
    method: str,
    name: str,
    heat: Any,
    progress: Progress,
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


def _kept(
    what: str,
    context: Context,
    subject: ExplanationSubject,
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
    subject: ExplanationSubject,
    key: tuple[str, ...],
    compute: Callable[[Any], Any],
) -> Any:
    """What `compute` makes of the network's view of the image."""
    checkpoint = context.checkpoint
    assert checkpoint is not None
    whole = (what, context.identity, subject.sha256, *key)
    return remembered(whole, lambda: compute(subject.seen(checkpoint)))


def remembered(key: tuple[str, ...], compute: Callable[[], Any]) -> Any:
    """From the store under a key, or computed.

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


def forget(hashes: Collection[str]) -> None:
    """Let go of what was asked of images, by the SHA-256 of their bytes."""
    with _ONE_AT_A_TIME:
        store = _store()
        for key in [key for key in store if set(key) & set(hashes)]:
            del store[key]


@st.cache_resource(show_spinner=False)
def _store() -> OrderedDict[tuple[str, ...], Any]:
    """Explanations of all sessions, those used last at the end."""
    return OrderedDict()
