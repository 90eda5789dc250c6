"""What is known of a metric from the images at hand: its value and a confidence interval.

One rule for all metrics. A share of images has **Wilson's interval** (1927; near 0 and 1 as Brown,
Cai and DasGupta 2001 have it). Any other metric is read as a share of as many images as would give
it the variance that the **jackknife** finds (Tukey 1958; groups of images are left out in turn),
and has Wilson's interval of that many: its effective number of images, as survey statistics do
(Korn and Graubard 1998). That number is bounded by the images of labels that have few, where these
weigh more: three right answers of three do not vary, and tell little. So are differences of two
models, but for those of ranking areas. Average precision lies higher the fewer images there are:
its interval, of a difference too, also is the one around the value without the jackknife's bias.
So an interval stays within the metric's range, never has no width, and never leaves out its value.
Metrics of clusters are found anew in parts of the images, drawn without replacement (Politis,
Romano and Wolf 1999); calibration error, Brier score and a temperature have intervals of their own
(`emoviz.analysis.calibration_error`, `.metrics`, `.calibration`).

Why no bootstrap: resamples with replacement hold copies of images, which lie in one cluster and
beside each other in a ranking by construction, and draw ARI, NMI, average precision and calibration
error away from the value (coverage .20 to .84 where .95 was meant); at 16 right of 16 it says 100 %
to 100 %. `benchmarks/intervals.py` and, in other worlds, `intervals_elsewhere.py` simulate what
share of these intervals hold the true value.
"""

from dataclasses import asdict, dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Span = tuple[float, float]

LEVEL = 0.95
GROUPS = 100  # of images that are left out in turn; up to so many images each is one
_MOST_EFFECTIVE = 10.0  # times the images: what few of them do not vary in, others may
FEWEST = 20  # images below which the jackknife says nothing; shares have an interval of any number


@dataclass(frozen=True)
class MetricEstimate:
    """A metric on n images with its confidence interval.

    Attributes:
        value: None where the metric is not defined.
        low: Lower end of the confidence interval; None where there is none.
        high: Upper end.
        n: Images that the value stands on.
        reason: Why the value or the interval is missing.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0
    reason: str = ""

    def to_dict(self) -> dict[str, float | str | None]:
        """Plain values for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Intervals:
    """How intervals are made.

    Attributes:
        level: Of confidence, in 0-1.
        seed: Of the groups of images that are left out in turn, and of k-means.
    """

    level: float = LEVEL
    seed: int = 0


USUAL = Intervals()


def few_words(images: int, fewest: int = FEWEST) -> str:
    """Why there is no interval."""
    return f"not enough images for an interval: {images}, wanted {fewest} or more"


# Shares --------------------------------------------------------------------------------------


def share(hits: int, count: int, level: float = LEVEL, nothing: str = "no image") -> MetricEstimate:
    """A share of images with its Wilson interval.

    Args:
        hits: Images with the property.
        count: Of so many.
        level: Of confidence, in 0-1.
        nothing: The reason where count is 0.
    """
    if not count:
        return MetricEstimate(None, reason=nothing)
    return MetricEstimate(hits / count, *share_interval(hits, count, level), count)


def share_interval(hits: int, count: int, level: float = LEVEL) -> tuple[float, float]:
    """Wilson's interval of a share, modified near 0 and 1 (Brown, Cai and DasGupta 2001).

    Where up to two (three of more than fifty) images have the property, or lack it, Wilson's end on
    their side holds too little; the exact one of a Poisson distribution takes its place.
    """
    low, high = wilson(hits / count, count, level)
    few = 2 if count <= 50 else 3
    misses = count - hits
    if not (0 < hits <= few or 0 < misses <= few):
        return low, high
    from scipy.special import chdtri

    if 0 < hits <= few:
        low = min(low, float(chdtri(2 * hits, (1 + level) / 2)) / 2 / count)
    if 0 < misses <= few:
        high = max(high, 1 - float(chdtri(2 * misses, (1 + level) / 2)) / 2 / count)
    return low, high


