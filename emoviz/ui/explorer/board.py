"""What was selected on the map: counts, pictures, a table, downloads; and one image by itself."""

from collections import Counter
from collections.abc import Sequence
from html import escape

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from emoviz.analysis.neighbours import nearest_others
from emoviz.plots import percent, probability_bars, shares_strip
from emoviz.ui.cards import data_uri
from emoviz.ui.explorer import taking
from emoviz.ui.explorer.pictures import Pictures
from emoviz.ui.explorer.points import Points
from emoviz.ui.gallery import Tile, gallery
from emoviz.ui.map import MapEvent
from emoviz.ui.samples import large_picture
from emoviz.ui.words import counted, plain, readable

PER_PAGE = 60
NEIGHBOURS = 12
_TABLE_ROWS = 2000
_IMAGE, _CLICKED = "explore-image", "explore-clicked"


def show(points: Points, event: MapEvent, pictures: Pictures) -> None:
    """What follows from the map: the selection, the image that was pressed, or what to do."""
    chosen = event.selected
    if event.clicked != st.session_state.get(_CLICKED):
        st.session_state[_CLICKED] = event.clicked
        look_at(points, event.clicked)
    if chosen is None:
        st.caption(
            ":material/lasso_select: Draw around points with the lasso, or press one, to see the "
            "pictures."
        )
    elif len(chosen):
        look_at(points, selection(points, chosen, pictures))
    else:
        st.caption("No image lies inside.")
    show_image(points, pictures)


def look_at(points: Points, index: int | None) -> None:
    """Remember one of these images to be shown large; None changes nothing."""
    if index is not None:
        st.session_state[_IMAGE] = (points.title, index)


def show_image(points: Points, pictures: Pictures) -> None:
    """The image to look at, large, over the page; nothing where it is none of these."""
    index = _looked_at(points)
    if index is not None:
        title = plain(short_name(points, index))
        st.dialog(title, width="large", on_dismiss=_look_away)(_image)(points, index, pictures)


def _looked_at(points: Points) -> int | None:
    title, index = st.session_state.get(_IMAGE, ("", 0))
    return index if title == points.title and index < len(points) else None


def _look_away() -> None:
    st.session_state.pop(_IMAGE, None)


