"""Same style beside same feeling: two rows of nearest images that often differ."""

import base64
from collections.abc import Sequence

import numpy as np
import streamlit as st

from emoviz.analysis.neighbours import nearest
from emoviz.analysis.textures import style_distances
from emoviz.ui.gallery import Tile, gallery
from emoviz.ui.samples import small_picture
from emoviz.ui.shell import Context
from emoviz.ui.textures import asking
from emoviz.ui.textures.regions import timed
from emoviz.ui.textures.subject import Subject
from emoviz.ui.words import counted

_SHOWN = 6
_SAME = 1e-6


def show(context: Context, subject: Subject) -> None:
    """The nearest sample images by Gram matrices and by u."""
    box = st.expander(
        "Same style, or same feeling? Among the sample images",
        icon=":material/compare:",
        on_change="rerun",
        key="textures-nearby",
    )
    if not box.open:
        return
    with box:
        with timed("Reading the sample images") as progress:
            found = asking.sample_collection(context, progress)
        if not found.grams or subject.prediction.embedding is None:
            st.info("This network has no layer whose Gram matrices could be compared.")
            return
        style = style_distances(asking.grams_of(context, subject), found.grams)
        feeling = nearest(found.embedding, subject.prediction.embedding, len(found.files))
        by_style = _first(np.argsort(style, kind="stable"), np.sort(style))
        by_feeling = _first(feeling.indices[0], feeling.distances[0])
        _row("Same style: nearest Gram matrices", by_style, found, context, "near-style")
        _row("Same feeling: nearest u", by_feeling, found, context, "near-feeling")
        shared = len(set(by_style) & set(by_feeling))
        st.markdown(
            f"{counted(shared, 'image')} of {_SHOWN} in both rows. The rows differ because images "
            "made alike need not move people alike, as the model estimates it."
        )


def _first(order: np.ndarray, distances: np.ndarray) -> list[int]:
    """The nearest ones, without the image itself."""
    return [int(row) for row, distance in zip(order, distances, strict=True) if distance > _SAME][
        :_SHOWN
    ]


def _row(
    title: str, rows: Sequence[int], found: asking.Collection, context: Context, key: str
) -> None:
    st.markdown(f"**{title}**")
    folder = context.settings.sample_data
    tiles = [Tile(_jpeg(small_picture(folder / found.files[i])), found.captions[i]) for i in rows]
    gallery(tiles, key, title, side=108)


def _jpeg(address: str | None) -> bytes | None:
    return None if address is None else base64.b64decode(address.partition(",")[2])
