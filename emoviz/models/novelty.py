"""Is an image unlike everything the network was trained on? A distance with a measured threshold.

What tells a page of text, a chart, noise or a blank sheet from photographs and paintings is not
what the backbone believes to recognise in them (distances in h fail: docs/LOG.md), but the
strength of its early channels: the diagonals of the Gram matrices of the shallower layers. With
x = log(diag G + 1e-4) and the covariance S of x over the training images, shrunk as Ledoit and
Wolf (2004) have it,

    d(x) = sqrt((x - mean)^T S^-1 (x - mean) / K)

The threshold is a high percentile of d over validation images times a margin, so that the share
of ordinary images that is flagged is known; the card says what was measured. NumPy alone at
inference.

Textures do not tell a kind of picture that the network never saw (figurative paintings, where it
learned from photographs and abstract ones: AUC 0.28). Where the kinds of the training images are
known, h is asked too (`Content`): how far an image is from the nearest kind, and how little a weak
classifier of kinds, which sees content and textures, knows which of them it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
_FLOOR = 1e-4
_COMPONENTS = 128  # of h
_TEXTURES = 64  # components of textures that the classifier sees beside them
_WEAK = 500.0  # its inverse penalty for one image of length 1: a strong one is sure of anything
_PLACES = 256  # of held-out images that a measure's rank is read from
FEWEST = 500  # images of a kind; what describes 250 tells less than textures do (docs/LOG.md)
CONTENT = "content."
_MOST_KINDS = 1000  # of a stranger's: each takes memory for each image


@dataclass(frozen=True)
class Content:
    """What the training images show, kind by kind, in R components of h.

    Attributes:
        centre: (C*,) mean of h.
        basis: (R, C*) components of h, whose entries were given equal variance.
        means: (K, R) of each kind.
        precisions: (K, R, R) inverse of each kind's shrunk covariance.
        weight: (K, R) of the classifier of kinds on the components.
        textures: (K, E) likewise on x of all layers.
        bias: (K,) likewise.
        places: (2, Q) both measures of held-out images, ascending; see `ranked`.
        threshold: Sum of the two ranks above which an image is unlike the training images.
    """

    centre: Array
    basis: Array
    means: Array
    precisions: Array
    weight: Array
    textures: Array
    bias: Array
    places: Array
    threshold: Array

    def __post_init__(self) -> None:
        kinds, width = self.means.shape
        if not (0 < kinds <= _MOST_KINDS and width and self.places.size):
            raise ValueError(f"means is {self.means.shape}, places is {self.places.shape}")
        wanted = {
            "centre": (len(self.centre),),
            "basis": (width, len(self.centre)),
            "precisions": (kinds, width, width),
            "weight": (kinds, width),
            "textures": (kinds, self.textures.shape[-1]),
            "bias": (kinds,),
            "places": (2, self.places.shape[-1]),
            "threshold": (1,),
        }
        for name, shape in wanted.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"{name} is {getattr(self, name).shape}, not {shape}")
        if not self.threshold > 0:
            raise ValueError("threshold is not above 0")

    def measures(
        self, energy: NDArray[np.floating], pooled: NDArray[np.floating]
    ) -> NDArray[np.float64]:
        """(N, 2) distance to the nearest kind (Mahalanobis) and 1 - p of the likeliest kind.

        Args:
            energy: (N, E) diagonals of the Gram matrices of all layers.
            pooled: (N, C*) h.
        """
        x = (np.asarray(pooled, np.float32) - self.centre) @ self.basis.T
        away = x - self.means[:, None]
        squared = ((away @ self.precisions) * away).sum(2)
        textures = _logs(energy, self.textures.shape[1]) @ self.textures.T
        logits = x @ self.weight.T + textures + self.bias
        likeliest = 1 / np.exp(logits - logits.max(1, keepdims=True)).sum(1)
        nearest = np.sqrt(np.maximum(squared.min(0), 0) / x.shape[1])
        return np.stack([nearest, 1 - likeliest], 1).astype(np.float64)

    def distance(
        self, energy: NDArray[np.floating], pooled: NDArray[np.floating]
    ) -> NDArray[np.float64]:
        """(N,) sum of both `measures`' ranks in units of the threshold."""
        return self.sum_of_ranks(self.measures(energy, pooled))

    def sum_of_ranks(self, measures: NDArray[np.floating]) -> NDArray[np.float64]:
        """(N,) of `measures` (N, 2), in units of the threshold."""
        columns = zip(measures.T, self.places, strict=True)
        return np.asarray(sum(_rank(*column) for column in columns) / self.threshold)

    def ranked(self, held_out: NDArray[np.floating], percentile: float = 99.0) -> "Content":
        """The same with ranks, and a threshold that so many held-out images in 100 keep within.

        Args:
            held_out: (M, 2) `measures` of images that were not described.
            percentile: Of their sums of ranks, in percent.
        """
        places = np.quantile(held_out, np.linspace(0, 1, _PLACES), axis=0).T.astype(np.float32)
        unset = replace(self, places=places, threshold=np.ones(1, np.float32))
        limit = np.percentile(unset.sum_of_ranks(held_out), percentile)
        return replace(unset, threshold=np.array([limit], np.float32))


