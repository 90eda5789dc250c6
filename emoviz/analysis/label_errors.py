"""Labels that are likely wrong, and images unlike all others, from vectors and labels alone.

Confident learning (Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in
Dataset Labels", JAIR 2021): probabilities come from classifiers that never saw the image; class j
is confident from t_j on, the mean probability of j among the images labelled j; an image is
suspect where the most probable of the classes that are confident about it is another than its
label. One departure: 0.8 is always enough. In a clean set t_j comes near 1, and about half of
the few wrong labels would stay below it.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_ENOUGH = 0.8  # probability that counts as confident in any class
_FEWEST_PLANTED, _PLANTED = 10, 0.05  # labels that are changed on purpose
_RECALL = 0.3  # of these, at which one stops to look
_NEIGHBOURS = 10
_LEAST = 2  # images of a class below which it cannot be cross-validated


@dataclass(frozen=True)
class Suspects:
    """Images whose label is doubted, the most doubtful first.

    Attributes:
        index: (S,) of the images.
        other: (S,) the class that speaks against the label.
        margin: (S,) probability of the other class minus that of the label, 0 to 1.
        accuracy: Share of all images whose label the classifiers found by themselves: how much
            their doubt is worth.
        balanced: The same as the mean over the classes, which always guessing the commonest
            class brings to 1 / C.
        looked_at: How many images took part; those without a label or of classes with fewer than
            two did not.
    """

    index: Ints
    other: Ints
    margin: Floats
    accuracy: float
    balanced: float
    looked_at: int


def out_of_fold(vectors: NDArray[np.floating], labels: Ints, folds: Ints, classes: int) -> Floats:
    """(N, C) probabilities of each image by a logistic regression fitted without its fold.

    Args:
        vectors: (N, D); standardised here, fold by fold.
        labels: (N,) from 0.
        folds: (N,) number of each image's fold; images of one group share it.
        classes: C.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    result = np.zeros((len(labels), classes))
    for fold in np.unique(folds):
        mine, others = folds == fold, folds != fold
        known = np.unique(labels[others])
        if len(known) == 1:
            result[np.ix_(mine, known)] = 1.0
            continue
        if not len(known):
            result[mine] = 1.0 / classes
            continue
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))
        model.fit(vectors[others], labels[others])
        result[np.ix_(mine, known)] = model.predict_proba(vectors[mine])
    return result


def suspect_labels(probabilities: Floats, labels: Ints) -> Suspects:
    """Which labels confident classifiers disagree with.

    Args:
        probabilities: (N, C) of classifiers that did not see the image, see `out_of_fold`.
        labels: (N,) from 0, or -1 for images that take no part.
    """
    rows = np.flatnonzero(labels >= 0)
    given, p = labels[rows], probabilities[rows]
    count = p.shape[1]
    own = p[np.arange(len(rows)), given]
    sizes = np.bincount(given, minlength=count)
    sums = np.bincount(given, weights=own, minlength=count)
    means = np.minimum(sums / np.maximum(sizes, 1), _ENOUGH)
    threshold = np.where(sizes >= _LEAST, means, np.inf)
    confident = np.where(p >= threshold, p, -1.0)
    other = confident.argmax(axis=1)
    doubted = (confident.max(axis=1) >= 0) & (other != given) & (sizes[given] >= _LEAST)
    margin = p[np.arange(len(rows)), other] - own
    order = np.flatnonzero(doubted)
    order = order[np.argsort(-margin[order], kind="stable")]
    right = p.argmax(axis=1) == given
    found = np.bincount(given, weights=right, minlength=count)[sizes > 0] / sizes[sizes > 0]
    return Suspects(
        index=rows[order],
        other=other[order].astype(np.int64),
        margin=margin[order],
        accuracy=float(right.mean()) if len(rows) else 0.0,
        balanced=float(found.mean()) if len(found) else 0.0,
        looked_at=int((sizes[given] >= _LEAST).sum()),
    )


def doubt(probabilities: Floats, labels: Ints) -> Floats:
    """(N,) from 0 (sure of the label) to 1 (sure of another): 0.5 where two are equally likely.

    1 minus the normalised margin of Northcutt, Jiang and Chuang. Labels from 0.
    """
    rows = np.arange(len(labels))
    own = probabilities[rows, labels]
    others = probabilities.copy()
    others[rows, labels] = -np.inf
    return np.asarray(np.clip((1 + others.max(axis=1) - own) / 2, 0, 1))


class PlantedTrial(NamedTuple):
    """How good doubts are where wrong labels were planted.

    Attributes:
        planted: Labels that were changed.
        doubted: First doubts that one looks at until 3 in 10 of those are found, or all doubts.
        found: How many of them are planted. Labels that were wrong before count as mistakes, so
            the precision is a lower bound.
    """

    planted: int
    doubted: int
    found: int

    @property
    def precision(self) -> float:
        """Share of the doubts that are planted."""
        return self.found / max(self.doubted, 1)

    @property
    def recall(self) -> float:
        """Share of the planted that are found."""
        return self.found / self.planted

    def to_dict(self) -> dict[str, float]:
        """Plain values for JSON."""
        return {
            **self._asdict(),
            "precision": round(self.precision, 4),
            "recall": round(self.recall, 4),
        }


def planted_trial(
    vectors: NDArray[np.floating],
    labels: Ints,
    folds: Ints,
    classes: int,
) -> PlantedTrial | None:
    """Change one label in 20 at random to another of the set, and see how many are doubted.

    The arguments are those of `out_of_fold`.

    Returns:
        None where fewer than ten labels would be changed.
    """
    count = round(_PLANTED * len(labels))
    present = np.unique(labels)
    if count < _FEWEST_PLANTED or len(present) < 2:
        return None
    generator = np.random.default_rng(0)
    rows = generator.choice(len(labels), count, replace=False)
    place = np.searchsorted(present, labels[rows])
    planted = labels.copy()
    planted[rows] = present[(place + generator.integers(1, len(present), count)) % len(present)]
    found = suspect_labels(out_of_fold(vectors, planted, folds, classes), planted)
    hits = np.cumsum(np.isin(found.index, rows))
    enough = np.flatnonzero(hits >= _RECALL * count)
    doubted = int(enough[0]) + 1 if len(enough) else len(hits)
    return PlantedTrial(count, doubted, int(hits[doubted - 1]) if doubted else 0)


def remoteness(vectors: NDArray[np.floating]) -> Floats:
    """(N,) robust deviations by which each image is farther from its neighbours than the median.

    Args:
        vectors: (N, D); columns are brought to median 0 and like spread here.

    An image's distance is its mean distance to the ten nearest ones; where there are hardly more
    images than these, all are at 0. One deviation is 1.4826 x median absolute deviation of the
    distance's logarithm.
    """
    from sklearn.neighbors import NearestNeighbors

    if len(vectors) <= _NEIGHBOURS + 1:
        return np.zeros(len(vectors))
    data = np.asarray(vectors, np.float64)
    low, middle, high = np.percentile(data, [25, 50, 75], axis=0)
    data = (data - middle) / np.maximum(high - low, 1e-9)
    search = NearestNeighbors(n_neighbors=_NEIGHBOURS).fit(data)
    distance = np.log(search.kneighbors()[0].mean(axis=1) + 1e-12)
    median = np.median(distance)
    spread = 1.4826 * np.median(np.abs(distance - median))
    return np.asarray((distance - median) / max(spread, 1e-9))
