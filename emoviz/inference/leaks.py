"""Measured images that a network was trained on, known by content whatever they are called."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from emoviz.checkpoints import Checkpoint, seen_in_training


def seen_rows(members: Sequence[Checkpoint], sha256: Sequence[str]) -> NDArray[np.bool_] | None:
    """(N,) whether any of the members has seen each file; None where none of them can say."""
    told = [found for m in members if (found := seen_in_training(m, sha256)) is not None]
    return np.logical_or.reduce(told) if told else None
