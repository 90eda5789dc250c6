"""Is an image unlike everything the network was trained on? A distance with a measured threshold.

The pooled vectors h of the training images are described by a Gaussian on their first principal
components, with the variance left over as one more direction:

    d(h)^2 = sum_r (a_r / s_r)^2 + ||h - mean - sum_r a_r v_r||^2 / s_rest^2,   a = V^T (h - mean)

The threshold is a high percentile of d over validation images, so the share of ordinary images
that is flagged is known; the card says what was measured. NumPy alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Novelty:
    """The fitted description.

    Attributes:
        mean: (K,) of the training vectors.
        axes: (K, R) orthonormal principal directions v_r.
        scales: (R + 1,) standard deviation along each, the last for all that is left over.
        threshold: d above which an image counts as unlike the training images; 1 until set.
    """

    mean: Array
    axes: Array
    scales: Array
    threshold: float = 1.0

    def distance(self, vectors: NDArray[np.floating]) -> NDArray[np.float64]:
        """(N,) d of vectors (N, K), in units of the threshold: above 1 is unlike training."""
        centred = np.asarray(vectors, dtype=np.float64) - self.mean
        along = centred @ self.axes
        left = np.maximum(np.square(centred).sum(axis=1) - np.square(along).sum(axis=1), 0.0)
        inside = np.square(along / self.scales[:-1]).sum(axis=1)
        return np.asarray(np.sqrt(inside + left / float(self.scales[-1]) ** 2) / self.threshold)

    def to_arrays(self) -> dict[str, Array]:
        """What the checkpoint stores."""
        threshold = np.array([self.threshold], dtype=np.float32)
        arrays = {"mean": self.mean, "axes": self.axes, "scales": self.scales}
        stored = {key: np.ascontiguousarray(value, np.float32) for key, value in arrays.items()}
        return {**stored, "threshold": threshold}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> "Novelty":
        """Read what the checkpoint stores."""
        return cls(
            arrays["mean"], arrays["axes"], arrays["scales"], float(arrays["threshold"].item())
        )


def fit_novelty(
    training: NDArray[np.floating],
    validation: NDArray[np.floating],
    directions: int = 128,
    percentile: float = 99.0,
) -> Novelty:
    """Describe training vectors and set the threshold on validation vectors.

    Args:
        training: (N, K) pooled vectors h of the training images.
        validation: (M, K) of images that were not trained on.
        directions: R, at most min(N - 1, K).
        percentile: Of the validation distances, in percent.
    """
    data = np.asarray(training, dtype=np.float64)
    mean = data.mean(axis=0)
    centred = data - mean
    _, spread, rows = np.linalg.svd(centred, full_matrices=False)
    variances = np.square(spread) / max(len(data) - 1, 1)
    kept = max(1, min(directions, len(data) - 1, data.shape[1]))
    left = max(float(variances[kept:].sum()) / max(data.shape[1] - kept, 1), 1e-12)
    scales = np.sqrt(np.append(np.maximum(variances[:kept], 1e-12), left))
    unset = Novelty(
        mean.astype(np.float32), rows[:kept].T.astype(np.float32), scales.astype(np.float32)
    )
    threshold = float(np.percentile(unset.distance(validation), percentile))
    return Novelty(unset.mean, unset.axes, unset.scales, threshold)