def wilson(
    value: float, count: float, level: float = LEVEL, freedom: float | None = None
) -> tuple[float, float]:
    """Wilson's interval of a share.

    Args:
        value: The share, 0 to 1.
        count: Of so many images, above 0; need not be whole.
        level: Of confidence.
        freedom: Degrees of freedom of the variance, where that was estimated.
    """
    z = _quantile(level, freedom)
    spread = z**2 / count
    middle = (value + spread / 2) / (1 + spread)
    half = z / (1 + spread) * sqrt(value * (1 - value) / count + spread / (4 * count))
    return max(0.0, min(middle - half, value)), min(1.0, max(middle + half, value))


def paired_share_difference(
    only_one: int, only_other: int, count: int, level: float = LEVEL
) -> MetricEstimate:
    """The second share minus the first, of the same images: Bonett and Price 2012.

    Args:
        only_one: Images with the first property alone.
        only_other: Images with the second alone.
        count: All images; at least 1.
        level: Of confidence.
    """
    value = (only_other - only_one) / count
    one, other = (only_one + 1) / (count + 2), (only_other + 1) / (count + 2)
    half = _quantile(level) * sqrt((one + other - (other - one) ** 2) / (count + 2))
    low, high = other - one - half, other - one + half
    return MetricEstimate(value, max(-1.0, min(low, value)), min(1.0, max(high, value)), count)


def mean(values: Floats, span: Span = (0.0, 1.0), level: float = LEVEL) -> MetricEstimate:
    """The mean of one number an image, within `span`, with its interval by the jackknife."""
    n = len(values)
    if not n:
        return MetricEstimate(None, reason="no image")
    if n < FEWEST:
        return MetricEstimate(float(values.mean()), n=n, reason=few_words(n))
    without = LeaveOut(n, 0)
    means = without.sums(values) / without.sums(np.ones(n))
    return MetricEstimate(float(values.mean()), *interval(means, n, span, level=level), n)


# Anything else -------------------------------------------------------------------------------


class LeaveOut:
    """N images: all of them, and all but each of G groups in turn.

    Whatever is added up comes as an array (G + 1, ...): of all first, then without each group.

    Args:
        images: N.
        seed: Of the groups, which are equally large but for one image; None for no group, so that
            all is measured on all images alone.
    """

    def __init__(self, images: int, seed: int | None = None) -> None:
        self.number = 0 if seed is None else min(images, GROUPS)
        self.groups: Indices = np.zeros(images, np.int64)
        if self.number:
            self.groups = np.random.default_rng(seed).permutation(images) % self.number

    def sums(self, values: NDArray[np.generic]) -> Floats:
        """(G + 1,) sums of (N,) numbers."""
        return self.tables(np.zeros(len(values), np.int64), 1, values.astype(np.float64))[:, 0]

    def tables(self, cells: Indices, size: int, values: Floats | None = None) -> Floats:
        """(G + 1, size) how many images, or how much of (N,) numbers, lie in each cell (N,)."""
        parts = max(self.number, 1)
        flat = np.bincount(self.groups * size + cells, values, parts * size)
        each = flat.reshape(parts, size).astype(np.float64)
        total = each.sum(axis=0, keepdims=True)
        return np.concatenate([total, total - each]) if self.number else total


def jackknife_variance(values: Floats) -> float:
    """Of the first of (G + 1,) values, from those without each group; NaN below two groups.

    Groups without which the metric is not defined do not count.
    """
    without = values[1:][~np.isnan(values[1:])]
    if len(without) < 2:
        return float("nan")
    return float((len(without) - 1) * without.var())


def jackknife_bias(values: Floats) -> float:
    """How far the first of (G + 1,) values lies above what more images would give."""
    without = values[1:][~np.isnan(values[1:])]
    return float((len(without) - 1) * (without.mean() - values[0])) if len(without) > 1 else 0.0


