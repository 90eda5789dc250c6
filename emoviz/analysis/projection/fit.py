"""Making a map: which methods there are, with which settings, and what is kept of each."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emoviz.analysis.arrays import checked_vectors, vectors_digest
from emoviz.analysis.projection import pca, tsne_fit, umap_fit
from emoviz.analysis.projection.place import place
from emoviz.errors import AnalysisError

# Called with the share that is done, in 0-1, and words for people. Raising stops the work.
Progress = Callable[[float, str], None]

# Change it when the same settings give another map: kept maps are then made again.
_REVISION = 1

# Settings of each method with their defaults; None lets the method choose.
DEFAULTS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "umap": MappingProxyType({"n_neighbors": 15, "min_dist": 0.1, "n_epochs": None}),
        "tsne": MappingProxyType({"perplexity": 30.0, "max_iter": 1000}),
        "pca": MappingProxyType({}),
    }
)
METHODS = tuple(DEFAULTS)
# What cannot be chosen and yet belongs to the record of a map.
_FIXED: Mapping[str, Mapping[str, Any]] = {
    "umap": {"metric": "euclidean", "init": "principal components"},
    "tsne": {"metric": "euclidean", "init": "principal components", "method": "barnes_hut"},
    "pca": {},
}
_LIMITS: Mapping[str, tuple[type, float, float]] = {
    "n_neighbors": (int, 2, 200),
    "min_dist": (float, 0.0, 1.0),
    "n_epochs": (int, 1, 10_000),
    "perplexity": (float, 2.0, 200.0),
    "max_iter": (int, 250, 10_000),
}
_PACKAGES = {
    "umap": ("umap-learn", "numba", "scikit-learn", "scipy", "numpy"),
    "tsne": ("scikit-learn", "scipy", "numpy"),
    "pca": ("numpy",),
}
_TITLES = {"umap": "UMAP", "tsne": "t-SNE", "pca": "PCA"}

# Of more vectors UMAP and t-SNE draw some, and the others are laid among these: within minutes.
_ALL_UP_TO, _DRAWN = 250_000, 50_000
_PLACED = 8192  # at once
# With fewer distinct vectors nearly every one is everyone's neighbour, and the graph says nothing.
_FEWEST_FOR_A_GRAPH = 10


@dataclass(frozen=True)
class Projection:
    """A map of N vectors u, with all that is needed to make it again.

    Attributes:
        method: What made it: a name of `METHODS`.
        dimensions: d, 2 or 3.
        seed: Of everything random in it.
        settings: All settings of the method that matter.
        versions: Of the packages that took part.
        coordinates: (N, d) float32, without units; always finite.
        source: `vectors_digest` of the u that it was made of.
        note: What a person should know of it, such as another method than the one asked for.
        variance: (d,) of PCA: the share of u's variance along each axis, in 0-1; else empty.
    """

    method: str
    dimensions: int
    seed: int
    settings: Mapping[str, Any]
    versions: Mapping[str, str]
    coordinates: NDArray[np.float32]
    source: str
    note: str = ""
    variance: tuple[float, ...] = ()

    def __len__(self) -> int:
        return len(self.coordinates)

    @property
    def identity(self) -> str:
        """What tells it from other maps of the same vectors."""
        return f"{self.method} {self.dimensions} {self.seed} {dict(self.settings)}"


def fit_projection(
    u: Any,
    method: str = "umap",
    dimensions: int = 2,
    seed: int = 0,
    settings: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Projection:
    """Draw a map of u; the same arguments give the same map tomorrow, on the same machine.

    Too few distinct vectors for a graph of neighbours are drawn by PCA, and the map's note says
    so. UMAP seldom lets other threads run while it computes: a page fits in another process.

    Args:
        u: (N, D) vectors, N at least 1.
        method: "umap" (McInnes, Healy and Melville 2018), "tsne" (van der Maaten 2014: minutes
            for ten thousand images) or "pca".
        dimensions: 2 or 3.
        seed: Of everything random, 0 or more.
        settings: What departs from `DEFAULTS`.
        progress: Called with the share that is done, in 0-1, and what is being done; an exception
            that it raises stops the work and comes out of here.

    Raises:
        AnalysisError: An argument is impossible, or u holds NaN or infinity.
    """
    chosen = _checked(method, dimensions, seed, settings)
    u = checked_vectors(u)
    if not len(u):
        raise AnalysisError("There are no vectors to draw a map of; wanted one at least.")
    made_by, note = _suited(u, method)
    if made_by != method:
        chosen = {}
    chosen, shrunk = _within(len(u), chosen)
    coordinates, variance = _coordinates(u, made_by, dimensions, seed, chosen, progress or _silent)
    if progress is not None:
        progress(1.0, "The map is drawn")
    return Projection(
        made_by,
        dimensions,
        seed,
        {**chosen, **_FIXED[made_by]},
        _versions(made_by),
        coordinates,
        vectors_digest(u),
        note or shrunk,
        variance,
    )


def projection_key(
    u: Any,
    method: str = "umap",
    dimensions: int = 2,
    seed: int = 0,
    settings: Mapping[str, Any] | None = None,
) -> str:
    """A file name for the map that `fit_projection` would draw of these arguments.

    It changes with whatever changes the map: u, the arguments, the versions of the packages. Giving
    a default setting or leaving it out gives the same name.

    Raises:
        AnalysisError: An argument is impossible, or u holds NaN or infinity.
    """
    chosen = _checked(method, dimensions, seed, settings)
    recipe = {
        "revision": _REVISION,
        "u": vectors_digest(checked_vectors(u)),
        "seed": seed,
        "settings": dict(chosen),
        "versions": dict(_versions(method)),
    }
    digest = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()
    return f"{method}-{dimensions}d-{digest[:16]}.npz"


def warm_up() -> None:
    """Compile what UMAP compiles, so that the next map in this process need not wait for it.

    The compiled code is kept on disk where numba finds a folder that it may write (see
    ``NUMBA_CACHE_DIR`` in its manual); later processes then load it within a second.
    """
    u = np.random.default_rng(0).normal(size=(64, 4)).astype(np.float32)
    fit_projection(u, "umap", settings={"n_epochs": 2})


def _coordinates(
    u: NDArray[np.floating],
    method: str,
    dimensions: int,
    seed: int,
    settings: Mapping[str, Any],
    progress: Progress,
) -> tuple[NDArray[np.float32], tuple[float, ...]]:
    """(N, d), and the axes' shares of the variance where the method has them."""
    if method == "pca":
        return pca.fit(u, dimensions)
    module = {"umap": umap_fit, "tsne": tsne_fit}[method]
    # Neither minds the scale, and float32 has no room for the squares of very large numbers.
    scaled = np.asarray(u / max(u.max(), -u.min()), np.float32)
    if len(u) <= _ALL_UP_TO:
        return module.fit(scaled, dimensions, seed, settings, progress), ()
    rows = np.sort(np.random.default_rng(seed).choice(len(u), _DRAWN, replace=False))
    some = scaled[rows]
    drawn = module.fit(some, dimensions, seed, settings, lambda s, words: progress(s / 2, words))
    coordinates = np.empty((len(u), dimensions), np.float32)
    for start in range(0, len(u), _PLACED):
        coordinates[start : start + _PLACED] = place(some, drawn, scaled[start : start + _PLACED])
        progress(0.5 + 0.5 * start / len(u), "Laying the others among them")
    coordinates[rows] = drawn
    return coordinates, ()


