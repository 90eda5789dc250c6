"""Measures against scikit-learn, SciPy, and slow loops written from their definitions."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.spatial.distance import pdist
from sklearn.cluster import KMeans
from sklearn.metrics import (
    accuracy_score,
    adjusted_mutual_info_score,
    adjusted_rand_score,
    log_loss,
    normalized_mutual_info_score,
    precision_recall_fscore_support,
    silhouette_score,
)
from sklearn.metrics import confusion_matrix as reference_confusion

from emoviz.analysis import clustering
from emoviz.analysis.alignment import AlignedPredictions, ModelOutputs, judge
from emoviz.analysis.calibration_error import expected_calibration_error
from emoviz.analysis.clustering import (
    Clustering,
    ambiguous_images,
    group_images,
    pairwise_percentile,
)
from emoviz.analysis.cross_sentiment import cross_sentiment
from emoviz.analysis.metrics import (
    METRICS,
    ClassScore,
    class_estimates,
    class_scores,
    confusion_matrix,
    log_losses,
    measure,
    negative_log_likelihood,
)
from emoviz.analysis.resampling import Intervals, mean
from emoviz.labels import (
    EMOTION6,
    FER7,
    MIKELS8,
    SADNESS2,
    TEXT2,
    WIKIART20,
    Bridge,
    Taxonomy,
    bridge_between,
)

Pair = tuple[np.ndarray, np.ndarray]

CASES: dict[str, Callable[[], Pair]] = {
    "random": lambda: tuple(np.random.default_rng(0).integers(0, 8, (2, 400))),  # type: ignore[return-value]
    "few of many": lambda: tuple(np.random.default_rng(1).integers(0, 8, (2, 5))),  # type: ignore[return-value]
    "all right": lambda: (np.arange(8), np.arange(8)),
    "all wrong": lambda: (np.arange(8), (np.arange(8) + 1) % 8),
    "one class": lambda: (np.full(9, 3), np.full(9, 3)),
    "one answer": lambda: (np.arange(8), np.full(8, 2)),
    "one sample": lambda: (np.array([7]), np.array([0])),
    "answers outside the truth": lambda: (np.array([0, 0, 1]), np.array([5, 0, 6])),
}


# Right and wrong -----------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES)
def test_scores_equal_scikit_learn(case: str) -> None:
    truth, predicted = CASES[case]()
    labels = sorted({*truth.tolist(), *predicted.tolist()})
    precision, recall, f1, support = precision_recall_fscore_support(
        truth, predicted, labels=labels, zero_division=0
    )
    scores = class_scores(truth, predicted, 8)
    assert list(scores) == labels
    for i, label in enumerate(labels):
        found = scores[label]
        assert (found.precision, found.recall, found.f1, found.support) == pytest.approx(
            (precision[i], recall[i], f1[i], support[i])
        )
    np.testing.assert_array_equal(
        confusion_matrix(truth, predicted, 8),
        reference_confusion(truth, predicted, labels=range(8)),
    )


def test_no_samples_give_no_numbers() -> None:
    none = np.array([], dtype=np.int64)
    assert class_scores(none, none, 8) == {}
    assert confusion_matrix(none, none, 3).tolist() == [[0] * 3] * 3


# Cross-sentiment -----------------------------------------------------------------------------


def slow_cross_sentiment(
    p: np.ndarray, taxonomy: Taxonomy, threshold: float | None
) -> dict[str, Any]:
    counts = {"pos_neg": 0, "neg_pos": 0, "pos_pos": 0, "neg_neg": 0}
    for row in p:
        one, two = sorted(range(len(row)), key=lambda c: -row[c])[:2]
        if threshold is not None and not (row[one] >= threshold and row[two] >= threshold):
            continue
        a, b = taxonomy.classes[one].sentiment, taxonomy.classes[two].sentiment
        if a is not None and b is not None:
            counts[f"{a[:3]}_{b[:3]}"] += 1
    eligible = sum(counts.values())
    opposite = counts["pos_neg"] + counts["neg_pos"]
    return {**counts, "eligible": eligible, "rate": opposite / eligible if eligible else None}


@pytest.mark.parametrize("taxonomy", [MIKELS8, EMOTION6, FER7, WIKIART20, SADNESS2])
@pytest.mark.parametrize("threshold", [None, 0.0, 0.1, 0.3, 0.5, 0.6])
def test_cross_sentiment_equals_a_slow_loop(taxonomy: Taxonomy, threshold: float | None) -> None:
    p = np.random.default_rng(2).dirichlet(np.full(len(taxonomy), 0.5), 300)
    found = cross_sentiment(p, taxonomy, threshold).to_dict()
    assert found == pytest.approx(slow_cross_sentiment(p, taxonomy, threshold))


def test_cross_sentiment_by_hand() -> None:
    #              amu  awe  con  exc  ang  dis  fea  sad
    p = np.array(
        [
            [0.5, 0.0, 0.0, 0.0, 0.3, 0.1, 0.1, 0.0],  # positive, negative; second just at 0.3
            [0.2, 0.0, 0.0, 0.0, 0.8, 0.0, 0.0, 0.0],  # negative, positive; second below
            [0.4, 0.6, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],  # both positive
            [0.0, 0.0, 0.0, 0.0, 0.5, 0.5, 0.0, 0.0],  # both negative, tied
        ]
    )
    assert cross_sentiment(p, MIKELS8).to_dict() == {
        "eligible": 4, "pos_neg": 1, "neg_pos": 1, "pos_pos": 1, "neg_neg": 1, "rate": 0.5,
    }  # fmt: skip
    assert cross_sentiment(p, MIKELS8, 0.3).to_dict() == {
        "eligible": 3, "pos_neg": 1, "neg_pos": 0, "pos_pos": 1, "neg_neg": 1, "rate": 1 / 3,
    }  # fmt: skip


def test_ties_go_to_the_earlier_class() -> None:
    tied = np.full((1, 8), 0.125)  # amusement and awe come first
    assert cross_sentiment(tied, MIKELS8).pos_pos == 1


def test_class_without_sentiment_takes_no_part() -> None:
    #              ang  dis  fea  joy  sad  surprise
    p = np.array([[0.0, 0.0, 0.0, 0.6, 0.0, 0.4], [0.0, 0.0, 0.0, 0.1, 0.3, 0.6]])
    assert cross_sentiment(p, EMOTION6).eligible == 0
    assert cross_sentiment(p, EMOTION6).rate is None


def test_cross_sentiment_of_nothing() -> None:
    assert cross_sentiment(np.zeros((0, 8)), MIKELS8).rate is None


# Calibration ---------------------------------------------------------------------------------


def slow_ece(confidence: np.ndarray, right: np.ndarray, bins: int) -> float:
    total = 0.0
    for b in range(bins):
        low, high = b / bins, (b + 1) / bins
        members = [k for k, c in enumerate(confidence) if low < c <= high or (b == 0 and c == 0)]
        if members:
            mean = sum(confidence[k] for k in members) / len(members)
            share = sum(bool(right[k]) for k in members) / len(members)
            total += len(members) / len(confidence) * abs(mean - share)
    return total


@pytest.mark.parametrize("bins", [1, 2, 10, 15])
def test_calibration_error_equals_a_slow_loop(bins: int) -> None:
    rng = np.random.default_rng(3)
    for size in (1, 2, 17, 500):
        confidence = rng.random(size)
        right = rng.random(size) < confidence**2
        found = expected_calibration_error(confidence, right, bins)
        assert found == pytest.approx(slow_ece(confidence, right, bins))


def test_calibration_error_at_the_ends_and_on_the_edges_of_bins() -> None:
    assert expected_calibration_error(np.ones(4), np.ones(4, bool)) == 0
    assert expected_calibration_error(np.ones(4), np.zeros(4, bool)) == 1
    assert expected_calibration_error(np.zeros(4), np.zeros(4, bool)) == 0
    # 0.5 belongs to the lower of two bins, with 0.1: gaps 0.3 and 0.1 for (0.1, 0.5), (0.9)
    found = expected_calibration_error(np.array([0.1, 0.5, 0.9]), np.array([False, False, True]), 2)
    assert found == pytest.approx(2 / 3 * 0.3 + 1 / 3 * 0.1)


def test_log_likelihood_equals_a_slow_loop() -> None:
    rng = np.random.default_rng(4)
    scores, targets = rng.dirichlet(np.ones(5), 9), rng.dirichlet(np.ones(5), 9)
    targets[[2, 6]] = 0.0  # rows without a target do not count
    total, count = 0.0, 0
    for k in range(9):
        if any(targets[k]):
            total -= sum(targets[k, s] * np.log(scores[k, s]) for s in range(5))
            count += 1
    assert negative_log_likelihood(scores, targets) == pytest.approx(total / count)


# Clusters ------------------------------------------------------------------------------------


def blobs(size: int, classes: int, width: int = 6, seed: int = 0, spread: float = 1.0) -> Pair:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, size)
    points = rng.normal(size=(classes, width))[labels] * 3 + rng.normal(size=(size, width)) * spread
    return points.astype(np.float32), labels.astype(np.int64)


def clustered(points: np.ndarray, labels: np.ndarray) -> Clustering:
    found = group_images(points, labels)
    assert found is not None
    return found.measures


@pytest.mark.parametrize("classes", [2, 5, 8])
def test_agreement_with_labels_equals_scikit_learn(classes: int) -> None:
    points, labels = blobs(200, classes)
    means = KMeans(classes, n_init=10, random_state=0).fit(points.astype(np.float64))
    found = clustered(points, labels)
    assert found.ami == pytest.approx(adjusted_mutual_info_score(labels, means.labels_))
    assert found.ari == pytest.approx(adjusted_rand_score(labels, means.labels_))
    assert found.nmi == pytest.approx(normalized_mutual_info_score(labels, means.labels_))
    assert found.delta == pytest.approx(largest_of_smallest(pdist(points), 10), rel=1e-5)
    assert found.asr == pytest.approx(
        slow_asr(points, means.cluster_centers_, float(found.delta or 0))
    )
    assert found.clusters == classes


def largest_of_smallest(distances: np.ndarray, percent: float) -> float:
    """Dissertation, section 4.2: the greatest distance among the smallest per cent of them."""
    ordered = sorted(distances.tolist())
    return float(ordered[max(int(percent * len(ordered) / 100 + 1e-9), 1) - 1])


def ambiguous_share(points: np.ndarray, centers: np.ndarray, delta: float) -> float:
    return float(ambiguous_images(points, centers, delta).mean())


def slow_asr(points: np.ndarray, centers: np.ndarray, delta: float) -> float:
    ambiguous = 0
    for point in points:
        near = 0
        for center in centers:
            squared = sum((float(a) - float(b)) ** 2 for a, b in zip(point, center, strict=True))
            near += squared**0.5 < delta
        ambiguous += near > 1
    return ambiguous / len(points)


def test_ambiguous_share_equals_a_slow_double_loop() -> None:
    rng = np.random.default_rng(5)
    points, centers = rng.normal(size=(60, 4)), rng.normal(size=(5, 4))
    shares = []
    for delta in (0.0, 0.5, 1.0, 2.0, 3.0, 10.0):
        shares.append(ambiguous_share(points, centers, delta))
        assert shares[-1] == pytest.approx(slow_asr(points, centers, delta))
    assert shares[0] == 0 < shares[3] < shares[-1] == 1


def test_ambiguous_share_by_hand() -> None:
    points = np.array([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0], [9.0, 0.0]])
    centers = np.array([[0.0, 0.0], [2.0, 0.0]])
    assert ambiguous_share(points, centers, 1.01) == 0.25  # only the one in the middle, at 1.0
    assert ambiguous_share(points, centers, 1.0) == 0.0  # eq. 4.16: nearer than delta, not at it
    assert ambiguous_share(points, centers, 2.01) == 0.75


@pytest.mark.parametrize("size", [2, 3, 4, 10, 57, 500])
@pytest.mark.parametrize("percent", [0.0, 0.3, 10.0, 50.0, 99.9, 100.0])
def test_percentile_of_all_pairs_equals_sorting(size: int, percent: float) -> None:
    points = np.random.default_rng(size).normal(size=(size, 5))
    wanted = largest_of_smallest(pdist(points), percent)
    assert pairwise_percentile(points, percent) == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("offset", [0.0, 1.0, 1e4])
def test_percentile_of_equal_points_is_zero(offset: float) -> None:
    points = np.full((40, 3), 0.1) + offset
    assert pairwise_percentile(points, 10.0) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("copies", [2, 5, 20])
def test_percentile_with_duplicates_equals_sorting(copies: int) -> None:
    points = np.repeat(np.random.default_rng(6).normal(size=(20, 4)), copies, axis=0)
    for percent in (0.0, 1.0, 5.0, 10.0, 30.0):
        wanted = largest_of_smallest(pdist(points), percent)
        assert pairwise_percentile(points, percent) == pytest.approx(wanted, abs=1e-6)


def test_percentile_with_two_scales_and_far_from_the_origin() -> None:
    rng = np.random.default_rng(7)
    points = np.concatenate([rng.normal(size=(60, 3)), 1000 + rng.normal(size=(5, 3)) * 1e-3])
    for percent in (0.01, 0.4, 1.0, 10.0, 84.0, 86.0, 99.0):
        wanted = largest_of_smallest(pdist(points), percent)
        assert pairwise_percentile(points, percent) == pytest.approx(wanted, rel=1e-4)


def test_percentile_is_the_same_however_the_rows_are_blocked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    points = np.random.default_rng(8).normal(size=(90, 4))
    whole = pairwise_percentile(points, 10.0)
    for size in (1, 8 * 90 * 7, 8 * 90 * 89):
        monkeypatch.setattr(clustering, "_BLOCK_BYTES", size)
        assert pairwise_percentile(points, 10.0) == pytest.approx(whole, rel=1e-12)


def test_a_bracket_that_misses_is_widened(monkeypatch: pytest.MonkeyPatch) -> None:
    points = np.random.default_rng(9).normal(size=(50, 4))
    wanted = largest_of_smallest(pdist(points), 10)
    honest = clustering._bracket

    def misleading(data: np.ndarray, percent: float, width: float) -> tuple[float, float]:
        return honest(data, percent, width) if width > 50 else (1e6, 2e6)

    monkeypatch.setattr(clustering, "_bracket", misleading)
    assert pairwise_percentile(points, 10.0) == pytest.approx(wanted)


@pytest.mark.parametrize(
    "labels", [[], [3], [3, 3, 3, 3], [0, 1], [0, 1, 2, 3], [1, 0, 2]], ids=str
)
def test_too_little_to_cluster_gives_none(labels: list[int]) -> None:
    points = np.random.default_rng(0).normal(size=(len(labels), 4)).astype(np.float32)
    assert group_images(points, np.array(labels, np.int64)) is None


def test_equal_vectors_are_one_cluster_and_no_error() -> None:
    found = clustered(np.ones((12, 4), np.float32), np.arange(12) % 3)
    assert found.ari == pytest.approx(0.0)
    assert found.nmi == pytest.approx(0.0)
    assert found.asr == 0.0
    assert found.delta == pytest.approx(0.0, abs=1e-6)


def test_fewer_distinct_vectors_than_classes_are_no_error() -> None:
    points = np.array([[0.0, 0.0], [5.0, 5.0]], np.float32)[np.arange(20) % 2]
    found = clustered(points, np.arange(20, dtype=np.int64) % 4)
    assert found.ari is not None
    assert 0 < found.ari < 1


def test_well_separated_classes_are_found_again() -> None:
    points, labels = blobs(90, 3, spread=0.01)
    found = clustered(points, labels)
    assert (found.ari, found.nmi, found.asr) == pytest.approx((1.0, 1.0, 0.0))


# One evaluation ------------------------------------------------------------------------------


def evaluate(
    p: np.ndarray, u: np.ndarray, labels: np.ndarray, bridge: Bridge
) -> tuple[AlignedPredictions, dict[str, float | None], dict[str, ClassScore]]:
    """Answers beside labels, the values of all metrics, the scores of each label."""
    found = judge(ModelOutputs("m", bridge.model, p, u), labels, bridge)
    grouping = group_images(found.embedding, found.truth)  # type: ignore[arg-type]
    values = {name: item.value for name, item in measure(found, grouping).items()}
    scores = class_scores(found.truth, found.predicted, len(found.labels))
    return found, values, {found.labels.names[c]: score for c, score in scores.items()}


def test_evaluation_leaves_out_what_cannot_be_compared() -> None:
    rng = np.random.default_rng(10)
    p, u = rng.dirichlet(np.ones(8), 40), rng.normal(size=(40, 6)).astype(np.float32)
    labels = np.array([-1, *(list(range(6)) * 7)][:40], np.int64)
    bridge = bridge_between(MIKELS8, EMOTION6)
    found, values, per_class = evaluate(p, u, labels, bridge)
    used = [k for k in range(40) if labels[k] in (0, 1, 2, 3, 4)]
    answers = []
    for k in used:
        joy = sum(p[k, c] for c in range(4))
        scores = [p[k, 4], p[k, 5], p[k, 6], joy, p[k, 7]]
        answers.append(scores.index(max(scores)))
    assert (len(found), found.unlabelled) == (len(used), 1)
    assert sum(found.left_out.values()) == 39 - len(used)
    assert values["accuracy"] == pytest.approx(accuracy_score(labels[used], answers))
    positive = [sum(p[k, :4]) > 0.5 for k in used]
    right = [a == (labels[k] == 3) for a, k in zip(positive, used, strict=True)]
    assert values["sentiment_accuracy"] == pytest.approx(np.mean(right))
    assert measure(found)["cross_sentiment"].n == len(used)
    assert set(per_class) <= set(EMOTION6.names[:5])
    scores = [max(p[k, 4], p[k, 5], p[k, 6], p[k, 7], sum(p[k, :4])) for k in used]
    hits = np.array([labels[k] == a for k, a in zip(used, answers, strict=True)])
    assert values["ece"] == pytest.approx(slow_ece(np.array(scores), hits, 15))


def test_evaluation_of_nothing_is_none_and_zero() -> None:
    found, values, per_class = evaluate(
        np.zeros((0, 8)),
        np.zeros((0, 4), np.float32),
        np.zeros(0, np.int64),
        bridge_between(MIKELS8, MIKELS8),
    )
    assert len(found) == 0
    assert set(values.values()) == {None}
    assert per_class == {}


def test_labels_without_sentiment_do_not_count_for_sentiment() -> None:
    said = [FER7.index(name) for name in ("happy", "neutral", "anger", "fear")]
    true = [FER7.index(name) for name in ("happy", "neutral", "happy", "anger")]
    u = np.eye(4, dtype=np.float32)
    _, values, _ = evaluate(np.eye(7)[said], u, np.array(true), bridge_between(FER7, FER7))
    # Happy is right, neutral not counted, anger for happy wrong, fear for anger right.
    assert values["sentiment_accuracy"] == pytest.approx(2 / 3)
    assert values["accuracy"] == 2 / 4


@pytest.mark.parametrize(
    ("labels", "wanted"),
    [
        (("awe", "awe", "contentment"), None),
        (("fear", "sadness", "anger"), None),
        (("awe", "fear", "sadness"), 2 / 3),
    ],
    ids=["positive", "negative", "both"],
)
def test_sentiments_are_told_apart_only_where_both_occur(
    labels: tuple[str, ...], wanted: float | None
) -> None:
    said = np.eye(8)[[MIKELS8.index(name) for name in ("amusement", "anger", "awe")]]
    true = np.array([MIKELS8.index(name) for name in labels])
    bridge = bridge_between(MIKELS8, MIKELS8)
    _, values, _ = evaluate(said, np.eye(3, dtype=np.float32), true, bridge)
    assert values["sentiment_accuracy"] == wanted


def test_network_of_two_classes_is_measured_on_two_labels_of_eight() -> None:
    """By hand: sadness or others, whatever the other seven labels are called."""
    #             others sadness
    p = np.array([[0.9, 0.1], [0.7, 0.3], [0.6, 0.4], [0.2, 0.8], [0.3, 0.7], [0.55, 0.45]])
    labels = [MIKELS8.index(n) for n in ("awe", "fear", "sadness", "sadness", "anger", "disgust")]
    u = np.arange(12, dtype=np.float32).reshape(6, 2)
    found, values, per_class = evaluate(p, u, np.array(labels), bridge_between(SADNESS2, MIKELS8))
    assert (len(found), dict(found.left_out)) == (6, {})
    assert values["accuracy"] == pytest.approx(4 / 6)  # wrong: the third and the fifth
    others, sadness = per_class["others"], per_class["sadness"]
    assert list(per_class) == ["others", "sadness"]
    assert (others.precision, others.recall, others.support) == (3 / 4, 3 / 4, 4)
    assert (sadness.precision, sadness.recall, sadness.support) == (1 / 2, 1 / 2, 2)
    right = np.array([True, True, False, True, False, True])
    assert values["ece"] == pytest.approx(slow_ece(p.max(axis=1), right, 15))
    assert values["sentiment_accuracy"] is None  # "others" has none: it would be sadness's recall
    assert values["cross_sentiment"] is None


@pytest.mark.parametrize("labels", [EMOTION6, FER7, WIKIART20])
def test_two_classes_on_finer_labels_equal_two_classes_on_two_labels(labels: Taxonomy) -> None:
    rng = np.random.default_rng(12)
    p, u = rng.dirichlet(np.ones(2), 50), rng.normal(size=(50, 4)).astype(np.float32)
    fine = rng.integers(-1, len(labels), 50)
    coarse = np.where(fine < 0, -1, fine == labels.index("sadness")).astype(np.int64)
    _, values, per_class = evaluate(p, u, fine, bridge_between(SADNESS2, labels))
    _, wanted, scores = evaluate(p, u, coarse, bridge_between(SADNESS2, SADNESS2))
    assert values == wanted
    assert list(per_class.values()) == list(scores.values())


def test_labels_that_no_answer_tells_apart_count_as_one() -> None:
    p = np.eye(8)[[2, 2, 7, 0]]  # contentment, contentment, sadness, amusement
    labels = [WIKIART20.index(n) for n in ("love", "trust", "regret", "humility")]
    u = np.eye(4, dtype=np.float32)
    found, values, per_class = evaluate(p, u, np.array(labels), bridge_between(MIKELS8, WIKIART20))
    assert (len(found), dict(found.left_out)) == (3, {"humility": 1})
    # contentment may be called happiness as well, and that comes first among the equals
    assert values["accuracy"] == pytest.approx(1 / 3)
    assert set(per_class) == {"happiness", "contentment", "sadness"}


def test_network_without_any_sentiment_is_measured() -> None:
    p = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]])
    u = np.arange(6, dtype=np.float32).reshape(3, 2)
    _, values, _ = evaluate(p, u, np.array([0, 1, 0]), bridge_between(TEXT2, TEXT2))
    assert values["accuracy"] == pytest.approx(2 / 3)
    assert values["sentiment_accuracy"] is None
    assert values["cross_sentiment"] is values["cross_sentiment_0.3"] is None


def test_every_estimate_is_plain_json() -> None:
    import json

    p = np.random.default_rng(11).dirichlet(np.ones(8), 30)
    found, _, _ = evaluate(p, *blobs(30, 8), bridge_between(MIKELS8, MIKELS8))
    rows = {name: item.to_dict() for name, item in measure(found, how=Intervals()).items()}
    assert json.loads(json.dumps(rows)) == rows
    assert list(rows) == list(METRICS)


def test_each_labels_scores_are_scikit_learns_with_intervals_and_their_images() -> None:
    rng = np.random.default_rng(4)
    p, labels = rng.dirichlet(np.ones(8), 200), rng.integers(0, 5, 200)  # three have no image
    found = judge(ModelOutputs("m", MIKELS8, p), labels, bridge_between(MIKELS8, MIKELS8))
    precision, recall, f1, support = precision_recall_fscore_support(
        labels, p.argmax(axis=1), labels=range(8), zero_division=0
    )
    given = np.bincount(p.argmax(axis=1), minlength=8)
    for c, name in enumerate(MIKELS8.names):
        row = class_estimates(found)[name]
        assert (row["precision"].n, row["recall"].n) == (given[c], support[c])
        assert row["precision"].value == pytest.approx(precision[c])
        assert (row["recall"].value or 0) == pytest.approx(recall[c])
        assert row["F1"].value == pytest.approx(f1[c])
        for item in row.values():
            if item.value is not None:
                assert item.low is not None
                assert item.high is not None
                assert item.low <= item.value <= item.high
    assert class_estimates(found)[MIKELS8.names[7]]["recall"].reason == "no image has it"


def test_silhouette_and_log_loss_are_scikit_learns_and_have_intervals() -> None:
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 3, 300)
    p = rng.dirichlet(np.ones(8), 300)
    u = (rng.normal(size=(300, 4)) + 2 * np.eye(4)[labels]).astype(np.float32)
    found = judge(ModelOutputs("m", MIKELS8, p, u), labels, bridge_between(MIKELS8, MIKELS8))
    values = measure(found, group_images(u, found.truth), Intervals())
    assert values["silhouette"].value == pytest.approx(silhouette_score(u, labels), abs=1e-6)
    surprise = mean(log_losses(found), (0.0, 30.0))
    assert surprise.value == pytest.approx(log_loss(labels, p, labels=range(8)))
    for item in (values["silhouette"], surprise):
        assert item.n == 300
        assert item.low < item.value < item.high  # type: ignore[operator]
