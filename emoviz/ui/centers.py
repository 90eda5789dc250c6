"""Class centers on a page: how far apart emotions are, what is near each and what between two."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from emoviz.analysis.centers import (
    CenterPair,
    CenterSummary,
    ClassMeans,
    caught_between,
    center_distances,
    center_offsets,
    class_means,
    dendrogram,
    nearest_to_centers,
    summarise_centers,
)
from emoviz.analysis.emotion_geometry import Arrangement, agreement, arrangements
from emoviz.checkpoints import Checkpoint
from emoviz.inference.centers import classes_of_images, learned_centers
from emoviz.inference.embedding_table import EmbeddingTable
from emoviz.labels import Taxonomy
from emoviz.plots.centers import distance_heat_map, tree
from emoviz.ui import tables
from emoviz.ui.explorer.board import tiles_of
from emoviz.ui.explorer.pictures import Pictures
from emoviz.ui.explorer.points import Points
from emoviz.ui.gallery import gallery
from emoviz.ui.words import plain, readable

Floats = NDArray[np.float64]
NEAR, BETWEEN = 6, 24
_SIDE_BY_SIDE = 3
_ORDERS = {"wheel": "Mikels' wheel", "sentiment": "Sentiment"}


@dataclass(frozen=True)
class Centers:
    """A checkpoint's class centers, learned or averaged.

    Attributes:
        checkpoint: Whose.
        names: (C) of the classes that have a center.
        values: (C, D).
        learned: Whether the contrastive-center loss learned them.
        margin: m of the loss; None for class means.
        means: Mean u of each class of the taxonomy over the images; None without images.
        by_labels: Whether these means follow labels, not the network's own answers.
    """

    checkpoint: Checkpoint
    names: tuple[str, ...]
    values: Floats
    learned: bool
    margin: float | None
    means: ClassMeans | None
    by_labels: bool = True

    @property
    def taxonomy(self) -> Taxonomy:
        """The classes that the checkpoint tells apart."""
        return self.checkpoint.card.taxonomy

    @property
    def title(self) -> str:
        """The checkpoint, and what its centers are."""
        kind = "learned centers" if self.learned else "class means"
        return f"{self.checkpoint.card.title}: {kind}"


def centers_of(checkpoint: Checkpoint, table: EmbeddingTable | None) -> Centers | None:
    """A checkpoint's centers; class means of the table where none were learned.

    Returns:
        None where none were learned and there is no table, or fewer than two classes have images.
    """
    means, by_labels = None, True
    if table is not None and len(table):
        labels, by_labels = classes_of_images(table)
        means = class_means(table.embedding, labels, len(table.taxonomy))
    learned = learned_centers(checkpoint)
    if learned is not None:
        values = learned.centers.astype(np.float64)
        return Centers(checkpoint, learned.classes, values, True, learned.margin, means, by_labels)
    kept = np.flatnonzero(means.counts) if means is not None else np.array([], np.int64)
    if means is None or len(kept) < 2:
        return None
    names = tuple(checkpoint.card.taxonomy.names[c] for c in kept)
    return Centers(checkpoint, names, means.means[kept], False, None, means, by_labels)


def choose(known: Mapping[str, Checkpoint], first: Checkpoint) -> list[Checkpoint]:
    """Up to three checkpoints to stand side by side; the one in the sidebar to begin with."""
    names = st.multiselect(
        "Networks",
        list(known),
        default=[first.card.id],
        max_selections=_SIDE_BY_SIDE,
        format_func=lambda name: readable(known[name].card.title),
        key=f"centers-{first.card.id}",
        placeholder="One or more",
        help="Side by side on one colour scale.",
        width=420,
    )
    return [known[name] for name in names]


def why_none(checkpoint: Checkpoint) -> str:
    """What is missing where a checkpoint shows no centers."""
    return (
        f"{plain(checkpoint.card.title)} learned no class centers, and among the embedded images "
        "there are not yet two classes whose means could stand in for them."
    )


def download(shown: Sequence[Centers]) -> None:
    """The matrices as they are printed by ``centers --format json``."""
    values = {
        item.checkpoint.card.id: {
            "classes": item.names,
            "learned": item.learned,
            "margin": item.margin,
            "distances": center_distances(item.values).round(6).tolist(),
        }
        for item in shown
    }
    st.download_button(
        "Download the distances",
        json.dumps(values, indent=1, ensure_ascii=False),
        "emoviz-centers.json",
        "application/json",
        icon=":material/download:",
        on_click="ignore",
    )


def matrices(shown: Sequence[Centers]) -> None:
    """Distance matrices side by side on one colour scale, with what to notice below each."""
    distances = [center_distances(item.values) for item in shown]
    off_diagonal = [values[~np.eye(len(values), dtype=bool)] for values in distances]
    low = float(min(values.min() for values in off_diagonal))
    high = float(max(values.max() for values in off_diagonal))
    for place, item, values in zip(st.columns(len(shown)), shown, distances, strict=True):
        with place:
            title = readable(item.title)
            st.html(distance_heat_map(values, item.names, low, high, title, item.margin))
            _notice(item)


def trees(shown: Sequence[Centers]) -> None:
    """Which emotions the network holds for alike, as trees."""
    for place, item in zip(st.columns(len(shown)), shown, strict=True):
        drawn = dendrogram(item.values)
        if drawn is None:
            continue
        brackets = [(x.tolist(), y.tolist()) for x, y in zip(drawn.x, drawn.y, strict=True)]
        leaves = [item.names[c] for c in drawn.leaves]
        with place:
            title = readable(item.checkpoint.card.title)
            st.html(tree(brackets, leaves, item.taxonomy.colours, title))


def offsets(item: Centers) -> None:
    """Learned centers against the means of their classes' images."""
    if not item.learned or item.means is None:
        st.caption("Only learned centers can lie elsewhere than the images of their class.")
        return
    found = center_offsets(item.values, item.means)
    rows = {
        "images": [f"{count:,}" for count in item.means.counts],
        "distance to their mean": [_number(value, 3) for value in found.distances],
        "as a share of the mean distance between centers": [
            _number(value, 2) for value in found.relative
        ],
    }
    tables.draw(pd.DataFrame(rows, index=list(item.names)))
    if not item.by_labels:
        st.caption("The images have no labels of these classes: means of what is predicted so.")


