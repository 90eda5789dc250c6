"""The rule for "unlike the training images" against its formula, term by term."""

import math
from dataclasses import replace

import numpy as np
import pytest

from emoviz.models.novelty import Content, Novelty, describe_content, fit_novelty


def energies(count: int, width: int, seed: int = 0) -> np.ndarray:
    """Positive strengths of channels that go together, as those of a network do."""
    rng = np.random.default_rng(seed)
    mix = np.random.default_rng(99).normal(size=(width, width)) / width**0.5
    return np.exp(rng.normal(size=(count, width)) @ mix - 1)


def slow_distance(energy: np.ndarray, novelty: Novelty) -> float:
    """d(x) of the module's docstring, one product at a time."""
    k = len(novelty.mean)
    x = [math.log(max(float(energy[i]), 0.0) + 1e-4) - float(novelty.mean[i]) for i in range(k)]
    squared = sum(x[i] * float(novelty.precision[i, j]) * x[j] for i in range(k) for j in range(k))
    return math.sqrt(squared / k) / novelty.threshold


def slow_covariance(energy: np.ndarray) -> np.ndarray:
    """Ledoit and Wolf 2004, section 3.3: S shrunk towards a multiple of the identity."""
    x = np.log(energy + 1e-4)
    x = x - x.mean(axis=0)
    n, p = x.shape
    s = sum(np.outer(row, row) for row in x) / n
    mu = np.trace(s) / p
    d2 = np.square(s - mu * np.eye(p)).sum() / p
    b2 = sum(np.square(np.outer(row, row) - s).sum() / p for row in x) / n**2
    share = min(b2, d2) / d2
    return np.asarray(share * mu * np.eye(p) + (1 - share) * s)


@pytest.mark.parametrize("width", [1, 5, 12])
def test_distance_equals_a_slow_loop(width: int) -> None:
    novelty = fit_novelty(energies(60, width), energies(30, width, seed=1))
    probes = np.concatenate([energies(10, width, seed=2), energies(5, width, seed=3) * 40])
    slow = [slow_distance(e, novelty) for e in probes]
    assert novelty.distance(probes).tolist() == pytest.approx(slow, rel=1e-5)


def test_precision_is_the_inverse_of_the_shrunk_covariance() -> None:
    data = energies(40, 6)
    novelty = fit_novelty(data, data)
    np.testing.assert_allclose(novelty.precision @ slow_covariance(data), np.eye(6), atol=1e-4)
    np.testing.assert_allclose(novelty.mean, np.log(data + 1e-4).mean(axis=0), rtol=1e-5)


@pytest.mark.parametrize(("percentile", "margin"), [(50.0, 1.0), (90.0, 2.0), (99.0, 1.1)])
def test_threshold_is_a_percentile_of_the_validation_images_times_the_margin(
    percentile: float, margin: float
) -> None:
    held_out = energies(400, 8, seed=1)
    novelty = fit_novelty(energies(300, 8), held_out, percentile, margin)
    unset = Novelty(novelty.mean, novelty.precision)
    slow = [slow_distance(e, unset) for e in held_out]
    assert novelty.threshold == pytest.approx(margin * np.percentile(slow, percentile), rel=1e-5)


def test_few_ordinary_images_and_all_strange_ones_are_flagged() -> None:
    novelty = fit_novelty(energies(500, 8), energies(500, 8, seed=1))
    assert (novelty.distance(energies(500, 8, seed=2)) > 1).mean() < 0.03
    assert novelty.distance(energies(20, 8, seed=3) * 1000).min() > 1
    assert novelty.distance(np.zeros((1, 8)))[0] > 1
    typical = np.exp(novelty.mean.astype(float))[None] - 1e-4
    assert novelty.distance(typical)[0] == pytest.approx(0, abs=1e-3)


def test_only_the_channels_that_were_fitted_count() -> None:
    data = energies(50, 5)
    novelty = fit_novelty(data, data)
    longer = np.concatenate([data, np.full((50, 3), 1e6)], axis=1)
    np.testing.assert_array_equal(novelty.distance(longer), novelty.distance(data))


def test_silent_channels_give_finite_distances() -> None:
    data = energies(50, 5)
    data[:, 2] = 0.0
    novelty = fit_novelty(data, data)
    rounded_below_zero = np.full((1, 5), -1e-9)
    assert np.isfinite(novelty.distance(np.concatenate([data, rounded_below_zero]))).all()


def test_arrays_give_the_rule_back() -> None:
    novelty = fit_novelty(energies(40, 7), energies(20, 7, seed=1))
    arrays = novelty.to_arrays()
    assert {str(array.dtype) for array in arrays.values()} == {"float32"}
    probes = energies(9, 7, seed=2) * 2
    again = Novelty.from_arrays(arrays)
    np.testing.assert_allclose(again.distance(probes), novelty.distance(probes), rtol=1e-6)


@pytest.mark.parametrize("count", [2, 3])
def test_few_training_images_are_enough(count: int) -> None:
    novelty = fit_novelty(energies(count, 10), energies(5, 10, seed=1))
    assert np.isfinite(novelty.distance(energies(4, 10, seed=2))).all()


