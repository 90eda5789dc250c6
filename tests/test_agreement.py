"""Agreement of people against scikit-learn, statsmodels, krippendorff, and loops by hand."""

from itertools import combinations, permutations

import krippendorff
import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score, confusion_matrix
from statsmodels.stats.inter_rater import fleiss_kappa as reference_fleiss

from emoviz.analysis.agreement import (
    agreement_table,
    division,
    fleiss_kappa,
    kappa_estimate,
    krippendorff_alpha,
    strength_alpha,
    votes,
)
from emoviz.errors import AnalysisError

CLASSES = 5


def people(seed: int, raters: int = 4, units: int = 60, missing: float = 0.3) -> np.ndarray:
    """Raters who see the same truth, err, and leave some units out."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, CLASSES, units)
    wrong = rng.random((raters, units)) < 0.4
    said = np.where(wrong, rng.integers(0, CLASSES, (raters, units)), truth)
    return np.where(rng.random((raters, units)) < missing, -1, said).astype(np.int64)


@pytest.mark.parametrize("seed", range(5))
def test_cohens_kappa_is_that_of_scikit_learn(seed: int) -> None:
    first, second = people(seed, raters=2)
    both = (first >= 0) & (second >= 0)
    assert 0 < both.sum() < len(both)
    expected = cohen_kappa_score(first[both], second[both])
    found = kappa_estimate(first, second, CLASSES)
    assert found.n == both.sum()
    assert found.low is None or found.low < found.value < found.high  # type: ignore[operator]
    assert found.value == pytest.approx(expected, abs=1e-12)
    table = confusion_matrix(first[both], second[both], labels=range(CLASSES))
    np.testing.assert_array_equal(agreement_table(first, second, CLASSES), table)


@pytest.mark.parametrize("seed", range(5))
def test_fleiss_kappa_is_that_of_statsmodels_over_units_that_all_rated(seed: int) -> None:
    ratings = people(seed, missing=0.1)
    whole = ratings[:, (ratings >= 0).all(axis=0)]
    assert 0 < whole.shape[1] < ratings.shape[1]
    counts = np.stack([(whole == c).sum(axis=0) for c in range(CLASSES)], axis=1)
    assert fleiss_kappa(ratings, CLASSES) == pytest.approx(reference_fleiss(counts), abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_nominal_alpha_is_that_of_the_library(seed: int) -> None:
    ratings = people(seed)
    data = np.where(ratings < 0, np.nan, ratings)
    expected = krippendorff.alpha(reliability_data=data, level_of_measurement="nominal")
    assert krippendorff_alpha(ratings, CLASSES) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_alpha_of_one_strength_is_the_librarys_interval_alpha(seed: int) -> None:
    ratings = people(seed)
    data = np.where(ratings < 0, np.nan, ratings)
    expected = krippendorff.alpha(reliability_data=data, level_of_measurement="interval")
    found = strength_alpha(ratings[..., None].astype(float), ratings >= 0)
    assert found == pytest.approx(expected, abs=1e-12)


def test_alpha_of_strengths_is_that_of_a_double_loop() -> None:
    rng = np.random.default_rng(3)
    values = rng.integers(0, 4, (3, 12, CLASSES)).astype(float)
    given = rng.random((3, 12)) < 0.7
    pairable = [
        (r, n) for n in range(12) for r in range(3) if given[r, n] and given[:, n].sum() > 1
    ]
    within = between = 0.0
    for (r, n), (s, m) in permutations(pairable, 2):
        distance = ((values[r, n] - values[s, m]) ** 2).sum()
        between += distance
        within += distance / (given[:, n].sum() - 1) if n == m else 0.0
    total = len(pairable)
    expected = 1 - (within / total) / (between / (total * (total - 1)))
    assert strength_alpha(values, given) == pytest.approx(expected, abs=1e-12)


def test_works_that_divide_people_by_hand() -> None:
    ratings = np.array([[0, 0, 1, -1, 2], [0, 1, 2, -1, -1], [0, 1, 3, 4, -1]])
    np.testing.assert_array_equal(votes(ratings, CLASSES)[1], [1, 2, 0, 0, 0])
    expected = []
    for column in ratings.T:
        pairs = list(combinations([x for x in column if x >= 0], 2))
        expected.append(np.mean([a != b for a, b in pairs]) if pairs else np.nan)
    np.testing.assert_allclose(division(ratings, CLASSES), expected)


def test_what_is_not_defined_is_none() -> None:
    alone = np.array([[0, 1, -1], [-1, -1, 2]])
    same = np.zeros((2, 4), np.int64)
    for ratings in (alone, same):
        assert kappa_estimate(*ratings, CLASSES).value is None
        assert fleiss_kappa(ratings, CLASSES) is None
        assert krippendorff_alpha(ratings, CLASSES) is None
    assert krippendorff_alpha(np.empty((2, 0), np.int64), CLASSES) is None


def test_labels_out_of_range_are_told() -> None:
    with pytest.raises(AnalysisError, match="below 5"):
        krippendorff_alpha(np.array([[5], [0]]), CLASSES)
    with pytest.raises(AnalysisError, match="same ones"):
        kappa_estimate(np.array([0, 1]), np.array([0]), CLASSES)
