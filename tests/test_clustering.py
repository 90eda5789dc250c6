"""Clusters, silhouettes and percentiles beyond what tests/test_measures.py holds."""

import numpy as np
import pytest
from scipy.spatial.distance import pdist
from sklearn.cluster import KMeans
from sklearn.metrics import (
    adjusted_rand_score,
    normalized_mutual_info_score,
    silhouette_score,
)
from threadpoolctl import threadpool_info, threadpool_limits

from emoviz.analysis import clustering
from emoviz.analysis.clustering import (
    Clustering,
    DeltaRule,
    ambiguous_images,
    cluster_agreement,
    find_clusters,
    group_images,
    pairwise_percentile,
    sampled_percentile,
    silhouette,
    subsample_clusters,
)
from emoviz.errors import AnalysisError


def blobs(
    size: int, classes: int = 4, width: int = 6, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, size)
    u = 3 * rng.normal(size=(classes, width))[labels] + rng.normal(size=(size, width))
    return u.astype(np.float32), labels.astype(np.int64)


def clustered(
    u: np.ndarray, labels: np.ndarray, delta: float | None = None, seed: int = 0
) -> Clustering:
    found = group_images(u, labels, seed, DeltaRule(given=delta))
    assert found is not None
    return found.measures


# The threshold delta -------------------------------------------------------------------------


def test_a_given_delta_changes_the_ambiguous_share_alone() -> None:
    u, labels = blobs(150)
    usual = clustered(u, labels)
    wide = clustered(u, labels, delta=1e9)
    assert (usual.ari, usual.nmi) == (wide.ari, wide.nmi)
    assert (wide.delta, wide.asr, wide.delta_error) == (1e9, 1.0, 0.0)
    assert clustered(u, labels, delta=0.0).asr == 0.0
    assert usual.delta_error == 0.0
    assert clustered(u, labels, delta=usual.delta) == usual


def test_above_the_limit_delta_is_sampled_and_says_how_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    u, labels = blobs(400)
    exact = clustered(u, labels)
    monkeypatch.setattr(clustering, "EXACT_UP_TO", 399)
    monkeypatch.setattr(clustering, "_SAMPLED_PAIRS", 5000)
    sampled = clustered(u, labels)
    assert exact.delta is not None
    assert sampled.delta is not None
    assert sampled.delta_error is not None
    assert 0 < sampled.delta_error < 0.05 * exact.delta
    assert abs(sampled.delta - exact.delta) < 4 * sampled.delta_error
    assert sampled != clustered(u, labels, seed=1)


@pytest.mark.parametrize("delta", [-1.0, float("nan")])
def test_an_impossible_delta_is_refused(delta: float) -> None:
    with pytest.raises(AnalysisError, match="0 or more"):
        clustered(*blobs(30), delta=delta)


def test_vectors_with_nan_are_refused() -> None:
    u, labels = blobs(30)
    u[4, 2] = np.nan
    for measure in (group_images, silhouette):
        with pytest.raises(AnalysisError, match=r"1 of 30 rows of u .* row 4"):
            measure(u, labels)


def test_ambiguous_images_are_those_of_the_share() -> None:
    points = np.array([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0], [9.0, 0.0]])
    centers = np.array([[0.0, 0.0], [2.0, 0.0]])
    assert ambiguous_images(points, centers, 1.0).tolist() == [False] * 4
    assert ambiguous_images(points, centers, 1.1).tolist() == [False, True, False, False]
    assert ambiguous_images(points, centers, 2.1).tolist() == [True, True, True, False]


def test_nmi_by_chance_is_what_shuffled_clusters_reach() -> None:
    """AMI is 0 there, NMI is not: the fewer images, the more it is."""
    rng = np.random.default_rng(0)
    labels, clusters = rng.integers(0, 8, 62), rng.integers(0, 8, 62)
    found = cluster_agreement(labels, clusters)
    shuffled = [normalized_mutual_info_score(labels, rng.permutation(clusters)) for _ in range(300)]
    assert found["nmi_by_chance"] == pytest.approx(np.mean(shuffled), abs=0.01)
    assert found["nmi_by_chance"] > 0.15
    assert abs(found["ami"]) < 0.15