def selection(points: Points, chosen: NDArray[np.int64], pictures: Pictures) -> int | None:
    """The selected images; the one that was pressed just now."""
    part = points.part(chosen)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.header(f"{counted(len(part), points.noun)} selected", anchor=False, width="stretch")
        _downloads(part)
    _counts(part)
    pages = -(-len(part) // PER_PAGE)
    place = st.container()
    number = 1
    if pages > 1:
        with st.container(horizontal_alignment="center"):
            number = st.pagination(pages, key=f"explore-page-{pages}-{len(part)}")
    first = (number - 1) * PER_PAGE
    with place:
        pressed = wall(points, chosen[first : first + PER_PAGE], pictures, "explore-wall")
    table = st.expander(
        "As a table", icon=":material/table:", on_change="rerun", key="explore-table"
    )
    if table.open:
        with table:
            _table(part)
    return pressed


def _table(part: Points) -> None:
    first = part.part(np.arange(min(len(part), _TABLE_ROWS)))
    st.dataframe(pd.DataFrame(taking.records(first)))
    if len(part) > len(first):
        st.caption(f"The first {len(first):,}; the downloads hold all.")


def wall(
    points: Points, shown: Sequence[int] | NDArray[np.int64], pictures: Pictures, key: str
) -> int | None:
    """Pictures of some points; the index of the one that was pressed."""
    tiles = tiles_of(points, shown, pictures)
    pressed = gallery(tiles, key, "Selected images")
    return None if pressed is None else int(shown[pressed])


def tiles_of(
    points: Points,
    shown: Sequence[int] | NDArray[np.int64],
    pictures: Pictures,
    details: Sequence[str] = (),
) -> list[Tile]:
    """Pictures with name and estimate, or with `details` of the caller's."""
    found = pictures.get_many([points.sha256[i] for i in shown])
    return [
        Tile(
            found.get(points.sha256[i]),
            short_name(points, int(i)),
            details[place] if details else estimate(points, int(i)),
            "" if details else _colour(points, int(i)),
        )
        for place, i in enumerate(shown)
    ]


def _image(points: Points, first: int, pictures: Pictures) -> None:
    """One image large, with its probabilities and its nearest neighbours in u."""
    found = _looked_at(points)
    index = first if found is None else found
    left, right = st.columns([1, 1], gap="medium")
    with left:
        original = points.original(index)
        address = large_picture(original) if original is not None else None
        if address is None and (small := pictures.get(points.sha256[index])):
            address = data_uri(small)
        if address is None:
            st.caption("There is no picture of this one.")
        else:
            name = escape(readable(points.names[index]))
            st.html(f'<img class="ev-large" src="{address}" alt="{name}">')
    with right:
        _facts(points, index)
    if len(points) < 2:
        return
    st.markdown("**Nearest in u**: what the network sees as most alike in feeling.")
    near = nearest_others(points.vectors, index, NEIGHBOURS)
    order, distances = near.indices[0], near.distances[0]
    words = [f"{estimate(points, int(i))} · {d:.2f}" for i, d in zip(order, distances, strict=True)]
    tiles = tiles_of(points, order, pictures, words)
    if (pressed := gallery(tiles, "explore-near", "Nearest images", form="strip")) is not None:
        look_at(points, int(order[pressed]))
        st.rerun(scope="fragment")


def short_name(points: Points, index: int) -> str:
    """A title where the metadata has one, else the file's name."""
    for column in ("title", "caption", "name"):
        value = points.columns.get(column, ())[index : index + 1]
        if value and value[0]:
            return readable(value[0])
    return readable(points.names[index].replace("\\", "/").rsplit("/", 1)[-1])


def estimate(points: Points, index: int) -> str:
    """The most likely class with its probability; the label for brought vectors."""
    if points.taxonomy is None or points.probabilities is None or points.predicted is None:
        label = points.labels[index]
        return points.label_names[label] if label >= 0 else ""
    best = points.predicted[index]
    return f"{points.taxonomy.names[best]} {percent(float(points.probabilities[index, best]))}"


def _colour(points: Points, index: int) -> str:
    if points.taxonomy is None or points.predicted is None:
        return ""
    return points.taxonomy.classes[int(points.predicted[index])].colour


def _facts(points: Points, index: int) -> None:
    if points.taxonomy is not None and points.probabilities is not None:
        shares = zip(points.taxonomy.names, points.probabilities[index].tolist(), strict=True)
        ranked = sorted(shares, key=lambda item: -item[1])
        st.html(probability_bars(ranked, points.taxonomy.colours))
    lines = [f"File: {plain(points.names[index])}"]
    if points.labels[index] >= 0:
        lines.insert(0, f"Label: **{plain(points.label_names[points.labels[index]])}**")
    for name, values in points.columns.items():
        if values[index]:
            lines.append(f"{plain(name.replace('_', ' '))}: {plain(values[index])}")
    if points.novelty is not None and points.novelty[index] > 1.0:
        lines.append("Unlike the training images: take the estimate with care.")
    st.markdown("  \n".join(lines))


def _counts(part: Points) -> None:
    """How the selection divides: by label where there are labels, and by estimate."""
    if part.has_labels:
        colours = part.label_taxonomy.colours if part.label_taxonomy else {}
        counts = Counter(part.labels[part.labels >= 0].tolist())
        rows = [(name, counts[i]) for i, name in enumerate(part.label_names)]
        st.html(shares_strip(rows, colours, "True class"))
    if part.taxonomy is not None and part.predicted is not None:
        counts = Counter(part.predicted.tolist())
        rows = [(name, counts[i]) for i, name in enumerate(part.taxonomy.names)]
        st.html(shares_strip(rows, part.taxonomy.colours, "Predicted class"))


def _downloads(part: Points) -> None:
    choices = (
        ("CSV, for a spreadsheet", taking.to_csv, "csv", "text/csv"),
        ("JSON, for a program", taking.to_json, "json", "application/json"),
        ("List of the files", taking.to_list, "txt", "text/plain"),
    )
    with st.popover("Download", icon=":material/download:"):
        for label, make, suffix, kind in choices:
            st.download_button(
                label,
                lambda make=make: make(part),  # type: ignore[misc]
                f"emoviz-selection.{suffix}",
                kind,
                key=f"explore-{suffix}",
                on_click="ignore",
                width="stretch",
            )
