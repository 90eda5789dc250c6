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
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
_FLOOR = 1e-4


@dataclass(frozen=True)
class Novelty:
    """The fitted description.

    Attributes:
        mean: (K,) of x over the training images.
        precision: (K, K) inverse of the shrunk covariance.
        threshold: d above which an image counts as unlike the training images.
    """

    mean: Array
    precision: Array
    threshold: float = 1.0

    def distance(self, energy: NDArray[np.floating]) -> NDArray[np.float64]:
        """(N,) d in units of the threshold: above 1 is unlike the training images.

        Args:
            energy: (N, >= K) diagonals of the Gram matrices, shallow layers first.
        """
        centred = _logs(energy, len(self.mean)) - self.mean
        squared = np.einsum("ni,ij,nj->n", centred, self.precision.astype(np.float64), centred)
        return np.asarray(np.sqrt(np.maximum(squared, 0.0) / len(self.mean)) / self.threshold)

    def to_arrays(self) -> dict[str, Array]:
        """What the checkpoint stores."""
        return {
            "mean": np.ascontiguousarray(self.mean, np.float32),
            "precision": np.ascontiguousarray(self.precision, np.float32),
            "threshold": np.array([self.threshold], np.float32),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> "Novelty":
        """Read what the checkpoint stores."""
        return cls(arrays["mean"], arrays["precision"], float(arrays["threshold"].item()))


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


def _logs(energy: NDArray[np.floating], width: int) -> NDArray[np.float64]:
    return np.log(np.maximum(np.asarray(energy[:, :width], dtype=np.float64), 0.0) + _FLOOR)
