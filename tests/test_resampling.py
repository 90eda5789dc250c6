"""Confidence intervals: formulas by hand, what never may happen, and coverage in a simulation."""

from math import comb

import numpy as np
import pytest
from benchmarked import benchmark
from scipy.stats import binom
from sklearn.metrics import average_precision_score, roc_auc_score

from emoviz.analysis.alignment import AlignedPredictions, ModelOutputs, judge
from emoviz.analysis.calibration_error import (
    calibration_error_interval,
    expected_calibration_error,
)
from emoviz.analysis.clustering import group_images
from emoviz.analysis.metrics import METRICS, added_up, differences, measure, ranking_areas
from emoviz.analysis.resampling import (
    Intervals,
    LeaveOut,
    interval,
    jackknife_variance,
    share,
    subsample_interval,
    wilson,
)
from emoviz.labels import MIKELS8, SADNESS2, bridge_between


def exact(hits: int, size: int, u: np.ndarray | None = None) -> AlignedPredictions:
    """So many of the first answers right, with much confidence."""
    labels = np.arange(size) % 8
    answers = np.where(np.arange(size) < hits, labels, (labels + 1) % 8)
    p = np.full((size, 8), 0.01)
    p[np.arange(size), answers] = 0.93
    return judge(ModelOutputs("m", MIKELS8, p, u), labels, bridge_between(MIKELS8, MIKELS8))