def orders(shown: Sequence[Centers]) -> None:
    """Whether the centers lie as psychology arranges the emotions."""
    rows = [
        (item.checkpoint.card.title, *_order(item, arrangement))
        for item in shown
        if len(item.names) == len(item.taxonomy)
        for arrangement in arrangements(item.taxonomy)
    ]
    if not rows:
        st.caption("At least four emotions of a known order are needed.")
        return
    columns = ["network", "order", "Spearman's rho", "p", "orders tried"]
    tables.draw(pd.DataFrame(rows, columns=columns).set_index("network"))
    st.markdown(
        "**Rho** says how well the distances between centers follow the order: 1 in full, 0 not at "
        "all. **p** is the share of all ways to shuffle the emotions that follow it as well or "
        "better. On *Mikels' wheel* (Zhao et al. 2016) emotions are as far apart as the steps "
        "between them; by *sentiment* two emotions are alike if both are pleasant or both are not."
    )


def near_images(item: Centers, points: Points, pictures: Pictures) -> int | None:
    """The images nearest to each center; the one that was pressed just now."""
    pressed = None
    rows, distances = nearest_to_centers(points.vectors, item.values, NEAR)
    for name, images, far in zip(item.names, rows, distances, strict=True):
        details = [f"distance {value:.2f}" for value in far]
        st.markdown(f"**{plain(name)}**")
        found = gallery(
            tiles_of(points, images, pictures, details),
            f"near-{item.checkpoint.card.id}-{name}",
            f"Images nearest to the center of {name}",
            form="strip",
        )
        pressed = pressed if found is None else int(images[found])
    return pressed


def between_images(item: Centers, points: Points, pictures: Pictures) -> int | None:
    """The images that lie most evenly between two centers; the one that was pressed just now."""
    found = caught_between(points.vectors, item.values, BETWEEN)
    details = [
        f"{item.names[a]} / {item.names[b]}" for a, b in zip(found.first, found.second, strict=True)
    ]
    tiles = tiles_of(points, found.rows, pictures, details)
    key = f"between-{item.checkpoint.card.id}"
    pressed = gallery(tiles, key, "Images between two emotions")
    return None if pressed is None else int(found.rows[pressed])


def _number(value: float, digits: int) -> str:
    return "–" if np.isnan(value) else f"{value:.{digits}f}"


def _notice(item: Centers) -> None:
    summary = summarise_centers(item.values, item.margin)
    if summary is None:
        return
    lines = [
        f"Distances from **{summary.smallest.distance:.2f}** ({_pair(item, summary.smallest)}) to "
        f"**{summary.largest.distance:.2f}** ({_pair(item, summary.largest)}), mean "
        f"{summary.mean:.2f}.",
        _short(item, summary),
    ]
    st.markdown("\n\n".join(filter(None, lines)))


def _short(item: Centers, summary: CenterSummary) -> str:
    if item.margin is None:
        return (
            "Trained without the contrastive-center loss: these are the means of u over the images "
            "of each class."
        )
    if not summary.short:
        return f"All pairs keep the margin m = {item.margin:g}."
    named = ", ".join(_pair(item, pair) for pair in summary.short[:4])
    more = f" and {len(summary.short) - 4} more" if len(summary.short) > 4 else ""
    return (
        f"{len(summary.short)} of {len(item.names) * (len(item.names) - 1) // 2} pairs fall short "
        f"of the margin m = {item.margin:g} (framed): {named}{more}."
    )


def _pair(item: Centers, pair: CenterPair) -> str:
    return f"{plain(item.names[pair.first])}–{plain(item.names[pair.second])}"


def _order(item: Centers, arrangement: Arrangement) -> tuple[str, str, str, str]:
    name = _ORDERS.get(arrangement.name, arrangement.name)
    found = agreement(item.values, arrangement)
    if found is None:
        return name, "–", "–", "–"
    tried = f"{found.orders:,}{' (all)' if found.exact else ''}"
    return name, f"{found.spearman:.2f}", f"{found.p_value:.4f}", tried
