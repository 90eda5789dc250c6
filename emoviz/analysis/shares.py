"""Shares of images with their bootstrap intervals, which need no resampling.

How many of n images with a property are drawn in a resample follows a binomial distribution, so
the ends of the percentile interval are its quantiles.
"""

from emoviz.analysis.kinds import FEWEST, Estimate, few_words


def share(hits: int, count: int, level: float = 0.95, nothing: str = "no image") -> Estimate:
    """A share with its percentile interval.

    Args:
        hits: Images with the property.
        count: Of so many.
        level: Share of the resamples within the interval, in 0-1.
        nothing: The reason where count is 0.
    """
    if not count:
        return Estimate(None, reason=nothing)
    value = hits / count
    if count < FEWEST:
        return Estimate(value, reason=few_words(count))
    from scipy.stats import binom

    low, high = binom.ppf(((1 - level) / 2, (1 + level) / 2), count, value) / count
    return Estimate(value, float(low), float(high))
