"""Texture pictures: made in a process of their own, shown as they grow, found again later."""

from collections.abc import Sequence
from pathlib import Path

import streamlit as st
from PIL import Image

from emoviz.files import replaced_file
from emoviz.inference.tabular import csv_text
from emoviz.inference.texture_pictures import (
    TexturePicture,
    TextureRequest,
    TextureSet,
    read_pictures,
    texture_folder,
)
from emoviz.plots.explaining import loss_curve
from emoviz.ui import access, background
from emoviz.ui.shell import Context
from emoviz.ui.textures import asking
from emoviz.ui.textures.subject import ExplanationSubject
from emoviz.ui.words import plain

_SIZES = (128, 224, 320, 512)
_WIDTH = 224  # two side by side in a window of 800 pixels


def show(context: Context, subjects: Sequence[ExplanationSubject]) -> None:
    """Controls, and the pictures of one image or two that there are or that are growing."""
    if not asking.explainer(context).gram_layers:
        st.info("This network has no layer whose feature maps can be had: no picture can be made.")
        return
    st.markdown(
        "A picture made from noise until the network's Gram matrices are those of the image: "
        "**the layout is lost, texture and colour stay**. It shows what the texture modules can "
        "know of the image, and what they cannot."
    )
    request = _request()
    for subject in subjects:
        if len(subjects) > 1:
            st.markdown(f"**{plain(subject.title)}**")
        _pictures(context, subject, request)


def _pictures(context: Context, subject: ExplanationSubject, request: TextureRequest) -> None:
    """The pictures of one image, or the button that makes them."""
    assert context.checkpoint is not None
    folder = texture_folder(context.settings, context.checkpoint, subject.sha256, request)
    made, key = read_pictures(folder), f"texture-{folder.name}"
    state = background.outcome(context.settings, key)
    if state == "live":
        background.watch(context.settings, key)
        _growing(folder, subject, context, request.size)
        return
    if not made.is_complete:
        background.explain(context.settings, key)
        if access.allowed("compute") and st.button(
            "Make the pictures",
            icon=":material/texture:",
            type="primary",
            key=f"make-{folder.name}",
        ):
            _begin(context, subject, request, folder, key)
            st.rerun()
        st.caption("Takes 10 seconds to a minute for each picture on an ordinary computer.")
    if made.pictures:
        _sheet(made, subject, context, request.size)


def finished(context: Context, sha256: str) -> Image.Image | None:
    """An image's finished picture of all layers together, the largest; None where there is none."""
    assert context.checkpoint is not None
    for size in reversed(_SIZES):
        for each_layer in (True, False):
            request = TextureRequest(size=size, each_layer=each_layer)
            folder = texture_folder(context.settings, context.checkpoint, sha256, request)
            pictures = read_pictures(folder).pictures
            if pictures and pictures[0].done:
                with Image.open(folder / pictures[0].file) as image:
                    return image.convert("RGB")
    return None


def _request() -> TextureRequest:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        size = st.selectbox(
            "Size in pixels", _SIZES, 1, key="texture-size", persist_state="session", width=150
        )
        seed = st.number_input(
            "Seed",
            0,
            9999,
            0,
            key="texture-seed",
            persist_state="session",
            width=130,
            help="Another seed begins with other noise and gives another picture.",
        )
        each = st.toggle("Each layer by itself too", key="texture-each", value=True)
    return TextureRequest(size=size, seed=int(seed), each_layer=each)


@access.acts("compute")
def _begin(
    context: Context, subject: ExplanationSubject, request: TextureRequest, folder: Path, key: str
) -> None:
    assert context.checkpoint is not None
    original = folder / "original"
    with replaced_file(original) as aside:
        aside.write_bytes(subject.data)
    command = ["texture", str(original), "--checkpoint", str(context.checkpoint.folder)]
    command += ["--size", str(request.size), "--seed", str(request.seed)]
    command += ["--each-layer"] if request.each_layer else []
    background.begin(context.settings, f"Texture of {subject.title}", command, key)


@st.fragment(run_every=2.0)
def _growing(folder: Path, subject: ExplanationSubject, context: Context, size: int) -> None:
    made = read_pictures(folder)
    if made.pictures:
        _sheet(made, subject, context, size)
    else:
        st.caption("Starting …")


def _sheet(made: TextureSet, subject: ExplanationSubject, context: Context, size: int) -> None:
    """The original and its pictures side by side, then the losses."""
    assert context.checkpoint is not None
    with st.container(horizontal=True):
        before, words = subject.shown(context.checkpoint), "Original"
        st.image(before, words, width=_WIDTH, alt=words)
        for picture in made.pictures:
            words = _caption(picture)
            st.image((made.folder / picture.file).read_bytes(), words, width=_WIDTH, alt=words)
    last = made.pictures[-1]
    with st.expander("How near it has come: the loss"):
        st.plotly_chart(loss_curve(last.losses), key=f"loss-{made.folder.name}-{last.file}")
        st.caption(
            f"{_caption(last)}. The loss is the squared difference of the Gram matrices, relative "
            "to the original's, summed over the layers; 0 would be the same matrices."
        )
    if made.is_complete:
        with st.container(horizontal=True):
            first = made.pictures[0]
            st.download_button(
                "Picture (PNG)",
                (made.folder / first.file).read_bytes(),
                f"texture-{size}.png",
                "image/png",
                key=f"png-{made.folder.name}",
                icon=":material/download:",
                on_click="ignore",
            )
            st.download_button(
                "Loss (CSV)",
                csv_text([("step", "loss"), *enumerate(first.losses, start=1)]),
                "loss.csv",
                "text/csv",
                key=f"csv-{made.folder.name}",
                icon=":material/download:",
                on_click="ignore",
            )


def _caption(picture: TexturePicture) -> str:
    several = len(picture.layers) > 1
    words = "All layers together" if several else f"{picture.layers[0]} alone"
    loss = f"loss {picture.losses[-1]:.2g}" if picture.losses else "loss unknown"
    return f"{words}, {loss}" if picture.done else f"{words}, step {len(picture.losses)}, {loss}"
