"""How often confidence intervals hold the true value, in worlds of another make.

    python benchmarks/intervals_elsewhere.py [--draws 400] [--images 30 72 300 3000] [--world WORD]

It shares nothing with `benchmarks/intervals.py`: no vectors and no Bayes' rule, but scores drawn
from beta, Dirichlet and logistic distributions, in steps of a tenth, at chance, nearly perfect,
with rare classes. Truth is scikit-learn's on 400,000 other images, calibration error a loop over
bins. With `--after` what comes after a fitted temperature is held against its truth with the very
temperature that was fitted on the draw, on 40,000 other images. Wanted at a level of 0.95: 0.93 to
0.97. A dash: most draws have no interval. Two standard errors over 400 draws are 0.022. `<` and `>`
before a miss: the truth mostly lies below the interval, or above.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from emoviz.analysis.alignment import AlignedPredictions, ModelOutputs, judge
from emoviz.analysis.calibration import calibration
from emoviz.analysis.metrics import measure
from emoviz.analysis.resampling import Intervals, MetricEstimate
from emoviz.labels import EmotionClass, Taxonomy, bridge_between

Floats = NDArray[np.float64]
Drawn = tuple[NDArray[np.int64], Floats]
Draw = Callable[[np.random.Generator, int], Drawn]

METRICS = (
    "accuracy", "balanced_accuracy", "macro_precision", "macro_f1", "weighted_f1", "mcc", "top2",
    "roc_auc", "average_precision", "cross_sentiment", "ece", "brier",
)  # fmt: skip
AFTER = ("temperature", "ece_after", "brier_after")


@dataclass(frozen=True)
class World:
    """Where labels (n,) and probabilities (n, C) come from."""

    name: str
    classes: int
    draw: Draw

    def aligned(self, seed: int, images: int) -> AlignedPredictions:
        """So many images, as the project has them."""
        names = [f"emotion {k}" for k in range(self.classes)]
        feelings = ["positive" if 2 * k < self.classes else "negative" for k in range(self.classes)]
        classes = tuple(
            EmotionClass(name, feeling, "#888888")  # type: ignore[arg-type]
            for name, feeling in zip(names, feelings, strict=True)
        )
        taxonomy = Taxonomy(f"drawn{self.classes}", "drawn", classes)
        labels, p = self.draw(np.random.default_rng(seed), images)
        return judge(ModelOutputs("drawn", taxonomy, p), labels, bridge_between(taxonomy, taxonomy))


# Worlds --------------------------------------------------------------------------------------


def _two(score: Floats) -> Floats:
    return np.stack([1 - score, score], axis=1)


def _drawn(rng: np.random.Generator, p: Floats) -> NDArray[np.int64]:
    """One class of each row, by its probabilities."""
    above = rng.random((len(p), 1)) > np.cumsum(p, axis=1)
    return np.minimum(above.sum(axis=1), p.shape[1] - 1)


def beta(share: float, there: tuple[float, float], elsewhere: tuple[float, float]) -> Draw:
    """Two classes, of which the second has a share; a beta-distributed score in either."""

    def draw(rng: np.random.Generator, n: int) -> Drawn:
        labels = (rng.random(n) < share).astype(np.int64)
        score = np.where(labels == 1, rng.beta(*there, n), rng.beta(*elsewhere, n))
        return labels, _two(score)

    return draw


def logistic(truth: float, said: float, step: float = 0.0) -> Draw:
    """Two classes by a logistic curve, said with another slope, in steps where there is one."""

    def draw(rng: np.random.Generator, n: int) -> Drawn:
        x = rng.normal(size=n)
        labels = (rng.random(n) < 1 / (1 + np.exp(-truth * x))).astype(np.int64)
        score = 1 / (1 + np.exp(-said * x))
        return labels, _two(np.round(score / step) * step if step else score)

    return draw


def dirichlet(alpha: list[float], mixed: float = 0.0, power: float = 1.0) -> Draw:
    """Probabilities of a Dirichlet distribution, a power of which, mixed with chance, holds."""

    def draw(rng: np.random.Generator, n: int) -> Drawn:
        p = np.maximum(rng.dirichlet(alpha, n), 1e-9)
        p /= p.sum(axis=1, keepdims=True)
        holds = p**power / (p**power).sum(axis=1, keepdims=True)
        return _drawn(rng, (1 - mixed) * holds + mixed / len(alpha)), p

    return draw


def votes(classes: int, people: int) -> Draw:
    """Shares of so many votes: many ties, many zeros."""

    def draw(rng: np.random.Generator, n: int) -> Drawn:
        q = rng.dirichlet([0.4] * classes, n)
        return _drawn(rng, q), rng.multinomial(people, q) / people

    return draw


def certain(classes: int, sure: float, right: float) -> Draw:
    """Always equally sure, right as often as is said."""

    def draw(rng: np.random.Generator, n: int) -> Drawn:
        labels = rng.integers(0, classes, n)
        missed = rng.random(n) >= right
        answers = np.where(missed, (labels + rng.integers(1, classes, n)) % classes, labels)
        p = np.full((n, classes), (1 - sure) / (classes - 1))
        p[np.arange(n), answers] = sure
        return labels, p

    return draw


WORLDS = (
    World("2, beta, one in ten", 2, beta(0.1, (4, 3), (2, 5))),
    World("2, beta, 97 % right", 2, beta(0.5, (6, 1.2), (1.2, 6))),
    World("2, beta, AUC .6", 2, beta(0.4, (3, 2.5), (2.5, 3))),
    World("2, logistic, chance", 2, logistic(0.0, 0.7)),
    World("2, logistic, timid", 2, logistic(2.5, 1.2)),
    World("2, logistic, too sure", 2, logistic(2.0, 5.0)),
    World("2, tenths", 2, logistic(2.0, 2.0, 0.1)),
    World("2, always .99", 2, certain(2, 0.99, 0.9)),
    World("3, calibrated", 3, dirichlet([0.7] * 3)),
    World("3, too sure", 3, dirichlet([0.7] * 3, 0.3)),
    World("6, one of 2 in 100", 6, dirichlet([0.6] * 5 + [0.06], 0.0, 0.8)),
    World("6, votes of ten", 6, votes(6, 10)),
    World("6, always .98, 99 % right", 6, certain(6, 0.98, 0.99)),
    World("8, nearly perfect", 8, dirichlet([0.012] * 8)),
    World("8, chance", 8, dirichlet([0.5] * 8, 1.0)),
    World("8, uneven, too sure", 8, dirichlet([1.2, 0.8, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1], 0.1, 0.7)),
)


# Truth ---------------------------------------------------------------------------------------


@cache
def true_values(world: World, size: int) -> dict[str, float]:
    """By scikit-learn, on so many images that they hardly move any more."""
    from sklearn import metrics as sk

    labels, p = world.draw(np.random.default_rng(7), size)
    said, kinds = p.argmax(axis=1), range(world.classes)
    order = np.argsort(-p, axis=1, kind="stable")
    half = (world.classes + 1) // 2
    member = labels[:, None] == np.arange(world.classes)
    found = {
        "accuracy": sk.accuracy_score(labels, said),
        "balanced_accuracy": sk.balanced_accuracy_score(labels, said),
        "macro_precision": sk.precision_score(labels, said, average="macro", zero_division=0),
        "macro_f1": sk.f1_score(labels, said, average="macro"),
        "weighted_f1": sk.f1_score(labels, said, average="weighted"),
        "mcc": sk.matthews_corrcoef(labels, said),
        "top2": (order[:, :2] == labels[:, None]).any(axis=1).mean(),
        "roc_auc": np.mean([sk.roc_auc_score(member[:, k], p[:, k]) for k in kinds]),
        "average_precision": np.mean(
            [sk.average_precision_score(member[:, k], p[:, k]) for k in kinds]
        ),
        "cross_sentiment": ((order[:, 0] < half) != (order[:, 1] < half)).mean(),
        "ece": _calibration_error(labels, p),
        "brier": ((p - member) ** 2).sum(axis=1).mean(),
    }
    return {name: float(value) for name, value in found.items()}


def _calibration_error(labels: NDArray[np.int64], p: Floats) -> float:
    confidence, right, error = p.max(axis=1), p.argmax(axis=1) == labels, 0.0
    for k in range(15):
        inside = (confidence > k / 15) & (confidence <= (k + 1) / 15)
        if inside.any():
            error += inside.mean() * abs(confidence[inside].mean() - right[inside].mean())
    return float(error)


class Tempered:
    """What temperatures do on 40,000 images of a world."""

    def __init__(self, world: World) -> None:
        self.labels, p = world.draw(np.random.default_rng(8), 40_000)
        self.logs = np.log(np.clip(p, 1e-12, None))
        self.member = self.labels[:, None] == np.arange(world.classes)

    def scores(self, temperature: float) -> Floats:
        """(40000, C) with another temperature."""
        p = np.exp((self.logs - self.logs.max(axis=1, keepdims=True)) / temperature)
        return p / p.sum(axis=1, keepdims=True)

    def values(self, temperature: float) -> dict[str, float]:
        """ECE and Brier score with it."""
        p = self.scores(temperature)
        brier = float(((p - self.member) ** 2).sum(axis=1).mean())
        return {"ece_after": _calibration_error(self.labels, p), "brier_after": brier}

    def best(self) -> float:
        """The temperature that fits all of them."""
        from scipy.optimize import minimize_scalar

        def loss(log_t: float) -> float:
            p = self.scores(np.exp(log_t))
            return float(-np.log(np.maximum(p[self.member], 1e-12)).mean())

        found = minimize_scalar(loss, bounds=(np.log(0.05), np.log(20)), method="bounded")
        return float(np.exp(found.x))


# How often -----------------------------------------------------------------------------------


def coverage(
    world: World, images: int, draws: int, after: bool, size: int = 400_000
) -> dict[str, str]:
    """Metric -> share of draws whose interval holds the truth, which so many images give."""
    truth, tempered = true_values(world, size), Tempered(world) if after else None
    best = tempered.best() if tempered else None
    sides: dict[str, list[int]] = {name: [] for name in (*METRICS, *AFTER)}
    for seed in range(draws):
        aligned = world.aligned(10_000 + seed, images)
        how = Intervals(seed=seed)
        found, true = dict(measure(aligned, None, how)), truth
        if tempered is not None and best is not None:
            known = calibration(aligned, how)
            rows = {name: getattr(known, name) for name in AFTER}
            found |= {name: row for name, row in rows.items() if row is not None}
            if known.temperature is not None and known.temperature.value is not None:
                own = tempered.values(known.temperature.value)
                true = truth | own | {"temperature": best}
        for name in sides:
            if name in found and name in true:
                sides[name] += _side(found[name], true[name])
    return {name: _told(rows, draws) for name, rows in sides.items()}


def _side(found: MetricEstimate, true: float) -> list[int]:
    """-1 for a truth below the interval, 1 above, 0 within; nothing where there is none."""
    if found.low is None or found.high is None or found.value is None:
        return []
    assert found.low <= found.value <= found.high, found
    return [int(true > found.high + 1e-9) - int(true < found.low - 1e-9)]


def _told(rows: list[int], draws: int) -> str:
    if len(rows) < draws / 2:
        return "-"
    share = rows.count(0) / len(rows)
    if share >= 0.93:
        return f"{share:.3f}"
    return ("<" if rows.count(-1) > rows.count(1) else ">") + f"{share:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=400)
    parser.add_argument("--images", type=int, nargs="+", default=[30, 72, 300, 3000])
    parser.add_argument("--world", default="", help="only those whose name holds this")
    parser.add_argument("--after", action="store_true", help="also what follows a temperature")
    arguments = parser.parse_args()
    names = (*METRICS, *(AFTER if arguments.after else ()))
    print(f"{'':36}" + " ".join(f"{name[:9]:>9}" for name in names))
    for world in WORLDS:
        if arguments.world not in world.name:
            continue
        for images in arguments.images:
            found = coverage(world, images, arguments.draws, arguments.after)
            cells = " ".join(f"{found[name]:>9}" for name in names)
            print(f"{f'{world.name}; {images}':36}{cells}", flush=True)


if __name__ == "__main__":
    main()
