"""What each image adds to the measures, so that they can be had of any resample of the images.

All measures are sums over images, tables of counts or areas of two histograms, so a resample costs
as much as counting its images anew. **Clusters, delta and thresholds stay as they were found.**
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from emoviz.analysis.alignment import AlignedPredictions
from emoviz.analysis.bootstrap import adjusted_rand_indices, normalised_mutual_informations
from emoviz.analysis.clustering import Grouping
from emoviz.analysis.curves import average_precision, roc_area
from emoviz.analysis.kinds import ECE_BINS, MEASURES
from emoviz.analysis.metrics import confidence_bins, crossing_masks
from emoviz.labels import sentiments

Floats = NDArray[np.float64]
_LEVELS = 2048  # of a score, in resamples; areas of fewer images are exact
Ends = tuple[Floats, Floats]  # lower and upper ends of the intervals of (M,) measures
_ONE_LABEL = "all images have one label"


@dataclass(frozen=True)
class Tally:
    """What each image adds to the measures, so that they can be had of any resample.

    Attributes:
        sums: (n, K) what is summed over images, see `_SUMS`.
        cells: (n,) cell of the confusion matrix, truth * S + predicted.
        labels: S.
        bins: (n,) bin of the confidence.
        confidence: (n,).
        clusters: (n,) label * K + cluster, or None.
        cluster_count: K.
        levels: (n, S') rank of each score among few levels, of labels that have curves.
        members: (n, S') whether the image has the label.
        values: (M,) the measures of the images themselves; areas from all scores.
        shift: (M,) what areas of levels lack to those of all scores.
        missing: Measure -> why it is not defined.
        bases: Measure -> images that it is a share of, where that is not all of them.
    """

    sums: Floats
    cells: NDArray[np.int64]
    labels: int
    bins: NDArray[np.int64]
    confidence: Floats
    clusters: NDArray[np.int64] | None
    cluster_count: int
    levels: NDArray[np.int64]
    members: NDArray[np.bool_]
    values: Floats = field(default_factory=lambda: np.empty(0))
    shift: Floats = field(default_factory=lambda: np.empty(0))
    missing: Mapping[str, str] = field(default_factory=dict)
    bases: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, judged: AlignedPredictions, grouping: Grouping | None = None) -> "Tally":
        """What the images of one model add."""
        count = len(judged.labels)
        member = judged.truth[:, None] == np.arange(count)
        curved = np.flatnonzero(member.any(axis=0) & ~member.all(axis=0)).tolist()
        used = grouping if grouping is not None and len(grouping.indices) == len(judged) else None
        clusters = int(used.indices.max()) + 1 if used is not None else 0
        levels = np.zeros((len(judged), len(curved)), np.int64)
        for column, s in enumerate(curved):
            levels[:, column] = _levels(judged.scores[:, s])
        bare = cls(
            sums=_sums(judged, used),
            cells=judged.truth * count + judged.predicted,
            labels=count,
            bins=confidence_bins(judged.confidence, ECE_BINS),
            confidence=judged.confidence,
            clusters=None if used is None else judged.truth * clusters + used.indices,
            cluster_count=clusters,
            levels=levels,
            members=member[:, curved],
        )
        return bare._with_values(judged, curved)

    def measures(self, counts: Floats) -> Floats:
        """(R, M) the measures of images in these numbers (R, n); NaN where not defined."""
        total = counts.sum(axis=1)
        sums = counts @ self.sums
        by = {name: sums[:, k] for k, name in enumerate(_SUMS)}
        precision, recall, f1 = self._class_means(counts)
        roc, pr = self._areas(counts)
        ari, nmi = self._agreement(counts)
        columns = {
            "accuracy": _share(by["right"], total),
            "macro_precision": precision,
            "macro_recall": recall,
            "macro_f1": f1,
            "top2": _share(by["top2"], total) if self.labels > 2 else _nothing(counts),
            "top3": _share(by["top3"], total) if self.labels > 3 else _nothing(counts),
            "sentiment_accuracy": _share(by["sentiment_right"], by["sentiment_known"]),
            "roc_auc": roc,
            "average_precision": pr,
            "cross_sentiment": _share(by["opposite"], by["eligible"]),
            "cross_sentiment_0.3": _share(by["opposite_0.3"], by["eligible_0.3"]),
            "ece": self._calibration_error(counts, total),
            "brier": _share(by["brier"], total),
            "ari": ari,
            "nmi": nmi,
            "asr": _share(by["ambiguous"], total) if self.cluster_count else _nothing(counts),
        }
        return np.column_stack([columns[name] for name in MEASURES])

    def _with_values(self, judged: AlignedPredictions, curved: list[int]) -> "Tally":
        ones = np.ones((1, len(judged)))
        by_level = self.measures(ones)[0] if len(judged) else np.full(len(MEASURES), np.nan)
        values = by_level.copy()
        names = list(MEASURES)
        for name, area in (("roc_auc", roc_area), ("average_precision", average_precision)):
            areas = [area(judged.scores[:, s], judged.truth == s) for s in curved]
            known = [value for value in areas if value is not None]
            values[names.index(name)] = np.mean(known) if known else np.nan
        shift = np.nan_to_num(values - by_level)
        sums = self.sums.sum(axis=0)
        bases = {
            "cross_sentiment": int(sums[_SUMS.index("eligible")]),
            "cross_sentiment_0.3": int(sums[_SUMS.index("eligible_0.3")]),
            "sentiment_accuracy": int(sums[_SUMS.index("sentiment_known")]),
        }
        missing = _reasons(judged, self)
        return replace(self, values=values, shift=shift, bases=bases, missing=missing)

    def _class_means(self, counts: Floats) -> tuple[Floats, Floats, Floats]:
        """Macro precision, recall and F1 over the labels that occur in each resample."""
        table = tallies(self.cells, counts, self.labels**2).reshape(-1, self.labels, self.labels)
        hits = np.diagonal(table, axis1=1, axis2=2)
        support, called = table.sum(axis=2), table.sum(axis=1)
        occurs = (support + called) > 0
        parts = (_quotient(hits, called), _quotient(hits, support))
        f1 = _quotient(2 * hits, support + called)
        number = np.maximum(occurs.sum(axis=1), 1)
        none = ~occurs.any(axis=1)
        means = [np.where(none, np.nan, x.sum(axis=1) / number) for x in (*parts, f1)]
        return means[0], means[1], means[2]

    def _areas(self, counts: Floats) -> tuple[Floats, Floats]:
        """Macro ROC area and average precision over the labels that some, not all, have."""
        if not self.levels.shape[1]:
            return _nothing(counts), _nothing(counts)
        each = [
            _level_areas(self.levels[:, s], self.members[:, s], counts)
            for s in range(self.levels.shape[1])
        ]
        return _mean_known([roc for roc, _ in each]), _mean_known([pr for _, pr in each])

    def _agreement(self, counts: Floats) -> tuple[Floats, Floats]:
        if self.clusters is None:
            return _nothing(counts), _nothing(counts)
        table = tallies(self.clusters, counts, self.labels * self.cluster_count)
        shaped = table.reshape(-1, self.labels, self.cluster_count)
        return adjusted_rand_indices(shaped), normalised_mutual_informations(shaped)

    def _calibration_error(self, counts: Floats, total: Floats) -> Floats:
        """Sum over bins of |confidence - right|, over the images."""
        gap = self.confidence - self.sums[:, _SUMS.index("right")]
        gaps = np.stack([np.bincount(self.bins, row * gap, ECE_BINS) for row in counts])
        return _share(np.abs(gaps).sum(axis=1), total)


# What each image adds ------------------------------------------------------------------------

_SUMS = (
    "right",
    "top2",
    "top3",
    "sentiment_right",
    "sentiment_known",
    "eligible",
    "opposite",
    "eligible_0.3",
    "opposite_0.3",
    "brier",
    "ambiguous",
)


def _sums(judged: AlignedPredictions, grouping: Grouping | None) -> Floats:
    rank = label_ranks(judged)
    wanted, given = sentiment_answers(judged)
    known = wanted != 0 if {-1, 1} <= set(wanted.tolist()) else np.zeros(len(judged), np.bool_)
    eligible, opposite = crossing_masks(judged.probabilities, judged.bridge.model)
    eligible_3, opposite_3 = crossing_masks(judged.probabilities, judged.bridge.model, 0.3)
    ambiguous = grouping.ambiguous if grouping is not None else np.zeros(len(judged), np.bool_)
    columns = (
        judged.right,
        rank < 2,
        rank < 3,
        known & (wanted == given),
        known,
        eligible,
        opposite,
        eligible_3,
        opposite_3,
        brier_terms(judged),
        ambiguous,
    )
    return np.column_stack(columns).astype(np.float64)


def label_ranks(judged: AlignedPredictions) -> NDArray[np.int64]:
    """(n,) how many labels come before the true one; of equal scores the first label does."""
    if not len(judged):
        return np.empty(0, np.int64)
    own = np.take_along_axis(judged.scores, judged.truth[:, None], axis=1)
    before = np.arange(judged.scores.shape[1]) < judged.truth[:, None]
    ahead = (judged.scores > own) | ((judged.scores == own) & before)
    ranks: NDArray[np.int64] = ahead.sum(axis=1)
    return ranks


def sentiment_answers(judged: AlignedPredictions) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """(n,) sentiment of the label and of the classes that hold most of the probability: 1, -1, 0.

    0 for a label without sentiment, and where the classes without one hold most.
    """
    sign = {"positive": 1, "negative": -1, None: 0}
    wanted = judged.labels.signs[judged.truth]
    given = [sign[item] for item in sentiments(judged.bridge.model, judged.probabilities)]
    return wanted, np.array(given, np.int8)


def brier_terms(judged: AlignedPredictions) -> Floats:
    """(n,) squared distance of the scores from the label (Brier 1950): 0 to 2."""
    squares: Floats = (judged.scores**2).sum(axis=1)
    if not len(judged):
        return squares
    own = np.take_along_axis(judged.scores, judged.truth[:, None], axis=1)[:, 0]
    return squares - 2 * own + 1


def _levels(scores: Floats) -> NDArray[np.int64]:
    """(n,) rank among the distinct scores, or among so many quantiles where there are more."""
    distinct, place = np.unique(scores, return_inverse=True)
    if len(distinct) <= _LEVELS:
        return place.astype(np.int64)
    return (place * _LEVELS // len(distinct)).astype(np.int64)


def _reasons(judged: AlignedPredictions, tally: Tally) -> dict[str, str]:
    """Why measures are missing."""
    empty = "no image has a label that a class may be called" if not len(judged) else ""
    one = empty or _ONE_LABEL
    no_u = "no u: an ensemble has no common space" if judged.embedding is None else ""
    crowded = no_u or "not computed, or not more images than labels"
    few = dict.fromkeys(("top2", "top3"), f"only {tally.labels} labels are told apart")
    sentiment = "the labels do not hold both sentiments"
    crossing = "no image whose two likeliest classes both have a sentiment"
    return {
        **dict.fromkeys(MEASURES, empty),
        **({} if empty else few),
        "sentiment_accuracy": empty or sentiment,
        "roc_auc": one,
        "average_precision": one,
        "cross_sentiment": empty or crossing,
        "cross_sentiment_0.3": empty or f"{crossing} and both reach 0.3",
        **dict.fromkeys(
            ("ari", "nmi", "asr"),
            empty or (_ONE_LABEL if len(np.unique(judged.truth)) < 2 else crowded),
        ),
    }


# Sums over resamples -------------------------------------------------------------------------


def tallies(cells: NDArray[np.int64], counts: Floats, size: int) -> Floats:
    """(R, size) how often each cell is drawn, of images in these numbers (R, n)."""
    return np.stack([np.bincount(cells, row, size) for row in counts])


def _level_areas(
    levels: NDArray[np.int64], member: NDArray[np.bool_], counts: Floats
) -> tuple[Floats, Floats]:
    """(R,) ROC area and average precision of one label; NaN where all drawn are alike."""
    size = int(levels.max()) + 1
    table = tallies(2 * levels + member, counts, 2 * size).reshape(-1, size, 2)
    false, hits = table[:, ::-1, 0], table[:, ::-1, 1]  # from the highest score down
    all_false, all_hits = np.cumsum(false, axis=1), np.cumsum(hits, axis=1)
    pairs = all_false[:, -1] * all_hits[:, -1]
    below = all_false[:, -1:] - all_false + false / 2  # of equal scores half
    roc = _share((hits * below).sum(axis=1), pairs)
    precision = _quotient(all_hits, all_hits + all_false)
    pr = _share((hits * precision).sum(axis=1), np.where(pairs > 0, all_hits[:, -1], 0.0))
    return roc, pr


def _share(part: Floats, whole: Floats) -> Floats:
    """NaN where there is nothing to divide by."""
    share: Floats = np.full(len(part), np.nan)
    np.divide(part, whole, out=share, where=whole > 0)
    return share


def _quotient(part: Floats, whole: Floats) -> Floats:
    """0 where there is nothing to divide by."""
    quotient: Floats = np.zeros(whole.shape)
    np.divide(part, whole, out=quotient, where=whole > 0)
    return quotient


def _nothing(counts: Floats) -> Floats:
    return np.full(len(counts), np.nan)


def _mean_known(rows: list[Floats]) -> Floats:
    """Mean over the arrays (R,), without their NaN."""
    stacked = np.stack(rows)
    known = ~np.isnan(stacked)
    return _share(np.where(known, stacked, 0.0).sum(axis=0), known.sum(axis=0).astype(np.float64))
