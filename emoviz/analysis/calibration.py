"""Do the probabilities mean what they say? Reliability, scores, and a temperature that would help.

Guo et al. 2017, On Calibration of Modern Neural Networks; Brier 1950.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from math import hypot, sqrt
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emoviz.analysis.alignment import AlignedPredictions
from emoviz.analysis.calibration_error import ECE_BINS, confidence_bins
from emoviz.analysis.metrics import LEAST_SCORE, METRICS, added_up, log_losses, measured
from emoviz.analysis.resampling import (
    USUAL,
    Intervals,
    LeaveOut,
    MetricEstimate,
    few_words,
    jackknife_variance,
    mean,
)

Floats = NDArray[np.float64]
FOLDS, _FEWEST, _FEWEST_FOR_FOLDS = 5, 10, 50  # images
_LOWEST, _HIGHEST = 0.05, 20.0  # temperatures that are looked through, as in training
_AROUND = np.linspace(-0.5, 0.5, 11)  # of log T: where the folds' minima are looked for


@dataclass(frozen=True)
class Bin:
    """Images whose confidence lies in one bin (low, high]."""

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Calibration:
    """How far confidence and being right go together.

    Attributes:
        bins: Equal bins of the confidence that hold an image.
        largest: The largest gap of a bin (MCE).
        ece: Expected calibration error: the mean gap of the bins, weighted by their images.
        brier: Mean squared distance of the scores from the label, 0 to 2.
        nll: Mean of -log of the label's score, in nats.
        temperature: What the logits behind the probabilities would have to be divided by, beyond
            the checkpoint's own temperature; above 1 where the model is too sure. No interval
            below 50 images, no value where the images do not bound it within 0.05 to 20.
        ece_after: ECE with such temperatures.
        brier_after: Brier score with such temperatures.
        how: On what the last two were measured.
        reason: Why something is missing.
    """

    bins: tuple[Bin, ...] = ()
    largest: float | None = None
    ece: MetricEstimate | None = None
    brier: MetricEstimate | None = None
    nll: MetricEstimate | None = None
    temperature: MetricEstimate | None = None
    ece_after: MetricEstimate | None = None
    brier_after: MetricEstimate | None = None
    how: str = ""
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def calibration(judged: AlignedPredictions, how: Intervals = USUAL) -> Calibration:
    """Reliability of the answers' confidence, and what a fitted temperature would change.

    With 50 images or more the temperature's effect is cross-validated: each of five parts is
    judged with the temperature that fits the other four. With fewer it is measured on the images
    that it was fitted on, without an interval, which `how` says; with fewer than ten there is none.
    The intervals of what comes after it count that other images would give another temperature.

    Args:
        judged: Answers beside labels.
        how: Of the intervals; the seed also is that of the parts.
    """
    if not len(judged):
        return Calibration(reason="no image has a label that a class may be called")
    found = reliability(judged.confidence, judged.right)
    ece, brier = _scored(judged, how)
    known: dict[str, Any] = {
        "bins": found,
        "largest": max(abs(item.confidence - item.accuracy) for item in found),
        "ece": ece,
        "brier": brier,
        "nll": mean(log_losses(judged), (0.0, float(-np.log(LEAST_SCORE))), how.level),
    }
    if len(judged) < _FEWEST:
        reason = f"no temperature: {len(judged)} images, wanted {_FEWEST} or more"
        return Calibration(**known, reason=reason)
    return Calibration(**known, **_tempered(judged, how))


def _scored(judged: AlignedPredictions, how: Intervals | None) -> Iterable[MetricEstimate]:
    """ECE and Brier score."""
    return measured(added_up(judged, None, how), how, ("ece", "brier")).values()


def reliability(confidence: Floats, right: NDArray[np.bool_]) -> tuple[Bin, ...]:
    """The bins (a, b] of equal width that hold an image, from the lowest."""
    place, bins = confidence_bins(confidence), ECE_BINS
    counts = np.bincount(place, minlength=bins)
    sums = np.bincount(place, confidence, bins), np.bincount(place, right, bins)
    return tuple(
        Bin(
            b / bins,
            (b + 1) / bins,
            int(counts[b]),
            float(sums[0][b] / counts[b]),
            float(sums[1][b] / counts[b]),
        )
        for b in np.flatnonzero(counts).tolist()
    )


def with_temperature(judged: AlignedPredictions, temperature: Floats | float) -> Floats:
    """(n, S) the scores that another temperature gives; one for all, or (n,) one an image."""
    logs = np.log(np.clip(judged.probabilities, 1e-12, None))
    divided = logs / np.reshape(temperature, (-1, 1))
    p = np.exp(divided - divided.max(axis=1, keepdims=True))
    return judged.bridge.apply(p / p.sum(axis=1, keepdims=True))


def _tempered(judged: AlignedPredictions, how: Intervals) -> dict[str, Any]:
    from scipy.optimize import minimize_scalar

    losses, n = _Losses.of(judged), len(judged)
    fitted = minimize_scalar(
        lambda log_t: losses.at(float(np.exp(log_t))).mean(),
        bounds=(np.log(_LOWEST), np.log(_HIGHEST)),
        method="bounded",
        options={"xatol": 1e-3},
    )
    best = float(fitted.x)
    fits = float(np.exp(best))
    near = np.stack([losses.at(float(np.exp(t))) for t in best + _AROUND])
    low, high = _ends(losses, near, best, how)
    if n < _FEWEST_FOR_FOLDS:
        few = few_words(n, _FEWEST_FOR_FOLDS)
        known = _scored(_at_temperature(judged, fits), None)
        ece, brier = (replace(item, reason=few) for item in known)
        how_found = "in-sample: on the very images that the temperature was fitted on"
        temperature = MetricEstimate(fits, n=n, reason=few)
    else:
        temperature = MetricEstimate(fits, low, high, n)
        found = _scored(_at_temperature(judged, _left_out_temperatures(near, best, how.seed)), how)
        at = [_scored(_at_temperature(judged, t), None) for t in (fits, low, high)]
        ece, brier = (
            _with_its_error(METRICS[name].span[1], *rows)
            for name, *rows in zip(("ece", "brier"), found, *at, strict=True)
        )
        how_found = (
            f"cross-validated: each of {FOLDS} parts with the temperature that fits the others"
        )
    if low < 1.001 * _LOWEST or high > 0.999 * _HIGHEST:
        # All right or all wrong, say, or all alike: what fits best then is whatever was looked at.
        temperature = MetricEstimate(None, n=n, reason="these images do not bound it")
    return {"temperature": temperature, "ece_after": ece, "brier_after": brier, "how": how_found}


def _at_temperature(judged: AlignedPredictions, temperature: Floats | float) -> AlignedPredictions:
    scores = with_temperature(judged, temperature)
    return replace(judged, scores=scores, predicted=scores.argmax(axis=1))


def _with_its_error(most: float, found: MetricEstimate, *at: MetricEstimate) -> MetricEstimate:
    """A score with a temperature, whose interval counts that other images would give another.

    MOVER (Zou and Donner 2008): to how far the score of a given temperature may be off comes how
    far the ends of the temperature's interval move it. Images that a temperature was not fitted on
    score worse than with the best one, those that it was fitted on better: the interval reaches
    down from the smaller of the two.

    Args:
        most: The largest that the score can be.
        found: With the interval of a given temperature.
        at: With the fitted temperature, and with the two ends of its interval.
    """
    fitted, *ends = (item.value or 0.0 for item in at)
    if found.value is None or found.low is None or found.high is None:
        return found
    down = hypot(found.value - found.low, max(0.0, fitted - min(ends)))
    up = hypot(found.high - found.value, max(0.0, max(ends) - fitted))
    low, high = min(found.value, fitted) - down, found.value + up
    return replace(found, low=max(0.0, low), high=min(most, high))


def _ends(losses: "_Losses", near: Floats, best: float, how: Intervals) -> tuple[float, float]:
    """The temperature's interval: where the images are not much less likely (Wilks 1938).

    How much is as for a true model, or more by as much as the jackknife finds the temperature to
    vary more. Where few answers are wrong the likelihood hardly bounds it to one side, which no
    multiple of a standard error tells: an end then is that of the temperatures looked through.
    """
    without = LeaveOut(near.shape[1], how.seed)
    sums = np.stack([without.sums(row) for row in near])  # (T, G + 1)
    fitted = np.array([_lowest(best + _AROUND, column) for column in sums.T])
    total, middle = sums[:, 0], len(_AROUND) // 2
    bend = (total[middle - 1] - 2 * total[middle] + total[middle + 1]) / _AROUND[middle + 1] ** 2
    wider = max(1.0, bend * jackknife_variance(fitted))
    cut = sqrt(wider / 2) * NormalDist().inv_cdf(0.5 + how.level / 2)
    grid = best + _AROUND
    if np.sqrt(max(min(total[0], total[-1]) - total[middle], 0.0)) < cut:
        grid = np.sort(np.append(grid, np.linspace(np.log(_LOWEST), np.log(_HIGHEST), 60)))
        total = np.array([losses.at(float(np.exp(t))).sum() for t in grid])
    # The square root of a parabola is straight.
    away = np.sqrt(np.maximum(total - near[middle].sum(), 0.0))
    above, below = grid >= best, grid <= best
    low = np.interp(cut, away[below][::-1], grid[below][::-1])
    high = np.interp(cut, away[above], grid[above])
    ends = np.exp([min(low, best), max(high, best)])
    return max(float(ends[0]), _LOWEST), min(float(ends[1]), _HIGHEST)


def _left_out_temperatures(near: Floats, best: float, seed: int) -> Floats:
    """(n,) for each image the temperature that fits the other parts best, near the one for all.

    Args:
        near: (T, n) losses at the temperatures around the best.
        best: Its logarithm.
        seed: Of the parts.
    """
    fold = np.random.default_rng(seed).permutation(near.shape[1]) % FOLDS
    grid = best + _AROUND
    sums = np.stack([np.bincount(fold, losses, FOLDS) for losses in near])
    rest = sums.sum(axis=1, keepdims=True) - sums  # (T, FOLDS) loss on the other parts
    each = np.exp(np.array([_lowest(grid, rest[:, k]) for k in range(FOLDS)]))
    temperatures: Floats = each[fold]
    return temperatures


def _lowest(grid: Floats, loss: Floats) -> float:
    """Where a parabola through the lowest point and its neighbours is lowest."""
    k = int(np.clip(loss.argmin(), 1, len(grid) - 2))
    before, here, after = loss[k - 1], loss[k], loss[k + 1]
    bend = before - 2 * here + after
    step = 0.5 * (before - after) / bend if bend > 0 else 0.0
    return float(grid[k] + np.clip(step, -1, 1) * (grid[1] - grid[0]))


@dataclass(frozen=True)
class _Losses:
    """-log of the label's score at any temperature, of n images.

    Classes come first, since sums over a long axis are quick.

    Attributes:
        logs: (C, n) logarithms of the probabilities.
        allowed: (C, n) whether the class may be called as the image's label.
    """

    logs: Floats
    allowed: Floats

    @classmethod
    def of(cls, judged: AlignedPredictions) -> "_Losses":
        logs = np.log(np.clip(judged.probabilities, 1e-12, None)).T
        return cls(np.ascontiguousarray(logs), judged.bridge.matrix[judged.truth].T.copy())

    def at(self, temperature: float) -> Floats:
        """(n,) in nats."""
        p = np.exp(self.logs / temperature)  # the largest is 1/C or more before, so no sum is 0
        own = (p * self.allowed).sum(axis=0) / p.sum(axis=0)
        losses: Floats = -np.log(np.maximum(own, 1e-12))
        return losses
