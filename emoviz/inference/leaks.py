"""Measured images that a network was trained on, known by content whatever they are called."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emoviz.checkpoints import Checkpoint, seen_in_training
from emoviz.inference.embedding_table import EmbeddingTable


@dataclass(frozen=True)
class Leak:
    """How many of the measured images were in the training, and the accuracy without them.

    Attributes:
        seen: Images whose file was in the training of a member.
        of: Images that are measured.
        accuracy: On all of them; None without any.
        accuracy_without: On those that were not seen; None where all were.
    """

    seen: int
    of: int
    accuracy: float | None
    accuracy_without: float | None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def leak_of(
    members: Sequence[Checkpoint],
    table: EmbeddingTable,
    rows: NDArray[np.int64],
    right: NDArray[np.bool_],
) -> Leak | None:
    """What of the measured images a model's members have learned from.

    By the files' SHA-256: the table has no perceptual hashes.

    Args:
        members: Checkpoints; none of another program's predictions.
        table: Of all images.
        rows: (n,) those that are measured.
        right: (n,) whether the answer to each is the label.

    Returns:
        None where no member says what it was trained on.
    """
    seen = seen_rows(members, [table.sha256[i] for i in rows])
    if seen is None:
        return None
    without = right[~seen]
    return Leak(
        int(seen.sum()),
        len(right),
        float(right.mean()) if len(right) else None,
        float(without.mean()) if len(without) else None,
    )


def seen_rows(members: Sequence[Checkpoint], sha256: Sequence[str]) -> NDArray[np.bool_] | None:
    """(N,) whether any of the members has seen each file; None where none of them can say."""
    told = [found for m in members if (found := seen_in_training(m, sha256)) is not None]
    return np.logical_or.reduce(told) if told else None
