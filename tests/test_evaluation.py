"""Evaluations against scikit-learn, torchmetrics and slow loops, also on degenerate answers."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from sklearn import metrics
from torchmetrics.functional.classification import multiclass_calibration_error

from emoviz.analysis.alignment import (
    AlignedPredictions,
    ModelOutputs,
    common_bridges,
    ensemble,
    judge,
    judge_together,
)
from emoviz.analysis.calibration import calibration, with_temperature
from emoviz.analysis.clustering import group_images
from emoviz.analysis.cross_sentiment import cross_sentiment, crossing_curve
from emoviz.analysis.curves import curves
from emoviz.analysis.metrics import METRICS, MeasuredImages, measure
from emoviz.analysis.resampling import Intervals, MetricEstimate, share
from emoviz.analysis.selective import at_threshold, choose_threshold, selective
from emoviz.analysis.slices import NOTHING, OTHERS, mistakes, slices
from emoviz.analysis.unlabelled import describe_answers
from emoviz.errors import AnalysisError
from emoviz.labels import (
    EMOTION6,
    MIKELS8,
    SADNESS2,
    SENTIMENT2,
    WIKIART20,
    Bridge,
    Taxonomy,
    bridge_between,
)

Floats = NDArray[np.float64]
POSITIVE = (0, 1, 2, 3)


def random_answers(
    size: int, seed: int = 0, taxonomy: Taxonomy = MIKELS8, sharp: float = 1.5
) -> tuple[ModelOutputs, NDArray[np.int64]]:
    """Answers that are right more often than a coin, and labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, len(taxonomy), size)
    logits = rng.normal(size=(size, len(taxonomy))) + sharp * np.eye(len(taxonomy))[labels]
    p = np.exp(logits)
    u = rng.normal(size=(size, 5)).astype(np.float32) + 2 * labels[:, None]
    novelty = rng.uniform(0.2, 1.4, size)
    return ModelOutputs("random", taxonomy, p / p.sum(axis=1, keepdims=True), u, novelty), labels


def judged(size: int, seed: int = 0, taxonomy: Taxonomy = MIKELS8) -> AlignedPredictions:
    answers, labels = random_answers(size, seed, taxonomy)
    return judge(answers, labels, bridge_between(taxonomy, taxonomy))


# Through bridges -----------------------------------------------------------------------------


def test_mikels_to_emotion6_by_hand() -> None:
    """Joy gathers the four positives and wins with 0.4 although fear alone has 0.3; surprise is
    no class of the model, so its image is left out and named."""
    p = np.array(
        [
            [0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.3, 0.1],
            [0.0, 0.2, 0.0, 0.0, 0.1, 0.1, 0.5, 0.1],
            [0.0, 0.0, 0.0, 0.2, 0.0, 0.0, 0.0, 0.8],
        ]
    )
    labels = np.array([EMOTION6.index(x) for x in ("joy", "fear", "surprise")])
    found = judge(ModelOutputs("m", MIKELS8, p), labels, bridge_between(MIKELS8, EMOTION6))
    assert found.rows.tolist() == [0, 1]
    assert [found.labels.names[i] for i in found.predicted] == ["joy", "fear"]
    assert found.scores[0].tolist() == pytest.approx([0.1, 0.1, 0.3, 0.4, 0.1, 0.0])
    assert found.left_out == {"surprise": 1}
    assert found.right.tolist() == [True, True]
    assert found.cell(EMOTION6.index("fear"), EMOTION6.index("fear")).tolist() == [1]


def test_mikels_to_sadness_by_hand() -> None:
    """Seven classes are "others": sadness is the largest with 0.45 and still not the answer."""
    p = np.array([[0.1, 0.1, 0.1, 0.05, 0.1, 0.05, 0.05, 0.45], [0.0] * 7 + [1.0]])
    found = judge(
        ModelOutputs("m", MIKELS8, p), np.array([1, 1]), bridge_between(MIKELS8, SADNESS2)
    )
    assert found.scores.tolist() == [pytest.approx([0.55, 0.45]), pytest.approx([0.0, 1.0])]
    assert found.predicted.tolist() == [0, 1]
    assert found.certainty.tolist() == pytest.approx([0.45, 1.0])
    assert found.confidence.tolist() == pytest.approx([0.55, 1.0])


