"""How often confidence intervals hold the true value: a simulation.

    python benchmarks/intervals.py [--draws 400] [--images 30 72 300 3000]

Images are drawn from worlds whose true metrics are known: classes are normal clouds, the model's
probabilities are those of Bayes' rule, too sure by a temperature. Truth is each metric on 400,000
images of the world. For clusters k-means is run anew on every draw, and truth is what it finds on
40,000 images. Wanted at a level of 0.95: 0.93 to 0.97; more is an interval wider than it must be,
less is one that lies. A dash: the project says that there are not enough images. Two standard
errors of a share near 0.95 over 400 draws are 0.022. (Not called coverage: Numba, and so UMAP,
imports whatever has that name.)
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from emoviz.analysis.alignment import AlignedPredictions, ModelOutputs, judge
from emoviz.analysis.clustering import CLUSTER_METRICS, group_images
from emoviz.analysis.metrics import METRICS, added_up, differences, measured
from emoviz.analysis.resampling import Intervals
from emoviz.labels import MIKELS8, SADNESS2, Bridge, Taxonomy

PLAIN = tuple(name for name in METRICS if name not in CLUSTER_METRICS)


@dataclass(frozen=True)
class World:
    """Where images come from.

    Attributes:
        name: Of the kind of task.
        taxonomy: Its classes.
        apart: Length of each class's mean, in standard deviations of u.
        width: Of u.
        sure: What the logits are multiplied by; 1 is calibrated.
        uneven: Whether some classes are rare.
        blurred: Standard deviation of what the model sees wrongly of u, beside that of a class.
    """

    name: str
    taxonomy: Taxonomy
    apart: float
    width: int
    sure: float = 1.0
    uneven: bool = False
    blurred: float = 0.0

    def draw(self, images: int, seed: int) -> AlignedPredictions:
        """Answers beside labels of so many images."""
        rng, kinds = np.random.default_rng(seed), len(self.taxonomy)
        means = np.random.default_rng(1).normal(size=(kinds, self.width))
        means *= self.apart / np.linalg.norm(means, axis=1, keepdims=True)
        prior = 1 / (np.arange(kinds) + 1.5) if self.uneven else np.ones(kinds)
        prior = prior / prior.sum()
        labels = rng.choice(kinds, images, p=prior)
        u = means[labels] + rng.normal(size=(images, self.width))
        u += self.blurred * rng.normal(size=u.shape)
        logits = self.sure * (u @ means.T - (means**2).sum(axis=1) / 2 + np.log(prior))
        p = np.exp(logits - logits.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        outputs = ModelOutputs("drawn", self.taxonomy, p, u.astype(np.float32))
        return judge(outputs, labels, Bridge(self.taxonomy, self.taxonomy, np.eye(kinds)))


WORLDS = (
    World("8 classes, 58 % right, too sure", MIKELS8, 1.6, 16, 1.6),
    World("8 classes, calibrated", MIKELS8, 1.6, 16),
    World("8 uneven classes, 78 % right", MIKELS8, 2.2, 16, 1.6, uneven=True),
    World("8 classes, 99 % right", MIKELS8, 4.5, 16),
    World("2 uneven classes, 82 % right", SADNESS2, 1.2, 4, 1.6, uneven=True),
    World("2 classes, 97 % right", SADNESS2, 2.5, 4, 1.6),
)
BLURRED = replace(WORLDS[2], blurred=0.6, sure=1.0)  # of the same images, by another model
CLUSTERED = (
    World("8 clear clusters", MIKELS8, 4.0, 16),
    World("8 clusters that overlap", MIKELS8, 2.5, 16),
    World("2 clusters that overlap", SADNESS2, 1.5, 16),
)


def coverage(
    world: World, images: int, draws: int, names: Sequence[str], truth: dict[str, float]
) -> dict[str, float | None]:
    """Share of draws whose interval holds the truth; None where most have no interval."""
    held: dict[str, list[bool]] = {name: [] for name in names}
    clustered = any(name in CLUSTER_METRICS for name in names)
    for seed in range(draws):
        aligned = world.draw(images, 1000 + seed)
        assert aligned.embedding is not None
        grouping = group_images(aligned.embedding, aligned.truth) if clustered else None
        how = Intervals(seed=seed)
        found = measured(added_up(aligned, grouping, how), how, names)
        for name, item in found.items():
            if item.low is not None and item.high is not None:
                held[name].append(item.low <= truth[name] <= item.high)
    return {
        name: float(np.mean(rows)) if len(rows) > draws / 2 else None for name, rows in held.items()
    }


def true_values(world: World, names: Sequence[str], images: int) -> dict[str, float]:
    """The metrics on so many images that they hardly move any more."""
    aligned = world.draw(images, 7)
    assert aligned.embedding is not None
    clustered = any(name in CLUSTER_METRICS for name in names)
    grouping = group_images(aligned.embedding, aligned.truth) if clustered else None
    found = measured(added_up(aligned, grouping, None), None, names)
    return {name: item.value for name, item in found.items() if item.value is not None}


def difference_coverage(one: World, other: World, images: int, draws: int) -> dict[str, float]:
    """The same for the second's metrics minus the first's, on the same images."""
    pair = (added_up(p, None, None) for p in _pair(one, other, 400_000, 7))
    truth = {name: item.value or 0.0 for name, item in differences(*pair, None).items()}
    held: dict[str, list[bool]] = {}
    for seed in range(draws):
        how = Intervals(seed=seed)
        sides = [added_up(p, None, how) for p in _pair(one, other, images, 1000 + seed)]
        for name, item in differences(*sides, how).items():
            if item.low is not None and item.high is not None:
                held.setdefault(name, []).append(item.low <= truth[name] <= item.high)
    return {name: float(np.mean(rows)) for name, rows in held.items()}


def _pair(one: World, other: World, images: int, seed: int) -> list[AlignedPredictions]:
    """The same images: the same labels and noise, seen by two models."""
    return [world.draw(images, seed) for world in (one, other)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=400)
    parser.add_argument("--images", type=int, nargs="+", default=[30, 72, 300, 3000])
    arguments = parser.parse_args()
    for worlds, names, size in ((WORLDS, PLAIN, 400_000), (CLUSTERED, CLUSTER_METRICS, 40_000)):
        for world in worlds:
            truth = true_values(world, names, size)
            kept = [name for name in names if name in truth]
            print(f"\n{world.name}")
            print(f"{'':8}" + " ".join(f"{name[:11]:>11}" for name in kept))
            print(f"{'true':8}" + " ".join(f"{truth[name]:11.3f}" for name in kept))
            for images in arguments.images:
                found = coverage(world, images, arguments.draws, kept, truth)
                cells = ("-" if found[n] is None else f"{found[n]:.3f}" for n in kept)
                print(f"{images:<8}" + " ".join(f"{cell:>11}" for cell in cells), flush=True)
    print("\ndifferences of two models on the same images")
    for images in arguments.images:
        shares = difference_coverage(WORLDS[2], BLURRED, images, arguments.draws)
        cells = " ".join(f"{name} {share:.3f}" for name, share in shares.items())
        print(f"{images}: {cells}", flush=True)


if __name__ == "__main__":
    main()
