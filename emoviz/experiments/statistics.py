"""Means and deviations over seeds, and differences between rows, seed by seed."""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scipy.special import stdtr, stdtrit


@dataclass(frozen=True)
class Spread:
    """One measure over seeds.

    Attributes:
        mean: Of the values.
        sd: Sample standard deviation; None with a single value.
        values: One for each seed, in the order of the seeds.
    """

    mean: float
    sd: float | None
    values: tuple[float, ...]

    @property
    def error(self) -> float | None:
        """Standard error of the mean; None with a single value."""
        return None if self.sd is None else self.sd / float(len(self.values)) ** 0.5

    @property
    def stands_out(self) -> bool | None:
        """Whether the mean of differences is told apart from 0 at 5 %; None with one value."""
        return None if self.p is None else self.p < 0.05

    @property
    def p(self) -> float | None:
        """Of the t-test that the mean is 0: for differences seed by seed the paired one (Student).

        None with a single value. The seeds are what varies; the images are the same throughout.
        """
        if self.error is None:
            return None
        if self.error == 0:
            return 0.0 if self.mean else 1.0
        return 2 * float(stdtr(len(self.values) - 1, -abs(self.mean) / self.error))

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % confidence interval of the mean over seeds, by Student's t; None with one value."""
        if self.error is None:
            return None
        half = float(stdtrit(len(self.values) - 1, 0.975)) * self.error
        return self.mean - half, self.mean + half

    @property
    def effect(self) -> float | None:
        """Cohen's d of paired differences: mean over deviation; None where there is none."""
        return self.mean / self.sd if self.sd else None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        ends = self.interval
        return {
            "mean": self.mean,
            "sd": self.sd,
            "values": list(self.values),
            "low": None if ends is None else ends[0],
            "high": None if ends is None else ends[1],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Spread":
        """Read what `to_dict` gave."""
        return cls(values["mean"], values["sd"], tuple(values["values"]))


def spread(values: Mapping[int, float]) -> Spread | None:
    """Mean and sample standard deviation of one value for each seed; None without values."""
    if not values:
        return None
    ordered = tuple(values[seed] for seed in sorted(values))
    sd = statistics.stdev(ordered) if len(ordered) > 1 else None
    return Spread(statistics.mean(ordered), sd, ordered)


def paired_difference(one: Mapping[int, float], other: Mapping[int, float]) -> Spread | None:
    """`one` minus `other`, seed by seed; None where they share no seed."""
    return spread({seed: one[seed] - other[seed] for seed in one.keys() & other.keys()})


def flat(values: Mapping[str, Any], below: str = "") -> dict[str, float]:
    """Nested measures as ``outer.inner`` names; what is no number is left out."""
    found: dict[str, float] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{below}{name}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found[f"{below}{name}"] = value
    return found