def _suited(u: NDArray[np.floating], method: str) -> tuple[str, str]:
    """The method that works for these vectors, and why it is another one."""
    distinct = _distinct(u, _FEWEST_FOR_A_GRAPH)
    if method == "pca":
        return method, ""
    if distinct == _FEWEST_FOR_A_GRAPH:
        return method, "" if len(u) <= _ALL_UP_TO else (
            f"{_TITLES[method]} of {_DRAWN:,} of the {len(u):,} vectors; each other one lies "
            "among its nearest of them."
        )
    return "pca", (
        f"{_TITLES[method]} needs {_FEWEST_FOR_A_GRAPH} different vectors at least and there "
        f"{'is' if distinct == 1 else 'are'} {distinct}: this map was drawn by PCA."
    )


def _within(count: int, settings: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Settings that so many vectors allow, and what had to change."""
    largest = {"n_neighbors": count - 1, "perplexity": (count - 1) / 3}
    changed = {
        name: most for name, most in largest.items() if name in settings and settings[name] > most
    }
    words = [f"{name} is {value:.4g}, not {settings[name]}" for name, value in changed.items()]
    note = f"There are {count} vectors, so {', '.join(words)}." if words else ""
    return {**settings, **changed}, note


def _checked(
    method: str, dimensions: int, seed: int, settings: Mapping[str, Any] | None
) -> dict[str, Any]:
    """All settings of the method, the given ones over the defaults."""
    if method not in DEFAULTS:
        raise AnalysisError(f"No map can be drawn by '{method}'. Methods: {', '.join(METHODS)}.")
    if dimensions not in (2, 3) or not 0 <= seed < 2**32:
        raise AnalysisError(
            f"A map of {dimensions} dimensions with seed {seed} was asked for; wanted 2 or 3 "
            "dimensions and a seed from 0 to 4294967295."
        )
    given, defaults = dict(settings or {}), DEFAULTS[method]
    if unknown := set(given) - set(defaults):
        raise AnalysisError(
            f"A map by '{method}' has no setting {', '.join(sorted(unknown))}. Its settings: "
            f"{', '.join(defaults) or 'none'}."
        )
    return {
        name: default if given.get(name) is None else _within_limits(name, given[name])
        for name, default in defaults.items()
    }


def _within_limits(name: str, value: Any) -> Any:
    kind, low, high = _LIMITS[name]
    number = not isinstance(value, bool) and isinstance(value, int | float | np.number)
    if not number or kind(value) != value or not low <= value <= high:
        raise AnalysisError(
            f"The setting {name} is {value!r}; wanted "
            f"{'a whole number' if kind is int else 'a number'} from {low} to {high}."
        )
    return kind(value)


def _versions(method: str) -> Mapping[str, str]:
    return {name: version(name) for name in _PACKAGES[method]}


def _distinct(u: NDArray[np.floating], enough: int) -> int:
    """How many different rows there are, counted no further than `enough`."""
    seen = set()
    for row in u:
        seen.add(row.tobytes())
        if len(seen) == enough:
            break
    return len(seen)


def _silent(share: float, words: str) -> None:
    """Nobody watches."""
