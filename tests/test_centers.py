"""Centers against double loops, SciPy, and cases made by hand."""

import itertools

import numpy as np
import pytest
from scipy.cluster.hierarchy import cophenet
from scipy.spatial.distance import cdist, pdist, squareform
from scipy.stats import spearmanr

from emoviz.analysis.centers import (
    CenterPair,
    caught_between,
    center_distances,
    center_offsets,
    class_means,
    dendrogram,
    nearest_to_centers,
    summarise_centers,
)
from emoviz.analysis.emotion_geometry import MIKELS_WHEEL, agreement, arrangements, mantel_test
from emoviz.errors import AnalysisError
from emoviz.labels import (
    EMOTION6,
    FER7,
    MIKELS8,
    SADNESS2,
    SENTIMENT2,
    TEXT2,
    WEBEMO8,
    WIKIART20,
    Taxonomy,
)


def drawn(size: int, width: int = 5, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(size, width)).astype(np.float32)


# Distances -----------------------------------------------------------------------------------


def test_distances_equal_scipy() -> None:
    centers = drawn(8, 30) + 100
    found = center_distances(centers)
    np.testing.assert_allclose(found, cdist(centers, centers), rtol=1e-9)
    assert (np.diag(found) == 0).all()
    np.testing.assert_array_equal(found, found.T)


def test_summary_by_hand() -> None:
    summary = summarise_centers([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]], margin=5.0)
    assert summary is not None
    assert summary.smallest == CenterPair(0, 2, 1.0)
    assert summary.largest == CenterPair(0, 1, 5.0)
    assert summary.mean == pytest.approx((1 + 5 + 18**0.5) / 3)
    # The pair at the margin itself keeps it.
    assert [(pair.first, pair.second) for pair in summary.short] == [(0, 2), (1, 2)]


def test_without_a_margin_nothing_falls_short() -> None:
    summary = summarise_centers(drawn(4))
    assert summary is not None
    assert summary.short == ()


@pytest.mark.parametrize("size", [0, 1])
def test_fewer_than_two_centers_have_no_summary_and_no_tree(size: int) -> None:
    assert summarise_centers(drawn(size), margin=3.0) is None
    assert dendrogram(drawn(size)) is None


# Class means ---------------------------------------------------------------------------------


def test_class_means_equal_a_slow_loop() -> None:
    u, labels = drawn(50), np.random.default_rng(1).integers(-1, 4, 50)
    found = class_means(u, labels, 6)
    for c in range(6):
        members = [u[k].astype(float) for k in range(50) if labels[k] == c]
        assert found.counts[c] == len(members)
        if members:
            np.testing.assert_allclose(found.means[c], sum(members) / len(members))
    assert np.isnan(found.means[4:]).all()  # no image has these


def test_offsets_by_hand() -> None:
    means = class_means([[0.0, 0.0], [0.0, 2.0], [10.0, 0.0]], np.array([0, 0, 1]), 3)
    found = center_offsets([[0.0, 0.0], [10.0, 4.0], [0.0, 3.0]], means)
    assert found.distances[:2].tolist() == [1.0, 4.0]
    between = [116**0.5, 3.0, 101**0.5]
    assert found.relative[:2].tolist() == pytest.approx([3 / sum(between), 12 / sum(between)])
    assert np.isnan(found.distances[2])  # a class without images
    assert np.isnan(found.relative[2])


def test_a_single_center_gives_no_unit() -> None:
    means = class_means([[1.0]], np.array([0]), 1)
    found = center_offsets([[3.0]], means)
    assert found.distances.tolist() == [2.0]
    assert np.isnan(found.relative).all()


# Tree ----------------------------------------------------------------------------------------


def test_tree_joins_by_average_distance() -> None:
    """By hand: 0 and 2 at 1, 1 and 3 at 2; the four pairs across make the last height."""
    found = dendrogram([[0.0], [10.0], [1.0], [12.0]])
    assert found is not None
    assert found.merges[:, 2].tolist() == [1.0, 2.0, (10 + 12 + 9 + 11) / 4]
    assert found.leaves.tolist() in ([0, 2, 1, 3], [3, 1, 2, 0])  # the nearest ones meet
    assert sorted(found.y.max(axis=1).tolist()) == found.merges[:, 2].tolist()
    low, high = found.x[np.argmax(found.y.max(axis=1))][[0, 3]]
    assert (low, high) == (0.5, 2.5)  # from the middle of one pair of leaves to that of the other


