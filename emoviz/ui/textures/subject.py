"""The image that the page is about, chosen among those of the session."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from PIL import Image

from emoviz.checkpoints import Checkpoint
from emoviz.data.images import Limits, open_image
from emoviz.data.preprocessing import Preprocessing
from emoviz.data.sources import ImageSource
from emoviz.errors import ImageError
from emoviz.inference.predict import Prediction
from emoviz.ui.linked import told_apart
from emoviz.ui.results import Result
from emoviz.ui.shell import Context, current
from emoviz.ui.words import plain
from emoviz.ui.workspace import workspace

PAGE, BACK = "pages/predict/textures.py", "textures-back"
_BACK_LINK = "textures-back-link"
_FIRST, _SECOND = "textures-image", "textures-beside"
_NOTHING = 0  # images are numbered from 1
_SIDE, _SHORT_SIDE = 560, 1024
# A picture that is squashed to a square is shown in its own form, unless that is a mere strip.
_SLIMMEST = 0.25


@dataclass(frozen=True)
class ExplanationSubject:
    """One image, open.

    Attributes:
        title: Its caption, or its name.
        data: The file's bytes.
        image: RGB, its short side decoded to about 1,000 pixels at least where it has as many.
        prediction: The model's estimate.
    """

    title: str
    data: bytes = field(repr=False)
    image: Image.Image = field(repr=False, compare=False)
    prediction: Prediction = field(repr=False)

    @property
    def sha256(self) -> str:
        """Of the file's bytes."""
        return self.prediction.sha256

    def seen(self, checkpoint: Checkpoint) -> NDArray[np.uint8]:
        """(side, side, 3) bytes: what the network gets to see."""
        preprocessing = checkpoint.card.preprocessing
        return preprocessing.to_array(opened(self.data, preprocessing.short_side, Limits()).copy())

    def shown(self, checkpoint: Checkpoint) -> NDArray[np.uint8]:
        """(H, W, 3) bytes: the same part of the image, large enough for people."""
        preprocessing = checkpoint.card.preprocessing
        size = form_of(self.image, preprocessing)
        large = replace(preprocessing, size=_SIDE).resize(self.image)
        return np.asarray(large.resize(size, Image.Resampling.BICUBIC))


def form_of(image: Image.Image, preprocessing: Preprocessing) -> tuple[int, int]:
    """(width, height) in which what the network sees is shown."""
    width, height = image.size
    if preprocessing.fit == "crop" or min(width, height) < _SLIMMEST * max(width, height):
        return _SIDE, _SIDE
    scale = _SIDE / max(width, height)
    return round(scale * width), round(scale * height)


@st.cache_resource(max_entries=16, show_spinner=False)
def opened(data: bytes, short_side: int, _limits: Limits) -> Image.Image:
    """The decoded image; not to be changed."""
    return open_image(data, _limits, short_side).pixels


def remember(number: int) -> None:
    """Make an image of the session the one that the page is about."""
    st.session_state[_FIRST] = number


def take(
    source: ImageSource, caption: str, back: str, link: Mapping[str, str] | None = None
) -> None:
    """Make an image of another page the one that this page is about.

    Args:
        source: The image.
        caption: What is known of it.
        back: Path of the page to return to, such as ``pages/review/artworks.py``.
        link: Parameters with which that page comes back as it was.
    """
    space = workspace()
    known = [entry.number for entry in space.entries if entry.name == source.name]
    if not known:
        space.add(source, caption)
    remember(known[0] if known else space.arrived)
    st.session_state[BACK], st.session_state[_BACK_LINK] = back, (back, dict(link or {}))


def kept_link() -> dict[str, str]:
    """What of the link holds on the next page too: the checkpoint."""
    return {"checkpoint": checkpoint.card.id} if (checkpoint := current().checkpoint) else {}


def way_back() -> None:
    """A link to where the image came from."""
    page = st.session_state.get(BACK, "pages/predict/classify.py")
    of, link = st.session_state.get(_BACK_LINK, ("", {}))
    kept = {**(link if of == page else {}), **kept_link()}
    st.page_link(page, label="Back", icon=":material/arrow_back:", query_params=kept)


def choose(
    rows: Sequence[Result], context: Context
) -> tuple[ExplanationSubject, ExplanationSubject | None] | None:
    """Pickers for the image and for one beside it; None where the image is gone."""
    titles = told_apart({row.number: row.caption or row.prediction.path for row in rows})
    numbers = list(titles)
    if st.session_state.get(_FIRST) not in titles:
        st.session_state[_FIRST] = numbers[-1]
    if st.session_state.get(_SECOND) not in titles:
        st.session_state[_SECOND] = _NOTHING
    with st.container(horizontal=True, vertical_alignment="bottom"):
        way_back()
        first = st.selectbox(
            "Image",
            numbers,
            format_func=lambda number: titles.get(number, ""),
            key=_FIRST,
            persist_state="session",
            width=330,
        )
        second = st.selectbox(
            "Beside it",
            [_NOTHING, *numbers],
            format_func=lambda number: titles.get(number, "nothing"),
            key=_SECOND,
            persist_state="session",
            help="A second image, to compare textures with.",
            width=330,
        )
    by_number = {row.number: row for row in rows}
    subject = _open(by_number[first], context)
    beside = None if second in (_NOTHING, first) else _open(by_number[second], context)
    return None if subject is None else (subject, beside)


def _open(row: Result, context: Context) -> ExplanationSubject | None:
    entry = next(entry for entry in workspace().entries if entry.number == row.number)
    title = row.caption or row.prediction.path
    try:
        if entry.source is None:
            raise ImageError("its original is no longer kept in memory; drop it again")
        data = entry.source.read()
        image = opened(data, _SHORT_SIDE, Limits.of(context.settings))
    except ImageError as error:
        st.warning(f"{plain(title)}: {plain(str(error))}.", icon=":material/report:")
        return None
    return ExplanationSubject(title, data, image, row.prediction)
