"""How far people agree: Cohen's and Fleiss' kappa, Krippendorff's alpha, the works that divide.

Ratings are an array (R, N): what rater r called unit n, an index below C, or -1 for no rating.
Every coefficient is 1 where all agree, 0 where they agree as often as by chance; below, less.
None where it is not defined: nothing was rated twice, or everything got the same label, so that
chance would agree always.

Sources: Cohen 1960; Fleiss 1971; Krippendorff, Content Analysis (2004), chapter 11.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from emoviz.analysis.metrics import confusion_matrix
from emoviz.analysis.resampling import (
    FEWEST,
    USUAL,
    Intervals,
    LeaveOut,
    MetricEstimate,
    few_words,
    interval,
)
from emoviz.errors import AnalysisError

Ratings = NDArray[np.int64]
_NONE = 1e-12  # less expected disagreement than this is none at all


def kappa_estimate(
    first: Ratings, second: Ratings, classes: int, how: Intervals | None = USUAL
) -> MetricEstimate:
    """Cohen's kappa of two raters, (p_o - p_e) / (1 - p_e), with its confidence interval.

    Args:
        first: (N,) labels; units without a label of both are left out.
        second: (N,) labels.
        classes: How many labels there are.
        how: Of the interval.

    Raises:
        AnalysisError: As `agreement_table`.
    """
    agreement_table(first, second, classes)
    both = np.flatnonzero((first >= 0) & (second >= 0))

    def kappa(units: Ratings) -> float | None:
        table = agreement_table(first[both[units]], second[both[units]], classes)
        total = table.sum()
        if total == 0:
            return None
        observed = np.trace(table) / total
        expected = float(table.sum(axis=1) @ table.sum(axis=0)) / total**2
        return None if 1.0 - expected < _NONE else float((observed - expected) / (1.0 - expected))

    return estimated(kappa, len(both), how)


def estimated(
    coefficient: Callable[[Ratings], float | None],
    units: int,
    how: Intervals | None = USUAL,
) -> MetricEstimate:
    """A coefficient of agreement with its confidence interval.

    Args:
        coefficient: Of some of the units (K,) that it is defined on.
        units: How many these are.
        how: Of the interval; None for the value alone.
    """
    whole = np.arange(units)
    value = coefficient(whole)
    if value is None:
        reason = "one and the same answer to all" if units else "nothing that several rated"
        return MetricEstimate(None, n=units, reason=reason)
    if how is None or units < FEWEST:
        reason = few_words(units) if how is not None else ""
        return MetricEstimate(value, n=units, reason=reason)
    without = LeaveOut(units, how.seed)
    rest = [coefficient(whole[without.groups != group]) for group in range(without.number)]
    values = np.array([value, *(np.nan if item is None else item for item in rest)])
    return MetricEstimate(value, *interval(values, units, (-1.0, 1.0), level=how.level), units)


def agreement_table(first: Ratings, second: Ratings, classes: int) -> NDArray[np.int64]:
    """(C, C) how often the first rater said the row and the second the column.

    Raises:
        AnalysisError: The two have different lengths, or a label is not below `classes`.
    """
    _check(first, classes)
    _check(second, classes)
    if first.shape != second.shape:
        raise AnalysisError(
            f"Two raters rated {first.shape} and {second.shape} units; wanted the same ones, with "
            "-1 where one gave no label."
        )
    both = (first >= 0) & (second >= 0)
    return confusion_matrix(first[both], second[both], classes)


def fleiss_kappa(ratings: Ratings, classes: int) -> float | None:
    """Agreement of several raters beyond chance, over the units that every one of them rated.

    Args:
        ratings: (R, N) with R >= 2.
        classes: How many labels there are.
    """
    _check(ratings, classes)
    whole = ratings[:, (ratings >= 0).all(axis=0)]
    raters, units = whole.shape
    if units == 0 or raters < 2:
        return None
    counts = votes(whole, classes)
    alike = (np.square(counts).sum(axis=1) - raters) / (raters * (raters - 1))
    expected = float(np.square(counts.sum(axis=0) / (units * raters)).sum())
    return None if 1.0 - expected < _NONE else float((alike.mean() - expected) / (1.0 - expected))


def krippendorff_alpha(ratings: Ratings, classes: int) -> float | None:
    """Nominal alpha, for any number of raters and with ratings missing.

    Args:
        ratings: (R, N); units with a single rating say nothing about agreement.
        classes: How many labels there are.
    """
    _check(ratings, classes)
    values = np.eye(classes)[np.maximum(ratings, 0)]
    return strength_alpha(values, ratings >= 0)


def strength_alpha(values: NDArray[np.float64], given: NDArray[np.bool_]) -> float | None:
    """Alpha of ratings that are vectors, such as one strength for each emotion.

    The difference of two ratings is their squared Euclidean distance: Krippendorff's interval
    metric, summed over the K components. One-hot vectors give the nominal alpha.

    Args:
        values: (R, N, K) numbers; what is not given does not count.
        given: (R, N) whether rater r rated unit n.

    Returns:
        alpha = 1 - D_o / D_e, with D_o the mean difference within units and D_e that between all
        ratings of units that were rated at least twice.
    """
    pairable = given & (given.sum(axis=0) > 1)
    count = pairable.sum(axis=0)
    total = int(count.sum())
    if total == 0:
        return None
    kept = np.where(pairable[..., None], values, 0.0)
    # The ordered pairs of m vectors differ by 2 m sum |x|^2 - 2 |sum x|^2 together.
    squares, sums = np.square(kept).sum(axis=(0, 2)), kept.sum(axis=0)
    within = 2.0 * count * squares - 2.0 * np.square(sums).sum(axis=1)
    used = count > 0
    observed = float((within[used] / (count[used] - 1)).sum()) / total
    between = 2.0 * total * squares.sum() - 2.0 * np.square(sums.sum(axis=0)).sum()
    expected = float(between) / (total * (total - 1))
    return None if expected < _NONE else 1.0 - observed / expected


def votes(ratings: Ratings, classes: int) -> NDArray[np.int64]:
    """(N, C) how many raters gave each unit each label."""
    _check(ratings, classes)
    counts = np.zeros((ratings.shape[1], classes), np.int64)
    for row in ratings:
        rated = np.flatnonzero(row >= 0)
        counts[rated, row[rated]] += 1
    return counts


def division(ratings: Ratings, classes: int) -> NDArray[np.float64]:
    """(N,) share of the pairs of raters that differ on a unit; NaN below two raters."""
    counts = votes(ratings, classes).astype(np.float64)
    raters = counts.sum(axis=1)
    pairs = raters * (raters - 1)
    alike = (counts * (counts - 1)).sum(axis=1)
    none = np.full(len(pairs), np.nan)
    return np.asarray(np.divide(pairs - alike, pairs, out=none, where=pairs > 0))


def _check(ratings: Ratings, classes: int) -> None:
    if classes < 1 or (ratings.size and not -1 <= ratings.min() <= ratings.max() < classes):
        span = f"{ratings.min()} to {ratings.max()}" if ratings.size else "none"
        raise AnalysisError(
            f"Ratings run over {span}; wanted indices below {classes}, or -1 for no rating."
        )
