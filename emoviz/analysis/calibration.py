"""Do the probabilities mean what they say? Reliability, scores, and a temperature that would help.

Guo et al. 2017, On Calibration of Modern Neural Networks; Brier 1950.
"""

from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emoviz.analysis.alignment import AlignedPredictions
from emoviz.analysis.calibration_error import (
    ECE_BINS,
    confidence_bins,
    expected_calibration_error,
)
from emoviz.analysis.metrics import brier_terms
from emoviz.analysis.resampling import LEVEL, LeaveOut, jackknife_variance

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
        ece: Expected calibration error: the mean gap of the bins, weighted by their images.
        largest: The largest gap of a bin (MCE).
        brier: Mean squared distance of the scores from the label, 0 to 2.
        nll: Mean of -log of the label's score, in nats.
        temperature: What the logits behind the probabilities would have to be divided by, beyond
            the checkpoint's own temperature; above 1 where the model is too sure.
        temperature_low: Lower end of its confidence interval; None below 50 images.
        temperature_high: Upper end.
        ece_after: ECE with such temperatures.
        brier_after: Brier score with such temperatures.
        how: On what the last two were measured.
        reason: Why something is missing.
    """

    bins: tuple[Bin, ...] = ()
    ece: float | None = None
    largest: float | None = None
    brier: float | None = None
    nll: float | None = None
    temperature: float | None = None
    temperature_low: float | None = None
    temperature_high: float | None = None
    ece_after: float | None = None
    brier_after: float | None = None
    how: str = ""
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def calibration(judged: AlignedPredictions, bins: int = ECE_BINS, seed: int = 0) -> Calibration:
    """Reliability of the answers' confidence, and what a fitted temperature would change.

    With 50 images or more the temperature's effect is cross-validated: each of five parts is
    judged with the temperature that fits the other four. With fewer it is measured on the images
    that it was fitted on, which `how` says; with fewer than ten there is none.

    Args:
        judged: Answers beside labels.
        bins: Of equal width over 0-1.
        seed: Of the parts.
    """
    if not len(judged):
        return Calibration(reason="no image has a label that a class may be called")
    confidence, right = judged.confidence, judged.right
    found = reliability(confidence, right, bins)
    known: dict[str, Any] = {
        "bins": found,
        "ece": expected_calibration_error(confidence, right, bins),
        "largest": max(abs(item.confidence - item.accuracy) for item in found),
        "brier": float(brier_terms(judged).mean()),
        "nll": float(_Losses.of(judged).at(1.0).mean()),
    }
    if len(judged) < _FEWEST:
        reason = f"no temperature: {len(judged)} images, wanted {_FEWEST} or more"
        return Calibration(**known, reason=reason)
    return Calibration(**known, **_tempered(judged, bins, seed))


def reliability(confidence: Floats, right: NDArray[np.bool_], bins: int) -> tuple[Bin, ...]:
    """The bins (a, b] of equal width that hold an image, from the lowest."""
    place = confidence_bins(confidence, bins)
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


def _tempered(judged: AlignedPredictions, bins: int, seed: int) -> dict[str, Any]:
    from scipy.optimize import minimize_scalar

    losses = _Losses.of(judged)
    fitted = minimize_scalar(
        lambda log_t: losses.at(float(np.exp(log_t))).mean(),
        bounds=(np.log(_LOWEST), np.log(_HIGHEST)),
        method="bounded",
        options={"xatol": 1e-3},
    )
    best = float(fitted.x)
    validated = len(judged) >= _FEWEST_FOR_FOLDS
    each, low, high = np.full(1, np.exp(best)), None, None
    if validated:
        near = np.stack([losses.at(float(np.exp(t))) for t in best + _AROUND])
        each, (low, high) = _left_out_temperatures(near, best, seed), _ends(near, best, seed)
    scores = with_temperature(judged, each)
    confidence = np.minimum(scores.max(axis=1), 1.0)
    right = scores.argmax(axis=1) == judged.truth
    own = np.take_along_axis(scores, judged.truth[:, None], axis=1)[:, 0]
    return {
        "temperature": float(np.exp(best)),
        "temperature_low": low,
        "temperature_high": high,
        "ece_after": expected_calibration_error(confidence, right, bins),
        "brier_after": float(((scores**2).sum(axis=1) - 2 * own + 1).mean()),
        "how": (
            f"cross-validated: each of {FOLDS} parts with the temperature that fits the others"
            if validated
            else "in-sample: on the very images that the temperature was fitted on"
        ),
    }


def _ends(near: Floats, best: float, seed: int) -> tuple[float, float]:
    """The temperature's interval: the jackknife's of its logarithm."""
    without = LeaveOut(near.shape[1], seed)
    sums = np.stack([without.sums(losses) for losses in near])  # (T, G + 1)
    fitted = np.array([_lowest(best + _AROUND, column) for column in sums.T])
    half = NormalDist().inv_cdf(0.5 + LEVEL / 2) * np.sqrt(jackknife_variance(fitted))
    return float(np.exp(best - half)), float(np.exp(best + half))


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
