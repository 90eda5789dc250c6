"""Every metric of predictions, once: its name, how it is had, its range, what it is held against.

`METRICS` is the registry and `measure` the one path from answers beside labels to values with
confidence intervals. Pages, reports, training and the command line read what it gives.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import hypot
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from emoviz.analysis.alignment import AlignedPredictions
from emoviz.analysis.calibration_error import (
    ECE_BINS,
    calibration_error_interval,
    confidence_bins,
)
from emoviz.analysis.clustering import (
    CLUSTER_METRICS,
    EACH_CLUSTER,
    Grouping,
    Subsamples,
    subsample_clusters,
)
from emoviz.analysis.cross_sentiment import crossing_masks
from emoviz.analysis.resampling import (
    FEWEST,
    LEVEL,
    Floats,
    Indices,
    Intervals,
    LeaveOut,
    MetricEstimate,
    Span,
    difference_interval,
    few_words,
    interval,
    paired_share_difference,
    share,
    share_interval,
    subsample_interval,
    wilson,
)
from emoviz.labels import sentiments
from emoviz.plugins import PluginError, Registry

Bools = NDArray[np.bool_]
_ONE_LABEL = "all images have one label"
LEAST_SCORE = 1e-12
_ROOM = 1_000_000  # numbers that are held at once
AREAS = 2.0  # an image of a label is held against all others: it tells more than one right answer
# MCC weighs labels by their images too. Simulated: 10 holds too seldom where one in ten images has
# a label (.92 at 30), 1 is up to twice as wide as need be.
_CORRELATED = 5.0


@dataclass(frozen=True)
class ClassScore:
    """Precision, recall and F1 of one label in 0-1, and how many samples have it.

    A precision or recall with nothing to divide by is 0.
    """

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class Metric:
    """How a metric is called, read and had.

    Attributes:
        title: For people.
        unit: ``percent`` for rates, ``share`` for indices that are no rate.
        better: Whether more of it is better, or less.
        plain: What it says, in a sentence.
        reference: Where it is defined, or what it is held against in tests.
        span: The least and the largest that it can be.
        counted: Of a share of images: which have the property, and which it is a share of.
        values: Of any other: (G + 1,) from what is left when groups are left out; NaN where it is
            not defined.
        most: Of a metric in which images of labels that have few weigh more: how many times the
            images of `label_images` its effective number may be; 0 where all weigh alike.
        drifts: Whether it is larger, or smaller, the fewer the images are.
        clustered: Whether it is about clusters of u.
    """

    title: str
    unit: Literal["percent", "share"]
    better: Literal["more", "less"]
    plain: str
    reference: str
    span: Span = (0.0, 1.0)
    counted: "Callable[[MeasuredImages], tuple[Bools, Bools]] | None" = None
    values: "Callable[[MeasuredImages], Floats] | None" = None
    most: float = 0.0
    drifts: bool = False
    clustered: bool = False


class MeasuredImages:
    """Answers beside labels, and what they add up to with and without groups of images.

    Args:
        aligned: n answers.
        grouping: Clusters of their u, or None.
        seed: Of the groups that are left out in turn; None to measure all images alone.
    """

    def __init__(
        self, aligned: AlignedPredictions, grouping: Grouping | None = None, seed: int | None = None
    ) -> None:
        self.aligned = aligned
        fits = grouping is not None and len(grouping.indices) == len(aligned)
        self.grouping = grouping if fits else None
        self.seed = seed or 0
        self.without = LeaveOut(len(aligned), seed)

    @cached_property
    def images(self) -> Floats:
        """(G + 1,) how many there are."""
        return self.without.sums(np.ones(len(self.aligned)))

    @cached_property
    def confusion(self) -> Floats:
        """(G + 1, S, S) counts: row = true label, column = predicted label."""
        size = len(self.aligned.labels)
        cells = self.aligned.truth * size + self.aligned.predicted
        return self.without.tables(cells, size * size).reshape(-1, size, size)

    @cached_property
    def label_scores(self) -> tuple[Floats, Floats, Floats]:
        """Precision, recall and F1 of each label, (G + 1, S); 0 with nothing to divide by."""
        hits = np.diagonal(self.confusion, axis1=1, axis2=2)
        support, called = self.confusion.sum(axis=2), self.confusion.sum(axis=1)
        return _ratio(hits, called), _ratio(hits, support), _ratio(2 * hits, support + called)

    @cached_property
    def occurring(self) -> NDArray[np.bool_]:
        """(G + 1, S) whether a label occurs, in the truth or among the predictions."""
        occurs: Bools = (self.confusion.sum(axis=2) + self.confusion.sum(axis=1)) > 0
        return occurs

    @cached_property
    def ranking_areas(self) -> tuple[Floats, Floats]:
        """(G + 1,) ROC area and average precision, means over the labels that some images have."""
        truth, scores = self.aligned.truth, self.aligned.scores
        some = [s for s in range(scores.shape[1]) if 0 < (truth == s).sum() < len(truth)]
        if not some:
            return self._nothing, self._nothing
        each = [ranking_areas(scores[:, s], truth == s, self.without) for s in some]
        with np.errstate(invalid="ignore"):
            roc, precision = (mean_known(np.stack(column)) for column in zip(*each, strict=True))
        return roc, precision

    @cached_property
    def ranks(self) -> Indices:
        """(n,) how many labels come before the true one; of equal scores the first label does."""
        return label_ranks(self.aligned)

    @cached_property
    def sentiment(self) -> tuple[Bools, Bools]:
        """(n,) whether the likelier sentiment is that of the label; whether the label has one.

        No label counts where they do not hold both sentiments: it would be the recall of one.
        """
        wanted, given = sentiment_answers(self.aligned)
        both = {-1, 1} <= set(wanted.tolist())
        known = (wanted != 0) & both
        return known & (wanted == given), known

    def crossing(self, threshold: float | None = None) -> tuple[Bools, Bools]:
        """(n,) whose two likeliest classes are opposite, among those that are eligible."""
        model = self.aligned.bridge.model
        eligible, opposite = crossing_masks(self.aligned.probabilities, model, threshold)
        return opposite, eligible

    def cluster_values(self, name: str) -> Floats:
        """(1,) a metric of clusters, as `group_images` found it; NaN where there are none."""
        found = None if self.grouping is None else getattr(self.grouping.measures, name)
        return np.array([np.nan if found is None else found], np.float64)

    @cached_property
    def parts(self) -> Subsamples | None:
        """Clusters found anew in parts of the images; None where there are too few for that."""
        if self.grouping is None or self.aligned.embedding is None:
            return None
        u, truth = self.aligned.embedding, self.aligned.truth
        return subsample_clusters(u, truth, self.grouping.rule, self.seed)

    @property
    def _nothing(self) -> Floats:
        return np.full(self.without.number + 1, np.nan)


# Definitions ---------------------------------------------------------------------------------


def confusion_matrix(truth: Indices, predicted: Indices, classes: int) -> Indices:
    """(C, C) counts: row = true label, column = predicted label."""
    flat = np.bincount(truth * classes + predicted, minlength=classes * classes)
    return flat.reshape(classes, classes).astype(np.int64)


def class_scores(truth: Indices, predicted: Indices, classes: int) -> dict[int, ClassScore]:
    """Scores of each label that occurs, in the truth or among the predictions."""
    counts = confusion_matrix(truth, predicted, classes).astype(np.float64)
    hits, support, called = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    scores = (_ratio(hits, called), _ratio(hits, support), _ratio(2 * hits, support + called))
    rows = zip(*(column.tolist() for column in scores), support.astype(int).tolist(), strict=True)
    return {c: ClassScore(*row) for c, row in enumerate(rows) if support[c] + called[c]}


def class_estimates(aligned: AlignedPredictions) -> dict[str, dict[str, MetricEstimate]]:
    """Label -> precision, recall and F1 with intervals, of each label that occurs.

    Precision is a share of the answers that name the label, recall of the images that have it.
    """
    images = added_up(aligned, None, None)
    counts = images.confusion[0]
    found = {}
    for c in np.flatnonzero(images.occurring[0]).tolist():
        hits, called, support = (
            int(x) for x in (counts[c, c], counts[:, c].sum(), counts[c].sum())
        )
        # F1 rises with the share of right ones among these: 2 x / (1 + x) of it.
        n = called + support - hits
        low, high = (2 * end / (1 + end) for end in share_interval(hits, n))
        found[aligned.labels.names[c]] = {
            "precision": share(hits, called, nothing="no answer names it"),
            "recall": share(hits, support, nothing="no image has it"),
            "F1": MetricEstimate(2 * hits / (called + support), low, high, n),
        }
    return found


def negative_log_likelihood(scores: Floats, targets: Floats) -> float:
    """Mean of -sum_s t_s log score_s over rows whose targets are not all zero."""
    used = targets.sum(axis=1) > 0
    logs = np.log(np.clip(scores[used], LEAST_SCORE, None))
    return float(-(targets[used] * logs).sum(axis=1).mean())


def label_ranks(aligned: AlignedPredictions) -> Indices:
    """(n,) how many labels come before the true one; of equal scores the first label does."""
    if not len(aligned):
        return np.empty(0, np.int64)
    own = np.take_along_axis(aligned.scores, aligned.truth[:, None], axis=1)
    before = np.arange(aligned.scores.shape[1]) < aligned.truth[:, None]
    ahead = (aligned.scores > own) | ((aligned.scores == own) & before)
    ranks: Indices = ahead.sum(axis=1)
    return ranks


def sentiment_answers(aligned: AlignedPredictions) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """(n,) sentiment of the label and of the classes that hold most of the probability: 1, -1, 0.

    0 for a label without sentiment, and where the classes without one hold most.
    """
    sign = {"positive": 1, "negative": -1, None: 0}
    wanted = aligned.labels.signs[aligned.truth]
    given = [sign[item] for item in sentiments(aligned.bridge.model, aligned.probabilities)]
    return wanted, np.array(given, np.int8)


def brier_terms(aligned: AlignedPredictions) -> Floats:
    """(n,) squared distance of the scores from the label (Brier 1950): 0 to 2."""
    squares: Floats = (aligned.scores**2).sum(axis=1)
    if not len(aligned):
        return squares
    own = np.take_along_axis(aligned.scores, aligned.truth[:, None], axis=1)[:, 0]
    return squares - 2 * own + 1


def log_losses(aligned: AlignedPredictions) -> Floats:
    """(n,) -log of the label's score, in nats; scores below 1e-12 count as that."""
    if not len(aligned):
        return np.empty(0)
    own = np.take_along_axis(aligned.scores, aligned.truth[:, None], axis=1)[:, 0]
    losses: Floats = -np.log(np.maximum(own, LEAST_SCORE))
    return losses


