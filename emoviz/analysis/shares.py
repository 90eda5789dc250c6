"""Shares of images with their intervals, which need no resampling.

Wilson's interval (1927). A bootstrap would say 0 to 0 where none of fifteen images has a property,
as if that were certain; Wilson's ends at 20 %.
"""

from math import sqrt
from statistics import NormalDist

from emoviz.analysis.kinds import FEWEST, MetricEstimate, few_words


def share(hits: int, count: int, level: float = 0.95, nothing: str = "no image") -> MetricEstimate:
    """A share with its Wilson interval.

    Args:
        hits: Images with the property.
        count: Of so many.
        level: Of the interval, in 0-1.
        nothing: The reason where count is 0.
    """
    if not count:
        return MetricEstimate(None, reason=nothing)
    value = hits / count
    if count < FEWEST:
        return MetricEstimate(value, reason=few_words(count))
    return MetricEstimate(value, *wilson(hits, count, level))


def wilson(hits: int, count: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson's interval of a share; the count is at least 1."""
    width = NormalDist().inv_cdf((1 + level) / 2)
    value, spread = hits / count, width**2 / count
    middle = (value + spread / 2) / (1 + spread)
    half = width / (1 + spread) * sqrt(value * (1 - value) / count + spread / (4 * count))
    return max(0.0, middle - half), min(1.0, middle + half)
