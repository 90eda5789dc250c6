"""How a labelled set is built: counts, balance, and what light and colour alone give away."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emoviz.analysis.label_errors import out_of_fold

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Balance:
    """How evenly the labels are spread.

    Attributes:
        counts: (C,) images of each class.
        majority: Accuracy of always guessing the commonest class.
        ratio: Images of the commonest over those of the rarest class that has any.
        evenness: Entropy of the counts over that of equal ones: 1 for equal, 0 for one class.
    """

    counts: Ints
    majority: float
    ratio: float
    evenness: float


@dataclass(frozen=True)
class LookGap:
    """What one measure of light or colour knows of the labels.

    Attributes:
        quartiles: (C, 3) lower quartile, median, upper quartile by class; NaN for empty ones.
        explained: Share of the measure's variance that lies between the classes (eta squared).
    """

    quartiles: Floats
    explained: float


def balance_of(labels: Ints, classes: int) -> Balance:
    """Counts and evenness of labels (N,); -1 stands for none."""
    counts = np.bincount(labels[labels >= 0], minlength=classes)
    total = int(counts.sum())
    present = counts[counts > 0]
    shares = present / max(total, 1)
    spread = float(-(shares * np.log(shares)).sum()) if total else 0.0
    return Balance(
        counts=counts.astype(np.int64),
        majority=float(counts.max() / total) if total else 0.0,
        ratio=float(present.max() / present.min()) if total else 0.0,
        evenness=spread / np.log(classes) if classes > 1 else 1.0,
    )


def look_gap(values: NDArray[np.floating], labels: Ints, classes: int) -> LookGap:
    """How one measure (N,) differs between the classes."""
    known = labels >= 0
    data, given = np.asarray(values, np.float64)[known], labels[known]
    quartiles = np.full((classes, 3), np.nan)
    between = 0.0
    for label in np.unique(given):
        mine = data[given == label]
        quartiles[label] = np.percentile(mine, [25, 50, 75])
        between += len(mine) * (mine.mean() - data.mean()) ** 2
    whole = float(((data - data.mean()) ** 2).sum()) if len(data) else 0.0
    return LookGap(quartiles, float(between / whole) if whole > 0 else 0.0)


def guess_by_looks(looks: Mapping[str, NDArray[np.floating]], labels: Ints, folds: Ints) -> Any:
    """Accuracy by light and colour alone against always guessing the commonest class.

    A logistic regression on the measures, their squares and products, cross-validated.

    Args:
        looks: Measure -> (N,).
        labels: (N,) from 0, or -1.
        folds: (N,) number of each image's fold.

    Returns:
        ``accuracy``, ``majority`` and ``recall`` ((C,) share found of each class, NaN where a
        class is empty); None where fewer than two classes have an image, or there is one fold.
    """
    known = labels >= 0
    given = labels[known]
    classes = int(labels.max(initial=-1)) + 1
    if len(np.unique(given)) < 2 or len(np.unique(folds[known])) < 2:
        return None
    columns = np.stack([np.asarray(v, np.float64)[known] for v in looks.values()], axis=1)
    p = out_of_fold(_with_products(columns), given, folds[known], classes)
    right = p.argmax(axis=1) == given
    sizes = np.bincount(given, minlength=classes)
    found = np.bincount(given, weights=right, minlength=classes)
    with np.errstate(invalid="ignore"):
        recall = found / sizes
    return {
        "accuracy": float(right.mean()),
        "majority": float(sizes.max() / len(given)),
        "recall": recall,
    }


def _with_products(columns: Floats) -> Floats:
    count = columns.shape[1]
    products = [columns[:, i] * columns[:, j] for i in range(count) for j in range(i, count)]
    return np.column_stack([columns, *products])


def table_of(labels: Ints, splits: Sequence[str | None], classes: int) -> dict[str, Ints]:
    """Split ("" where there is none) -> (C,) images of each class."""
    names = np.array([split or "" for split in splits])
    return {
        str(name): np.bincount(labels[(names == name) & (labels >= 0)], minlength=classes)
        for name in ("train", "validation", "test", "")
        if (names == name).any()
    }