def test_an_edited_bridge_is_any_matrix_of_zeros_and_ones() -> None:
    answers, labels = random_answers(300)
    matrix = np.zeros((2, 8))
    matrix[0, [0, 4]] = matrix[1, [1, 5, 7]] = 1
    found = judge(answers, labels % 2, Bridge(MIKELS8, SENTIMENT2, matrix))
    for row, image in enumerate(found.rows.tolist()):
        p = answers.probabilities[image]
        sums = [p[0] + p[4], p[1] + p[5] + p[7]]
        assert found.scores[row].tolist() == pytest.approx(sums)
        assert found.predicted[row] == int(np.argmax(sums))


def test_models_of_different_classes_meet_on_labels_that_both_tell_apart() -> None:
    eight, labels = random_answers(200)
    two, _ = random_answers(200, 1, SADNESS2)
    bridges = [bridge_between(MIKELS8, MIKELS8), bridge_between(SADNESS2, MIKELS8)]
    one, other = judge_together([eight, two], labels, bridges)
    assert one.labels.names == other.labels.names == ("others", "sadness")
    assert np.array_equal(one.truth, (labels == 7).astype(int))
    assert np.allclose(one.scores[:, 1], eight.probabilities[:, 7])
    assert np.allclose(one.scores[:, 0], eight.probabilities[:, :7].sum(axis=1))
    assert np.array_equal(other.scores, two.probabilities)


def test_a_label_that_one_model_never_answers_is_left_out_for_both() -> None:
    bridges = [bridge_between(MIKELS8, EMOTION6), bridge_between(EMOTION6, EMOTION6)]
    common, groups = common_bridges(bridges)
    surprise = EMOTION6.index("surprise")
    assert not common[1].reachable[groups[surprise]]
    assert common[1].reachable.sum() == 5


def test_votes_decide_anew_over_merged_labels() -> None:
    """40 % sadness against six others with 10 % each: of the others, to a network of two."""
    shares = np.array([[0.1] * 6 + [0.0, 0.4], [0.1, 0.1] + [0.0] * 5 + [0.8]])
    two = ModelOutputs("two", SADNESS2, np.array([[0.6, 0.4], [0.6, 0.4]]))
    bridge = bridge_between(SADNESS2, MIKELS8)
    assert judge(two, np.array([7, 7]), bridge, shares).truth.tolist() == [0, 1]
    assert judge(two, np.array([7, 7]), bridge).truth.tolist() == [1, 1]


def test_an_ensemble_is_the_mean_of_bridged_probabilities() -> None:
    eight, labels = random_answers(100)
    two, _ = random_answers(100, 1, SADNESS2)
    bridges = [bridge_between(MIKELS8, SADNESS2), bridge_between(SADNESS2, SADNESS2)]
    members = judge_together([eight, two], (labels == 7).astype(np.int64), bridges)
    found = ensemble(members)
    sad = (eight.probabilities[:, 7] + two.probabilities[:, 1]) / 2
    assert np.allclose(found.scores[:, 1], sad)
    assert np.array_equal(found.predicted, (sad > 0.5).astype(int))
    assert found.embedding is None
    assert "ensemble" in measure(found)["ari"].reason
    with pytest.raises(AnalysisError, match="two or more"):
        ensemble(members[:1])


def test_answers_of_another_model_are_refused() -> None:
    answers, labels = random_answers(5)
    with pytest.raises(AnalysisError, match="its bridge begins at"):
        judge(answers, labels, bridge_between(EMOTION6, EMOTION6))
    with pytest.raises(AnalysisError, match="lengths"):
        judge(answers, labels[:3], bridge_between(MIKELS8, MIKELS8))


