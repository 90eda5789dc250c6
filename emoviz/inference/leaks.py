"""Measured images that a network was trained on, known by their bytes whatever they are called.

A copy that was saved anew has other bytes and is not seen here: filters know perceptual hashes too,
tables of embeddings do not.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from emoviz.checkpoints import Checkpoint, seen_in_training


def seen_rows(members: Sequence[Checkpoint], sha256: Sequence[str]) -> NDArray[np.bool_] | None:
    """(N,) whether any of the members has seen each file; None where none of them can say."""
    told = [found for m in members if (found := seen_in_training(m, sha256)) is not None]
    return np.logical_or.reduce(told) if told else None