def label_images(truth: Indices) -> tuple[float, float]:
    """Images that a mean over labels stands on as a share, and degrees of freedom.

    The harmonic mean of the labels' images times the labels: all images where each label has
    as many, fewer where some label has few. A label with k images tells its own variance with
    about k degrees of freedom.
    """
    counts = np.bincount(truth)
    counts = counts[counts > 0]
    images = len(counts) ** 2 / float((1 / counts).sum())
    return images, max(3 * images / len(counts) - 1, 2.0)


def ranking_areas(scores: Floats, member: Bools, without: LeaveOut) -> tuple[Floats, Floats]:
    """(G + 1,) area under the ROC curve and average precision of one label.

    Ties count half in the first; the second is the step-wise sum over recall. NaN where all
    images that are left are alike.

    Args:
        scores: (n,) of the label.
        member: (n,) whether the image has it.
        without: Which groups are left out.
    """
    order = np.argsort(-scores)
    inside, groups = member[order], without.groups[order]
    bounds = np.flatnonzero(np.diff(scores[order])) + 1
    having, lacking = np.flatnonzero(inside), np.flatnonzero(~inside)
    block = np.searchsorted(bounds, having, side="right")
    # Of each image with the label: where images of its score begin, and where they end.
    start, end = np.append(0, bounds)[block], np.append(bounds, len(order))[block]
    counted = ((having, end), (lacking, start), (lacking, end))
    before = [np.searchsorted(places, bounds) for places, bounds in counted]
    leaves, number = groups + 1, without.number + 1  # nobody leaves in row 0
    roc, precision = np.full((2, number), np.nan)
    step = max(1, _ROOM // max(len(having), 1))
    for first in range(0, number, step):
        rows = np.arange(first, min(first + step, number))
        left = leaves[having] != rows[:, None]
        own, above, level = (
            all_ - _leaving_before(places, bounds, leaves, rows)
            for all_, (places, bounds) in zip(before, counted, strict=True)
        )
        rest = len(lacking) - np.bincount(leaves[lacking], minlength=number + 1)[rows]
        some = np.where(rest > 0, left.sum(axis=1), 0).astype(np.float64)
        ahead = ((above + level) * left).sum(axis=1) / 2
        steps = np.divide(own, own + level, out=np.zeros(left.shape), where=left)
        roc[rows] = 1 - _share(ahead / np.maximum(rest, 1), some)
        precision[rows] = _share(steps.sum(axis=1), some)
    return roc, precision


def _leaving_before(places: Indices, bounds: Indices, leaves: Indices, rows: Indices) -> Indices:
    """(R, P) how many of the places that leave in a row lie below each of the bounds (P,)."""
    row, width = leaves[places] - rows[0], len(bounds) + 1
    out = (row >= 0) & (row < len(rows))
    below = np.searchsorted(bounds, places[out], side="right")  # bound that a place lies below
    counts = np.bincount(row[out] * width + below, minlength=len(rows) * width)
    return np.cumsum(counts.reshape(len(rows), width)[:, :-1], axis=1)


def _macro(index: int, images: MeasuredImages) -> Floats:
    """Mean precision (0), recall (1) or F1 (2) over the labels that occur."""
    number = images.occurring.sum(axis=1).astype(np.float64)
    return _share(images.label_scores[index].sum(axis=1), number)


def _weighted_f1(images: MeasuredImages) -> Floats:
    support = images.confusion.sum(axis=2)
    return _share((images.label_scores[2] * support).sum(axis=1), images.images)


def _balanced_accuracy(images: MeasuredImages) -> Floats:
    number = (images.confusion.sum(axis=2) > 0).sum(axis=1)
    return _share(images.label_scores[1].sum(axis=1), number.astype(np.float64))


def _matthews(images: MeasuredImages) -> Floats:
    support, called = images.confusion.sum(axis=2), images.confusion.sum(axis=1)
    total = images.images
    right = np.trace(images.confusion, axis1=1, axis2=2)
    above = right * total - (support * called).sum(axis=1)
    below = (total**2 - (support**2).sum(axis=1)) * (total**2 - (called**2).sum(axis=1))
    geometric: Floats = np.sqrt(np.maximum(below, 0.0))
    return _share(above, geometric)


def _calibration_error(images: MeasuredImages) -> Floats:
    aligned = images.aligned
    gaps = images.without.tables(
        confidence_bins(aligned.confidence), ECE_BINS, aligned.confidence - aligned.right
    )
    return _share(np.abs(gaps).sum(axis=1), images.images)


def _brier(images: MeasuredImages) -> Floats:
    return _share(images.without.sums(brier_terms(images.aligned)), images.images)


def _risk_over_coverage(images: MeasuredImages) -> Floats:
    """Images that are equally sure get their answers together."""
    certainty = images.aligned.certainty
    order = np.argsort(-certainty)
    sure, wrong = certainty[order], ~images.aligned.right[order]
    groups = images.without.groups[order]

    def area(rows: Indices) -> float:
        if not len(rows):
            return float("nan")
        ends = np.append(np.flatnonzero(np.diff(sure[rows])), len(rows) - 1)
        risks = np.cumsum(wrong[rows])[ends] / (ends + 1)
        return float((risks * np.diff(ends, prepend=-1)).sum() / len(rows))

    left = [np.flatnonzero(groups != group) for group in range(images.without.number)]
    return np.array([area(rows) for rows in (np.arange(len(order)), *left)])


def _of_all(property_: Bools) -> tuple[Bools, Bools]:
    return property_, np.ones(len(property_), np.bool_)


def _top(number: int, images: MeasuredImages) -> tuple[Bools, Bools]:
    enough = len(images.aligned.labels) > number
    return images.ranks < number, np.full(len(images.aligned), enough)


# The registry --------------------------------------------------------------------------------

_LABELS = "mean over the labels"
_OWN: Mapping[str, Metric] = {
    "accuracy": Metric(
        "Accuracy",
        "percent",
        "more",
        "How often the answer is the label.",
        "sklearn.metrics.accuracy_score",
        counted=lambda images: _of_all(images.aligned.right),
    ),
    "balanced_accuracy": Metric(
        "Balanced accuracy",
        "percent",
        "more",
        f"How many of a label's images the model finds; {_LABELS} that images have.",
        "sklearn.metrics.balanced_accuracy_score",
        values=_balanced_accuracy,
        most=1,
    ),
    "macro_precision": Metric(
        "Macro precision",
        "percent",
        "more",
        f"How often the model is right when it names a label; {_LABELS}.",
        "sklearn.metrics.precision_score(average='macro')",
        values=lambda images: _macro(0, images),
        most=1,
    ),
    "macro_recall": Metric(
        "Macro recall",
        "percent",
        "more",
        f"How many of a label's images the model finds; {_LABELS} that occur.",
        "sklearn.metrics.recall_score(average='macro')",
        values=lambda images: _macro(1, images),
        most=1,
    ),
    "macro_f1": Metric(
        "Macro F1",
        "percent",
        "more",
        f"Precision and recall in one; {_LABELS}.",
        "sklearn.metrics.f1_score(average='macro')",
        values=lambda images: _macro(2, images),
        most=1,
    ),
    "weighted_f1": Metric(
        "Weighted F1",
        "percent",
        "more",
        "Precision and recall in one; mean over the labels, each by its number of images.",
        "sklearn.metrics.f1_score(average='weighted')",
        values=_weighted_f1,
    ),
    "mcc": Metric(
        "Matthews correlation (MCC)",
        "share",
        "more",
        "Answers against labels as a correlation: 0 for guessing, however uneven the labels are.",
        "Gorodkin 2004; sklearn.metrics.matthews_corrcoef",
        span=(-1.0, 1.0),
        values=_matthews,
        most=_CORRELATED,
    ),
    "top2": Metric(
        "Top-2 accuracy",
        "percent",
        "more",
        "How often the label is among the two likeliest.",
        "sklearn.metrics.top_k_accuracy_score(k=2)",
        counted=lambda images: _top(2, images),
    ),
    "top3": Metric(
        "Top-3 accuracy",
        "percent",
        "more",
        "How often the label is among the three likeliest.",
        "sklearn.metrics.top_k_accuracy_score(k=3)",
        counted=lambda images: _top(3, images),
    ),
    "sentiment_accuracy": Metric(
        "Sentiment accuracy",
        "percent",
        "more",
        "How often the likelier sentiment is that of the label.",
        "a loop over images in tests/test_evaluation.py",
        counted=lambda images: images.sentiment,
    ),
    "roc_auc": Metric(
        "ROC area, macro",
        "share",
        "more",
        "The chance that an image of a label scores higher on it than another image does; mean "
        "over the labels. A coin has 0.5.",
        "sklearn.metrics.roc_auc_score(multi_class='ovr', average='macro')",
        values=lambda images: images.ranking_areas[0],
        most=AREAS,
    ),
    "average_precision": Metric(
        "Average precision, macro",
        "share",
        "more",
        f"Precision over all recalls; {_LABELS}. A coin has the label's share.",
        "sklearn.metrics.average_precision_score(average='macro')",
        values=lambda images: images.ranking_areas[1],
        most=AREAS,
        drifts=True,
    ),
    "cross_sentiment": Metric(
        "Top-2 cross-sentiment",
        "percent",
        "less",
        "How often the two likeliest classes have opposite sentiments.",
        "dissertation, section 3.5.4",
        counted=lambda images: images.crossing(),
    ),
    "cross_sentiment_0.3": Metric(
        "Top-2 cross-sentiment, theta 0.3",
        "percent",
        "less",
        "The same among images whose two likeliest classes both reach 0.3.",
        "dissertation, section 3.5.4",
        counted=lambda images: images.crossing(0.3),
    ),
    "ece": Metric(
        "Calibration error (ECE)",
        "percent",
        "less",
        "How far the stated probabilities are from how often the answers are right.",
        "Guo et al. 2017, 15 bins",
        values=_calibration_error,
    ),
    "brier": Metric(
        "Brier score",
        "share",
        "less",
        "Squared distance of the probabilities from the label, 0 to 2.",
        "Brier 1950",
        span=(0.0, 2.0),
        values=_brier,
    ),
    "aurc": Metric(
        "Risk over coverage (AURC)",
        "share",
        "less",
        "Mean share of wrong answers among the surest, over all shares of images that get one.",
        "Geifman, Uziel and El-Yaniv 2019",
        values=_risk_over_coverage,
    ),
    "ari": Metric(
        "ARI",
        "share",
        "more",
        "How well k-means clusters of u match the labels; 0 by chance.",
        "Hubert and Arabie 1985; sklearn.metrics.adjusted_rand_score",
        span=(-1.0, 1.0),
        clustered=True,
    ),
    "ami": Metric(
        "AMI",
        "share",
        "more",
        "What clusters and labels say of each other beyond chance: 0 by chance, 1 in full.",
        "Vinh, Epps and Bailey 2010; sklearn.metrics.adjusted_mutual_info_score",
        span=(-1.0, 1.0),
        clustered=True,
    ),
    "nmi": Metric(
        "NMI",
        "share",
        "more",
        "What clusters and labels say of each other, 0-1; by chance it is not 0, see AMI.",
        "dissertation, eq. 4.15; sklearn.metrics.normalized_mutual_info_score",
        clustered=True,
    ),
    "asr": Metric(
        "ASR",
        "share",
        "less",
        "Share of images within delta of more than one cluster center.",
        "dissertation, eq. 4.16 and 4.17",
        clustered=True,
    ),
    "silhouette": Metric(
        "Silhouette of the labels",
        "share",
        "more",
        "Near 1 where each label is a compact region of u, below 0 where labels mix.",
        "Rousseeuw 1987; sklearn.metrics.silhouette_score",
        span=(-1.0, 1.0),
        clustered=True,
    ),
}


def _check(metric: Metric) -> None:
    if metric.clustered or (metric.counted is None) == (metric.values is None):
        raise ValueError("a metric has either counted or values, and clusters are emoviz's own")


METRICS = Registry("emoviz.metrics", Metric, _OWN, _check)


# One path ------------------------------------------------------------------------------------


def measure(
    aligned: AlignedPredictions,
    grouping: Grouping | None = None,
    how: Intervals | None = None,
) -> Mapping[str, MetricEstimate]:
    """Every metric of `METRICS` on one model's answers.

    Args:
        aligned: Answers beside labels.
        grouping: Of `aligned.embedding` and `aligned.truth`, from `group_images`; without it ARI,
            AMI, NMI, ASR and silhouette are missing.
        how: Of the confidence intervals; None for values alone, which take milliseconds.
    """
    return measured(added_up(aligned, grouping, how), how)


def measured(
    images: MeasuredImages, how: Intervals | None, names: Iterable[str] = METRICS
) -> Mapping[str, MetricEstimate]:
    """As `measure`, of what was added up before; of some metrics or of all."""
    return {name: _estimate(name, images, how) for name in names}


def differences(
    one: MeasuredImages,
    other: MeasuredImages,
    how: Intervals | None,
    names: Iterable[str] = METRICS,
) -> Mapping[str, MetricEstimate]:
    """The second model's metrics minus the first one's, on the same images and labels.

    Shares of the same images have the interval of Bonett and Price (2012); metrics of clusters are
    found anew in the same parts for both; from all others the same groups are left out.
    """
    return {name: _difference(name, one, other, how) for name in names}


def added_up(
    aligned: AlignedPredictions, grouping: Grouping | None, how: Intervals | None
) -> MeasuredImages:
    """What `measured` and `differences` begin with."""
    seed = how.seed if how is not None and len(aligned) >= FEWEST else None
    return MeasuredImages(aligned, grouping, seed)


def _estimate(name: str, images: MeasuredImages, how: Intervals | None) -> MetricEstimate:
    try:
        return METRICS.guarded(name, lambda: _estimated(name, images, how))
    except PluginError as error:
        return MetricEstimate(None, reason=str(error))


def _estimated(name: str, images: MeasuredImages, how: Intervals | None) -> MetricEstimate:
    metric, n = METRICS[name], len(images.aligned)
    if metric.counted is not None:
        hits, among = metric.counted(images) if n else (np.empty(0, np.bool_),) * 2
        found = share(int((hits & among).sum()), int(among.sum()), how.level if how else LEVEL)
        if found.value is None:
            return MetricEstimate(None, reason=_missing(name, images))
        return found if how is not None else MetricEstimate(found.value, n=found.n)
    values = images.cluster_values(name) if metric.clustered else _values(metric, images)
    if np.isnan(values[0]):
        return MetricEstimate(None, reason=_missing(name, images))
    value = float(values[0])
    if how is None:
        return MetricEstimate(value, n=n)
    few = few_words(n) if n < FEWEST else _few_for_clusters(images) if metric.clustered else ""
    if few:
        return MetricEstimate(value, n=n, reason=few)
    low, high = _ends(name, values, images, how)
    return MetricEstimate(value, min(low, value), max(high, value), n)  # whatever is rounded


def _ends(name: str, values: Floats, images: MeasuredImages, how: Intervals) -> tuple[float, float]:
    metric, n = METRICS[name], len(images.aligned)
    if metric.clustered:
        parts = images.parts
        assert parts is not None
        column = parts.values[:, CLUSTER_METRICS.index(name)]
        return subsample_interval(float(values[0]), column, parts.size, n, metric.span, how.level)
    if name == "ece":
        confidence, right = images.aligned.confidence, images.aligned.right
        return calibration_error_interval(confidence, right, level=how.level, seed=how.seed)
    if name == "brier":
        return _brier_ends(images.aligned, how.level)
    if not metric.most:
        return interval(values, n, metric.span, level=how.level, drifts=metric.drifts)
    count, freedom = _label_images(name, images)
    return interval(values, count, metric.span, freedom, how.level, metric.most, metric.drifts)


def _label_images(name: str, *each: MeasuredImages) -> tuple[float, float]:
    """`label_images` of what it divides by: answers of precision; of several models the least."""
    answers = name == "macro_precision"
    return min(label_images(i.aligned.predicted if answers else i.aligned.truth) for i in each)


def _brier_ends(aligned: AlignedPredictions, level: float) -> tuple[float, float]:
    """Of the Brier score, most of which comes from wrong answers, of which few may be seen.

    It is that of right answers, and what a wrong one has more times how many are wrong, a share
    with Wilson's interval; to that comes how far terms lie apart within the two (MOVER: Zou and
    Donner 2008). To the wrong ones that were seen comes one that nobody saw, with what the scores
    of an image give on average where the label is another than the answer.
    """
    terms, wrong = brier_terms(aligned), ~aligned.right
    n, missed = len(terms), int(wrong.sum())
    highest, squares = aligned.scores.max(axis=1), (aligned.scores**2).sum(axis=1)
    others = np.maximum(aligned.scores.sum(axis=1) - highest, LEAST_SCORE)
    unseen = float((squares - 2 * (squares - highest**2) / others + 1).mean())
    of_right = float(terms[~wrong].mean()) if missed < n else 0.0
    of_wrong = (float(terms[wrong].sum()) + unseen) / (missed + 1)
    more = max(of_wrong - of_right, 0.0)
    ends = wilson(missed / n, n, level, n - 1)
    within = np.concatenate([terms[~wrong] - of_right, terms[wrong] - of_wrong])
    half = wilson(0.5, n, level, n - 1)[1] - 0.5  # as many standard errors of a share of a half
    spread = 2 * half * float(within.std(ddof=2))
    low, high = (abs(more * (end - missed / n)) for end in ends)
    value = float(terms.mean())
    return max(0.0, value - hypot(low, spread)), min(2.0, value + hypot(high, spread))


def _difference(
    name: str, one: MeasuredImages, other: MeasuredImages, how: Intervals | None
) -> MetricEstimate:
    metric, n = METRICS[name], len(one.aligned)
    first, second = _estimate(name, one, None), _estimate(name, other, None)
    if first.value is None or second.value is None:
        return MetricEstimate(None, reason=first.reason or second.reason)
    value, base = second.value - first.value, min(first.n, second.n)
    if how is None:
        return MetricEstimate(value, n=base)
    if metric.counted is not None:
        pairs = [metric.counted(item) for item in (one, other)]
        if all(among.all() for _, among in pairs) or np.array_equal(pairs[0][1], pairs[1][1]):
            (a, among), (b, _) = pairs
            only = int((a & ~b & among).sum()), int((b & ~a & among).sum())
            return paired_share_difference(*only, base, how.level)
    if base < FEWEST:
        return MetricEstimate(value, n=base, reason=few_words(base))
    few = _few_for_clusters(one) or _few_for_clusters(other) if metric.clustered else ""
    if few:
        return MetricEstimate(value, n=base, reason=few)
    if metric.clustered:
        assert one.parts is not None
        assert other.parts is not None
        column = CLUSTER_METRICS.index(name)
        parts = other.parts.values[:, column] - one.parts.values[:, column]
        width = metric.span[1] - metric.span[0]
        span = (-width, width)
        ends = subsample_interval(value, parts, one.parts.size, n, span, how.level)
    elif name == "ece":
        # Chance adds more to the smaller of two, so neither cancels: MOVER of both intervals.
        (low, high), (low_b, high_b) = (
            _ends(name, np.array([item.value]), images, how)
            for item, images in ((first, one), (second, other))
        )
        down = hypot(second.value - low_b, high - first.value)
        up = hypot(high_b - second.value, first.value - low)
        ends = max(-1.0, value - down), min(1.0, value + up)
    else:
        x, y = (_values(metric, item) for item in (one, other))
        count, freedom = _label_images(name, one, other) if metric.most else (base, None)
        # Where two models may disagree on one more image, areas move by far less than a whole one.
        most = 0.0 if metric.most == AREAS else metric.most
        ends = difference_interval(
            x, y, count, metric.span, freedom, how.level, most, metric.drifts
        )
    return MetricEstimate(value, *ends, n=base)


def _values(metric: Metric, images: MeasuredImages) -> Floats:
    """(G + 1,) of a share too, where two of different images are compared."""
    if not len(images.aligned):
        return np.full(1, np.nan)
    if metric.counted is not None:
        hits, among = metric.counted(images)
        return _share(images.without.sums(hits & among), images.without.sums(among))
    assert metric.values is not None
    return metric.values(images)


def _few_for_clusters(images: MeasuredImages) -> str:
    if images.parts is not None:
        return ""
    n, kinds = len(images.aligned), len(np.unique(images.aligned.truth))
    return (
        f"not enough images for an interval: {n} for {kinds} clusters, wanted "
        f"{EACH_CLUSTER} for each"
    )


def _missing(name: str, images: MeasuredImages) -> str:
    """Why a metric is not defined."""
    aligned, metric = images.aligned, METRICS[name]
    if not len(aligned):
        return "no image has a label that a class may be called"
    crossing = "no image whose two likeliest classes both have a sentiment"
    reasons = {
        "top2": f"only {len(aligned.labels)} labels are told apart",
        "top3": f"only {len(aligned.labels)} labels are told apart",
        "sentiment_accuracy": "the labels do not hold both sentiments",
        "cross_sentiment": crossing,
        "cross_sentiment_0.3": f"{crossing} and both reach 0.3",
        "mcc": "all labels or all answers are one and the same",
    }
    if name in reasons:
        return reasons[name]
    if len(np.unique(aligned.truth)) < 2:
        return _ONE_LABEL
    if metric.clustered and aligned.embedding is None:
        return "no vectors u: an ensemble or a table of predictions has no common space"
    return "not computed, or not more images than labels" if metric.clustered else "not defined"


# Arithmetic ----------------------------------------------------------------------------------


def _share(part: Floats, whole: Floats) -> Floats:
    """NaN where there is nothing to divide by."""
    quotient: Floats = np.full(len(part), np.nan)
    np.divide(part, whole, out=quotient, where=whole > 0)
    return quotient


def _ratio(part: Floats, whole: Floats) -> Floats:
    """0 where there is nothing to divide by."""
    quotient: Floats = np.zeros(np.shape(whole))
    np.divide(part, whole, out=quotient, where=whole > 0)
    return quotient


def mean_known(rows: Floats) -> Floats:
    """(G + 1,) means of (S, G + 1) without their NaN."""
    known = ~np.isnan(rows)
    return _share(np.where(known, rows, 0.0).sum(axis=0), known.sum(axis=0).astype(np.float64))