def test_parts_of_too_few_images_are_none_and_others_are_of_half() -> None:
    u, labels = blobs(79)
    assert subsample_clusters(u, labels) is None
    found = subsample_clusters(*blobs(90))
    assert found is not None
    assert (found.size, found.images, found.values.shape) == (45, 90, (20, 5))
    again = subsample_clusters(*blobs(90))
    assert again is not None
    assert np.array_equal(found.values, again.values)


# Clusters ------------------------------------------------------------------------------------


@pytest.mark.parametrize("clusters", [1, 3, 7])
def test_clusters_equal_scikit_learn(clusters: int) -> None:
    u = blobs(120)[0]
    found = find_clusters(u, clusters, seed=2, starts=3)
    means = KMeans(clusters, n_init=3, random_state=2).fit(u.astype(np.float64))
    assert adjusted_rand_score(found.indices, means.labels_) == 1.0
    assert found.indices.shape == (120,)
    for c, center in enumerate(found.centers):
        np.testing.assert_allclose(center, u[found.indices == c].mean(axis=0), rtol=1e-4)


def test_no_more_clusters_than_different_vectors() -> None:
    u = np.repeat(np.eye(3), 5, axis=0)
    found = find_clusters(u, 8)
    assert found.centers.shape == (3, 3)
    assert adjusted_rand_score(found.indices, np.arange(15) // 5) == 1.0
    assert find_clusters(np.ones((1, 4)), 5).indices.tolist() == [0]


@pytest.mark.parametrize(("size", "clusters"), [(0, 3), (5, 0)])
def test_impossible_clusters_are_refused(size: int, clusters: int) -> None:
    with pytest.raises(AnalysisError, match=f"{size} vectors cannot be put into {clusters}"):
        find_clusters(np.zeros((size, 2)), clusters)


# Silhouette ----------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [2, 5])
def test_silhouette_equals_scikit_learn(classes: int) -> None:
    u, labels = blobs(90, classes)
    found = silhouette(u, labels * 7 - 3)  # names of groups do not matter
    assert found.mean == pytest.approx(silhouette_score(u.astype(np.float64), labels), abs=1e-6)
    assert (found.error, found.images, found.total) == (0.0, 90, 90)


def test_silhouette_is_the_same_however_it_is_blocked(monkeypatch: pytest.MonkeyPatch) -> None:
    u, labels = blobs(90)
    whole = silhouette(u, labels).mean
    monkeypatch.setattr(clustering, "_BLOCK_BYTES", 8 * 90 * 7)
    assert silhouette(u, labels).mean == pytest.approx(whole)


def test_a_group_of_one_has_width_zero() -> None:
    u, labels = blobs(40, 3)
    labels[0] = 99
    wanted = silhouette_score(u.astype(np.float64), labels)
    assert silhouette(u, labels).mean == pytest.approx(wanted, abs=1e-6)


def test_equal_vectors_in_two_groups_have_width_zero() -> None:
    assert silhouette(np.full((10, 3), 0.1), np.arange(10) % 2).mean == 0.0


def test_a_sampled_silhouette_says_how_well() -> None:
    u, labels = blobs(600)
    whole = silhouette(u, labels)
    found = [silhouette(u, labels, most=150, seed=seed) for seed in range(40)]
    assert {(item.images, item.total) for item in found} == {(150, 600)}
    means = np.array([item.mean for item in found])
    errors = np.array([item.error for item in found])
    assert abs(means.mean() - whole.mean) < 4 * errors.mean() / 40**0.5
    assert means.std() == pytest.approx(errors.mean(), rel=0.4)
    assert found[0] == silhouette(u, labels, most=150, seed=0)


def test_one_group_has_no_silhouette() -> None:
    with pytest.raises(AnalysisError, match="1 groups"):
        silhouette(blobs(20)[0], np.zeros(20, np.int64))
    with pytest.raises(AnalysisError, match="one label a vector"):
        silhouette(blobs(20)[0], np.arange(19))


# Percentiles ---------------------------------------------------------------------------------


@pytest.mark.parametrize("percent", [0.0, 0.01, 1.0, 10.0, 50.0, 99.99, 100.0])
def test_exact_percentile_of_many_pairs_equals_numpy(percent: float) -> None:
    u = blobs(1500)[0]  # more pairs than the bracket's sample, so that the bracket is narrow
    ordered = np.sort(pdist(u.astype(np.float64)))
    wanted = ordered[max(int(percent / 100 * len(ordered) + 1e-9), 1) - 1]
    assert pairwise_percentile(u, percent) == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("pieces", [1, 1000, 10**9])
def test_pieces_change_nothing(pieces: int, monkeypatch: pytest.MonkeyPatch) -> None:
    u = blobs(120)[0]
    whole = pairwise_percentile(u, 10.0)
    monkeypatch.setattr(clustering, "_PIECE_BYTES", pieces)
    assert pairwise_percentile(u, 10.0) == whole


def test_progress_rises_to_one_and_may_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clustering, "_BLOCK_BYTES", 8 * 120 * 10)
    u, seen = blobs(120)[0], []
    pairwise_percentile(u, 10.0, seen.append)
    assert len(seen) == 12
    assert seen == sorted(seen)
    assert seen[-1] == 1.0

    def stop(share: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pairwise_percentile(u, 10.0, stop)


def test_sampled_percentile_says_how_well() -> None:
    u = blobs(500)[0]
    exact = pairwise_percentile(u, 10.0)
    found = [sampled_percentile(u, 10.0, pairs=4000, seed=seed) for seed in range(60)]
    values, errors = np.array(found).T
    assert abs(values.mean() - exact) < 4 * errors.mean() / 60**0.5
    assert values.std() == pytest.approx(errors.mean(), rel=0.4)
    assert sampled_percentile(u, 10.0, pairs=4000, seed=0) == found[0]


def test_no_more_pairs_are_drawn_than_there_are() -> None:
    u = blobs(50)[0]
    assert sampled_percentile(u, 10.0, pairs=2000) == (pairwise_percentile(u, 10.0), 0.0)
    assert sampled_percentile(u, 10.0, pairs=1000)[1] > 0


def test_pairs_in_several_chunks_are_all_there(monkeypatch: pytest.MonkeyPatch) -> None:
    u = blobs(60)[0].astype(np.float64)
    monkeypatch.setattr(clustering, "_CHUNK", 300)
    squares = clustering._sampled_squares(u, 1000, seed=0)
    possible = np.square(pdist(u))
    assert len(squares) == 1000
    nearest = np.abs(squares[:, None] - possible).min(axis=1)
    assert nearest.max() < 1e-9  # each is the distance of a pair of different vectors


@pytest.mark.parametrize(
    ("size", "percent"), [(1, 10.0), (0, 10.0), (5, -1.0), (5, 101.0), (5, float("nan"))]
)
def test_impossible_percentiles_are_refused(size: int, percent: float) -> None:
    for ask in (pairwise_percentile, sampled_percentile):
        with pytest.raises(AnalysisError, match="two vectors at least"):
            ask(np.zeros((size, 2)), percent)


def test_measuring_twice_at_once_leaves_products_their_threads() -> None:
    def blas() -> set[int]:
        return {row["num_threads"] for row in threadpool_info() if row["user_api"] == "blas"}

    with threadpool_limits(2):
        one, other = clustering._one_thread_each(), clustering._one_thread_each()
        one.__enter__()
        other.__enter__()
        one.__exit__(None, None, None)
        assert blas() == {1}
        other.__exit__(None, None, None)
        assert blas() == {2}