def interval(
    values: Floats,
    images: float,
    span: Span = (0.0, 1.0),
    freedom: float | None = None,
    level: float = LEVEL,
    most: float = _MOST_EFFECTIVE,
    drifts: bool = False,
) -> tuple[float, float]:
    """Wilson's interval of the effective number of images.

    Args:
        values: (G + 1,) the metric on all images and without each group.
        images: What stands for the effective number where the value is an end of its range, so
            that leaving images out says nothing.
        span: Range of the metric.
        freedom: Degrees of freedom of the variance, those of the groups where left out.
        level: Of confidence.
        most: How many times `images` the effective number may be: few wrong answers tell little of
            how much they vary.
        drifts: Whether fewer images move the metric to one side. The interval then is the one
            around the value, and around the value without the bias that the jackknife finds
            (Quenouille 1956), together.
    """
    low, high = span
    variance = jackknife_variance(values) / (high - low) ** 2
    freedom = max(min(len(values) - 2, np.inf if freedom is None else freedom), 1.0)
    middles = [values[0], values[0] - jackknife_bias(values)] if drifts else [values[0]]
    ends: list[float] = []
    for middle in np.clip((np.array(middles) - low) / (high - low), 0.0, 1.0).tolist():
        largest = middle * (1 - middle)
        count = largest / variance if variance > 1e-18 and largest > 1e-12 else images
        ends += wilson(middle, min(count, most * images), level, freedom)
    return low + (high - low) * min(ends), low + (high - low) * max(ends)


def difference_interval(
    one: Floats,
    other: Floats,
    images: float,
    span: Span,
    freedom: float | None = None,
    level: float = LEVEL,
    most: float = 0.0,
    drifts: bool = False,
) -> tuple[float, float]:
    """Of the second metric minus the first, both (G + 1,) with the same images left out.

    What makes an image hard for both cancels. Where nothing differs, two images still might; with
    `most` they might in any case, of so many times `images`. The other arguments are those of
    `interval`.
    """
    values = other - one
    spread = sqrt(jackknife_variance(values))
    width = span[1] - span[0]
    if most or spread < 1e-9:
        spread = max(spread, sqrt(2.0) * width / ((most or 1.0) * images + 2))
    freedom = max(min(len(values) - 2, np.inf if freedom is None else freedom), 1.0)
    half = _quantile(level, freedom) * spread
    value = float(values[0])
    shifted = value - jackknife_bias(values) if drifts else value
    return max(-width, min(value, shifted) - half), min(width, max(value, shifted) + half)


def subsample_interval(
    value: float,
    parts: Floats,
    size: int,
    images: int,
    span: Span,
    level: float = LEVEL,
) -> tuple[float, float]:
    """Of a metric that is found anew in parts of the images, or of a difference of two.

    A metric of m of n images spreads around that of n by the variance of m images less that of n,
    and is off by as much more as m is fewer. The interval is the spread of n images around the
    value, and around the value less what it is off by: for it cannot be known whether other images,
    more of them, would be off as much.

    Args:
        value: On all images.
        parts: (R,) in each of the parts.
        size: m, images of a part.
        images: n.
        span: Range of the metric.
        level: Of confidence.
    """
    more = images / size - 1
    spread = float(parts.std(ddof=1)) / sqrt(more)
    # Where the parts all say the same, two images still might not.
    least = sqrt(2.0) * (span[1] - span[0]) / (images + 2)
    spread = spread if spread > 1e-9 else least
    half = _quantile(level, len(parts) - 1) * spread
    shifted = value - (float(parts.mean()) - value) / more
    return max(span[0], min(value, shifted) - half), min(span[1], max(value, shifted) + half)


def _quantile(level: float, freedom: float | None = None) -> float:
    """How many standard errors the interval reaches to either side."""
    upper = (1 + level) / 2
    if freedom is None:
        return NormalDist().inv_cdf(upper)
    from scipy.special import stdtrit  # takes longer to import than most that it is used for

    return float(stdtrit(freedom, upper))
