"""Two models on the same images: against scikit-learn, SciPy, and resamples written out."""

import numpy as np
import pytest
from scipy.stats import binomtest, chi2
from sklearn.metrics import cohen_kappa_score, confusion_matrix

from emoviz.analysis.alignment import AlignedPredictions, ModelOutputs, judge, judge_together
from emoviz.analysis.comparison import compare, holm, mcnemar
from emoviz.analysis.resampling import paired_share_difference
from emoviz.errors import AnalysisError
from emoviz.labels import MIKELS8, bridge_between

BRIDGE = bridge_between(MIKELS8, MIKELS8)


def answers(labels: np.ndarray, skill: float, seed: int) -> ModelOutputs:
    rng = np.random.default_rng(seed)
    p = np.exp(rng.normal(size=(len(labels), 8)) + skill * np.eye(8)[labels])
    return ModelOutputs(f"skill {skill}", MIKELS8, p / p.sum(axis=1, keepdims=True))


def pair(
    size: int, skills: tuple[float, float] = (1.0, 2.0), seed: int = 0
) -> list[AlignedPredictions]:
    labels = np.random.default_rng(seed).integers(0, 8, size)
    both = [answers(labels, skill, seed + k + 1) for k, skill in enumerate(skills)]
    return judge_together(both, labels, [BRIDGE, BRIDGE])


def test_differences_are_the_second_minus_the_first_and_intervals_are_paired() -> None:
    one, other = pair(300)
    found = compare(one, other)
    item = found.difference["accuracy"]
    gain = other.right.astype(float) - one.right.astype(float)
    assert item.value == pytest.approx(gain.mean())
    # written out with draws of its own: the same images for both in each
    rng = np.random.default_rng(11)
    draws = [gain[rng.integers(0, 300, 300)].mean() for _ in range(4000)]
    low, high = np.quantile(draws, (0.025, 0.975))
    assert (item.low, item.high) == (pytest.approx(low, abs=0.01), pytest.approx(high, abs=0.01))
    for name, estimate in found.difference.items():
        if estimate.value is not None:
            values = found.other[name].value, found.one[name].value
            assert estimate.value == pytest.approx(values[0] - values[1])  # type: ignore[operator]


def test_a_paired_interval_is_narrower_than_two_apart() -> None:
    """Answers that are nearly the same differ by little on any images, however hard these are."""
    labels = np.random.default_rng(0).integers(0, 8, 400)
    one = answers(labels, 1.0, 1)
    p = one.probabilities.copy()
    p[:8] = np.roll(p[:8], 1, axis=1)
    both = judge_together([one, ModelOutputs("nearly", MIKELS8, p)], labels, [BRIDGE, BRIDGE])
    found = compare(*both)
    item, alone = found.difference["accuracy"], found.one["accuracy"]
    assert item.high - item.low < (alone.high - alone.low) / 2  # type: ignore[operator]


def test_a_model_against_itself_differs_in_nothing() -> None:
    one = pair(100)[0]
    found = compare(one, one)
    for name, item in found.difference.items():
        if item.low is not None and item.high is not None:
            assert item.value == 0
            assert item.low < 0 < item.high  # on other images it might
            assert item.high < 0.06 or item.n < 100 or name == "ece"
    # chance adds to a calibration error, so that two do not cancel: MOVER of both intervals
    alone, both = found.one["ece"], found.difference["ece"]
    ends = alone.high - alone.value, alone.value - alone.low  # type: ignore[operator]
    assert (-both.low, both.high) == pytest.approx((np.hypot(*ends),) * 2)  # type: ignore[operator]
    assert (found.mcnemar.p, found.kappa.value, found.agreement) == (1.0, 1.0, 1.0)
    assert not len(found.lost)
    assert not found.confusion_difference.any()


@pytest.mark.parametrize(
    ("only_one", "only_other"), [(3, 9), (0, 0), (12, 12), (40, 15), (100, 90)]
)
def test_mcnemar_is_the_exact_or_the_corrected_test(only_one: int, only_other: int) -> None:
    one = np.repeat([True, False, True, False], [only_one, only_other, 50, 20])
    other = np.repeat([False, True, True, False], [only_one, only_other, 50, 20])
    found = mcnemar(one, other)
    assert (found.only_a_right, found.only_b_right) == (only_one, only_other)
    total = only_one + only_other
    if total < 25:
        assert found.method == "exact binomial"
        assert found.p == pytest.approx(binomtest(only_one, total).pvalue if total else 1.0)
    else:
        assert found.method == "chi-square with continuity correction"
        statistic = (abs(only_one - only_other) - 1) ** 2 / total
        assert found.p == pytest.approx(chi2.sf(statistic, 1))


def test_who_changed_kappa_and_confusion_by_scikit_learn() -> None:
    one, other = pair(200)
    found = compare(one, other)
    assert set(found.lost) == {i for i in range(200) if one.right[i] and not other.right[i]}
    assert set(found.won) == {i for i in range(200) if other.right[i] and not one.right[i]}
    assert np.all(np.diff(other.confidence[found.lost]) <= 0)
    assert found.kappa.value == pytest.approx(cohen_kappa_score(one.predicted, other.predicted))
    assert found.kappa.low is not None
    assert found.kappa.low < found.kappa.value < found.kappa.high  # type: ignore[operator]
    every = range(8)
    wanted = confusion_matrix(other.truth, other.predicted, labels=every) - confusion_matrix(
        one.truth, one.predicted, labels=every
    )
    assert np.array_equal(found.confusion_difference, wanted)


def test_few_images_have_differences_without_intervals() -> None:
    found = compare(*pair(8))
    item = found.difference["macro_f1"]
    assert item.low is None
    assert item.reason == "not enough images for an interval: 8, wanted 20 or more"
    assert found.difference["accuracy"].low is not None  # a share of any number has one
    assert found.kappa.low is None
    assert found.kappa.n == 8


def test_holm_is_statsmodels_step_down_by_hand() -> None:
    """Holm 1979: the smallest of m by m, the next by m - 1, never less than the one before."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_a_paired_difference_of_shares_by_hand() -> None:
    """Bonett and Price 2012: 4 and 12 of 80 discordant; (13 - 5) / 82 and its standard error."""
    item = paired_share_difference(4, 12, 80)
    assert item.value == pytest.approx(0.1)
    error = ((5 / 82 + 13 / 82 - (8 / 82) ** 2) / 82) ** 0.5
    assert (item.low, item.high) == pytest.approx(
        (8 / 82 - 1.96 * error, 8 / 82 + 1.96 * error), abs=1e-4
    )


def test_one_answer_from_both_has_no_kappa() -> None:
    p = np.tile(np.eye(8)[0] * 0.9 + 0.0125, (20, 1))
    labels = np.arange(20) % 8
    one = judge(ModelOutputs("one", MIKELS8, p), labels, BRIDGE)
    assert "one and the same answer" in compare(one, one).kappa.reason


def test_models_on_other_images_are_refused() -> None:
    one, other = pair(30)[0], pair(40)[1]
    with pytest.raises(AnalysisError, match="Judge them together"):
        compare(one, other)
