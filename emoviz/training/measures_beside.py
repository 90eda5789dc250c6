"""What is measured beside the classes: valence, arousal, divided viewers, sentiment as a ranking.

Everything here is measured on images that the network was not trained on.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emoviz.analysis.emotion_geometry import MIKELS_WHEEL
from emoviz.labels import Bridge, sentiment_shares
from emoviz.training.recipe import NetworkPart

Floats = NDArray[np.float64]
COVERAGE = 0.9
SCALES: Mapping[str, str] = {
    "valence": "-1 (unpleasant) to 1 (pleasant)",
    "arousal": "-1 (calm) to 1 (excited)",
    "division": "0 (all viewers of one mind) to 1 (votes spread evenly)",
}
_FEWEST = 30  # images for a correlation, or for an interval of one kind of image


def measure_beside(
    given: Floats,
    truth: Floats,
    votes: Floats,
    probabilities: Floats,
    bridge: Bridge,
    network: NetworkPart,
) -> dict[str, float]:
    """Of one set: correlations of the dimensions, divergence from votes, AUC of the sentiment.

    Args:
        given: (N, A) the outputs beside the classes.
        truth: (N, A) what they should be, NaN where not known.
        votes: (N, S) shares of the set's labels.
        probabilities: (N, C) calibrated.
        bridge: From the classes to its labels.
        network: Which dimensions there are.

    Returns:
        ``<dimension>_r`` and ``<dimension>_mae``; ``sentiment_auc``; where there are votes
        ``votes_kl`` (nats), ``votes_emd`` (steps on Mikels' wheel) and ``votes_entropy_r``, the
        correlation of the entropies of predicted and given shares. Without what cannot be told.
    """
    found: dict[str, float] = {}
    for number, name in enumerate(network.dimensions):
        known = np.isfinite(truth[:, number])
        if known.sum() >= _FEWEST:
            x, y = given[known, number], truth[known, number]
            found[f"{name}_r"] = round(float(np.corrcoef(x, y)[0, 1]), 4)
            found[f"{name}_mae"] = round(float(np.abs(x - y).mean()), 4)
    auc = _sentiment_auc(votes, bridge, probabilities)
    if auc is not None:
        found["sentiment_auc"] = round(auc, 4)
    if ((votes > 0) & (votes < 1)).any():
        found.update(_against_votes(votes, bridge, probabilities))
    return found


def describe_dimensions(
    outputs: Floats, targets: Floats, kinds: NDArray[np.int64], network: NetworkPart
) -> dict[str, Any]:
    """For the card: scale, fit and interval of each dimension, over all sets that have it.

    Half the width of the interval is the conformal one: the ceil((n + 1) 0.9)-th smallest absolute
    error of n held-out images, so that nine in ten new images of such sets lie within it
    (Vovk et al. 2005). By kind of image too, since votes for paintings scatter more.

    Args:
        outputs: (N, A) of held-out images.
        targets: (N, A), NaN where not known.
        kinds: (N,) index among the network's kinds, -1 where not known.
        network: Names of the dimensions and kinds.
    """
    told: dict[str, Any] = {}
    for number, name in enumerate(network.dimensions):
        known = np.isfinite(targets[:, number])
        if known.sum() < _FEWEST:
            continue
        given, truth = outputs[known, number], targets[known, number]
        error = np.abs(given - truth)
        of = kinds[known]
        by_kind = {
            kind: half_width(error[of == k])
            for k, kind in enumerate(network.kinds)
            if (of == k).sum() >= _FEWEST
        }
        told[name] = {
            "scale": SCALES[name],
            "n": int(known.sum()),
            "r": round(float(np.corrcoef(given, truth)[0, 1]), 4),
            "mean_absolute_error": round(float(error.mean()), 4),
            "coverage": COVERAGE,
            "half_width": half_width(error),
            "half_width_by_kind": by_kind,
        }
    return told


def half_width(errors: Floats) -> float:
    """The conformal half width of absolute errors (N,)."""
    place = math.ceil((len(errors) + 1) * COVERAGE)
    return round(float(np.sort(errors)[min(place, len(errors)) - 1]), 4)


def _sentiment_auc(votes: Floats, bridge: Bridge, probabilities: Floats) -> float | None:
    """Of the sentiment that got more votes, ranked by the probability of the positive classes."""
    from sklearn.metrics import roc_auc_score

    signs = bridge.labels.signs
    positive, negative = votes[:, signs > 0].sum(axis=1), votes[:, signs < 0].sum(axis=1)
    told = positive != negative
    truth = (positive > negative)[told]
    if truth.sum() < 5 or (~truth).sum() < 5:
        return None
    shares = sentiment_shares(bridge.model, probabilities[told])
    return float(roc_auc_score(truth, shares[:, 0] - shares[:, 1]))


def _against_votes(votes: Floats, bridge: Bridge, probabilities: Floats) -> dict[str, float]:
    """Mean KL divergence, correlation of entropies, and earth mover's distance on Mikels' wheel."""
    from scipy.stats import entropy

    reachable = bridge.reachable
    t, q = votes[:, reachable], bridge.apply(probabilities)[:, reachable]
    known = (t.sum(axis=1) > 0) & (q.sum(axis=1) > 0)
    if not known.any():
        return {}
    t = t[known] / t[known].sum(axis=1, keepdims=True)
    q = q[known] / q[known].sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(t > 0, t * np.log(t / np.maximum(q, 1e-9)), 0.0)
    found = {"votes_kl": round(float(terms.sum(axis=1).mean()), 4)}
    given, told = entropy(t, axis=1), entropy(q, axis=1)
    if len(t) >= _FEWEST and np.ptp(given) > 0 and np.ptp(told) > 0:
        found["votes_entropy_r"] = round(float(np.corrcoef(given, told)[0, 1]), 4)
    if reachable.all() and all(bridge.labels.holds(name) for name in MIKELS_WHEEL):
        order = [bridge.labels.index(name) for name in MIKELS_WHEEL]
        found["votes_emd"] = round(float(circular_emd(t[:, order], q[:, order]).mean()), 4)
    return found


def circular_emd(one: Floats, other: Floats) -> Floats:
    """(N,) earth mover's distance of distributions (N, K) on a circle of K steps.

    The smallest sum of |F - G - a| over shifts a, whose minimum is at the median (Rabin et al.
    2011).
    """
    gap = np.cumsum(one - other, axis=1)
    return np.asarray(np.abs(gap - np.median(gap, axis=1, keepdims=True)).sum(axis=1))
