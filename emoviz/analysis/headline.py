"""The measures that stand at the top of an evaluation, each with a percentile interval."""

from collections.abc import Mapping

import numpy as np

from emoviz.analysis.alignment import AlignedPredictions
from emoviz.analysis.bootstrap import percentile_ends, resampled_counts
from emoviz.analysis.clustering import Grouping
from emoviz.analysis.kinds import (
    COPIES,
    DRAWN_UP,
    FEWEST,
    MEASURES,
    MeasureKind,
    MetricEstimate,
    few_words,
)
from emoviz.analysis.tally import Ends, Tally

__all__ = ["MEASURES", "MeasureKind", "MetricEstimate", "estimates", "headline", "points"]


def points(
    judged: AlignedPredictions, grouping: Grouping | None = None
) -> Mapping[str, MetricEstimate]:
    """Every measure of `MEASURES` without an interval.

    Args:
        judged: Answers beside labels.
        grouping: Of `judged.embedding` and `judged.truth`, from `group_images`; without it ARI,
            NMI and ASR are missing.
    """
    tally = Tally.of(judged, grouping)
    return estimates(tally, None, "")


def headline(
    judged: AlignedPredictions,
    grouping: Grouping | None = None,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Mapping[str, MetricEstimate]:
    """Every measure of `MEASURES` with its percentile interval.

    Args:
        judged: Answers beside labels.
        grouping: As in `points`.
        resamples: How often n images are drawn.
        level: Share of the resamples within an interval, in 0-1.
        seed: Of the draws.
    """
    tally = Tally.of(judged, grouping)
    if len(judged) < FEWEST:
        return estimates(tally, None, few_words(len(judged)))
    draws = np.concatenate(
        [tally.measures(counts) for counts in resampled_counts(len(judged), resamples, seed)]
    )
    return estimates(tally, percentile_ends(draws + tally.shift, level), "")


def estimates(tally: Tally, ends: Ends | None, reason: str) -> Mapping[str, MetricEstimate]:
    """Values with their intervals, and with reasons where either is missing."""
    found = {}
    for m, (name, value) in enumerate(zip(MEASURES, tally.values, strict=True)):
        if np.isnan(value):
            found[name] = MetricEstimate(None, reason=tally.missing.get(name, "not defined here"))
        elif ends is None or tally.bases.get(name, FEWEST) < FEWEST:
            why = reason or (few_words(tally.bases[name]) if ends is not None else "")
            found[name] = MetricEstimate(float(value), reason=why)
        else:
            why = COPIES if name in DRAWN_UP else ""
            found[name] = MetricEstimate(float(value), float(ends[0][m]), float(ends[1][m]), why)
    return found