# Measures ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("taxonomy", "size", "seed"), [(MIKELS8, 400, 0), (EMOTION6, 60, 1)])
def test_measures_equal_scikit_learn_and_slow_loops(
    taxonomy: Taxonomy, size: int, seed: int
) -> None:
    found = judged(size, seed, taxonomy)
    assert found.embedding is not None
    grouping = group_images(found.embedding, found.truth)
    assert grouping is not None
    value = {name: item.value for name, item in measure(found, grouping).items()}
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        found.truth, found.predicted, average="macro", zero_division=0
    )
    every = range(len(taxonomy))
    assert value["accuracy"] == pytest.approx(metrics.accuracy_score(found.truth, found.predicted))
    assert value["macro_precision"] == pytest.approx(precision)
    assert value["macro_recall"] == pytest.approx(recall)
    assert value["macro_f1"] == pytest.approx(f1)
    assert value["weighted_f1"] == pytest.approx(
        metrics.f1_score(found.truth, found.predicted, average="weighted")
    )
    assert value["balanced_accuracy"] == pytest.approx(
        metrics.balanced_accuracy_score(found.truth, found.predicted)
    )
    assert value["mcc"] == pytest.approx(metrics.matthews_corrcoef(found.truth, found.predicted))
    for k in (2, 3):
        wanted = metrics.top_k_accuracy_score(found.truth, found.scores, k=k, labels=every)
        assert value[f"top{k}"] == pytest.approx(wanted)
    wanted = metrics.roc_auc_score(found.truth, found.scores, multi_class="ovr", labels=every)
    assert value["roc_auc"] == pytest.approx(wanted)
    member = np.eye(len(taxonomy))[found.truth]
    assert value["average_precision"] == pytest.approx(
        metrics.average_precision_score(member, found.scores, average="macro")
    )
    assert value["brier"] == pytest.approx(np.mean([np.sum((s - m) ** 2) for s, m in zip(
        found.scores, member, strict=True)]))  # fmt: skip
    ece = multiclass_calibration_error(
        torch.tensor(found.scores), torch.tensor(found.truth), len(taxonomy), n_bins=15, norm="l1"
    )
    assert value["ece"] == pytest.approx(float(ece), abs=1e-6)
    signs = taxonomy.signs
    right = []
    for row, truth in zip(found.probabilities, found.truth, strict=True):
        if signs[truth]:
            sums = {sign: row[signs == sign].sum() for sign in (1, -1, 0)}
            right.append(max(sums, key=sums.__getitem__) == signs[truth])
    assert value["sentiment_accuracy"] == pytest.approx(np.mean(right))
    for name, theta in (("cross_sentiment", None), ("cross_sentiment_0.3", 0.3)):
        assert value[name] == cross_sentiment(found.probabilities, taxonomy, theta).rate
    assert value["ari"] == pytest.approx(grouping.measures.ari)
    assert value["nmi"] == pytest.approx(grouping.measures.nmi)
    assert value["ami"] == pytest.approx(
        metrics.adjusted_mutual_info_score(found.truth, grouping.indices)
    )
    assert value["asr"] == pytest.approx(grouping.measures.asr)


def drawn_one_by_one(found: AlignedPredictions, rows: NDArray[np.int64]) -> dict[str, float]:
    """The measures of a resample, its images written out, by scikit-learn."""
    truth, predicted, scores = found.truth[rows], found.predicted[rows], found.scores[rows]
    _, _, f1, _ = metrics.precision_recall_fscore_support(
        truth, predicted, average="macro", zero_division=0
    )
    areas, precisions = [], []
    for s in range(scores.shape[1]):
        if 0 < (truth == s).sum() < len(rows):
            areas.append(metrics.roc_auc_score(truth == s, scores[:, s]))
            precisions.append(metrics.average_precision_score(truth == s, scores[:, s]))
    return {
        "accuracy": float(np.mean(truth == predicted)),
        "macro_f1": float(f1),
        "roc_auc": float(np.mean(areas)),
        "average_precision": float(np.mean(precisions)),
        "ece": float(
            multiclass_calibration_error(
                torch.tensor(scores), torch.tensor(truth), scores.shape[1], n_bins=15, norm="l1"
            )
        ),
        "cross_sentiment": cross_sentiment(found.probabilities[rows], MIKELS8).rate or 0.0,
    }


def test_values_without_a_group_are_those_of_the_images_that_are_left() -> None:
    """Also where a label is not left at all, as some are not among thirty images of eight."""
    found = judged(30)
    images = MeasuredImages(found, seed=4)
    values = {
        name: metric.values(images) for name, metric in METRICS.items() if metric.values is not None
    }
    for group in range(30):
        rows = np.flatnonzero(images.without.groups != group)
        assert len(rows) == 29
        for name, wanted in drawn_one_by_one(found, rows).items():
            if name in values:
                assert values[name][1 + group] == pytest.approx(wanted, abs=1e-6), name


def with_intervals(found: AlignedPredictions, seed: int = 0) -> dict[str, MetricEstimate]:
    return dict(measure(found, how=Intervals(seed=seed)))


