"""UMAP with exact neighbours, progress, and compiled code that outlives the process.

umap-learn is used as its authors ship it. Four things are done around it:

- Up to `_EXACT` vectors the nearest neighbours are searched exactly (`emoviz.analysis.neighbours`)
  and handed over. The approximate search of umap-learn takes about as long at 17,716, and numba
  compiles it afresh in every process (20 to 40 s).
- The points start from their principal components (Kobak and Linderman 2021), not from the
  graph's spectrum: classes that a margin keeps apart make a graph in pieces, whose spectrum says
  nothing of where the pieces belong, and which SciPy solves differently each time.
- The functions that umap-learn compiles in every process are told to keep their machine code on
  disk, as its other functions do.
- Its progress bar is given a place to write to that passes the epochs on.
"""

import contextlib
import io
import re
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emoviz.analysis.neighbours import nearest
from emoviz.analysis.projection import pca

# Exact search grows with N^2: 2 s at 17,716 x 136 on two cores, so some 10 s here.
_EXACT = 40_000

# Shares of the work at which the phases end, as measured at 17,716 x 136.
_SEARCHED, _BUILT = 0.25, 0.35

# numba's parallel loops may end the process when two threads enter them at once.
_one_at_a_time = threading.Lock()


def fit(
    u: NDArray[np.float32],
    dimensions: int,
    seed: int,
    settings: Mapping[str, Any],
    progress: Callable[[float, str], None],
) -> NDArray[np.float32]:
    """Coordinates (N, d) of at least ten distinct vectors; see `fit_projection`."""
    neighbours = settings["n_neighbors"]
    progress(0.0, "Searching the nearest neighbours")
    found = _exact_neighbours(u, neighbours, progress) if len(u) <= _EXACT else (None, None)
    progress(_SEARCHED, "Building the graph of neighbours")
    with _one_at_a_time, _umap_ready() as UMAP:
        model = UMAP(
            n_components=dimensions,
            n_neighbors=neighbours,
            min_dist=settings["min_dist"],
            n_epochs=settings["n_epochs"],
            random_state=seed,
            n_jobs=1,
            init=_start(u, dimensions, seed),
            precomputed_knn=found,
            tqdm_kwds={
                "file": _Epochs(progress),
                "disable": False,
                "bar_format": "{n_fmt}/{total_fmt}",
                "mininterval": 0.2,
                "miniters": 1,
                "leave": False,
            },
        )
        return np.ascontiguousarray(model.fit_transform(u), np.float32)


def _exact_neighbours(
    u: NDArray[np.float32], neighbours: int, progress: Callable[[float, str], None]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    found = nearest(
        u,
        u,
        neighbours,
        lambda share: progress(share * _SEARCHED, "Searching the nearest neighbours"),
    )
    return found.indices, found.distances.astype(np.float32)


def _start(u: NDArray[np.float32], dimensions: int, seed: int) -> NDArray[np.float32]:
    """Principal components within 10 of the origin; noise takes equal vectors apart."""
    coordinates = pca.fit(u, dimensions)[0]
    noise = np.random.default_rng(seed).normal(scale=1e-4, size=coordinates.shape)
    return np.asarray(coordinates * (10.0 / np.abs(coordinates).max()) + noise, np.float32)


@contextlib.contextmanager
def _umap_ready() -> Iterator[Any]:
    """umap-learn's class with compiled code that is kept; numba's threads as they were, after."""
    with warnings.catch_warnings():
        # What umap-learn and SciPy say of their own insides; our checks came before.
        warnings.simplefilter("ignore")
        import numba
        from umap import UMAP, layouts, umap_

        for function in (
            umap_.smooth_knn_dist,
            umap_.compute_membership_strengths,
            layouts._get_optimize_layout_euclidean_single_epoch_fn(False),
        ):
            with contextlib.suppress(RuntimeError):  # no folder that may be written
                function.enable_caching()
        threads = numba.get_num_threads()
        try:
            yield UMAP
        finally:
            numba.set_num_threads(threads)


class _Epochs(io.StringIO):
    """Where umap-learn's progress bar writes "120/200"."""

    def __init__(self, progress: Callable[[float, str], None]) -> None:
        super().__init__()
        self._progress = progress

    def write(self, text: str) -> int:
        if match := re.search(r"(\d+)/(\d+)", text):
            done, epochs = int(match[1]), int(match[2])
            share = _BUILT + (0.99 - _BUILT) * done / epochs
            self._progress(share, f"Arranging the points: round {done} of {epochs}")
        return len(text)
