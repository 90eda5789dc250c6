"""Is one model better than another on the same images?

Differences are the second model's measures minus the first one's, with percentile intervals of
resamples in which both see the same images (Efron and Tibshirani 1993); McNemar 1947 on right and
wrong; Cohen 1960 on how often two models agree beyond chance.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emoviz.analysis.alignment import AlignedPredictions
from emoviz.analysis.bootstrap import percentile_ends, resampled_counts
from emoviz.analysis.clustering import Grouping
from emoviz.analysis.headline import estimates
from emoviz.analysis.kinds import FEWEST, MEASURES, MetricEstimate, few_words
from emoviz.analysis.metrics import confusion_matrix
from emoviz.analysis.tally import Ends, Tally, tallies
from emoviz.errors import AnalysisError

Floats = NDArray[np.float64]
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
    """

    p: float
    only_a_right: int
    only_b_right: int
    method: str
    statistic: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Comparison:
    """Two models on the same n images.

    Attributes:
        n: Images.
        one: Measures of the first, by `MEASURES`.
        other: Measures of the second.
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
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Comparison:
    """Every measure of two models with its difference.

    Args:
        one: The first.
        other: The second, on the same images and labels (`judge_together`).
        grouping: Of the first, from `group_images`.
        other_grouping: Of the second.
        resamples: How often n images are drawn.
        level: Share of the resamples within an interval, in 0-1.
        seed: Of the draws.

    Raises:
        AnalysisError: They are not on the same images and labels.
    """
    if not np.array_equal(one.rows, other.rows) or one.labels.names != other.labels.names:
        raise AnalysisError(
            f"'{one.name}' was judged on {len(one)} images of {len(one.labels)} labels, "
            f"'{other.name}' on {len(other)} of {len(other.labels)}, not the same ones. Judge them "
            "together."
        )
    tallied = Tally.of(one, grouping), Tally.of(other, other_grouping)
    values = (*(item.values for item in tallied), tallied[1].values - tallied[0].values)
    ends, reason, kappa_ends = None, few_words(len(one)), None
    if len(one) >= FEWEST:
        drawn = _draws(tallied, one, other, resamples, seed)
        ends = [percentile_ends(drawn[k], level) for k in range(3)]
        kappa_ends = percentile_ends(drawn[3][:, :1], level)
        reason = ""
    size = len(one.labels)
    tables = [confusion_matrix(item.truth, item.predicted, size) for item in (one, other)]
    return Comparison(
        n=len(one),
        one=estimates(tallied[0], ends[0] if ends else None, reason),
        other=estimates(tallied[1], ends[1] if ends else None, reason),
        difference=_differences(tallied, values[2], ends[2] if ends else None, reason),
        mcnemar=mcnemar(one.right, other.right),
        kappa=_kappa_estimate(one, other, kappa_ends, reason),
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
        return McNemar(p, only_one, only_other, "exact binomial")
    from scipy.stats import chi2

    statistic = max(abs(only_one - only_other) - 1, 0) ** 2 / total
    p = float(chi2.sf(statistic, 1))
    return McNemar(p, only_one, only_other, "chi-square with continuity correction", statistic)


def cohens_kappa(tables: Floats) -> Floats:
    """(R,) agreement beyond chance of tables (R, S, S); NaN where chance alone would be perfect."""
    total = np.maximum(tables.sum(axis=(1, 2)), 1.0)
    observed = np.trace(tables, axis1=1, axis2=2) / total
    expected = (tables.sum(axis=1) * tables.sum(axis=2)).sum(axis=1) / total**2
    some = (expected < 1) & (tables.sum(axis=(1, 2)) > 0)
    kappa: Floats = np.full(len(tables), np.nan)
    np.divide(observed - expected, 1 - expected, out=kappa, where=some)
    return kappa


def _draws(
    tallied: tuple[Tally, Tally],
    one: AlignedPredictions,
    other: AlignedPredictions,
    resamples: int,
    seed: int,
) -> list[Floats]:
    """Measures of both, their difference (R, M) each, and kappa (R, 1)."""
    size = len(one.labels)
    answers = one.predicted * size + other.predicted
    parts: list[list[Floats]] = [[], [], [], []]
    for counts in resampled_counts(len(one), resamples, seed):
        both = [item.measures(counts) + item.shift for item in tallied]
        table = tallies(answers, counts, size * size).reshape(-1, size, size)
        for part, rows in zip(
            parts, (*both, both[1] - both[0], cohens_kappa(table)[:, None]), strict=True
        ):
            part.append(rows)
    return [np.concatenate(part) for part in parts]


def _differences(
    tallied: tuple[Tally, Tally],
    values: Floats,
    ends: Ends | None,
    reason: str,
) -> Mapping[str, MetricEstimate]:
    found = {}
    for m, (name, value) in enumerate(zip(MEASURES, values, strict=True)):
        least = min(item.bases.get(name, FEWEST) for item in tallied)
        if np.isnan(value):
            lacking = next(t for t in tallied if np.isnan(t.values[m]))
            found[name] = MetricEstimate(None, reason=lacking.missing.get(name, ""))
        elif ends is None or least < FEWEST:
            found[name] = MetricEstimate(float(value), reason=reason or few_words(least))
        else:
            found[name] = MetricEstimate(float(value), float(ends[0][m]), float(ends[1][m]))
    return found


def _kappa_estimate(
    one: AlignedPredictions, other: AlignedPredictions, ends: Ends | None, reason: str
) -> MetricEstimate:
    table = confusion_matrix(one.predicted, other.predicted, len(one.labels))
    value = float(cohens_kappa(table[None].astype(np.float64))[0])
    if np.isnan(value):
        return MetricEstimate(None, reason="both give one and the same answer to all images")
    if ends is None or np.isnan(ends[0][0]):
        return MetricEstimate(value, reason=reason)
    return MetricEstimate(value, float(ends[0][0]), float(ends[1][0]))


def _surest(chosen: NDArray[np.bool_], by: AlignedPredictions) -> NDArray[np.int64]:
    positions = np.flatnonzero(chosen)
    return positions[np.argsort(-by.confidence[positions], kind="stable")]
