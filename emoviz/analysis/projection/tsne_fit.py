"""t-SNE as scikit-learn has it, from the principal components, with progress.

scikit-learn tells its progress only by printing, every 50 rounds; what it prints is read.
"""

import contextlib
import io
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emoviz.analysis.projection import pca


def fit(
    u: NDArray[np.float32],
    dimensions: int,
    seed: int,
    settings: Mapping[str, Any],
    progress: Callable[[float, str], None],
) -> NDArray[np.float32]:
    """Coordinates (N, d) of at least ten distinct vectors; see `fit_projection`."""
    from sklearn.manifold import TSNE

    progress(0.0, "Searching the nearest neighbours")
    model = TSNE(
        n_components=dimensions,
        perplexity=settings["perplexity"],
        max_iter=settings["max_iter"],
        init=_start(u, dimensions, seed),
        random_state=seed,
        verbose=2,
    )
    with contextlib.redirect_stdout(_Rounds(progress, settings["max_iter"])):
        return np.ascontiguousarray(model.fit_transform(u), np.float32)


def _start(u: NDArray[np.float32], dimensions: int, seed: int) -> NDArray[np.float32]:
    """Principal components, the first of standard deviation 1e-4 (Kobak and Berens 2019)."""
    coordinates = pca.fit(u, dimensions)[0]
    noise = np.random.default_rng(seed).normal(scale=1e-8, size=coordinates.shape)
    return np.asarray(coordinates * (1e-4 / coordinates[:, 0].std()) + noise, np.float32)


class _Rounds(io.TextIOBase):
    """Standard output while t-SNE runs: its own lines become progress, others pass."""

    def __init__(self, progress: Callable[[float, str], None], rounds: int) -> None:
        super().__init__()
        self._progress, self._rounds, self._beneath = progress, rounds, sys.stdout
        self._in_line = False

    def write(self, text: str) -> int:
        # print() writes the line and its end apart.
        starts, ends = text.startswith("[t-SNE]"), self._in_line and text == "\n"
        if not starts and not ends:
            return self._beneath.write(text)
        if match := re.search(r"Iteration (\d+)", text):
            done = int(match[1])
            share = 0.05 + 0.94 * min(1.0, done / self._rounds)
            self._progress(share, f"Arranging the points: round {done} of {self._rounds}")
        self._in_line = starts
        return len(text)

    def flush(self) -> None:
        self._beneath.flush()