def _rank(values: NDArray[np.float64], places: Array) -> NDArray[np.float64]:
    """Share of the places below each value; beyond the last it goes on as the upper half climbs."""
    inside = np.interp(values, places, np.linspace(0, 1, len(places)))
    climb = max(float(places[-1] - places[len(places) // 2]), 1e-9)
    return np.asarray(inside + 0.5 * np.maximum(values - places[-1], 0) / climb)


@dataclass(frozen=True)
class Novelty:
    """The fitted description.

    Attributes:
        mean: (K,) of x over the training images.
        precision: (K, K) inverse of the shrunk covariance.
        threshold: d above which an image counts as unlike the training images.
        content: What h says, where the kinds of the training images are known.
    """

    mean: Array
    precision: Array
    threshold: float = 1.0
    content: Content | None = None

    def distance(
        self, energy: NDArray[np.floating], pooled: NDArray[np.floating] | None = None
    ) -> NDArray[np.float64]:
        """(N,) in units of the threshold: above 1 is unlike the training images.

        That is d; where content is known, what content says, or d where d is above 1 and more.

        Args:
            energy: (N, >= K) diagonals of the Gram matrices of all layers, shallow ones first.
            pooled: (N, C*) h; without it d alone counts.
        """
        centred = _logs(energy, len(self.mean)) - self.mean
        squared = np.einsum("ni,ij,nj->n", centred, self.precision.astype(np.float64), centred)
        d = np.asarray(np.sqrt(np.maximum(squared, 0.0) / len(self.mean)) / self.threshold)
        if self.content is None or pooled is None:
            return d
        far = self.content.distance(energy, pooled)
        return np.where(d > 1, np.maximum(d, far), far)

    def to_arrays(self) -> dict[str, Array]:
        """What the checkpoint stores."""
        return {
            "mean": np.ascontiguousarray(self.mean, np.float32),
            "precision": np.ascontiguousarray(self.precision, np.float32),
            "threshold": np.array([self.threshold], np.float32),
            **{
                CONTENT + item.name: np.ascontiguousarray(getattr(self.content, item.name))
                for item in (fields(self.content) if self.content else ())
            },
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> "Novelty":
        """Read what the checkpoint stores.

        Raises:
            KeyError: An array is missing.
            ValueError: Two do not fit together.
        """
        content = None
        if any(name.startswith(CONTENT) for name in arrays):
            content = Content(**{i.name: arrays[CONTENT + i.name] for i in fields(Content)})
        threshold = float(arrays["threshold"].item())
        mean, precision = arrays["mean"], arrays["precision"]
        if mean.ndim != 1 or precision.shape != mean.shape * 2 or not threshold > 0:
            raise ValueError(f"mean is {mean.shape}, precision {precision.shape}, {threshold=}")
        return cls(mean, precision, threshold, content)


def describe(training: NDArray[np.floating]) -> Novelty:
    """Mean and shrunk precision of the training images; the threshold is still 1.

    Args:
        training: (N, K) diagonals of the Gram matrices of the training images, all above 0.
    """
    from sklearn.covariance import LedoitWolf

    width = training.shape[1]
    spread = LedoitWolf().fit(_logs(training, width))
    ridge = 1e-9 * np.eye(width)  # training images that are all alike have no covariance
    precision = np.linalg.inv(spread.covariance_ + ridge)
    return Novelty(spread.location_.astype(np.float32), precision.astype(np.float32))


def with_threshold(
    novelty: Novelty, held_out: NDArray[np.floating], percentile: float = 99.0, margin: float = 1.1
) -> Novelty:
    """Set the threshold by the distances of images that were not trained on.

    Args:
        novelty: From `describe`, with threshold 1.
        held_out: (M,) distances.
        percentile: Of those distances, in percent.
        margin: Factor on that percentile.
    """
    return replace(
        novelty, threshold=max(margin * float(np.percentile(held_out, percentile)), 1e-6)
    )


def fit_novelty(
    training: NDArray[np.floating],
    validation: NDArray[np.floating],
    percentile: float = 99.0,
    margin: float = 1.1,
) -> Novelty:
    """Describe training images (N, K) and set the threshold on validation images (M, K)."""
    unset = describe(training)
    return with_threshold(unset, unset.distance(validation), percentile, margin)


def describe_content(
    energy: NDArray[np.floating], pooled: NDArray[np.floating], kinds: NDArray[np.integer]
) -> Content | None:
    """Components, kinds and their classifier; ranks are still to be set.

    Args:
        energy: (N, E) of training images, as in `Content.measures`.
        pooled: (N, C*) likewise.
        kinds: (N,) which kind each is of; -1 where not known.

    Returns:
        None where fewer than two kinds have images enough.
    """
    from sklearn.covariance import LedoitWolf
    from sklearn.linear_model import LogisticRegression

    known = [kind for kind in np.unique(kinds) if kind >= 0 and (kinds == kind).sum() >= FEWEST]
    if len(known) < 2:
        return None
    learned = np.isin(kinds, known)
    kinds = kinds[learned]
    centre, basis, x = _components(pooled[learned], _COMPONENTS)
    middle, each_texture, t = _components(_logs(energy[learned], energy.shape[1]), _TEXTURES)
    parts = [(y, np.sqrt(np.square(y).sum(axis=1).mean()) + 1e-9) for y in (x, t)]
    weak = LogisticRegression(C=_WEAK / len(kinds), max_iter=1000)
    weak.fit(np.concatenate([y / length for y, length in parts], axis=1), kinds)
    weight, bias = weak.coef_, weak.intercept_
    if len(known) == 2:  # one row for the second against the first
        weight, bias = np.concatenate([0 * weight, weight]), np.concatenate([0 * bias, bias])
    on_x, on_t = np.split(weight, [x.shape[1]], axis=1)
    textures = on_t / parts[1][1] @ each_texture
    each = [LedoitWolf().fit(x[kinds == kind]) for kind in known]
    ridge = 1e-9 * np.eye(x.shape[1])
    arrays = (
        *(centre, basis, np.stack([item.location_ for item in each])),
        np.stack([np.linalg.inv(item.covariance_ + ridge) for item in each]),
        *(on_x / parts[0][1], textures, bias - textures @ middle),
        *(np.zeros((2, 2)), np.ones(1)),
    )
    return Content(*(np.ascontiguousarray(array, np.float32) for array in arrays))


def _components(values: NDArray[np.floating], most: int) -> tuple[NDArray[np.float64], ...]:
    """Mean (C,), basis (R, C) and components (N, R) of values (N, C) of nearly equal variance."""
    centre = values.mean(axis=0, dtype=np.float64)
    spread = values.std(axis=0, dtype=np.float64)
    away = (values - centre) / (spread + 0.1 * spread.mean() + 1e-9)
    _, vectors = np.linalg.eigh(away.T @ away)
    basis = vectors[:, ::-1][:, : min(most, len(values) - 1)].T
    basis = basis / (spread + 0.1 * spread.mean() + 1e-9)
    return centre, basis, (values - centre) @ basis.T


def _logs(energy: NDArray[np.floating], width: int) -> NDArray[np.float64]:
    return np.log(np.maximum(np.asarray(energy[:, :width], dtype=np.float64), 0.0) + _FLOOR)
