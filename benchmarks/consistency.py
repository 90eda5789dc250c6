"""ASR's threshold, exact and sampled, against SciPy; ARI and NMI against scikit-learn.

    python benchmarks/consistency.py [--size 17716] [--rounds 3] [--large]

Wanted: the exact 10th percentile of all pairwise distances at 17,716 x 136 at least 4 times faster
than SciPy's `pdist` with NumPy's percentile, the same to nine digits, in less than 1 GB; two
million sampled pairs within 0.1 % at 118,102 (--large, a minute or more); ARI and NMI equal to
scikit-learn's. Vectors are drawn from a mixture of eight groups.
"""

import argparse
import tracemalloc

import numpy as np
from _timing import alternate, report, seconds

from emoviz.analysis.bootstrap import Outcomes, intervals, paired_differences
from emoviz.analysis.clustering import find_clusters, pairwise_percentile, sampled_percentile

WIDTH, CLASSES, LARGE = 136, 8, 118_102


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=17_716)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--large", action="store_true")
    arguments = parser.parse_args()
    exact(arguments.size, arguments.rounds)
    agreement(arguments.size)
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
        lambda: wanted.append(float(np.percentile(pdist(wide), 10.0))),
        rounds,
    )
    print(f"{size:,} x {WIDTH}: {np.median(ours):.1f} s, SciPy {np.median(theirs):.1f} s")
    report("exact threshold, faster than SciPy", ">= 4", theirs, ours)
    print(f"relative difference {abs(found[0] - wanted[0]) / wanted[0]:.1e}")
    tracemalloc.start()
    pairwise_percentile(u, 10.0)
    print(f"memory at most: {tracemalloc.get_traced_memory()[1] / 1e6:.0f} MB (wanted below 1000)")
    tracemalloc.stop()


def agreement(size: int) -> None:
    """ARI and NMI through the counts of kinds, and what their intervals take."""
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    u, labels = mixture(size)
    clusters = find_clusters(u, CLASSES).indices
    rng = np.random.default_rng(1)
    one, other = (
        Outcomes(labels, np.where(rng.random(size) < 0.8, labels, 0), clusters, clusters == part)
        for part in (0, 1)
    )
    found = intervals(one)
    alone = seconds(lambda: intervals(one))
    paired = seconds(lambda: paired_differences(one, other))
    print(f"1,000 resamples: {alone:.2f} s, of two checkpoints {paired:.2f} s")
    for name, score in (("ari", adjusted_rand_score), ("nmi", normalized_mutual_info_score)):
        print(f"{name} less scikit-learn's: {found[name].value - score(labels, clusters):.1e}")


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
