"""Intervals against scikit-learn on images that are drawn one by one."""

import dataclasses

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from emoviz.analysis.bootstrap import Interval, Outcomes, intervals, paired_differences
from emoviz.errors import AnalysisError

NAMES = ("accuracy", "ari", "nmi", "asr")


def made(size: int, seed: int, skill: float = 0.7, classes: int = 5) -> Outcomes:
    """Labels are the same for every seed; the rest is right by chance."""
    labels = np.random.default_rng(99).integers(0, classes, size)
    rng = np.random.default_rng(seed)

    def guessed() -> np.ndarray:
        return np.where(rng.random(size) < skill, labels, rng.integers(0, classes, size))

    return Outcomes(labels, guessed(), (guessed() + 2) % classes, rng.random(size) < 0.2)


def slow_measures(outcomes: Outcomes, rows: np.ndarray) -> list[float]:
    labels, clusters = outcomes.labels[rows], outcomes.clusters[rows]
    return [
        float(np.mean(outcomes.predicted[rows] == labels)),
        float(adjusted_rand_score(labels, clusters)),
        float(normalized_mutual_info_score(labels, clusters)),
        float(np.mean(outcomes.ambiguous[rows])),
    ]


@pytest.mark.parametrize("size", [1, 2, 9, 400])
def test_values_equal_scikit_learn(size: int) -> None:
    outcomes = made(size, 0)
    found = intervals(outcomes, resamples=20)
    wanted = slow_measures(outcomes, np.arange(size))
    assert tuple(found) == NAMES
    assert [found[name].value for name in NAMES] == pytest.approx(wanted)


def test_every_resample_equals_scikit_learn() -> None:
    """Each drawn count of kinds is unpacked into images, and these are measured the slow way."""
    from emoviz.analysis.bootstrap import _Kinds

    outcomes = made(60, 1)
    kinds = _Kinds.of(outcomes)
    counts = next(kinds.draws(25, seed=3))
    assert counts.sum(axis=1).tolist() == [60] * 25
    for row, found in zip(counts, kinds.measures(counts), strict=True):
        drawn = np.repeat(np.arange(len(row)), row)
        right = kinds.right[drawn]
        labels, clusters = kinds.labels[drawn], kinds.clusters[drawn]
        images = Outcomes(labels, np.where(right, labels, -1), clusters, kinds.ambiguous[drawn])
        assert found.tolist() == pytest.approx(slow_measures(images, np.arange(60)))


def test_ends_are_those_of_drawing_images_one_by_one() -> None:
    outcomes, rng = made(300, 2), np.random.default_rng(4)
    slow = [slow_measures(outcomes, rng.integers(0, 300, 300)) for _ in range(500)]
    spread = np.std(slow, axis=0)
    wanted = np.quantile(slow, (0.05, 0.95), axis=0)
    found = intervals(outcomes, resamples=4000, level=0.9)
    for m, name in enumerate(NAMES):
        # A 5 % quantile of 500 draws is known to about 0.1 standard deviations.
        assert found[name].low == pytest.approx(wanted[0, m], abs=0.4 * spread[m])
        assert found[name].high == pytest.approx(wanted[1, m], abs=0.4 * spread[m])
        assert found[name].low < found[name].value < found[name].high


def test_a_higher_level_gives_a_wider_interval() -> None:
    narrow, wide = (intervals(made(200, 5), level=level) for level in (0.5, 0.99))
    for name in NAMES:
        assert wide[name].low < narrow[name].low < narrow[name].high < wide[name].high


def test_the_seed_decides() -> None:
    outcomes = made(80, 6)
    assert intervals(outcomes, 50, seed=1) == intervals(outcomes, 50, seed=1)
    assert intervals(outcomes, 50, seed=1) != intervals(outcomes, 50, seed=2)


def test_draws_in_several_parts_are_all_there(monkeypatch: pytest.MonkeyPatch) -> None:
    from emoviz.analysis import bootstrap

    kinds = bootstrap._Kinds.of(made(80, 6))
    whole = np.concatenate(list(kinds.draws(23, seed=1)))
    monkeypatch.setattr(bootstrap, "_CELLS_AT_ONCE", 5 * len(kinds.counts))
    parts = list(kinds.draws(23, seed=1))
    assert [len(part) for part in parts] == [5, 5, 5, 5, 3]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_perfect_answers_have_no_width() -> None:
    labels = np.arange(40) % 4
    perfect = Outcomes(labels, labels, labels, np.zeros(40, bool))
    found = intervals(perfect, resamples=50)
    for name in ("accuracy", "ari", "nmi"):
        interval = found[name]
        assert [interval.value, interval.low, interval.high] == pytest.approx([1.0] * 3)
    assert found["asr"] == Interval(0.0, 0.0, 0.0)


# Two checkpoints -----------------------------------------------------------------------------


def test_a_checkpoint_does_not_differ_from_itself() -> None:
    outcomes = made(150, 7)
    for interval in paired_differences(outcomes, outcomes, resamples=50).values():
        assert interval == Interval(0.0, 0.0, 0.0)


def test_differences_are_taken_on_the_same_images() -> None:
    one = made(500, 8)
    # Right wherever the first is, and on a few images more: no resample can favour the first.
    better = np.where(np.arange(500) % 10 == 0, one.labels, one.predicted)
    other = dataclasses.replace(one, predicted=better)
    found = paired_differences(one, other)["accuracy"]
    wanted = np.mean(better == one.labels) - np.mean(one.predicted == one.labels)
    assert found.value == pytest.approx(wanted)
    assert 0 < found.low < wanted < found.high
    alone = intervals(one)["accuracy"]
    assert found.high - found.low < 0.7 * (alone.high - alone.low)


def test_differences_equal_drawing_images_one_by_one() -> None:
    one, other, rng = made(300, 9, 0.6), made(300, 10, 0.75), np.random.default_rng(11)
    found = paired_differences(one, other, resamples=4000, level=0.9)
    rows = [rng.integers(0, 300, 300) for _ in range(500)]
    slow = np.array([np.subtract(slow_measures(other, r), slow_measures(one, r)) for r in rows])
    ends, spread = np.quantile(slow, (0.05, 0.95), axis=0), slow.std(axis=0)
    whole = np.arange(300)
    value = np.subtract(slow_measures(other, whole), slow_measures(one, whole))
    for m, name in enumerate(NAMES):
        assert found[name].value == pytest.approx(value[m])
        assert found[name].low == pytest.approx(ends[0, m], abs=0.4 * spread[m])
        assert found[name].high == pytest.approx(ends[1, m], abs=0.4 * spread[m])


# Bad input -----------------------------------------------------------------------------------


def test_no_images_are_refused() -> None:
    none = np.zeros(0, np.int64)
    with pytest.raises(AnalysisError, match="an image at least"):
        intervals(Outcomes(none, none, none, none.astype(bool)))


def test_arrays_of_different_lengths_are_refused() -> None:
    outcomes = dataclasses.replace(made(9, 0), clusters=np.zeros(8, np.int64))
    with pytest.raises(AnalysisError, match=r"lengths \[8, 9\]"):
        intervals(outcomes)


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0])
def test_an_impossible_level_is_refused(level: float) -> None:
    with pytest.raises(AnalysisError, match="between 0 and 1"):
        intervals(made(9, 0), level=level)


def test_other_images_are_refused() -> None:
    one, other = made(9, 0), made(10, 0)
    with pytest.raises(AnalysisError, match="same images"):
        paired_differences(one, other)