def test_intervals_hold_the_value_and_shrink_with_more_images() -> None:
    few, many = with_intervals(judged(50)), with_intervals(judged(2000))
    for name, item in few.items():
        if item.value is None:
            continue
        for one in (item, many[name]):
            assert one.low is not None
            assert one.high is not None
            assert one.value is not None
            assert one.low <= one.value <= one.high
        if name != "ece":
            assert item.high - item.low > 3 * (many[name].high - many[name].low)  # type: ignore[operator]


def test_other_groups_give_nearly_the_same_interval() -> None:
    found = judged(1000)
    one, other = with_intervals(found), with_intervals(found, seed=5)
    for name, item in one.items():
        if item.low is not None and item.high is not None:
            assert item.low == pytest.approx(other[name].low, abs=0.2 * (item.high - item.low))


@pytest.mark.parametrize(
    ("labels", "missing", "words"),
    [
        ([0] * 12, "roc_auc", "all images have one label"),
        ([0] * 12, "sentiment_accuracy", "do not hold both sentiments"),
        ([0] * 12, "ari", "all images have one label"),
        ([-1] * 12, "accuracy", "no image has a label"),
        ([-1] * 12, "macro_f1", "no image has a label"),
    ],
)
def test_what_cannot_be_measured_is_said(labels: Sequence[int], missing: str, words: str) -> None:
    answers, _ = random_answers(12)
    found = judge(answers, np.array(labels), bridge_between(MIKELS8, MIKELS8))
    assert found.embedding is not None
    grouping = group_images(found.embedding, found.truth)
    item = measure(found, grouping, Intervals())[missing]
    assert (item.value, item.low) == (None, None)
    assert words in item.reason


def test_few_images_have_shares_with_wide_intervals_and_nothing_else_has_one() -> None:
    found = with_intervals(judged(9))
    assert found["accuracy"].low is not None
    assert found["accuracy"].high - found["accuracy"].low > 0.4  # type: ignore[operator]
    assert found["macro_f1"].value is not None
    assert found["macro_f1"].low is found["macro_f1"].high is None
    assert found["macro_f1"].reason == "not enough images for an interval: 9, wanted 20 or more"


def test_a_share_of_eligible_images_says_how_many_these_are() -> None:
    p = np.full((30, 8), 0.02)
    p[:, 0] = 0.86
    p[:5, [0, 4]] = 0.44
    found = judge(
        ModelOutputs("m", MIKELS8, p), np.arange(30) % 8, bridge_between(MIKELS8, MIKELS8)
    )
    item = with_intervals(found)["cross_sentiment_0.3"]
    assert (item.value, item.n) == (1.0, 5)
    assert item.low == pytest.approx(0.5655, abs=1e-4)  # 5 of 5, Wilson
    empty = with_intervals(found.take(np.arange(5, 30)))["cross_sentiment_0.3"]
    assert empty.value is None
    assert "both reach 0.3" in empty.reason


def test_two_labels_have_no_top_two() -> None:
    assert measure(judged(40, 0, SADNESS2))["top2"].reason == "only 2 labels are told apart"


# Curves --------------------------------------------------------------------------------------


def test_curves_equal_scikit_learn_label_by_label_and_together() -> None:
    found = judged(300)
    made = curves(found, most=10_000)
    member = np.eye(8)[found.truth]
    for s, name in enumerate(MIKELS8.names):
        x, y, _ = metrics.roc_curve(member[:, s], found.scores[:, s], drop_intermediate=False)
        assert np.allclose(made.roc[name].x, x)
        assert np.allclose(made.roc[name].y, y)
        assert made.roc[name].area == pytest.approx(metrics.auc(x, y))
        wanted = metrics.average_precision_score(member[:, s], found.scores[:, s])
        assert made.precision_recall[name].area == pytest.approx(wanted)
        assert made.precision_recall[name].chance == pytest.approx(member[:, s].mean())
    for kind in ("micro", "macro"):
        assert made.roc[kind].area == pytest.approx(
            metrics.roc_auc_score(member, found.scores, average=kind)
        )
        assert made.precision_recall[kind].area == pytest.approx(
            metrics.average_precision_score(member, found.scores, average=kind)
        )


def test_a_thinned_curve_keeps_its_ends_its_area_and_its_way() -> None:
    found = judged(3000)
    whole, thin = curves(found, most=10_000).roc["awe"], curves(found, most=60).roc["awe"]
    assert len(thin.x) <= 61
    assert (thin.x[0], thin.y[0], thin.x[-1], thin.y[-1]) == (0, 0, 1, 1)
    assert thin.area == whole.area
    kept = np.column_stack([thin.x, thin.y])
    ways = [np.hypot(*(kept - point).T).min() for point in zip(whole.x, whole.y, strict=True)]
    assert max(ways) < 0.05


