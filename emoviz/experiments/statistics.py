"""Means and deviations over seeds, and differences between rows, seed by seed."""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


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
        """Whether the mean is farther from 0 than twice its standard error; None with one value."""
        return None if self.error is None else abs(self.mean) > 2 * self.error

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"mean": self.mean, "sd": self.sd, "values": list(self.values)}

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
