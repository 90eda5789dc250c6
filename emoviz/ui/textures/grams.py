"""Gram matrices as heat maps, for one image or two, and how far apart two are."""

import io
import json
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from PIL import Image

from emoviz.analysis.textures import (
    channel_order,
    correlations,
    gram_distance,
    strongest_patches,
)
from emoviz.ui.shell import Context
from emoviz.ui.textures import asking
from emoviz.ui.textures.subject import ExplanationSubject
from emoviz.ui.words import listed

_PATCH = 56
# Colours are full at this percentile of the strengths: few channels outweigh all others.
_FULL = 98.0


def _source(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


_MATRIX = st.components.v2.component(
    "emoviz_gram",
    html='<div class="gram"><canvas tabindex="0" role="img"></canvas>'
    '<div class="hint" aria-live="polite">Point at a cell.</div></div>\n',
    css=_source("grams.css"),
    js=_source("grams.js"),
)


def show(context: Context, subject: ExplanationSubject, beside: ExplanationSubject | None) -> None:
    """A row of heat maps for each image, on common orders and scales."""
    layers = asking.explainer(context).gram_layers
    if not layers:
        st.info("This network has no layer whose feature maps can be had: no Gram matrix to show.")
        return
    subjects = [subject] if beside is None else [subject, beside]
    scaled = st.toggle(
        "Compare channels whatever their strength (correlation)", key="grams-scaled", value=True
    )
    matrices = [asking.grams_of(context, item) for item in subjects]
    orders = [channel_order(np.sum(layer, axis=0)) for layer in zip(*matrices, strict=True)]
    if beside is not None:
        _distances(matrices, [layer.name for layer in layers], subject, beside)
    drawn = [[correlations(G) if scaled else G for G in one] for one in matrices]
    full = [_full(list(layer), scaled) for layer in zip(*drawn, strict=True)]
    for number, item in enumerate(subjects):
        if beside is not None:
            st.markdown(f"**{item.title}**")
        maps = asking.maps_of(context, item)
        for i, place in enumerate(st.columns(len(layers))):
            with place:
                st.caption(f"{layers[i].name}, {len(orders[i])} channels")
                label = f"Gram matrix of {layers[i].name}, {item.title}"
                assert context.checkpoint is not None
                patches = strongest_patches(maps[i], item.shown(context.checkpoint))
                data = packed(drawn[number][i], orders[i], patches, full[i], label)
                key = f"gram-{number}-{i}-{int(scaled)}-{item.sha256[:12]}"
                _MATRIX(key=f"{key}-{context.identity[:8]}", data=data, height="content")
    st.caption(
        "Each cell tells how strongly two channels of the layer answer together over the whole "
        "image, wherever they do: :orange[orange] together, :blue[blue] one against the other. "
        "Channels that go together stand side by side. Under the matrix: where in the image the "
        "two channels answer most strongly."
    )


def packed(
    values: NDArray[np.floating],
    order: NDArray[np.int64],
    patches: NDArray[np.uint8],
    full: float,
    label: str,
) -> bytes:
    """Everything that the browser needs, as one message: see grams.js for the form."""
    header = {"channels": order.tolist(), "full": full, "label": label}
    text = json.dumps(header, ensure_ascii=False).encode("utf-8", errors="replace")
    sprite = np.concatenate(
        [
            np.asarray(Image.fromarray(patches[i]).resize((_PATCH, _PATCH), Image.Resampling.BOX))
            for i in order
        ],
        axis=1,
    )
    buffer = io.BytesIO()
    Image.fromarray(sprite).save(buffer, "JPEG", quality=80)
    ordered = np.ascontiguousarray(values[np.ix_(order, order)], "<f4")
    return struct.pack("<I", len(text)) + text + ordered.tobytes() + buffer.getvalue()


def _full(matrices: Sequence[NDArray[np.floating]], scaled: bool) -> float:
    if scaled:
        return 1.0
    return float(max(np.percentile(np.abs(G), _FULL) for G in matrices)) or 1.0


def _distances(
    matrices: Sequence[Sequence[NDArray[np.floating]]],
    layers: Sequence[str],
    subject: ExplanationSubject,
    beside: ExplanationSubject,
) -> None:
    apart = [float(gram_distance(A, B)) for A, B in zip(*matrices, strict=True)]
    words = listed([f"{value:.2f} at {name}" for name, value in zip(layers, apart, strict=True)])
    st.markdown(
        f"**How unlike the textures of the two are**, from 0 (the same) to 1 (nothing in common): "
        f"{words}."
    )
