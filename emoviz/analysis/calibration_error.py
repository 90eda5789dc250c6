"""Expected calibration error (Guo et al. 2017), with an interval that covers.

ECE adds up absolute gaps, so chance alone makes it larger than it is: a perfectly calibrated model
has about .10 on 72 images, and an interval around the value leaves out the truth. Here the interval
holds every true ECE under which a value as large, and one as small, would not be rare (inversion of
a test): the gap of each bin is drawn around a true gap with the variance that its images have, and
the true gaps are the measured ones, drawn together as far as chance explains them apart and scaled
until they give the ECE that is tried. Few wrong answers make counts skewed, and hardly say to which
side the model is off: with none of 30 wrong it may still be too sure, as far as none would not be
rare. A model is off by no less than its mean confidence is from its accuracy, so the upper end
reaches as far as accuracy's own interval does, which knows counts as whole.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from emoviz.analysis.resampling import LEVEL, share_interval

Floats = NDArray[np.float64]
ECE_BINS = 15  # of equal width, over the confidence
_DRAWS = 2000
_RAREST = 0.002  # no answer is taken to be surer than that
_PRIOR = 2.0  # images that stand for what is known of a bin before its own are seen


def confidence_bins(confidence: Floats, bins: int = ECE_BINS) -> NDArray[np.int64]:
    """(N,) which of the equal bins (a, b] over 0-1 each falls into."""
    place: NDArray[np.int64] = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    return place


def expected_calibration_error(
    confidence: Floats, right: NDArray[np.bool_], bins: int = ECE_BINS
) -> float:
    """ECE: the mean gap between confidence and accuracy over equal-width bins.

    Args:
        confidence: (N,) probability of the predicted answer, in 0-1.
        right: (N,) whether the answer was right.
        bins: Number of equal-width bins (a, b] over 0-1.
    """
    gaps = np.bincount(confidence_bins(confidence, bins), confidence - right, bins)
    return float(np.abs(gaps).sum() / len(right))


def calibration_error_interval(
    confidence: Floats,
    right: NDArray[np.bool_],
    level: float = LEVEL,
    seed: int = 0,
) -> tuple[float, float]:
    """Confidence interval of the ECE; the arguments are those of `expected_calibration_error`."""
    gaps, spread, weights, means = _gaps(confidence, right)
    value = expected_calibration_error(confidence, right)
    shape = _true_gaps(gaps, spread, weights)
    rng, n = np.random.default_rng(seed), len(right)
    # Gaps are measured around rates that the same images gave: a degree of freedom a bin.
    free = max(n - len(gaps), n / 2)
    chance = rng.normal(size=(_DRAWS, len(gaps)))
    skewed = (chance**2 - 1) / 6
    # Other images also fall into other bins, which matters as much as the gaps of these differ.
    mass = rng.normal(size=(_DRAWS, len(gaps))) * np.sqrt(weights / n)
    mass -= weights * mass.sum(axis=1, keepdims=True)

    def drawn(true: float) -> Floats:
        """(R, B) gaps that images would show of a true ECE; below 0 one to the other side."""
        gap = true * shape / weights
        wrong = np.clip(1 - means + gap, _RAREST, 1 - _RAREST)  # rates, were it so
        spread = np.sqrt(wrong * (1 - wrong))
        # Counts of wrong answers are skewed where few are expected (Cornish and Fisher 1938).
        skew = (1 - 2 * wrong) / (np.sqrt(weights * n) * spread)
        more = (chance + skew * skewed) * spread * np.sqrt(weights / free)
        more = np.clip(more, -wrong * weights, (1 - wrong) * weights)
        shown: Floats = gap * (weights + mass) + more
        return shown

    def larger(true: float, or_equal: bool = False) -> float:
        """How often a true ECE gives a value larger than this one.

        Values tie where no answer is wrong, which is common, so it matters on which side they are.
        """
        least = value - 1e-12 if or_equal else value + 1e-12
        return float((np.abs(drawn(true)).sum(axis=1) > least).mean())

    def turned(true: float) -> float:
        """How often one to the other side gives gaps that lie as far to this one."""
        along = np.sign(shape)
        return float((drawn(-true) @ along >= gaps @ along - 1e-12).mean())

    tail = (1 - level) / 2
    low, high = _lowest(lambda true: larger(true, True), tail), _lowest(larger, 1 - tail)
    # Few wrong answers, or none, may be chance of images on which the model is too sure.
    other = min(_lowest(lambda true: larger(-true), 1 - tail), _lowest(turned, tail, False))
    least = float(confidence.mean()) - share_interval(int(right.sum()), n, level)[0]
    return min(low, value), max(high, other, least, value)


def _gaps(confidence: Floats, right: NDArray[np.bool_]) -> tuple[Floats, Floats, Floats, Floats]:
    """Of each bin that holds images: part of the gap, its error, share, mean confidence."""
    place, total, bins = confidence_bins(confidence), len(right), ECE_BINS
    counts = np.bincount(place, minlength=bins)
    used = counts > 0
    count = counts[used].astype(np.float64)
    mean = np.bincount(place, confidence, bins)[used] / count
    hits = np.bincount(place, right, bins)[used]
    expected = np.clip(mean - (confidence.mean() - right.mean()), 0.02, 0.98)
    rate = (hits + _PRIOR * expected) / (count + _PRIOR)
    spread = np.sqrt(count * rate * (1 - rate)) / total
    return (count * mean - hits) / total, spread, count / total, mean


def _true_gaps(gaps: Floats, spread: Floats, weights: Floats) -> Floats:
    """Gaps of the bins that add up to 1: measured ones, drawn towards one gap for all."""
    common = gaps.sum() * weights
    apart = ((gaps - common) ** 2).sum() / max((spread**2).sum(), 1e-12)
    kept = max(0.0, apart - 1.0) / max(apart, 1e-12)
    shape = common + kept * (gaps - common)
    total = np.abs(shape).sum()
    return weights if total < 1e-9 else shape / total


def _lowest(share: Callable[[float], float], wanted: float, rises: bool = True) -> float:
    """The smallest true ECE in 0-1 whose share is no less; no more, where shares fall with it."""
    low, high = 0.0, 1.0
    if (share(low) >= wanted) == rises:
        return low
    for _ in range(15):
        middle = (low + high) / 2
        low, high = (low, middle) if (share(middle) >= wanted) == rises else (middle, high)
    return (low + high) / 2
