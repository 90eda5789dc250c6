"""Where a checkpoint has its classes in the space of u: learned centers, or what to average."""

import contextlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emoviz.checkpoints import Checkpoint, load_centers
from emoviz.errors import TaxonomyError
from emoviz.inference.embedding_table import EmbeddingTable
from emoviz.labels import bridge_between


@dataclass(frozen=True)
class LearnedCenters:
    """The class centers that the contrastive-center loss learned.

    Attributes:
        classes: (C) names.
        centers: (C, D) in the space of u.
        margin: m, below which the loss pushed two centers apart; None where the card does not say.
    """

    classes: tuple[str, ...]
    centers: NDArray[np.float32]
    margin: float | None


def learned_centers(checkpoint: Checkpoint) -> LearnedCenters | None:
    """A checkpoint's learned centers; None where it was trained without the loss.

    Raises:
        CheckpointError: The weights were changed after the card was written.
    """
    centers = load_centers(checkpoint)
    if centers is None:
        return None
    loss = checkpoint.card.recipe.get("loss", {})
    margin = loss.get("margin") if isinstance(loss, dict) else None
    names = checkpoint.card.taxonomy.names
    return LearnedCenters(names, centers, None if margin is None else float(margin))


def classes_of_images(table: EmbeddingTable) -> tuple[NDArray[np.int64], bool]:
    """To which of the model's classes each image belongs, for class means.

    Returns:
        (N,) class index, -1 for none; and whether it comes from labels. Where no label may be
        called a single class of the model, the model's own answers are taken.
    """
    if table.label_taxonomy is not None:
        with contextlib.suppress(TaxonomyError):  # no bridge joins the two
            bridge = bridge_between(table.taxonomy, table.label_taxonomy)
            found = np.where(table.labels >= 0, bridge.single[np.maximum(table.labels, 0)], -1)
            if (found >= 0).any():
                return found, True
    return np.asarray(table.predicted, np.int64), False