def test_areas_have_the_interval_that_pairs_of_images_give() -> None:
    """DeLong 1988 by slow loops, beside the jackknife's, of one label against the rest."""
    found = judged(200)
    made = curves(found).roc["awe"]
    member = found.truth == MIKELS8.index("awe")
    of, rest = found.scores[member, 1], found.scores[~member, 1]
    wins = np.array([[(a > b) + 0.5 * (a == b) for b in rest] for a in of])
    spread = np.sqrt(
        wins.mean(axis=1).var(ddof=1) / len(of) + wins.mean(axis=0).var(ddof=1) / len(rest)
    )
    assert made.n == len(of)
    assert made.low is not None
    assert made.high is not None
    assert made.low < made.area < made.high
    assert (made.high - made.low) / 2 == pytest.approx(1.96 * spread, rel=0.25)
    micro, macro = curves(found).roc["micro"], curves(found).roc["macro"]
    assert micro.n == macro.n == 200
    estimate = with_intervals(found)["roc_auc"]  # the headline is the mean over the labels
    assert (macro.low, macro.high) == (
        pytest.approx(estimate.low),
        pytest.approx(estimate.high),
    )
    few = curves(judged(12)).roc["micro"]
    assert (few.low, few.n) == (None, 12)


def test_labels_without_a_curve_are_named() -> None:
    answers, labels = random_answers(30)
    one = judge(answers, np.zeros(30, np.int64), bridge_between(MIKELS8, MIKELS8))
    made = curves(one)
    assert (made.roc, made.missing["amusement"]) == ({}, "all images have this label")
    assert made.missing["fear"] == "no image has this label"
    some = judge(answers, labels % 2, bridge_between(MIKELS8, MIKELS8))
    assert set(curves(some).roc) == {"amusement", "awe", "micro", "macro"}


# Cross-sentiment, calibration ----------------------------------------------------------------


def test_the_curve_over_theta_is_cross_sentiment_at_each() -> None:
    found = judged(300)
    curve = crossing_curve(found.probabilities, MIKELS8, (0.0, 0.1, 0.25, 0.3, 0.6))
    for theta, counts, share_of_all in zip(
        curve.thresholds, curve.counts, curve.shares, strict=True
    ):
        assert counts == cross_sentiment(found.probabilities, MIKELS8, theta)
        assert share_of_all == counts.eligible / 300
    assert curve.counts[-1].rate is None


def value_of(item: MetricEstimate | None) -> float:
    assert item is not None
    assert item.value is not None
    return item.value


def test_reliability_and_error_by_a_slow_loop() -> None:
    found = judged(400)
    made = calibration(found)
    total, largest = 0.0, 0.0
    for item in made.bins:
        inside = [
            (c, r) for c, r in zip(found.confidence, found.right, strict=True)
            if item.low < c <= item.high
        ]  # fmt: skip
        assert item.count == len(inside)
        assert item.confidence == pytest.approx(np.mean([c for c, _ in inside]))
        assert item.accuracy == pytest.approx(np.mean([r for _, r in inside]))
        gap = abs(item.confidence - item.accuracy)
        total, largest = total + gap * len(inside) / 400, max(largest, gap)
    assert made.largest == pytest.approx(largest)
    nll = metrics.log_loss(found.truth, found.scores, labels=range(8))
    assert [value_of(made.ece), value_of(made.nll)] == pytest.approx([total, nll])


def test_the_interval_of_the_temperature_holds_the_true_one() -> None:
    """Sets whose logits were divided by two: of forty intervals about two miss it."""
    rng, held, widths = np.random.default_rng(1), 0, []
    bridge = bridge_between(MIKELS8, MIKELS8)
    for _ in range(40):
        logits = 2 * rng.normal(size=(150, 8))
        p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        labels = np.array([rng.choice(8, p=row) for row in p])
        soft = np.exp(logits / 2) / np.exp(logits / 2).sum(axis=1, keepdims=True)
        made = calibration(judge(ModelOutputs("t", MIKELS8, soft), labels, bridge))
        found = made.temperature
        assert found is not None
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 0.5 <= found.high
        widths.append(found.high - found.low)
    assert 34 <= held <= 40
    assert np.mean(widths) < 0.3


