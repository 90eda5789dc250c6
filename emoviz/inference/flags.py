"""What a careful reader should know about an estimate: the same signs on screen and in tables."""

import math
from collections.abc import Mapping
from typing import Literal, Protocol

Certainty = Literal["clear", "leaning", "divided", "unsure"]
Flag = Literal["mixed", "unlike", "unsure", "abstains"]
FLAGS: Mapping[Flag, str] = {
    "mixed": "Mixed feelings",
    "unlike": "Unlike the training images",
    "unsure": "Unsure",
    "abstains": "Not sure enough",
}
MEANINGS: Mapping[Flag, str] = {
    "mixed": "the two most likely emotions have opposite sentiments",
    "unlike": "the image is farther from the training images than nearly all of them are",
    "unsure": "the estimate spreads over several emotions, so that none stands out",
    "abstains": "the most likely emotion is below the threshold that was set for this network",
}
# Share of the largest possible entropy above which no class stands out, probability of the first
# class from which it is called very likely, and the part of it that makes another a rival.
_FLAT, _CLEAR, _RIVAL = 0.9, 0.75, 0.75


class Ranked(Protocol):
    """An estimate with its probabilities."""

    @property
    def probabilities(self) -> Mapping[str, float]:
        """Class -> probability."""

    @property
    def ranked(self) -> list[tuple[str, float]]:
        """Classes with their probabilities, most probable first."""


def entropy(estimate: Ranked) -> float:
    """How spread out the probabilities are: 0 for a single class, 1 for all alike."""
    values = [p for p in estimate.probabilities.values() if p > 0.0]
    most = math.log(max(len(estimate.probabilities), 2))
    return -sum(p * math.log(p) for p in values) / most


def certainty(estimate: Ranked) -> Certainty:
    """Which of four ways of speaking suits the probabilities."""
    ranked = estimate.ranked
    first = ranked[0][1]
    rivals = sum(1 for _, share in ranked[1:] if share >= _RIVAL * first)
    if rivals > 1 or entropy(estimate) > _FLAT:
        return "unsure"
    if rivals:
        return "divided"
    return "clear" if first >= _CLEAR else "leaning"


def flags_of(estimate: Ranked, mixed: bool, unlike: bool, abstains: bool) -> tuple[Flag, ...]:
    """The signs that an estimate carries, in the order in which they are shown."""
    checks: tuple[tuple[Flag, bool], ...] = (
        ("mixed", mixed),
        ("unlike", unlike),
        ("unsure", certainty(estimate) == "unsure"),
        ("abstains", abstains),
    )
    return tuple(flag for flag, holds in checks if holds)