def test_leaves_are_all_classes_and_branches_stand_on_them() -> None:
    centers = drawn(9, seed=3)
    found = dendrogram(centers)
    assert found is not None
    assert sorted(found.leaves.tolist()) == list(range(9))
    feet = found.x[found.y == 0]
    assert sorted(feet.tolist()) == list(range(9))
    # Heights of joining never fall short of the nearest members' distance, nor exceed the farthest.
    heights = squareform(cophenet(found.merges))
    for i, j in itertools.combinations(range(9), 2):
        assert heights[i, j] <= pdist(centers).max() + 1e-9
    nearest = np.unravel_index(np.argmin(center_distances(centers) + 99 * np.eye(9)), (9, 9))
    assert heights[nearest] == pytest.approx(pdist(centers).min())


# Images near centers -------------------------------------------------------------------------


def test_nearest_images_equal_a_full_sort() -> None:
    u, centers = drawn(40), drawn(3, seed=1)
    rows, distances = nearest_to_centers(u, centers, 6)
    for c in range(3):
        wanted = sorted((float(np.linalg.norm(u[k] - centers[c])), k) for k in range(40))[:6]
        assert rows[c].tolist() == [k for _, k in wanted]
        assert distances[c].tolist() == pytest.approx([d for d, _ in wanted])


def test_more_images_than_there_are() -> None:
    rows, _ = nearest_to_centers(drawn(2), drawn(3), 12)
    assert rows.shape == (3, 2)


def test_caught_between_by_hand() -> None:
    centers = [[0.0, 0.0], [8.0, 0.0], [0.0, 100.0]]
    u = [[1.0, 0.0], [4.0, 9.0], [5.0, 0.0], [-3.0, 0.0], [0.0, 99.0]]
    found = caught_between(u, centers, 4)
    assert found.rows.tolist() == [1, 2, 0, 4]
    assert found.gap[:3].tolist() == pytest.approx([0.0, 2 / 8, 6 / 8])
    assert (found.first[1], found.second[1]) == (1, 0)
    assert (found.first[3], found.second[3]) == (2, 0)
    every = caught_between(u, centers, 99)
    assert every.gap[every.rows.tolist().index(3)] == 1.0  # beyond a center, in line with both
    assert every.gap.max() <= 1


# Psychology ----------------------------------------------------------------------------------


def test_wheel_by_hand() -> None:
    wheel = {item.name: item for item in arrangements(MIKELS8)}["wheel"]

    def steps(one: str, other: str) -> float:
        return float(wheel.distances[MIKELS8.index(one), MIKELS8.index(other)])

    assert steps("amusement", "contentment") == steps("amusement", "anger") == 1
    assert steps("awe", "fear") == 2
    assert steps("contentment", "anger") == 2
    assert steps("amusement", "fear") == 4
    assert steps("fear", "fear") == 0
    assert sorted(MIKELS_WHEEL) == sorted(MIKELS8.names)
    for one, other in itertools.combinations(range(8), 2):
        a, b = (MIKELS_WHEEL.index(MIKELS8.names[c]) for c in (one, other))
        assert wheel.distances[one, other] == min((a - b) % 8, (b - a) % 8)


def test_sentiment_by_hand() -> None:
    sentiment = arrangements(FER7)[0]
    assert sentiment.name == "sentiment"
    names = [FER7.names[c] for c in sentiment.classes]
    assert names == ["anger", "disgust", "fear", "happy", "sad"]  # neutral and surprise have none
    happy = names.index("happy")
    for i, j in itertools.product(range(5), repeat=2):
        assert sentiment.distances[i, j] == float((i == happy) != (j == happy))


@pytest.mark.parametrize(
    ("taxonomy", "known"),
    [
        (MIKELS8, {"sentiment": 8, "wheel": 8}),
        (EMOTION6, {"sentiment": 5, "wheel": 4}),
        (FER7, {"sentiment": 5, "wheel": 4}),  # "sad" is sadness
        (WEBEMO8, {"sentiment": 8, "wheel": 5}),
        (WIKIART20, {"sentiment": 14, "wheel": 4}),
        (SADNESS2, {}),
        (SENTIMENT2, {}),
        (TEXT2, {}),
    ],
    ids=lambda value: value.name if isinstance(value, Taxonomy) else "",
)
def test_each_taxonomy_is_compared_by_the_classes_that_are_known(
    taxonomy: Taxonomy, known: dict[str, int]
) -> None:
    assert {item.name: len(item.classes) for item in arrangements(taxonomy)} == known