@pytest.mark.parametrize("wrong", [0.4, 2.5])
def test_the_temperature_finds_back_what_was_done_to_the_logits(wrong: float) -> None:
    """Labels drawn from the probabilities; then the logits are divided by another temperature."""
    rng = np.random.default_rng(0)
    logits = 2 * rng.normal(size=(4000, 8))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = np.array([rng.choice(8, p=row) for row in p])
    shown = np.exp(logits / wrong)
    answers = ModelOutputs("t", MIKELS8, shown / shown.sum(axis=1, keepdims=True))
    found = judge(answers, labels, bridge_between(MIKELS8, MIKELS8))
    made = calibration(found)
    assert value_of(made.temperature) == pytest.approx(1 / wrong, rel=0.06)
    assert value_of(made.ece_after) < value_of(made.ece) / 2
    for one in (made.ece_after, made.brier_after):
        assert one is not None
        assert one.n == 4000
        assert one.low is not None
        assert one.high is not None
        assert one.low < value_of(one) < one.high
    assert made.how.startswith("cross-validated")

    def loss(t: float) -> float:
        return float(metrics.log_loss(labels, with_temperature(found, t), labels=range(8)))

    best = minimize_scalar(loss, bounds=(0.05, 20), method="bounded")
    assert value_of(made.temperature) == pytest.approx(best.x, rel=0.01)


@pytest.mark.parametrize("kind", ["all alike", "all right", "all wrong"])
@pytest.mark.parametrize("images", [30, 120])
def test_a_temperature_that_nothing_bounds_is_not_told(kind: str, images: int) -> None:
    answers, labels = random_answers(images)
    p = np.full((images, 8), 1 / 8) if kind == "all alike" else answers.probabilities
    labels = p.argmin(axis=1) if kind == "all wrong" else p.argmax(axis=1)
    found = judge(ModelOutputs("t", MIKELS8, p), labels, bridge_between(MIKELS8, MIKELS8))
    made = calibration(found)
    assert made.temperature is not None
    assert (made.temperature.value, made.temperature.low) == (None, None)
    assert made.temperature.reason == "these images do not bound it"
    for score, most in ((made.ece_after, 1.0), (made.brier_after, 2.0)):
        assert score is not None
        assert score.high is None or score.high <= most


def test_few_images_have_an_in_sample_temperature_and_very_few_none() -> None:
    assert calibration(judged(30)).how.startswith("in-sample")
    made = calibration(judged(9))
    assert made.temperature is None
    assert "9 images" in made.reason
    answers, _ = random_answers(3)
    none = judge(answers, np.full(3, -1), bridge_between(MIKELS8, MIKELS8))
    assert calibration(none).ece is None


# Selective prediction, slices, mistakes, no labels -------------------------------------------


def test_coverage_and_accuracy_by_a_slow_loop() -> None:
    found = judged(200)
    curve = selective(found.certainty, found.right, most=10_000)
    for threshold, coverage, accuracy in zip(
        curve.thresholds, curve.coverage, curve.accuracy, strict=True
    ):
        given = [r for c, r in zip(found.certainty, found.right, strict=True) if c >= threshold]
        assert coverage == pytest.approx(len(given) / 200)
        assert accuracy == pytest.approx(np.mean(given))
    assert curve.coverage[-1] == 1


def test_risk_over_coverage_by_a_slow_loop_and_equally_sure_ones_answer_together() -> None:
    found = judged(200)
    risks = []
    for certainty in found.certainty:  # ties count once for each image that has them
        given = [r for c, r in zip(found.certainty, found.right, strict=True) if c >= certainty]
        risks.append(1 - np.mean(given))
    assert measure(found)["aurc"].value == pytest.approx(np.mean(risks))
    tied = replace(found, probabilities=found.probabilities.round(1))
    assert len(set(tied.certainty)) < 10
    risks = [1 - tied.right[tied.certainty >= c].mean() for c in tied.certainty]
    assert measure(tied)["aurc"].value == pytest.approx(np.mean(risks))


def test_a_threshold_for_an_accuracy_gives_the_most_answers_that_have_it() -> None:
    found = judged(300)
    made = choose_threshold(found.certainty, found.right, accuracy=0.9)
    assert made.threshold is not None
    best = 0
    for threshold in found.certainty:
        given = found.certainty >= threshold
        if given.sum() >= 10 and found.right[given].mean() >= 0.9:
            best = max(best, int(given.sum()))
    assert made.answered == best > 10
    assert made.accuracy is not None
    assert made.accuracy >= 0.9
    assert at_threshold(found.certainty, found.right, made.threshold) == made


