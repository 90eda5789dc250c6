"""New images among the others: dropped ones, and the artworks that come with the project.

No `BringInForm`: nothing is brought in. Images lie on the map until the page is left; they come
through the same door as those of Classify (`emoviz.ui.intake.taken`).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from emoviz.analysis.projection import Projection
from emoviz.checkpoints import Checkpoint
from emoviz.data.images import Limits
from emoviz.data.sources import ImageSource, from_bytes, from_path
from emoviz.errors import EmovizError
from emoviz.inference.predict import Prediction, predict
from emoviz.plots import percent
from emoviz.settings import Settings
from emoviz.ui.explorer.maps import pins
from emoviz.ui.explorer.points import Points
from emoviz.ui.intake import taken
from emoviz.ui.map import Pin
from emoviz.ui.models import identity, ready
from emoviz.ui.samples import artworks
from emoviz.ui.words import counted, plain, readable

_DROPPED = "explore-dropped"
_SIDE = 96
# More pictures than this hide the map.
MOST = 60


@dataclass(frozen=True)
class Guest:
    """An image that is placed among others: its name and how its bytes are read."""

    name: str
    source: ImageSource
    sha256: str


def ways_in(settings: Settings) -> None:
    """Drop images onto the map; lay the artworks of the sample over it."""
    # Beside each other where there is room for both, else below: a column would cut the words.
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.file_uploader(
            "Drop images here to place them on the map",
            accept_multiple_files=True,
            key="explore-drop",
            max_upload_size=max(1, int(settings.max_file_mb)),
            on_change=_take,
            args=(settings,),
            help="Each passes the network and is laid among its nearest neighbours; the map stays "
            "as it is.",
            width=430,
        )
        st.toggle(
            "Lay the sample's artworks over the map",
            key="explore-artworks",
            persist_state="session",
        )
    left_out = len(_all(settings)) - MOST
    if left_out > 0:
        st.caption(
            f"{MOST} images are laid on the map and {counted(left_out, 'image')} left out: "
            "more would hide it. Take some off, or open them as a set of their own."
        )
    if st.session_state.get(_DROPPED):
        st.button("Take the dropped images off", on_click=_clear, icon=":material/close:")


def guests(settings: Settings) -> list[Guest]:
    """All that is to be placed now, as far as there is room."""
    return _all(settings)[:MOST]


def _all(settings: Settings) -> list[Guest]:
    found = list(st.session_state.get(_DROPPED, {}).values())
    if st.session_state.get("explore-artworks"):
        found += _artworks(settings)
    return found


def pins_for(
    visiting: Sequence[Guest],
    points: Points,
    projection: Projection,
    checkpoint: Checkpoint,
    settings: Settings,
) -> tuple[Pin, ...]:
    """Where the guests belong on one map; those that cannot be read are named on the page."""
    if not visiting or points.taxonomy is None:
        return ()
    try:
        seen = _predictions(visiting, checkpoint, settings)
    except EmovizError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return ()
    for row in seen:
        if row.error is not None:
            st.warning(f"{plain(row.path)}: {plain(row.error)}.", icon=":material/report:")
    good = [row for row in seen if row.embedding is not None and row.thumbnail is not None]
    return pins(
        points,
        projection,
        _stacked(good),
        [_label(row) for row in good],
        [row.thumbnail or b"" for row in good],
    )


def _stacked(rows: Sequence[Prediction]) -> NDArray[np.float32]:
    return np.array([row.embedding for row in rows], np.float32)


def _label(row: Prediction) -> str:
    name, share = row.ranked[0]
    return f"{readable(row.path)}: {name} {percent(share)}"


def _predictions(
    visiting: Sequence[Guest], checkpoint: Checkpoint, settings: Settings
) -> list[Prediction]:
    """Each image passes each network once a session."""
    kept: dict[tuple[str, str], Prediction] = st.session_state.setdefault("explore-seen", {})
    made_by = identity(checkpoint)
    missing = [guest for guest in visiting if (guest.sha256, made_by) not in kept]
    if missing:
        with st.spinner(f"Placing {len(missing)} images …"):
            model = ready(checkpoint, settings)
            sources = [guest.source for guest in missing]
            found = predict(model, sources, Limits.of(settings), 8, _SIDE)
            for guest, row in zip(missing, found, strict=True):
                kept[guest.sha256, made_by] = row
    return [kept[guest.sha256, made_by] for guest in visiting]


def _artworks(settings: Settings) -> list[Guest]:
    limits = Limits.of(settings)
    return [
        Guest(item.name, from_path(path, limits, item.caption or item.name), str(path))
        for item in artworks(settings.sample_data)
        if (path := settings.sample_data / item.file).is_file()
    ]


def _take(settings: Settings) -> None:
    kept: dict[str, Guest] = st.session_state.setdefault(_DROPPED, {})
    for source, _ in taken(st.session_state["explore-drop"] or [], settings):
        try:
            data = source.read()
        except EmovizError:
            kept[source.name] = Guest(source.name, source, source.name)
            continue
        digest = hashlib.sha256(data).hexdigest()
        kept[digest] = Guest(source.name, from_bytes(source.name, data), digest)


def _clear() -> None:
    st.session_state[_DROPPED] = {}