def test_one_sentiment_alone_arranges_nothing() -> None:
    negative = Taxonomy("n", "N", tuple(c for c in MIKELS8.classes if c.sentiment == "negative"))
    assert [item.name for item in arrangements(negative)] == ["wheel"]


def slow_mantel(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    rows, columns = np.triu_indices(len(one), 1)
    given = spearmanr(one[rows, columns], other[rows, columns])[0]
    reached = []
    for order in itertools.permutations(range(len(one))):
        moved = other[np.ix_(order, order)]
        reached.append(spearmanr(one[rows, columns], moved[rows, columns])[0] >= given - 1e-9)
    return float(given), float(np.mean(reached))


@pytest.mark.parametrize("size", [4, 5])
def test_permutation_test_equals_a_slow_loop(size: int) -> None:
    one = squareform(pdist(drawn(size, seed=size)))
    other = squareform(pdist(np.round(drawn(size, seed=size + 1))))  # with ties
    found = mantel_test(one, other)
    assert found is not None
    assert (found.spearman, found.p_value) == pytest.approx(slow_mantel(one, other))
    assert found.exact
    assert found.orders == {4: 24, 5: 120}[size]


def test_centers_on_a_circle_agree_with_the_wheel_alone() -> None:
    angle = 2 * np.pi * np.array([MIKELS_WHEEL.index(name) for name in MIKELS8.names]) / 8
    found = {
        a.name: agreement(np.c_[np.cos(angle), np.sin(angle)], a) for a in arrangements(MIKELS8)
    }
    wheel, sentiment = found["wheel"], found["sentiment"]
    assert wheel is not None
    assert sentiment is not None
    assert wheel.spearman == pytest.approx(1.0)
    # The 16 turns and reflections of the circle do as well, of 40,320 orders.
    assert wheel.p_value == pytest.approx(16 / 40_320)
    assert (wheel.orders, wheel.exact) == (40_320, True)
    assert 0 < sentiment.spearman < 1  # the positive ones are one half of the circle


def test_many_classes_are_permuted_by_chance() -> None:
    sentiment = arrangements(WIKIART20)[0]
    centers = np.zeros((20, 2))
    centers[:, 0] = WIKIART20.signs * 5.0
    centers += drawn(20, 2)
    found = agreement(centers, sentiment, seed=1)
    assert found is not None
    assert (found.orders, found.exact) == (10_000, False)
    assert found.spearman > 0.5
    assert 1 / 10_000 <= found.p_value < 0.005  # the given order is among those that were looked at
    assert found == agreement(centers, sentiment, seed=1)


def test_classes_that_are_not_known_do_not_count() -> None:
    sentiment = arrangements(EMOTION6)[0]
    centers = drawn(6)
    moved = centers.copy()
    moved[EMOTION6.index("surprise")] += 100
    assert agreement(centers, sentiment) == agreement(moved, sentiment)


def test_centers_all_equally_far_agree_with_nothing() -> None:
    assert agreement(np.eye(8), arrangements(MIKELS8)[0]) is None


# Bad input -----------------------------------------------------------------------------------


def test_what_does_not_fit_is_refused() -> None:
    u, centers = drawn(9), drawn(3)
    with pytest.raises(AnalysisError, match=r"width 4 .* width 5"):
        nearest_to_centers(drawn(9, 4), centers)
    with pytest.raises(AnalysisError, match="1 of 3 rows of the centers"):
        center_distances(np.where(np.arange(3)[:, None] == 1, np.nan, centers))
    with pytest.raises(AnalysisError, match="the largest 3"):
        class_means(u, np.full(9, 3), 3)
    with pytest.raises(AnalysisError, match="one label a vector"):
        class_means(u, np.zeros(8, np.int64), 3)
    with pytest.raises(AnalysisError, match=r"\(2, 5\) cannot be compared .* \(3, 5\)"):
        center_offsets(centers[:2], class_means(u, np.zeros(9, np.int64), 3))
    with pytest.raises(AnalysisError, match="two are alike"):
        caught_between(u, centers[[0, 1, 0]])
    with pytest.raises(AnalysisError, match="one is alone"):
        caught_between(u, centers[:1])
    with pytest.raises(AnalysisError, match="class 7 and there are 5 centers"):
        agreement(drawn(5), arrangements(MIKELS8)[0])