@pytest.mark.parametrize("count", [2, 30])
def test_identical_training_images_give_finite_distances(count: int) -> None:
    same = np.ones((count, 6))
    novelty = fit_novelty(same, same)
    found = novelty.distance(np.concatenate([same[:1], same[:1] * 9]))
    assert np.isfinite(found).all()
    assert found[0] <= 1 < found[1]


def pictures(kind: int, count: int = 60, seed: int = 0) -> np.ndarray:
    """(count, 12) h of one of three kinds; the third shows some of what each of the others does."""
    rng = np.random.default_rng(10 * seed + kind)
    shown = np.array([[4.0, 0.0, 0.0], [0.0, 4.0, 0.0], [2.0, 2.0, 3.0]])[kind]
    return np.concatenate([shown, np.zeros(9)]) + rng.normal(size=(count, 12)) * 0.7


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of few components few images will do."""
    monkeypatch.setattr("emoviz.models.novelty.FEWEST", 50)


def two_kinds() -> Content:
    pooled, held_out = (np.concatenate([pictures(k, seed=s) for k in range(2)]) for s in (0, 1))
    content = describe_content(energies(120, 8), pooled, np.repeat([0, 1], 60))
    assert content is not None
    return content.ranked(content.measures(energies(120, 8, seed=1), held_out))


def test_a_kind_that_was_never_seen_is_farther_and_less_sure_than_those_that_were() -> None:
    content = two_kinds()
    known = np.concatenate([pictures(k, seed=2) for k in range(2)])
    one, other = energies(120, 8, seed=2), energies(60, 8, seed=3)
    measured, foreign = content.measures(one, known), content.measures(other, pictures(2))
    assert (np.median(foreign, axis=0) > np.quantile(measured, 0.8, axis=0)).all()
    assert (content.distance(one, known) > 1).mean() < 0.06
    assert (content.distance(other, pictures(2)) > 1).mean() > 0.5


def test_measures_of_content_equal_a_slow_loop() -> None:
    content = two_kinds()
    probes = pictures(2, 5), energies(5, 8)
    measured = content.measures(probes[1], probes[0])
    for h, e, (far, unsure) in zip(*probes, measured, strict=True):
        x = [float(np.dot(row, h - content.centre)) for row in content.basis]
        away = [[a - float(b) for a, b in zip(x, mean, strict=True)] for mean in content.means]
        squared = [
            sum(a * b * float(p[i, j]) for i, a in enumerate(c) for j, b in enumerate(c))
            for c, p in zip(away, content.precisions, strict=True)
        ]
        weights = zip(content.weight, content.textures, content.bias, strict=True)
        logits = [float(np.dot(w, x) + np.dot(t, np.log(e + 1e-4)) + b) for w, t, b in weights]
        shares = [math.exp(logit) for logit in logits]
        assert far == pytest.approx(math.sqrt(min(squared) / len(x)), rel=1e-4)
        assert unsure == pytest.approx(1 - max(shares) / sum(shares), rel=1e-4)


def test_textures_count_beside_content_only_where_they_are_foreign() -> None:
    data, known = energies(500, 8), np.repeat(pictures(0, 1), 3, axis=0)
    textures = fit_novelty(data, data)
    both = replace(textures, content=two_kinds())
    assert both.content is not None
    probes = np.stack([data[0], np.zeros(8), data[1] * 1000])
    d, far = textures.distance(probes), both.content.distance(probes, known)
    assert both.distance(probes, known).tolist() == [far[0], max(d[1], far[1]), max(d[2], far[2])]
    assert both.distance(probes).tolist() == d.tolist()
    again = Novelty.from_arrays(both.to_arrays())
    np.testing.assert_allclose(
        again.distance(probes, known), both.distance(probes, known), rtol=1e-6
    )


def test_content_that_does_not_fit_itself_is_refused() -> None:
    arrays = replace(fit_novelty(energies(9, 3), energies(9, 3)), content=two_kinds()).to_arrays()
    with pytest.raises(ValueError, match="bias"):
        Novelty.from_arrays({**arrays, "content.bias": arrays["content.bias"][:1]})
    with pytest.raises(KeyError, match="basis"):
        Novelty.from_arrays({k: v for k, v in arrays.items() if k != "content.basis"})
    for key, changed, words in (
        ("content.centre", arrays["content.centre"][:, None], "centre"),
        ("content.means", np.zeros((2, 0), np.float32), "means"),
        ("content.means", np.zeros((1001, 12), np.float32), "means"),
        ("content.places", np.zeros((2, 0), np.float32), "places"),
        ("content.threshold", np.zeros(1, np.float32), "threshold"),
        ("threshold", np.zeros(1, np.float32), "threshold"),
        ("precision", arrays["precision"][:2], "precision"),
    ):
        with pytest.raises(ValueError, match=words):
            Novelty.from_arrays({**arrays, key: changed})


@pytest.mark.parametrize("kinds", [[0] * 120, [-1] * 60 + [0] * 60, [0] * 110 + [1] * 10])
def test_fewer_than_two_kinds_of_which_enough_is_known_give_no_content(kinds: list[int]) -> None:
    pooled = np.concatenate([pictures(k) for k in range(2)])
    assert describe_content(energies(120, 2), pooled, np.array(kinds)) is None
