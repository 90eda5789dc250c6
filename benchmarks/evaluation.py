"""Everything of an evaluation but the network: all numbers, and what follows theta or a bridge.

    python benchmarks/evaluation.py [--size 17716] [--rounds 5]

Wanted, for 17,716 images, 8 classes and u of width 136 on two cores: all numbers of the Evaluate
page with their intervals in under 5 s; another theta or another bridge in under 300 ms (its
clusters and intervals come after it). Answers are drawn like a network's that is right on about
seven in ten images; vectors are a mixture of eight groups that overlap.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable

import numpy as np
from _timing import milliseconds, seconds

from emoviz.analysis.alignment import AlignedPredictions, ModelOutputs, judge
from emoviz.analysis.calibration import calibration
from emoviz.analysis.clustering import group_images
from emoviz.analysis.comparison import compare
from emoviz.analysis.cross_sentiment import cross_sentiment, crossing_curve
from emoviz.analysis.curves import curves
from emoviz.analysis.metrics import class_scores, confusion_matrix, measure
from emoviz.analysis.resampling import Intervals
from emoviz.analysis.selective import choose_threshold, selective
from emoviz.analysis.slices import mistakes, slices
from emoviz.analysis.unlabelled import describe_answers
from emoviz.labels import EMOTION6, MIKELS8, Bridge, bridge_between

WIDTH, CLASSES = 136, 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=17_716)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f}, {arguments.size:,} images", flush=True)
    answers, labels = drawn(arguments.size, 0)
    other, _ = drawn(arguments.size, 1)
    column = [f"style {i % 25}" for i in range(arguments.size)]

    def everything() -> None:
        whole(answers, labels, column)

    began = time.process_time()
    times = [seconds(everything) for _ in range(arguments.rounds)]
    busy = (time.process_time() - began) / arguments.rounds
    spread = f"from {min(times):.2f} to {max(times):.2f}; {busy:.1f} s of processor time"
    print(f"all numbers: {statistics.median(times):.2f} s ({spread}; wanted < 5 s)", flush=True)
    parts(answers, labels, column)
    quick(answers, labels, arguments.rounds)
    bridge = bridge_between(MIKELS8, MIKELS8)
    one, two = (judge(item, labels, bridge) for item in (answers, other))
    took = seconds(lambda: compare(one, two))
    print(f"comparison of two, without clusters: {took:.2f} s")


def drawn(size: int, seed: int) -> tuple[ModelOutputs, np.ndarray]:
    """Answers of one network; the labels are the same for all."""
    labels = np.random.default_rng(99).integers(0, CLASSES, size)
    rng = np.random.default_rng(seed)
    middles = 0.4 * np.random.default_rng(7).normal(size=(CLASSES, WIDTH))
    u = middles[labels] + rng.gamma(2, 0.5, size=(size, 1)) * rng.normal(size=(size, WIDTH))
    p = np.exp(rng.normal(size=(size, CLASSES)) + 2.2 * np.eye(CLASSES)[labels])
    p /= p.sum(axis=1, keepdims=True)
    return ModelOutputs(
        "drawn", MIKELS8, p, u.astype(np.float32), rng.uniform(0, 1.2, size)
    ), labels


def whole(answers: ModelOutputs, labels: np.ndarray, column: list[str]) -> None:
    """What the Evaluate page shows in all of its views."""
    judged = judge(answers, labels, bridge_between(MIKELS8, MIKELS8))
    assert judged.embedding is not None
    grouping = group_images(judged.embedding, judged.truth)
    measure(judged, grouping, Intervals())
    tables(judged)
    slices(judged, column)
    describe_answers(answers)


def tables(judged: AlignedPredictions) -> None:
    """All that has no interval and needs no clusters."""
    class_scores(judged.truth, judged.predicted, CLASSES)
    confusion_matrix(judged.truth, judged.predicted, CLASSES)
    curves(judged)
    calibration(judged)
    crossing_curve(judged.probabilities, judged.bridge.model)
    selective(judged.certainty, judged.right)
    choose_threshold(judged.certainty, judged.right, accuracy=0.9)
    mistakes(judged)


def parts(answers: ModelOutputs, labels: np.ndarray, column: list[str]) -> None:
    """Where the time goes."""
    judged = judge(answers, labels, bridge_between(MIKELS8, MIKELS8))
    u = judged.embedding
    assert u is not None
    grouping = group_images(u, judged.truth)
    named: dict[str, Callable[[], object]] = {
        "clusters and delta": lambda: group_images(u, judged.truth),
        "intervals": lambda: measure(judged, grouping, Intervals()),
        "curves": lambda: curves(judged),
        "calibration": lambda: calibration(judged),
        "slices": lambda: slices(judged, column),
        "without labels": lambda: describe_answers(answers),
    }
    for name, action in named.items():
        print(f"    {name}: {milliseconds([seconds(action) for _ in range(3)])}", flush=True)


def quick(answers: ModelOutputs, labels: np.ndarray, rounds: int) -> None:
    """What is computed when theta moves, and when a tick of the bridge does."""
    thetas = np.linspace(0.05, 0.45, rounds)
    p = answers.probabilities
    took = [seconds(lambda t=t: cross_sentiment(p, MIKELS8, t)) for t in thetas]
    print(f"another theta: {milliseconds(took)} (wanted < 300 ms)", flush=True)
    proposed = bridge_between(MIKELS8, EMOTION6)
    bridges = [
        Bridge(MIKELS8, EMOTION6, np.roll(proposed.matrix, k, axis=1)) for k in range(rounds)
    ]

    def redrawn(bridge: Bridge) -> None:
        judged = judge(answers, labels % len(EMOTION6), bridge)
        measure(judged)
        tables(judged)

    took = [seconds(lambda b=b: redrawn(b)) for b in bridges]
    slowest = f"slowest {1000 * max(took):.0f} ms"
    print(f"another bridge: {milliseconds(took)} ({slowest}; wanted < 300 ms)", flush=True)


if __name__ == "__main__":
    main()
