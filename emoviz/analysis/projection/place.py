"""New images on a map that is already drawn."""

from typing import Any

import numpy as np

from emoviz.analysis.arrays import Floats
from emoviz.analysis.neighbours import nearest
from emoviz.errors import AnalysisError


def place(u: Any, coordinates: Any, new: Any, neighbours: int = 15) -> Floats:
    """Where new vectors belong on a map: the mean of their nearest neighbours' places.

    The weights are the reciprocals of the distances in u, so a vector that the map already holds
    lands on its own point (of several equal ones, on the first). One that lies between two islands
    lands in the empty space between them; its neighbours say where it belongs.

    Args:
        u: (N, D) vectors that the map was made of.
        coordinates: (N, d) their places.
        new: (M, D), or (D,) for one.
        neighbours: How many take part.

    Returns:
        (M, d) places.

    Raises:
        AnalysisError: The arrays do not fit each other.
    """
    coordinates = np.asarray(coordinates, np.float64)
    if len(coordinates) != len(u):
        raise AnalysisError(
            f"The map has {len(coordinates)} places and there are {len(u)} vectors; wanted the "
            "vectors that the map was made of. Make the map again."
        )
    found = nearest(u, new, neighbours)
    first, distances = found.distances[:, :1], found.distances
    weights = np.divide(first, distances, out=np.zeros_like(distances), where=first > 0)
    weights[first[:, 0] == 0, 0] = 1.0
    weights /= weights.sum(axis=1, keepdims=True)
    return np.asarray(np.einsum("mk,mkd->md", weights, coordinates[found.indices]))
