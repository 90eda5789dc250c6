"""Is one model better than another on the same images?

Differences are the second model's metrics minus the first one's, with confidence intervals in which
what makes an image hard for both cancels (`emoviz.analysis.metrics.differences`); McNemar 1947 on
right and wrong; Cohen 1960 on how often two models agree beyond chance; Holm 1979 where several
comparisons stand side by side.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emoviz.analysis.agreement import kappa_estimate
from emoviz.analysis.alignment import AlignedPredictions
from emoviz.analysis.clustering import Grouping
from emoviz.analysis.metrics import added_up, confusion_matrix, differences, measured
from emoviz.analysis.resampling import USUAL, Intervals, MetricEstimate, share
from emoviz.errors import AnalysisError

_FEW_DISCORDANT = 25  # below, the chi-square distribution is too rough (usual rule)


@dataclass(frozen=True)
class McNemar:
    """Do two models differ in how often they are right?

    Attributes:
        p: Probability of so uneven a split, or a more uneven one, were both equally good.
        only_a_right: Images that only the first answered rightly.
        only_b_right: Images that only the second answered rightly.
        method: ``exact binomial`` or ``chi-square with continuity correction``.
        statistic: Of the chi-square test; None for the exact one.
        odds: Effect size: how many times as often the second alone is right as the first alone;
            None where no image differs, or the first alone is never right.
        odds_low: Lower end of its 95 % confidence interval.
        odds_high: Upper end; None for no end.
    """

    p: float
    only_a_right: int
    only_b_right: int
    method: str
    statistic: float | None = None
    odds: float | None = None
    odds_low: float | None = None
    odds_high: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Comparison:
    """Two models on the same n images.

    Attributes:
        n: Images.
        one: Metrics of the first, by `METRICS`.
        other: Metrics of the second.
        difference: Second minus first.
        mcnemar: On right and wrong.
        kappa: Cohen's, between the answers of the two.
        agreement: Share of images with the same answer from both.
        confusion_difference: (S, S) second minus first, images.
        lost: (L,) positions that the first has right and the second wrong, those first of which
            the second is surest.
        won: (W,) positions that the second has right and the first wrong, likewise of the first.
    """

    n: int
    one: Mapping[str, MetricEstimate]
    other: Mapping[str, MetricEstimate]
    difference: Mapping[str, MetricEstimate]
    mcnemar: McNemar
    kappa: MetricEstimate
    agreement: float | None
    confusion_difference: NDArray[np.int64]
    lost: NDArray[np.int64] = field(repr=False)
    won: NDArray[np.int64] = field(repr=False)


def compare(
    one: AlignedPredictions,
    other: AlignedPredictions,
    grouping: Grouping | None = None,
    other_grouping: Grouping | None = None,
    how: Intervals | None = USUAL,
) -> Comparison:
    """Every measure of two models with its difference.

    Args:
        one: The first.
        other: The second, on the same images and labels (`judge_together`).
        grouping: Of the first, from `group_images`.
        other_grouping: Of the second.
        how: Of the confidence intervals; None for values alone, which take milliseconds.

    Raises:
        AnalysisError: They are not on the same images and labels.
    """
    if not np.array_equal(one.rows, other.rows) or one.labels.names != other.labels.names:
        raise AnalysisError(
            f"'{one.name}' was judged on {len(one)} images of {len(one.labels)} labels, "
            f"'{other.name}' on {len(other)} of {len(other.labels)}, not the same ones. Judge them "
            "together."
        )
    first, second = added_up(one, grouping, how), added_up(other, other_grouping, how)
    size = len(one.labels)
    tables = [confusion_matrix(item.truth, item.predicted, size) for item in (one, other)]
    return Comparison(
        n=len(one),
        one=measured(first, how),
        other=measured(second, how),
        difference=differences(first, second, how),
        mcnemar=mcnemar(one.right, other.right),
        kappa=kappa_estimate(one.predicted, other.predicted, size, how),
        agreement=float((one.predicted == other.predicted).mean()) if len(one) else None,
        confusion_difference=tables[1] - tables[0],
        lost=_surest(one.right & ~other.right, other),
        won=_surest(other.right & ~one.right, one),
    )


def mcnemar(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> McNemar:
    """McNemar's test; exact where fewer than 25 images are answered rightly by one model alone.

    Args:
        one: (N,) whether the first is right.
        other: (N,) whether the second is.
    """
    only_one, only_other = int((one & ~other).sum()), int((other & ~one).sum())
    total = only_one + only_other
    if total < _FEW_DISCORDANT:
        from scipy.stats import binomtest

        p = float(binomtest(only_one, total, 0.5).pvalue) if total else 1.0
        return McNemar(p, only_one, only_other, "exact binomial", None, *_odds(only_one, total))
    from scipy.stats import chi2

    statistic = max(abs(only_one - only_other) - 1, 0) ** 2 / total
    p = float(chi2.sf(statistic, 1))
    method = "chi-square with continuity correction"
    return McNemar(p, only_one, only_other, method, statistic, *_odds(only_one, total))


def _odds(only_one: int, total: int) -> tuple[float | None, float | None, float | None]:
    """The odds of the second and their ends, from the interval of a share."""
    item = share(total - only_one, total)
    if item.value is None or item.low is None or item.high is None:
        return None, None, None
    value, low, high = (
        end / (1 - end) if end < 1 else None for end in (item.value, item.low, item.high)
    )
    return value, low, high


def claim(one: str, other: str, test: McNemar, accuracy: MetricEstimate, tests: int = 1) -> str:
    """One sentence of what may be said of two models, and of what may not.

    Args:
        one: The first model's name.
        other: The second's.
        test: Of the two; p corrected for the number of tests where there are several (`holm`).
        accuracy: The second's accuracy minus the first's.
        tests: How many p was corrected for.
    """
    only = f"{test.only_a_right:,} and {test.only_b_right:,}"
    if not test.only_a_right + test.only_b_right:
        return (
            f"{one} and {other} are right and wrong on the same of {accuracy.n:,} images: nothing "
            "tells them apart."
        )
    chance = f"p = {test.p:.3f}" if test.p >= 0.001 else "p < 0.001"
    how = f"McNemar's test, {test.method}"
    how += f", corrected for {tests} tests by Holm" if tests > 1 else ""
    gap = ""
    if accuracy.value is not None and accuracy.low is not None and accuracy.high is not None:
        low, value, high = (100 * x for x in (accuracy.low, accuracy.value, accuracy.high))
        gap = (
            f"; {value:+.1f} points of accuracy, 95 % confidence interval {low:+.1f} to {high:+.1f}"
        ).replace("-", "\N{MINUS SIGN}")
    told = f"({only} images that one of them alone has right; {chance}, {how}{gap})"
    if test.p >= 0.05:
        return (
            f"It may not be claimed that {one} or {other} is better: these {accuracy.n:,} images "
            f"do not tell them apart {told}."
        )
    better, worse = (other, one) if test.only_b_right > test.only_a_right else (one, other)
    return (
        f"It may be claimed that on images like these {better} is right more often than {worse} "
        f"{told}; nothing follows for other kinds of images, nor for another training run."
    )


def holm(p: Sequence[float]) -> list[float]:
    """Probabilities of several tests, corrected for their number (Holm 1979), in their order.

    Whichever stays below 0.05 may be claimed together with the others that do.
    """
    order = np.argsort(p, kind="stable")
    corrected = np.empty(len(p))
    factors = len(p) - np.arange(len(p))
    corrected[order] = np.minimum(np.maximum.accumulate(np.asarray(p)[order] * factors), 1.0)
    return [float(value) for value in corrected]


def _surest(chosen: NDArray[np.bool_], by: AlignedPredictions) -> NDArray[np.int64]:
    positions = np.flatnonzero(chosen)
    return positions[np.argsort(-by.confidence[positions], kind="stable")]
