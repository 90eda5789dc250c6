"""Regions of u against labels: the arrays behind the table beside the map."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emoviz.analysis.bootstrap import Interval, Outcomes, intervals, paired_differences
from emoviz.analysis.clustering import (
    EXACT_UP_TO,
    ambiguous_images,
    find_clusters,
    pairwise_percentile,
    sampled_percentile,
    silhouette,
)
from emoviz.ui.explorer.points import Points

MEASURES: Mapping[str, str] = {
    "accuracy": "Accuracy",
    "ari": "ARI",
    "nmi": "NMI",
    "asr": "ASR",
}


@dataclass(frozen=True)
class LabelAgreement:
    """One checkpoint's measures on the images whose label it can be compared with.

    Attributes:
        rows: (M,) these images.
        outcomes: What became of each.
        intervals: Measure -> value with its 95 % interval.
        delta: The threshold of ASR, in units of u.
        delta_error: Its standard error, 0 where it is the percentile of all pairs.
        silhouette: Of the labels in u, -1 to 1.
    """

    rows: NDArray[np.int64]
    outcomes: Outcomes
    intervals: Mapping[str, Interval]
    delta: float
    delta_error: float
    silhouette: float


def comparable(points: Points) -> NDArray[np.int64]:
    """Rows whose label the model's answer can be compared with."""
    return np.flatnonzero(points.right >= 0) if points.right is not None else np.array([], int)


def measure(
    points: Points, rows: NDArray[np.int64], percent: float, exact: bool = False
) -> LabelAgreement | None:
    """Accuracy, ARI, NMI, ASR and silhouette on some images.

    Args:
        points: A checkpoint's view of them.
        rows: Which images; see `comparable`.
        percent: delta is this percentile of the pairwise distances, in 0-100.
        exact: Of all pairs also where there are so many images that it takes minutes.

    Returns:
        None where there are fewer than two labels among them, or hardly more images than labels.
    """
    if points.bridge is None or points.probabilities is None:
        return None
    labels = points.bridge.groups[points.labels[rows]]
    kinds = len(np.unique(labels))
    if kinds < 2 or len(rows) <= kinds:
        return None
    u = points.vectors[rows].astype(np.float64)
    found = find_clusters(u, kinds, starts=10)
    if exact or len(u) <= EXACT_UP_TO:
        delta, error = pairwise_percentile(u, percent), 0.0
    else:
        delta, error = sampled_percentile(u, percent)
    predicted = points.bridge.merged.apply(points.probabilities[rows]).argmax(axis=1)
    outcomes = Outcomes(
        labels.astype(np.int64),
        predicted.astype(np.int64),
        found.indices,
        ambiguous_images(u, found.centers, delta),
    )
    width = silhouette(u, labels).mean
    return LabelAgreement(rows, outcomes, intervals(outcomes), delta, error, width)


def difference(one: LabelAgreement, other: LabelAgreement) -> Mapping[str, Interval]:
    """The second's measures minus the first's, resampled together; on the same images."""
    return paired_differences(one.outcomes, other.outcomes)