def test_wilson_by_hand() -> None:
    """Wilson 1927; 8 of 10 is 49.0 % to 94.3 % in every table.

    Near 1 the end is that of a Poisson distribution: 2 misses are 0.2422 on its lower end.
    """
    assert share(8, 10).high == pytest.approx(1 - 0.2422 / 10, abs=1e-4)
    assert share(2, 10).low == pytest.approx(0.2422 / 10, abs=1e-4)
    assert wilson(0.8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert share(0, 15).high == pytest.approx(0.2039, abs=1e-4)
    assert share(0, 0).value is None


def test_the_jackknife_of_a_mean_is_its_standard_error() -> None:
    """Exactly, where each image is a group of its own (Tukey 1958)."""
    values = np.random.default_rng(0).normal(size=50)
    without = LeaveOut(50, seed=3)
    means = without.sums(values) / without.sums(np.ones(50))
    assert jackknife_variance(means) == pytest.approx(values.var(ddof=1) / 50)


def test_a_share_by_its_effective_number_is_nearly_wilson() -> None:
    hits = np.arange(400) < 250
    without = LeaveOut(400, seed=1)
    means = without.sums(hits) / without.sums(np.ones(400))
    assert interval(means, 400) == pytest.approx(wilson(250 / 400, 400), abs=0.012)


def test_groups_are_equally_large_and_sums_leave_them_out() -> None:
    without, values = LeaveOut(250, seed=0), np.arange(250.0)
    assert sorted(set(np.bincount(without.groups).tolist())) == [2, 3]
    sums = without.sums(values)
    assert sums[0] == values.sum()
    for group in (0, 57, 99):
        assert sums[1 + group] == values[without.groups != group].sum()


@pytest.mark.parametrize("size", [16, 20, 40, 200])
@pytest.mark.parametrize("right", [0.0, 0.95, 1.0])
def test_no_interval_is_without_width_or_leaves_out_its_value(size: int, right: float) -> None:
    rng = np.random.default_rng(size)
    u = (10 * np.eye(8)[np.arange(size) % 8] + 0.01 * rng.normal(size=(size, 8))).astype(np.float32)
    found = exact(int(right * size), size, u)
    grouping = group_images(u, found.truth)
    for name, item in measure(found, grouping, Intervals()).items():
        if item.value is None:
            continue
        assert item.n > 0, name
        low, high = METRICS[name].span
        if item.low is None or item.high is None:
            assert "not enough images" in item.reason
            continue
        assert low <= item.low <= item.value <= item.high <= high, name
        # the silhouette of clusters as tight as these is known, however few images there are
        assert item.high - item.low > (1e-5 if name == "silhouette" else 0.01), name


def test_sixteen_right_of_sixteen_is_not_certain() -> None:
    item = measure(exact(16, 16), how=Intervals())["accuracy"]
    assert (item.value, item.high, item.n) == (1.0, 1.0, 16)
    assert item.low == pytest.approx(0.8064, abs=1e-4)


def test_labels_with_few_images_make_means_over_labels_wider() -> None:
    """All right in both; with one image of a rare label its recall is hardly known."""
    even, rare = np.arange(80) % 2, np.r_[np.zeros(76, int), np.ones(4, int)]
    found = []
    for labels in (even, rare):
        p = np.full((80, 8), 0.01)
        p[np.arange(80), labels] = 0.93
        outputs = ModelOutputs("m", MIKELS8, p)
        aligned = judge(outputs, labels, bridge_between(MIKELS8, MIKELS8))
        found.append(measure(aligned, how=Intervals())["macro_recall"].low)
    assert found[1] < found[0] - 0.1  # type: ignore[operator]


def test_a_perfectly_calibrated_model_may_have_no_calibration_error() -> None:
    """The value is far from 0 by chance alone; the interval says so."""
    rng = np.random.default_rng(1)
    confidence = rng.uniform(0.3, 1.0, 72)
    right = rng.random(72) < confidence
    low, high = calibration_error_interval(confidence, right)
    value = expected_calibration_error(confidence, right)
    assert low == 0.0 < 0.05 < value < high


@pytest.mark.parametrize("sure", [1.0, 0.9999, 0.999, 0.99])
def test_no_wrong_answer_of_thirty_may_be_a_model_that_is_too_sure(sure: float) -> None:
    """None of 30 is not rare where one in ten is wrong: .9 ** 30 is .04."""
    confidence, rank = np.full(30, sure), np.arange(30)
    assert calibration_error_interval(confidence, rank >= 0)[1] == pytest.approx(
        sure - 0.887, abs=0.005
    )
    intervals = [calibration_error_interval(confidence, rank >= wrong) for wrong in range(12)]
    for accuracy in (0.9, 0.95, 0.97):
        true = abs(sure - accuracy)  # with one confidence the counts are binomial
        held = sum(
            comb(30, wrong) * (1 - accuracy) ** wrong * accuracy ** (30 - wrong)
            for wrong, (low, high) in enumerate(intervals)
            if low <= true <= high
        )
        assert held > 0.94  # .59 at 1.0 and .97 when ties did not count


@pytest.mark.parametrize(("images", "true"), [(30, 0.05), (60, 0.02), (200, 0.008)])
def test_hardly_any_wrong_of_mixed_confidence_leave_room_for_more(images: int, true: float) -> None:
    held = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        nearly = rng.random(images) < 0.6
        below = np.clip(rng.beta(0.5, 12, images), 0, 0.49)
        confidence = 1 - np.where(nearly, 0.001 * rng.random(images), below)
        right = rng.random(images) < confidence - true
        low, high = calibration_error_interval(confidence, right)
        held.append(low <= true <= high)
    assert np.mean(held) > 0.9


def test_two_models_that_get_few_images_of_a_label_right_may_differ_on_others() -> None:
    """The label has three images: both right on all of them tells little of a fourth."""
    truth = np.repeat([0, 1, 2], [60, 60, 3])
    p = np.full((123, 8), 0.02)
    found = []
    for wrong in (10, 11):
        said = truth.copy()
        said[:wrong] = 1
        each = p.copy()
        each[np.arange(123), said] = 0.86
        outputs = ModelOutputs("m", MIKELS8, each)
        aligned = judge(outputs, truth, bridge_between(MIKELS8, MIKELS8))
        found.append(added_up(aligned, None, Intervals()))
    item = differences(*found, Intervals(), ["macro_recall"])["macro_recall"]
    assert item.low is not None
    assert item.high is not None
    assert item.high - item.low > 0.1


def test_areas_without_a_group_are_scikit_learns_on_the_rest() -> None:
    rng, without = np.random.default_rng(3), LeaveOut(240, seed=1)
    scores, member = rng.random(240).round(2), rng.random(240) < 0.2
    roc, precision = ranking_areas(scores, member, without)
    for row in (0, 1, 50, 100):
        left = np.ones(240, bool) if row == 0 else without.groups != row - 1
        assert roc[row] == pytest.approx(roc_auc_score(member[left], scores[left]))
        wanted = average_precision_score(member[left], scores[left])
        assert precision[row] == pytest.approx(wanted)


def test_parts_are_scaled_to_all_images() -> None:
    """Means of parts of 100 of 400 images spread sqrt(3) times as far as the mean of all does."""
    rng = np.random.default_rng(2)
    values = rng.normal(0.5, 0.1, 400)
    parts = np.array([rng.permutation(values)[:100].mean() for _ in range(3000)])
    low, high = subsample_interval(values.mean(), parts, 100, 400, (-1.0, 1.0))
    error = values.std() / 20
    assert (high - low) / 2 == pytest.approx(1.96 * error, rel=0.08)


@pytest.mark.parametrize("images", [30, 300])
def test_intervals_hold_the_truth_in_a_simulation(images: int) -> None:
    """The small form of benchmarks/intervals.py: four standard errors around 0.95 at 120 draws.

    A percentile bootstrap fails it: its calibration error held the truth in .20 to .84 of draws,
    average precision in .61, and where nearly all is right the accuracy in .26.
    """
    module = benchmark("intervals")
    for world in (module.WORLDS[0], module.WORLDS[5]):
        names = ("accuracy", "macro_f1", "mcc", "roc_auc", "average_precision", "ece", "brier")
        truth = module.true_values(world, names, 100_000)
        found = module.coverage(world, images, 120, names, truth)
        assert min(found.values()) > 0.87, (world.name, found)


@pytest.mark.parametrize(
    ("place", "images", "names"),
    [
        (0, 30, ["balanced_accuracy", "macro_precision"]),  # .71, .84 before rare labels counted
        (15, 72, ["average_precision"]),  # .82 before its bias counted
        (1, 72, ["ece_after", "temperature"]),  # .85, .78 before the temperature counted
    ],
)
def test_intervals_hold_the_truth_in_other_worlds(
    place: int, images: int, names: list[str]
) -> None:
    """The small form of benchmarks/intervals_elsewhere.py; values lie within, too."""
    module = benchmark("intervals_elsewhere")
    after = "temperature" in names
    found = module.coverage(module.WORLDS[place], images, 60 if after else 120, after, 60_000)
    assert min(float(found[name].strip("<>")) for name in names) > 0.87, found


def test_a_sure_network_has_a_brier_score_to_the_end_of_its_interval() -> None:
    """Always .99 sure, right nine times in ten: exact over how many of 30 are wrong; .88 before."""
    p = np.full((30, 2), [0.99, 0.01])
    true = 0.9 * 2 * 0.01**2 + 0.1 * 2 * 0.99**2
    held = 0.0
    for wrong in range(31):
        found = measure(_judged(p, np.arange(30) < wrong), how=Intervals())["brier"]
        held += binom.pmf(wrong, 30, 0.1) * (found.low <= true <= found.high)  # type: ignore[operator]
    assert held > 0.95


def test_precision_stands_on_answers() -> None:
    """A label that is named twice has a precision of few answers, however many images have it."""
    p = np.full((100, 2), [0.9, 0.1])
    p[:2] = [0.1, 0.9]
    found = measure(_judged(p, np.arange(100) < 50), how=Intervals())["macro_precision"]
    assert found.high - found.low > 0.3  # type: ignore[operator]  # .17 before


def _judged(p: np.ndarray, second: np.ndarray) -> AlignedPredictions:
    bridge = bridge_between(SADNESS2, SADNESS2)
    return judge(ModelOutputs("m", SADNESS2, p), second.astype(np.int64), bridge)


def test_intervals_of_clusters_hold_what_more_images_give() -> None:
    module = benchmark("intervals")
    world, names = module.CLUSTERED[2], ("ari", "ami", "nmi", "asr")
    truth = module.true_values(world, names, 10_000)
    found = module.coverage(world, 200, 40, names, truth)
    assert min(found.values()) > 0.8, found
    assert module.coverage(world, 30, 3, names, truth) == dict.fromkeys(names)
