"""Everything on one map: one or two views of the same images, coloured, searched, linked."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from emoviz.analysis.centers import class_means
from emoviz.analysis.clustering import find_clusters
from emoviz.checkpoints import Checkpoint
from emoviz.inference.centers import learned_centers
from emoviz.inference.text_column import rows_with
from emoviz.settings import Settings
from emoviz.ui.explorer import board, linking, maps, placing
from emoviz.ui.explorer.controls import MapKind
from emoviz.ui.explorer.maps import Layout
from emoviz.ui.explorer.pictures import Pictures
from emoviz.ui.explorer.points import Points
from emoviz.ui.linked import write_parameter
from emoviz.ui.map import Colouring, HoverCard, MapEvent, MapMark, Panel, emotion_map
from emoviz.ui.words import plain

_SHOWN_BARS = 4


@dataclass(frozen=True)
class View:
    """One panel.

    Attributes:
        points: Whose view of the images.
        file: Where it is kept.
        checkpoint: None for brought vectors.
        layout: Where the images lie.
        rows: (N,) row of this view for each image of the first view; -1 where it has none.
    """

    points: Points
    file: Path
    checkpoint: Checkpoint | None
    layout: Layout
    rows: NDArray[np.int64]


def matched(first: Points, second: Points) -> NDArray[np.int64]:
    """(N,) row of `second` that is the same image as each row of `first`, or -1.

    By name where both have it, for a file may be copied; else by content.
    """
    if first.names == second.names:
        return np.arange(len(first))
    by_name = {name: i for i, name in enumerate(second.names)}
    by_content = {digest: i for i, digest in enumerate(second.sha256) if digest}
    rows = (
        by_name.get(name, by_content.get(digest, -1))
        for name, digest in zip(first.names, first.sha256, strict=True)
    )
    return np.fromiter(rows, np.int64, len(first))


def view_of(
    points: Points,
    file: Path,
    checkpoint: Checkpoint | None,
    layout: Layout,
    first: View | None,
) -> View:
    """A panel of the same images as `first`; None where it is the first itself."""
    if first is None:
        return View(points, file, checkpoint, layout, np.arange(len(points)))
    stamps = first.file.stat().st_mtime_ns, file.stat().st_mtime_ns
    rows = _kept_match(first.points, points, first.file, file, stamps)
    return View(points, file, checkpoint, layout, rows)


@st.cache_resource(max_entries=8, show_spinner=False)
def _kept_match(
    _first: Points, _second: Points, one: Path, other: Path, changed: tuple[int, int]
) -> NDArray[np.int64]:
    """Kept by the tables' files and their times of change."""
    return matched(_first, _second)


def panels(views: Sequence[View], with_centers: bool, settings: Settings) -> list[Panel]:
    """The views as panels over the images of the first."""
    visiting = placing.guests(settings)
    made = []
    for view in views:
        places = view.layout.projection.coordinates[np.maximum(view.rows, 0)]
        coordinates = np.where(view.rows[:, None] >= 0, places, np.nan)
        made.append(
            Panel(
                view.points.title,
                coordinates.astype(np.float32),
                _marks(view) if with_centers else (),
                placing.pins_for(
                    visiting, view.points, view.layout.projection, view.checkpoint, settings
                )
                if view.checkpoint is not None
                else (),
            )
        )
    return made


def show(
    views: Sequence[View],
    colouring: Colouring,
    find: str,
    with_centers: bool,
    pictures: Pictures,
    settings: Settings,
) -> MapEvent:
    """The map; the link follows what is selected.

    A link's selection waits for the map that it was drawn on: PCA, which stands in until that one
    is there, has the images elsewhere.
    """
    first = views[0].points
    is_final = all(view.layout.is_final for view in views)
    region = linking.from_text(st.query_params.get("selection", "")) if is_final else None
    event = emotion_map(
        panels(views, with_centers, settings),
        colouring,
        key=f"explore-map-{views[0].file.parent.name}-{views[0].file.stem}-{len(views)}",
        cards_of=lambda indices: cards(first, indices, pictures),
        highlighted=found(first, find) if find else None,
        polygon=region.polygon if region else None,
        panel=region.panel if region else 0,
        rotation=region.rotation if region else None,
    )
    if is_final:
        write_parameter("selection", linking.to_text(event))
    return event


def found(points: Points, text: str) -> NDArray[np.bool_]:
    """(N,) whose name or metadata hold all the words, whatever their capitals."""
    return rows_with((points.names, *points.columns.values()), text.split())


def cards(points: Points, indices: Sequence[int], pictures: Pictures) -> list[HoverCard]:
    """What hovers beside each of some images: thumbnail, label, the most likely classes."""
    kept = pictures.get_many(points.sha256[i] for i in indices)
    return [_card(points, i, kept.get(points.sha256[i])) for i in indices]


def _card(points: Points, index: int, picture: bytes | None) -> HoverCard:
    bars: tuple[tuple[str, float, str], ...] = ()
    if points.taxonomy is not None and points.probabilities is not None:
        order = np.argsort(-points.probabilities[index], kind="stable")[:_SHOWN_BARS]
        classes = points.taxonomy.classes
        bars = tuple(
            (classes[c].name, float(points.probabilities[index, c]), classes[c].colour)
            for c in order
        )
    label = points.labels[index]
    lines = (f"Label: {points.label_names[label]}",) if label >= 0 else ()
    return HoverCard(board.short_name(points, index), lines, picture, bars)


@st.cache_data(max_entries=16, show_spinner=False)
def clusters(_points: Points, file: Path, changed: int, count: int) -> NDArray[np.int64]:
    """(N,) k-means cluster of each image, kept by the table's file."""
    return find_clusters(_points.vectors, count).indices


def class_count(points: Points) -> int:
    """As many clusters as the model has classes, or as brought vectors have labels."""
    if points.taxonomy is not None:
        return len(points.taxonomy)
    return max(len(points.label_names), 8)


def layout_of(
    points: Points, file: Path, kind: MapKind, seed: int, chosen: dict[str, object], home: Settings
) -> Layout:
    """Where the images lie, with what there is to say of it."""
    made = maps.layout(points, file, kind, seed, chosen, home)
    if made.is_final and made.projection.note:
        st.caption(plain(made.projection.note))
    return made


def _marks(view: View) -> tuple[MapMark, ...]:
    """Learned class centers, or class means where none were learned."""
    return _kept_marks(
        view, view.file, view.file.stat().st_mtime_ns, view.layout.projection.identity
    )


@st.cache_resource(max_entries=8, show_spinner=False)
def _kept_marks(_view: View, file: Path, changed: int, drawn: str) -> tuple[MapMark, ...]:
    """Kept by the table's file and the map."""
    view, points = _view, _view.points
    if points.taxonomy is None:
        return ()
    learned = learned_centers(view.checkpoint) if view.checkpoint is not None else None
    if learned is not None:
        return maps.center_marks(points, view.layout.projection, learned.centers, learned.classes)
    assert points.predicted is not None
    means = class_means(points.vectors, points.predicted, len(points.taxonomy))
    kept = np.flatnonzero(means.counts)
    names = [points.taxonomy.names[c] for c in kept]
    return maps.center_marks(points, view.layout.projection, means.means[kept], names)