def test_a_threshold_for_a_coverage_and_those_that_there_are_not() -> None:
    found = judged(300)
    made = choose_threshold(found.certainty, found.right, coverage=0.5)
    assert made.answered == 150
    assert (
        "no threshold reaches"
        in choose_threshold(np.linspace(0.1, 0.9, 40), np.zeros(40, bool), accuracy=0.9).reason
    )
    assert "too few" in choose_threshold(np.ones(9), np.ones(9, bool), accuracy=0.5).reason
    for wrong in ({}, {"accuracy": 1.2}, {"accuracy": 0.5, "coverage": 0.5}):
        with pytest.raises(AnalysisError, match="give one of them"):
            choose_threshold(found.certainty, found.right, **wrong)


def test_shares_have_wilson_intervals_that_never_claim_certainty() -> None:
    from scipy.stats import binomtest

    for hits, count in ((0, 15), (15, 15), (7, 20)):
        item = share(hits, count)
        wanted = binomtest(hits, count).proportion_ci(method="wilson")
        assert (item.low, item.high) == pytest.approx((wanted.low, wanted.high), abs=1e-9)
    assert share(0, 15).high == pytest.approx(0.2039, abs=1e-3)
    assert share(0, 0).value is None


def test_slices_by_a_column_in_a_slow_loop() -> None:
    answers, labels = random_answers(120)
    labels[::7] = -1  # rows before judging and after it are not the same
    found = judge(answers, labels, bridge_between(MIKELS8, MIKELS8))
    column = ["oil" if i % 3 == 0 else " ink " if i % 3 == 1 else "" for i in range(120)]
    made = {item.name: item for item in slices(found, column)}
    assert set(made) == {"oil", "ink", NOTHING}
    for name, item in made.items():
        at = [k for k, row in enumerate(found.rows) if (column[row].strip() or NOTHING) == name]
        assert item.positions.tolist() == at
        assert item.accuracy.value == pytest.approx(found.right[at].mean())
        assert item.cross_sentiment.value == cross_sentiment(found.probabilities[at], MIKELS8).rate
    folded = slices(found, [str(i % 10) for i in range(120)], most=4)
    assert folded[-1].name == OTHERS
    assert sum(item.n for item in folded) == len(found)


def test_the_most_confident_mistakes_come_first_and_all_are_mistakes() -> None:
    found = judged(100)
    worst = mistakes(found, most=7)
    assert not found.right[worst].any()
    assert np.all(np.diff(found.confidence[worst]) <= 0)
    assert found.confidence[worst[0]] == found.confidence[~found.right].max()


def test_without_labels_shares_confidence_and_novelty() -> None:
    answers, _ = random_answers(200)
    made = describe_answers(answers)
    top = answers.probabilities.argmax(axis=1)
    assert made.classes["awe"].value == pytest.approx(np.mean(top == 1))
    positive = answers.probabilities[:, :4].sum(axis=1) > 0.5
    assert made.sentiments["positive"].value == pytest.approx(positive.mean())
    sure = made.confidence
    assert sure.value == pytest.approx(answers.probabilities.max(axis=1).mean())
    assert (sure.low or 1) < (sure.value or 0) < (sure.high or 0)
    assert answers.novelty is not None
    assert made.unlike.value == pytest.approx((answers.novelty > 1).mean())
    entropies = [-np.sum(p * np.log(p)) / np.log(8) for p in answers.probabilities]
    assert made.entropy == pytest.approx(np.mean(entropies))
    rate = cross_sentiment(answers.probabilities, MIKELS8, 0.3).rate
    assert made.crossing["0.3"].value == pytest.approx(rate)


def test_nothing_at_all_is_described_without_a_crash() -> None:
    made = describe_answers(ModelOutputs("none", MIKELS8, np.empty((0, 8))))
    assert (made.n, made.confidence.value, made.unlike.value) == (0, None, None)
    found = judge(
        ModelOutputs("w", MIKELS8, np.full((4, 8), 1 / 8)),
        np.full(4, WIKIART20.index("shyness")),
        bridge_between(MIKELS8, WIKIART20),
    )
    assert len(found) == 0
    assert found.left_out == {"shyness": 4}
    assert all(item.value is None for item in measure(found).values())
