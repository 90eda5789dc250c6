"""ASR's threshold, exact and sampled, against SciPy.

    python benchmarks/consistency.py [--size 17716] [--rounds 3] [--large]

Wanted: the exact 10th percentile of all pairwise distances at 17,716 x 136 at least 4 times faster
than SciPy's `pdist` with NumPy's partition, the same to nine digits, in less than 1 GB; two
million sampled pairs within 0.1 % at 118,102 (--large, a minute or more). Vectors are drawn from a
mixture of eight groups.
"""

import argparse
import tracemalloc

import numpy as np
from _timing import alternate, report, seconds

from emoviz.analysis.clustering import pairwise_percentile, sampled_percentile

WIDTH, CLASSES, LARGE = 136, 8, 118_102


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=17_716)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--large", action="store_true")
    arguments = parser.parse_args()
    exact(arguments.size, arguments.rounds)
    if arguments.large:
        sampled()


def mixture(size: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, CLASSES, size)
    middles = 0.5 * rng.normal(size=(CLASSES, WIDTH))
    u = middles[labels] + rng.gamma(2, 0.5, size=(size, 1)) * rng.normal(size=(size, WIDTH))
    return u.astype(np.float32), labels


def exact(size: int, rounds: int) -> None:
    """Time, difference and memory of the exact threshold."""
    from scipy.spatial.distance import pdist

    u, _ = mixture(size)
    wide = u.astype(np.float64)
    found, wanted = [], []
    ours, theirs = alternate(
        lambda: found.append(pairwise_percentile(u, 10.0)),
        lambda: wanted.append(smallest_tenth(pdist(wide))),
        rounds,
    )
    print(f"{size:,} x {WIDTH}: {np.median(ours):.1f} s, SciPy {np.median(theirs):.1f} s")
    report("exact threshold, faster than SciPy", ">= 4", theirs, ours)
    print(f"relative difference {abs(found[0] - wanted[0]) / wanted[0]:.1e}")
    tracemalloc.start()
    pairwise_percentile(u, 10.0)
    print(f"memory at most: {tracemalloc.get_traced_memory()[1] / 1e6:.0f} MB (wanted below 1000)")
    tracemalloc.stop()


def smallest_tenth(distances: np.ndarray) -> float:
    """The largest of the 10 % smallest."""
    rank = len(distances) // 10 - 1
    return float(np.partition(distances, rank)[rank])


def sampled() -> None:
    """The sampled threshold's error at the size of EmoSet."""
    u, _ = mixture(LARGE)
    value, error = sampled_percentile(u, 10.0)
    taken = seconds(lambda: sampled_percentile(u, 10.0))
    whole: list[float] = []
    slow = seconds(lambda: whole.append(pairwise_percentile(u, 10.0)))
    print(
        f"{LARGE:,}: sampled {taken:.1f} s, exact {slow:.0f} s; relative difference "
        f"{abs(value - whole[0]) / whole[0]:.1e}, its stated error {error / value:.1e} "
        "(wanted below 1e-3)"
    )


if __name__ == "__main__":
    main()
