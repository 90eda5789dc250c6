"""Answers that a model had better not give: coverage against accuracy, and a threshold.

Selective prediction, El-Yaniv and Wiener 2010: below the threshold the model abstains.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emoviz.analysis.resampling import share_interval
from emoviz.errors import AnalysisError

Floats = NDArray[np.float64]
_FEWEST = 10  # answers that a threshold is chosen by


@dataclass(frozen=True)
class SelectiveCurve:
    """Accuracy among the most certain answers.

    Attributes:
        thresholds: (P,) confidence from which an answer is given, descending.
        coverage: (P,) share of the images that get one, ascending to 1.
        accuracy: (P,) share of right ones among these.
    """

    thresholds: tuple[float, ...]
    coverage: tuple[float, ...]
    accuracy: tuple[float, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Choice:
    """A threshold and what it does.

    Attributes:
        threshold: Answers of less confidence are not given; None where none does what was wanted.
        coverage: Share of the images that get an answer.
        accuracy: Share of right ones among these; None where there are none.
        low: Lower end of the Wilson interval of the accuracy, 95 %.
        high: Upper end.
        answered: Images that get an answer.
        images: All of them.
        reason: Why there is no threshold.
    """

    threshold: float | None
    coverage: float
    accuracy: float | None
    low: float | None
    high: float | None
    answered: int
    images: int
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def selective(confidence: Floats, right: NDArray[np.bool_], most: int = 200) -> SelectiveCurve:
    """The coverage-accuracy curve.

    Args:
        confidence: (N,) 0 to 1. Images of equal confidence get an answer together.
        right: (N,) whether the answer is right.
        most: Points at most.
    """
    if not len(confidence):
        return SelectiveCurve((), (), ())
    thresholds, counts, accuracy = _steps(confidence, right)
    picked = np.unique(np.linspace(0, len(counts) - 1, min(most, len(counts))).round().astype(int))
    coverage = counts[picked] / len(confidence)
    return SelectiveCurve(
        tuple(thresholds[picked].tolist()),
        tuple(coverage.tolist()),
        tuple(accuracy[picked].tolist()),
    )


def choose_threshold(
    confidence: Floats,
    right: NDArray[np.bool_],
    accuracy: float | None = None,
    coverage: float | None = None,
) -> Choice:
    """The threshold that gives most answers at a wanted accuracy, or a wanted share of answers.

    To be chosen on validation data: on the images that it was chosen on, it looks a little better
    than it is. Fewer than ten answers are never taken for an accuracy.

    Args:
        confidence: (N,) as in `selective`.
        right: (N,).
        accuracy: Wanted among the answers, 0 to 1; the largest coverage that has it is taken.
        coverage: Wanted share of answers, 0 to 1; the smallest that is at least as large.

    Raises:
        AnalysisError: Not one of the two was given, or it is outside 0-1.
    """
    wanted = [item for item in (accuracy, coverage) if item is not None]
    if len(wanted) != 1 or not 0 <= wanted[0] <= 1:
        raise AnalysisError(
            f"A threshold was wanted for accuracy {accuracy} and coverage {coverage}; give one of "
            "them, between 0 and 1."
        )
    if len(confidence) < _FEWEST:
        few = f"{len(confidence)} images are too few to choose by; wanted {_FEWEST} or more"
        return _no_threshold(len(confidence), few)
    thresholds, counts, rates = _steps(confidence, right)
    if coverage is not None:
        enough = np.flatnonzero(counts >= coverage * len(confidence) - 1e-9)
        return at_threshold(confidence, right, float(thresholds[enough[0]]))
    assert accuracy is not None
    good = np.flatnonzero((rates >= accuracy - 1e-9) & (counts >= _FEWEST))
    if not len(good):
        best = rates[counts >= _FEWEST].max()
        reason = f"no threshold reaches {accuracy:.1%}; the best among ten answers is {best:.1%}"
        return _no_threshold(len(confidence), reason)
    return at_threshold(confidence, right, float(thresholds[good[-1]]))


def at_threshold(confidence: Floats, right: NDArray[np.bool_], threshold: float) -> Choice:
    """What a given threshold does."""
    given = confidence >= threshold
    count, hits = int(given.sum()), int((right & given).sum())
    if not count:
        return Choice(threshold, 0.0, None, None, None, 0, len(confidence))
    low, high = share_interval(hits, count)
    coverage = count / len(confidence)
    return Choice(threshold, coverage, hits / count, low, high, count, len(confidence))


def _no_threshold(images: int, reason: str) -> Choice:
    return Choice(None, 0.0, None, None, None, 0, images, reason)


def _steps(
    confidence: Floats, right: NDArray[np.bool_]
) -> tuple[Floats, NDArray[np.int64], Floats]:
    """At each distinct confidence from the highest: it, answers so far, share of right ones."""
    order = np.argsort(-confidence, kind="stable")
    ordered = confidence[order]
    ends = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)
    counts = ends + 1
    return ordered[ends], counts, np.cumsum(right[order])[ends] / counts
