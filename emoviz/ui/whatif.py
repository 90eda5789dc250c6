"""What if: change an image by hand and see the estimate move. Shared by two pages."""

from dataclasses import replace

import streamlit as st
from PIL import Image

from emoviz.data.edits import MAX_BLUR, Edit, edit_image, to_png
from emoviz.data.images import Limits, open_image
from emoviz.data.sources import from_bytes
from emoviz.errors import ImageError
from emoviz.inference.predict import Prediction, predict
from emoviz.plots.explaining import moved_bars
from emoviz.ui.models import ready
from emoviz.ui.results import Result
from emoviz.ui.shell import Context
from emoviz.ui.wording import wording
from emoviz.ui.words import plain, sentence
from emoviz.ui.workspace import workspace

ORIGINAL, TEXTURE = "the image", "its texture picture"


def show(
    context: Context, prediction: Prediction, data: bytes, texture: Image.Image | None = None
) -> None:
    """Controls, the changed image, and both estimates.

    Args:
        context: Settings and checkpoint.
        prediction: Of the image as it is.
        data: The image's bytes.
        texture: Its texture picture, where one has been made.
    """
    assert context.checkpoint is not None
    left, right = st.columns(2)
    with left:
        edit, swapped = _controls(prediction.sha256, texture is not None)
    short_side = context.checkpoint.card.preprocessing.short_side
    image = open_image(data, Limits.of(context.settings), short_side).pixels
    changed = edit_image(texture if swapped and texture is not None else image, edit)
    same = edit.changes_nothing and not swapped
    key = (context.identity, prediction.sha256, edit, swapped and _digest(texture))
    now = prediction if same else _estimate(key, context, changed)
    taxonomy = context.checkpoint.card.taxonomy
    order = [name for name, _ in prediction.ranked]
    with left:
        st.markdown(sentence(now, wording(taxonomy)))
        bars = moved_bars(prediction.probabilities, now.probabilities, order, taxonomy.colours)
        st.html(bars)
        st.caption("Bars: the estimate now. Line: the estimate for the image as it is.")
    with right:
        st.image(changed, caption="As the model gets it now", width="stretch")


def offer(context: Context, row: Result) -> None:
    """The same, folded, under an image of the session."""
    box = st.expander(
        "What if it had no colour, another hue, less light?",
        icon=":material/tune:",
        on_change="rerun",
        key="whatif",
    )
    entry = next(item for item in workspace().entries if item.number == row.number)
    if box.open and entry.source is not None:
        with box:
            try:
                show(context, row.prediction, entry.source.read())
            except ImageError as error:
                st.warning(plain(str(error)), icon=":material/report:")


def _controls(sha256: str, has_texture: bool) -> tuple[Edit, bool]:
    name = f"whatif-{sha256[:12]}"
    with st.container(horizontal=True, vertical_alignment="bottom"):
        colour = st.toggle("Colour", True, key=f"{name}-colour")
        st.button(
            "Reset", key=f"{name}-reset", icon=":material/undo:", on_click=_reset, args=(name,)
        )
    hue = st.slider("Hue, in degrees", -180, 180, 0, 10, key=f"{name}-hue", disabled=not colour)
    light = st.slider("Brightness, in %", 20, 200, 100, 10, key=f"{name}-light")
    blur = st.slider("Blur", 0, 10, 0, key=f"{name}-blur")
    swapped = False
    if has_texture:
        swapped = (
            st.segmented_control(
                "Show the model", (ORIGINAL, TEXTURE), default=ORIGINAL, key=f"{name}-swap"
            )
            == TEXTURE
        )
    edit = Edit(hue if colour else 0, float(colour), light / 100, MAX_BLUR * blur / 10)
    return edit, swapped


def _reset(name: str) -> None:
    for key in [key for key in st.session_state if str(key).startswith(f"{name}-")]:
        del st.session_state[key]


def _digest(image: Image.Image | None) -> int:
    return 0 if image is None else hash(image.tobytes())


@st.cache_resource(max_entries=200, show_spinner=False)
def _estimate(key: object, _context: Context, _image: Image.Image) -> Prediction:
    assert _context.checkpoint is not None
    model = ready(_context.checkpoint, _context.settings)
    (found,) = predict(model, [from_bytes("changed.png", to_png(_image))])
    return replace(found, path="changed")
