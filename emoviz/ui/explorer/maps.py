"""Where each image lies: maps out of the store, drawn in the background where there is none."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from emoviz.analysis.projection import (
    Projection,
    fit_projection,
    load_projection,
    place,
    projection_key,
    save_projection,
)
from emoviz.errors import AnalysisError
from emoviz.settings import Settings
from emoviz.ui import access, background
from emoviz.ui.explorer.controls import MapKind
from emoviz.ui.explorer.points import Points
from emoviz.ui.map import MapMark, Pin
from emoviz.ui.words import plain

# What takes less time than a process of its own.
_QUICK = frozenset({"pca"})


@dataclass(frozen=True)
class Layout:
    """Where the images of one panel lie.

    Attributes:
        projection: The map, or PCA until it is there.
        is_final: Whether it is the map that was asked for.
    """

    projection: Projection
    is_final: bool


def layout(
    points: Points,
    file: Path,
    kind: MapKind,
    seed: int,
    chosen: Mapping[str, Any],
    settings: Settings,
) -> Layout:
    """The map of these points; PCA stands in until the background has drawn it.

    Args:
        points: What is to be laid out.
        file: That ``project`` reads the same vectors from.
        kind: Method and dimensions.
        seed: Of the method.
        chosen: Its settings, by umap-learn's names.
        settings: Where maps are kept.

    Raises:
        AnalysisError: The vectors cannot be laid out.
    """
    name = _name(points, file, file.stat().st_mtime_ns, kind.method, kind.dimensions, seed, chosen)
    kept = settings.home / "maps" / name
    if kept.is_file():
        try:
            return Layout(_load(kept, kept.stat().st_mtime_ns), True)
        except AnalysisError:
            with contextlib.suppress(OSError):
                kept.unlink(missing_ok=True)
    if kind.method in _QUICK:
        return Layout(_fit_now(points, kind, kept), True)
    _fit_later(file, kind, seed, chosen, kept, settings)
    plane = MapKind("pca", kind.dimensions, "PCA")
    instead = (
        settings.home
        / "maps"
        / _name(points, file, file.stat().st_mtime_ns, "pca", kind.dimensions, 0, {})
    )
    return Layout(_fit_now(points, plane, instead), False)


def center_marks(
    points: Points, projection: Projection, centers: NDArray[np.floating], names: Sequence[str]
) -> tuple[MapMark, ...]:
    """Class centers at the places of their nearest images."""
    places = place(points.vectors, projection.coordinates, centers)
    colours = points.taxonomy.colours if points.taxonomy else {}
    return tuple(
        MapMark(name, tuple(map(float, spot)), colours.get(name, "#8a8f98"))
        for name, spot in zip(names, places, strict=True)
    )


def pins(
    points: Points,
    projection: Projection,
    vectors: NDArray[np.floating],
    labels: Sequence[str],
    pictures: Sequence[bytes],
) -> tuple[Pin, ...]:
    """New images among the others, by their nearest neighbours in u."""
    if not len(vectors):
        return ()
    places = place(points.vectors, projection.coordinates, vectors)
    return tuple(
        Pin(label, tuple(map(float, spot)), picture)
        for label, spot, picture in zip(labels, places, pictures, strict=True)
    )


@st.cache_data(max_entries=64, show_spinner=False)
def _name(
    _points: Points,
    file: Path,
    changed: int,
    method: str,
    dimensions: int,
    seed: int,
    chosen: Mapping[str, Any],
) -> str:
    """File name of a map; kept by the table's file, for hashing 100,000 vectors takes a moment."""
    return projection_key(_points.vectors, method, dimensions, seed, chosen)


@st.cache_resource(max_entries=12, show_spinner=False)
def _load(file: Path, changed: int) -> Projection:
    return load_projection(file)


def _fit_now(points: Points, kind: MapKind, kept: Path) -> Projection:
    if not kept.is_file():
        projection = fit_projection(points.vectors, kind.method, kind.dimensions)
        try:
            save_projection(kept, projection)
        except OSError:  # a full disk: it is drawn again next time
            return projection
    return _load(kept, kept.stat().st_mtime_ns)


def _fit_later(
    file: Path,
    kind: MapKind,
    seed: int,
    chosen: Mapping[str, Any],
    kept: Path,
    settings: Settings,
) -> None:
    """Start or watch the process that draws the map; two sessions watch one."""
    key = f"map {kept.name}"
    state = background.outcome(settings, key)
    command = ["project", str(file), "--method", kind.method, "--seed", str(seed)]
    command += ["--dimensions", str(kind.dimensions), "--out", str(kept)]
    if chosen:
        command += ["--set", *(f"{name}={value}" for name, value in chosen.items())]
    if state != "live" and not access.allowed("compute"):
        st.caption(f"{plain(kind.words)} is not drawn yet; you see PCA.")
        return
    if state in ("none", "done"):
        background.begin(settings, f"Drawing the map by {kind.words}", command, key)
        state = background.outcome(settings, key)
    if state == "live":
        st.caption(f"{plain(kind.words)} is being drawn; until then you see PCA.")
        background.watch(settings, key)
        return
    background.explain(settings, key)
    st.button(
        f"Draw {kind.words}",
        key=f"again-{kept.name}",
        icon=":material/replay:",
        on_click=background.begin,
        args=(settings, f"Drawing the map by {kind.words}", command, key),
    )
