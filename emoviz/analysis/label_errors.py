"""Labels that are likely wrong, and images unlike all others, from vectors and labels alone.

Confident learning (Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in
Dataset Labels", JAIR 2021): probabilities come from classifiers that never saw the image; class j
is confident from t_j on, the mean probability of j among the images labelled j; an image is
suspect where the most probable of the classes that are confident about it is another than its
label. One departure: 0.8 is always enough. In a clean set t_j comes near 1, and about half of
the few wrong labels would stay below it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
FOLDS = 5
_ENOUGH = 0.8  # probability that counts as confident in any class
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


def outliers(vectors: NDArray[np.floating], neighbours: int = 10, beyond: float = 5.0) -> Ints:
    """Images far from all others, the farthest first.

    Args:
        vectors: (N, D); columns are brought to median 0 and like spread here.
        neighbours: An image's distance is its mean distance to so many nearest ones.
        beyond: How many robust deviations (1.4826 x median absolute deviation, of the logarithm)
            above the median distance count as far.
    """
    from sklearn.neighbors import NearestNeighbors

    if len(vectors) <= neighbours + 1:
        return np.zeros(0, np.int64)
    data = np.asarray(vectors, np.float64)
    low, middle, high = np.percentile(data, [25, 50, 75], axis=0)
    data = (data - middle) / np.maximum(high - low, 1e-9)
    search = NearestNeighbors(n_neighbors=neighbours).fit(data)
    distance = np.log(search.kneighbors()[0].mean(axis=1) + 1e-12)
    median = np.median(distance)
    spread = 1.4826 * np.median(np.abs(distance - median))
    score = (distance - median) / max(spread, 1e-9)
    far = np.flatnonzero(score > beyond)
    return far[np.argsort(-score[far], kind="stable")].astype(np.int64)
