"""A whole collection in parts and by its Gram matrices: read in the background, kept by content."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from emoviz.analysis.textures import style_distances
from emoviz.data.reading import SAMPLE
from emoviz.inference.cache import StyleCache
from emoviz.inference.content_style_split import ContentStyleSplit, NoSplit
from emoviz.inference.style import kept_grams, kept_split, packed_triangle, reduced
from emoviz.ui import access, background
from emoviz.ui.explorer import sources
from emoviz.ui.explorer.points import Points
from emoviz.ui.explorer.sources import Source
from emoviz.ui.shell import Context
from emoviz.ui.textures import asking
from emoviz.ui.textures.subject import ExplanationSubject, kept_link
from emoviz.ui.words import counted, duration, plain

# So many images are read without asking; seconds that one takes, roughly, for what is said before.
_ASK_ABOVE, _SECONDS = 200, 0.1


@dataclass(frozen=True)
class Styled:
    """A collection whose images were read.

    Attributes:
        source: Which one.
        points: Its K images that were read: u, estimates, labels.
        split: Of their logits, or why there is none.
    """

    source: Source
    points: Points
    split: ContentStyleSplit | NoSplit

    @property
    def title(self) -> str:
        """For people, in a sentence."""
        count = f"the {len(self.points):,}"
        if self.source.key == SAMPLE:
            return f"{count} {self.source.title}"
        return f"{count} images of {plain(self.source.title)}"


def choose(context: Context) -> Styled | None:
    """A picker of collections, and what is known of the chosen one; None while it is being read."""
    assert context.checkpoint is not None
    source = sources.choose(context.settings, vectors=False)
    st.page_link(
        "pages/explore/embeddings.py",
        label="Bring in images of your own",
        icon=":material/add_photo_alternate:",
        help="On the Embeddings page; they can then be chosen here.",
        query_params=kept_link(),
    )
    points = sources.points(source, context.checkpoint, context.settings)
    if points is None or not _is_read(source, points, context):
        return None
    hashes = points.sha256
    key = ("styled", context.identity, source.path, str(hash(hashes)))
    found: tuple[ContentStyleSplit | NoSplit, NDArray[np.int64]] = asking.remembered(
        key, lambda: kept_split(asking.explainer(context), hashes, context.settings)
    )
    split, rows = found
    if len(rows) < len(points):
        gone = counted(len(points) - len(rows), "image")
        st.caption(f"{gone} could not be read again and take no part.")
    return Styled(source, points if len(rows) == len(points) else points.part(rows), split)


def distances(context: Context, subject: ExplanationSubject, styled: Styled) -> NDArray[np.float64]:
    """(K,) how unlike the textures of the collection's images are to the subject's."""
    hashes = styled.points.sha256
    key = ("near", context.identity, subject.sha256, styled.source.path, str(hash(hashes)))

    def compute() -> NDArray[np.float64]:
        assert context.checkpoint is not None
        one = [packed_triangle(reduced(G))[None] for G in asking.grams_of(context, subject)]
        apart: dict[str, float] = {}
        for names, layers in kept_grams(context.checkpoint, hashes, context.settings):
            found = style_distances(one, [layer[:, None] for layer in layers])
            apart |= dict(zip(names, found.tolist(), strict=True))
        return np.array([apart[sha256] for sha256 in hashes])

    found: NDArray[np.float64] = asking.remembered(key, compute)
    return found


def _is_read(source: Source, points: Points, context: Context) -> bool:
    """Whether all that can be read is kept; else it is being read, or offered."""
    assert context.checkpoint is not None
    missing = _missing(points.sha256, context)
    key = f"style {source.path} {context.checkpoint.folder}"
    state = background.outcome(context.settings, key)
    if state == "live":
        background.watch(context.settings, key)
        return False
    if not missing:
        return True
    if not access.allowed("compute"):
        st.info(f"{counted(missing, 'image')} of {plain(source.title)} are not read yet.")
        return missing < len(points)
    if state == "none" and missing <= _ASK_ABOVE:
        _begin(source, context, key)
        st.rerun()
    background.explain(context.settings, key)
    ready = missing < len(points)
    words = "are not read yet" if not ready or state != "done" else "were not read the last time"
    st.info(
        f"{counted(missing, 'image')} of {plain(source.title)} {words}. Each passes the network "
        f"once, in all about {duration(_SECONDS * missing)}; what is done is kept, also when you "
        "stop or close the page.",
        icon=":material/texture:",
    )
    st.button(
        "Read them",
        key="style-read",
        icon=":material/play_arrow:",
        type="primary",
        on_click=_begin,
        args=(source, context, key),
    )
    return ready


@access.acts("compute")
def _begin(source: Source, context: Context, key: str) -> None:
    assert context.checkpoint is not None
    command = ["style", source.path, "--checkpoint", str(context.checkpoint.folder)]
    title = f"Style and content of {source.title}"
    background.begin(context.settings, title, command, key)


def _missing(hashes: Sequence[str], context: Context) -> int:
    assert context.checkpoint is not None
    with StyleCache(context.settings, context.checkpoint) as cache:
        return len(set(hashes) - cache.known(hashes))
