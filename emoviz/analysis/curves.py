"""ROC and precision-recall curves of each label against the rest, and together."""

from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emoviz.analysis.alignment import AlignedPredictions
from emoviz.analysis.metrics import AREAS, label_images, mean_known, ranking_areas
from emoviz.analysis.resampling import FEWEST, USUAL, LeaveOut, interval

Floats = NDArray[np.float64]
MICRO, MACRO = "micro", "macro"
_GRID = np.linspace(0.0, 1.0, 201)


@dataclass(frozen=True)
class Curve:
    """One curve, thinned out for drawing; its area is that of all its points.

    Attributes:
        x: (P,) false positive rate, or recall; ascending.
        y: (P,) true positive rate, or precision.
        area: Under the ROC curve, or the average precision (the step-wise sum over recall).
        chance: The area of a coin: 0.5, or the share of the label among the images.
        low: Lower end of the area's confidence interval; None where there is none.
        high: Upper end.
        n: Images with the label; of `MICRO` and `MACRO` all that are measured.
    """

    x: tuple[float, ...]
    y: tuple[float, ...]
    area: float
    chance: float
    low: float | None = None
    high: float | None = None
    n: int = 0


@dataclass(frozen=True)
class Curves:
    """One-vs-rest curves.

    Attributes:
        roc: By label, then ``micro`` (all label-image pairs together) and ``macro`` (mean over
            the labels).
        precision_recall: The same.
        missing: Label -> why it has no curve.
    """

    roc: Mapping[str, Curve] = field(default_factory=dict)
    precision_recall: Mapping[str, Curve] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def curves(judged: AlignedPredictions, most: int = 200) -> Curves:
    """Curves of every label that some images have and others do not.

    Args:
        judged: Answers beside labels.
        most: Points of a curve at most.
    """
    member = judged.truth[:, None] == np.arange(len(judged.labels))
    names = judged.labels.names
    missing = {
        name: "no image has this label" if not count else "all images have this label"
        for name, count in zip(names, member.sum(axis=0), strict=True)
        if count in (0, len(judged))
    }
    kept = [s for s, name in enumerate(names) if name not in missing]
    if not kept:
        return Curves(missing=missing)
    each = {names[s]: _operating_points(judged.scores[:, s], member[:, s]) for s in kept}
    roc = {name: _roc(points, most) for name, points in each.items()}
    pr = {name: _precision_recall(points, most) for name, points in each.items()}
    macro_roc, macro_pr = _macro(each.values(), roc, pr)
    points = _operating_points(judged.scores[:, kept].ravel(), member[:, kept].ravel())
    roc |= {MICRO: _roc(points, most), MACRO: macro_roc}
    pr |= {MICRO: _precision_recall(points, most), MACRO: macro_pr}
    found = _with_intervals(judged, member, kept, roc, pr)
    return Curves(*found, missing)


def _with_intervals(
    judged: AlignedPredictions,
    member: NDArray[np.bool_],
    kept: list[int],
    roc: Mapping[str, Curve],
    pr: Mapping[str, Curve],
) -> tuple[dict[str, Curve], dict[str, Curve]]:
    """The curves with the intervals of their areas, by the one rule of `resampling`."""
    without, names = LeaveOut(len(judged), USUAL.seed), judged.labels.names
    areas = {names[s]: ranking_areas(judged.scores[:, s], member[:, s], without) for s in kept}
    pairs = copy(without)  # an image is left out with all its labels
    pairs.groups = np.repeat(without.groups, len(kept))
    both = judged.scores[:, kept].ravel(), member[:, kept].ravel()
    with np.errstate(invalid="ignore"):
        mean = tuple(mean_known(np.stack(each)) for each in zip(*areas.values(), strict=True))
    areas |= {MICRO: ranking_areas(*both, pairs), MACRO: (mean[0], mean[1])}
    images, freedom = label_images(judged.truth)

    def measured(name: str, curve: Curve, values: Floats, drifts: bool) -> Curve:
        if name in (MICRO, MACRO):
            n, count, degrees = len(judged), images, freedom
        else:
            own = member[:, names.index(name)]
            n, (count, degrees) = int(own.sum()), label_images(own.astype(np.int64))
        if len(judged) < FEWEST:
            return replace(curve, n=n)
        low, high = interval(values, count, (0.0, 1.0), degrees, most=AREAS, drifts=drifts)
        return replace(curve, low=low, high=high, n=n)

    return (
        {name: measured(name, curve, areas[name][0], False) for name, curve in roc.items()},
        {name: measured(name, curve, areas[name][1], True) for name, curve in pr.items()},
    )


@dataclass(frozen=True)
class _Points:
    """At each distinct threshold from the highest: (P,) true and false positives so far."""

    hits: Floats
    false: Floats


def _operating_points(scores: Floats, member: NDArray[np.bool_]) -> _Points:
    order = np.argsort(-scores)
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    hits = np.cumsum(member[order], dtype=np.float64)[ends]
    return _Points(hits, ends + 1.0 - hits)


def _rates(points: _Points) -> tuple[Floats, Floats]:
    """False and true positive rates from (0, 0) to (1, 1)."""
    return (
        np.concatenate([[0.0], points.false / points.false[-1]]),
        np.concatenate([[0.0], points.hits / points.hits[-1]]),
    )


def _roc(points: _Points, most: int) -> Curve:
    x, y = _rates(points)
    kept = _thinned(x, y, most)
    area = float(np.trapezoid(y, x))
    return Curve(tuple(x[kept].tolist()), tuple(y[kept].tolist()), area, 0.5)


def _precision_recall(points: _Points, most: int) -> Curve:
    recall = points.hits / points.hits[-1]
    precision = points.hits / (points.hits + points.false)
    kept = _thinned(recall, precision, most)
    chance = float(points.hits[-1] / (points.hits[-1] + points.false[-1]))
    x, y = recall[kept].tolist(), precision[kept].tolist()
    area = float((np.diff(recall, prepend=0.0) * precision).sum())
    return Curve(tuple(x), tuple(y), area, chance)


def _macro(
    labels: Iterable[_Points], roc: Mapping[str, Curve], pr: Mapping[str, Curve]
) -> tuple[Curve, Curve]:
    """Means over the labels at common false positive rates, and at common recalls."""
    heights, precisions = [], []
    for points in labels:
        heights.append(np.interp(_GRID, *_rates(points)))
        recall = points.hits / points.hits[-1]
        place = np.minimum(np.searchsorted(recall, _GRID), len(recall) - 1)
        precisions.append((points.hits / (points.hits + points.false))[place])
    x = tuple(_GRID.tolist())

    def mean(rows: list[Floats], each: Mapping[str, Curve]) -> Curve:
        areas, chances = zip(*((curve.area, curve.chance) for curve in each.values()), strict=True)
        y = np.mean(rows, axis=0).tolist()
        return Curve(x, tuple(y), float(np.mean(areas)), float(np.mean(chances)))

    return mean(heights, roc), mean(precisions, pr)


def _thinned(x: Floats, y: Floats, most: int) -> NDArray[np.int64]:
    """Points evenly spaced along the curve, its ends among them."""
    if len(x) <= most:
        return np.arange(len(x))
    way = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
    places = np.searchsorted(way, np.linspace(0.0, way[-1], most))
    return np.unique(np.append(np.minimum(places, len(x) - 1), len(x) - 1))
