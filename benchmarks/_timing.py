"""Shared by the benchmarks: ratios between things measured in turn, in one run.

The machine's speed drifts, so the two sides alternate and the median of the pairwise ratios is
printed, with the smallest and largest.
"""

import statistics
import time
from collections.abc import Callable


def seconds(action: Callable[[], object]) -> float:
    """Wall-clock seconds of one call."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def alternate(
    ours: Callable[[], object], theirs: Callable[[], object], rounds: int = 7
) -> tuple[list[float], list[float]]:
    """Seconds of both, measured in turn after one warm-up each."""
    ours(), theirs()
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(rounds)]
    return [a for a, _ in pairs], [b for _, b in pairs]


def report(name: str, target: str, numerators: list[float], denominators: list[float]) -> float:
    """Print the median pairwise ratio with its range; give the median."""
    ratios = [a / b for a, b in zip(numerators, denominators, strict=True)]
    middle = statistics.median(ratios)
    print(
        f"{name}: x {middle:.2f} (from {min(ratios):.2f} to {max(ratios):.2f}, "
        f"{len(ratios)} pairs; wanted {target})",
        flush=True,
    )
    return middle


def milliseconds(values: list[float]) -> str:
    """Median in ms."""
    return f"{1000 * statistics.median(values):.0f} ms"
