"""What if: change an image by hand and see the estimate move. Shared by two pages."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import streamlit as st
from PIL import Image

from emoviz.data.edits import MAX_BLUR, Edit, edit_image, to_png
from emoviz.data.images import Limits, open_image, thumbnail
from emoviz.data.sources import from_bytes
from emoviz.errors import ImageError
from emoviz.inference.predict import Prediction, predict
from emoviz.plots import percent, shares_strip
from emoviz.plots.explaining import moved_bars
from emoviz.ui.gallery import Tile, gallery
from emoviz.ui.linked import told_apart
from emoviz.ui.models import ready
from emoviz.ui.results import Result
from emoviz.ui.shell import Context
from emoviz.ui.textures.pictures import finished as texture_of
from emoviz.ui.textures.regions import timed
from emoviz.ui.wording import wording
from emoviz.ui.words import counted, plain, readable, sentence
from emoviz.ui.workspace import workspace

_ALL, _PICKED, _NEXT = 0, "whatif-image", "whatif-next"  # images are numbered from 1
_MOST, _TILE, _KEPT = 60, 220, 400
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
    try:
        image = open_image(data, Limits.of(context.settings), short_side).pixels
    except ImageError as error:
        right.warning(f"It cannot be opened again: {plain(str(error))}.", icon=":material/report:")
        return
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
        words = "As the model gets it now"
        st.image(changed, caption=words, width="stretch", alt=words)


def offer(context: Context, rows: Sequence[Result]) -> None:
    """The same, folded, under the images of the session: for one of them, or for all at once."""
    box = st.expander(
        "What if it had no colour, another hue, less light?"
        if len(rows) == 1
        else "What if they had no colour, another hue, less light?",
        icon=":material/tune:",
        on_change="rerun",
        key="whatif",
    )
    if not box.open:
        return
    with box:
        row = rows[0] if len(rows) == 1 else _chosen(rows)
        if row is None:
            _show_all(context, rows)
            return
        try:
            show(context, row.prediction, _data(row), texture_of(context, row.prediction.sha256))
        except ImageError as error:
            st.warning(plain(str(error)), icon=":material/report:")


def _chosen(rows: Sequence[Result]) -> Result | None:
    """The image to try; None for all of them."""
    titles = told_apart({row.number: readable(row.caption or row.prediction.path) for row in rows})
    options = [_ALL, *titles]
    if (asked := st.session_state.pop(_NEXT, None)) is not None:
        st.session_state[_PICKED] = asked
    if st.session_state.get(_PICKED) not in options:
        st.session_state[_PICKED] = _ALL
    number = st.selectbox(
        "Try it on",
        options,
        format_func=lambda item: titles.get(item, "All images at once"),
        key=_PICKED,
        persist_state="session",
        width=420,
    )
    return next((row for row in rows if row.number == number), None)


def _data(row: Result) -> bytes:
    entry = next(item for item in workspace().entries if item.number == row.number)
    if entry.source is None:
        raise ImageError("Its original is no longer kept in memory; drop it again.")
    return entry.source.read()


def _show_all(context: Context, rows: Sequence[Result]) -> None:
    """One change for all images: which estimates hold, which turn."""
    assert context.checkpoint is not None
    edit, _ = _controls("all", False, wide=True)
    tried = rows[:_MOST]
    if len(tried) < len(rows):
        st.caption(f"The first {_MOST} of {len(rows):,} images are tried.")
    if edit.changes_nothing:
        st.info("Move a control: each image is shown to the model anew.", icon=":material/tune:")
        return
    pairs = _changed(context, tried, edit)
    turned = [pair for pair in pairs if pair[2].predicted != pair[0].prediction.predicted]
    counts = Counter(now.predicted for _, _, now in pairs)
    taxonomy = context.checkpoint.card.taxonomy
    st.markdown(
        f"The most likely {wording(taxonomy).unit} changes for **{len(turned)} of "
        f"{counted(len(pairs), 'image')}**. Those that move most come first."
    )
    shares = [(name, counts[name]) for name in taxonomy.names]
    st.html(shares_strip(shares, taxonomy.colours, "Most likely after the change"))
    pairs.sort(key=lambda pair: -_moved(pair[0].prediction, pair[2]))
    tiles = [
        Tile(picture, row.caption or row.prediction.path, _moved_words(row.prediction, now))
        for row, picture, now in pairs
    ]
    pressed = gallery(tiles, "whatif-wall", "Images as the model gets them now", side=150)
    if pressed is not None:
        _copy_controls("all", pairs[pressed][0].prediction.sha256)
        st.session_state[_NEXT] = pairs[pressed][0].number
        st.rerun()
    st.caption("Press one to try it by itself.")


def _changed(
    context: Context, rows: Sequence[Result], edit: Edit
) -> list[tuple[Result, bytes, Prediction]]:
    """Each image that can be read, as it looks now, with its estimate now."""
    found = []
    with timed("Asking the model again") as progress:
        for done, row in enumerate(rows, start=1):
            try:
                found.append((row, *_changed_one(context, row, edit)))
            except ImageError as error:
                st.warning(f"{plain(row.prediction.path)}: {plain(str(error))}")
            progress(done, len(rows))
    return found


def _changed_one(context: Context, row: Result, edit: Edit) -> tuple[bytes, Prediction]:
    assert context.checkpoint is not None
    key = (context.identity, row.prediction.sha256, edit, False)
    short_side = context.checkpoint.card.preprocessing.short_side
    store = _small_pictures()
    found = store.get(key)
    if found is None:
        image = open_image(_data(row), Limits.of(context.settings), short_side).pixels
        changed = edit_image(image, edit)
        found = store[key] = thumbnail(changed, _TILE), _estimate(key, context, changed)
        while len(store) > _KEPT:
            store.pop(next(iter(store)))
    return found


def forget() -> None:
    """Let go of all images that were changed by hand."""
    _small_pictures().clear()
    _estimate.clear()


@st.cache_resource(show_spinner=False)
def _small_pictures() -> dict[object, tuple[bytes, Prediction]]:
    """Changed images of all sessions, the latest at the end."""
    return {}


def _moved(before: Prediction, now: Prediction) -> float:
    """Half the summed change of the probabilities: the share that moved to other classes."""
    return sum(abs(now.probabilities[k] - p) for k, p in before.probabilities.items()) / 2


def _moved_words(before: Prediction, now: Prediction) -> str:
    old, new = before.ranked[0], now.ranked[0]
    if old[0] == new[0]:
        return f"{old[0]} {percent(old[1])} → {percent(new[1])}"
    return f"{old[0]} {percent(old[1])} → {new[0]} {percent(new[1])}"


def _copy_controls(source: str, target: str) -> None:
    """The controls of one image stand as another's did."""
    before, after = f"whatif-{source[:12]}-", f"whatif-{target[:12]}-"
    for key in [str(key) for key in st.session_state if str(key).startswith(before)]:
        if not key.endswith("reset"):
            st.session_state[after + key.removeprefix(before)] = st.session_state[key]


def _controls(sha256: str, has_texture: bool, wide: bool = False) -> tuple[Edit, bool]:
    """The change that is asked for, and whether to the texture picture."""
    name = f"whatif-{sha256[:12]}"
    with st.container(horizontal=True, vertical_alignment="bottom"):
        colour = st.toggle("Colour", True, key=f"{name}-colour")
        st.button(
            "Reset", key=f"{name}-reset", icon=":material/undo:", on_click=_reset, args=(name,)
        )
    places = st.columns(3, gap="medium") if wide else [st.container()] * 3
    hue = places[0].slider(
        "Hue, in degrees", -180, 180, 0, 10, key=f"{name}-hue", disabled=not colour
    )
    light = places[1].slider("Brightness, in %", 20, 200, 100, 10, key=f"{name}-light")
    blur = places[2].slider("Blur", 0, 10, 0, key=f"{name}-blur")
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
