"""By what the points of a map can be coloured: classes, right and wrong, clusters, any column."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from emoviz.inference.text_column import coded, counted_texts, varies
from emoviz.labels import SENTIMENT_COLOURS, Taxonomy, sentiments
from emoviz.ui.explorer.points import Points
from emoviz.ui.map import Category, Colouring

NONE = 255
# More columns of a legend than this are no legend: the rest becomes "other".
MOST = 20
_OTHER = Category("other", "#a9a49a")
# Told apart on light and dark ground; the emotions' own colours are in labels.py.
PALETTE = (
    "#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#e08214", "#8073ac",
    "#35978f", "#bf812d", "#de77ae", "#7fbc41", "#5aae61", "#d6604d", "#4393c3", "#9970ab",
    "#b2ab4c", "#c51b7d", "#01665e", "#8c510a",
)  # fmt: skip
_RIGHT = (Category("wrong", "#d1495b"), Category("right", "#2a9d8f"))
Maker = Callable[[], Colouring]


def colourings(points: Points, clusters: Callable[[], NDArray[np.int64]]) -> dict[str, Maker]:
    """All that these points can be coloured by, by the name that people choose.

    Args:
        points: What is on the map.
        clusters: Gives (N,) cluster indices when asked.
    """
    found: dict[str, Maker] = {}
    if points.has_labels:
        found["True class"] = lambda: _true_class(points)
    if points.taxonomy is not None and points.probabilities is not None:
        found["Predicted class"] = lambda: _predicted(points)
        found["Predicted sentiment"] = lambda: _sentiment(points)
        found["Confidence"] = lambda: _confidence(points)
    if points.right is not None:
        found["Right or wrong"] = lambda: _right(points)
    if points.novelty is not None and not np.isnan(points.novelty).all():
        found["Unlike the training images"] = lambda: _novelty(points)
    found["Cluster (k-means on u)"] = lambda: _clusters(clusters())
    for name, values in points.columns.items():
        if varies(values):
            found[_title(name)] = lambda name=name, values=values: column(_title(name), values)  # type: ignore[misc]
    return found


def column(title: str, values: Sequence[str]) -> Colouring:
    """A column of a table: a scale where it holds numbers, else its most frequent values."""
    numbers = _numbers(values)
    if numbers is not None:
        return _scale(title, numbers)
    counts = counted_texts(values)
    del counts[""]
    kept = [name for name, _ in counts.most_common(MOST)]
    place = {name: i for i, name in enumerate(kept)}
    rest = len(kept) if len(counts) > len(kept) else NONE
    rows, names = coded(values)
    codes = np.array([place.get(name, rest) if name else NONE for name in names], np.uint8)[rows]
    categories = tuple(Category(n, PALETTE[i % len(PALETTE)]) for n, i in place.items())
    return Colouring(title, (*categories, _OTHER) if rest != NONE else categories, codes)


def _true_class(points: Points) -> Colouring:
    colours = points.label_taxonomy.colours if points.label_taxonomy else {}
    categories = tuple(
        Category(name, colours.get(name, PALETTE[i % len(PALETTE)]))
        for i, name in enumerate(points.label_names[:NONE])
    )
    return Colouring("True class", categories, _codes(points.labels))


def _predicted(points: Points) -> Colouring:
    assert points.taxonomy is not None
    assert points.predicted is not None
    return Colouring("Predicted class", _classes(points.taxonomy), _codes(points.predicted))


def _sentiment(points: Points) -> Colouring:
    assert points.taxonomy is not None
    assert points.probabilities is not None
    names = ("positive", "negative")
    found = sentiments(points.taxonomy, points.probabilities)
    place: Mapping[str | None, int] = {"positive": 0, "negative": 1}
    codes = np.array([place.get(name, NONE) for name in found], np.uint8)
    categories = tuple(Category(name, SENTIMENT_COLOURS[name]) for name in names)
    return Colouring("Predicted sentiment", categories, codes)


def _right(points: Points) -> Colouring:
    assert points.right is not None
    return Colouring("Right or wrong", _RIGHT, _codes(points.right.astype(np.int64)))


def _confidence(points: Points) -> Colouring:
    assert points.probabilities is not None
    highest = points.probabilities.max(axis=1).astype(np.float32)
    low = 1.0 / points.probabilities.shape[1]
    return Colouring("Confidence", values=highest, low=low, high=1.0)


def _novelty(points: Points) -> Colouring:
    assert points.novelty is not None
    return _scale("Unlike the training images (above 1)", points.novelty.astype(np.float32))


def _clusters(clusters: NDArray[np.int64]) -> Colouring:
    count = int(clusters.max(initial=-1)) + 1
    categories = tuple(
        Category(f"cluster {i + 1}", PALETTE[i % len(PALETTE)]) for i in range(count)
    )
    return Colouring("Cluster (k-means on u)", categories, _codes(clusters))


def _classes(taxonomy: Taxonomy) -> tuple[Category, ...]:
    return tuple(Category(item.name, item.colour) for item in taxonomy.classes)


def _codes(indices: NDArray[np.int64]) -> NDArray[np.uint8]:
    return np.where((indices < 0) | (indices >= NONE), NONE, indices).astype(np.uint8)


def _scale(title: str, values: NDArray[np.float32]) -> Colouring:
    """Ends at the 1st and 99th percentile, so that one outlier does not grey out all others."""
    known = values[np.isfinite(values)]
    low, high = np.percentile(known, (1, 99)) if len(known) else (0.0, 1.0)
    return Colouring(title, values=values, low=float(low), high=float(max(high, low + 1e-9)))


def _numbers(values: Sequence[str]) -> NDArray[np.float32] | None:
    """Numbers, where all that is filled in is a number and there are many different ones."""
    rows, names = coded(values)
    try:
        numbers = np.array([float(name) if name else np.nan for name in names], np.float32)
    except ValueError:
        return None
    return numbers[rows] if len(set(names) - {""}) > MOST else None


def _title(name: str) -> str:
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:]
