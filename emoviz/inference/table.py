"""The table of embeddings: what a checkpoint makes of a set of images, one row an image."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from emoviz.data.images import Limits
from emoviz.data.records import Record
from emoviz.data.sources import ImageSource
from emoviz.inference.predict import Model, predict
from emoviz.labels import Taxonomy

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class EmbeddingTable:
    """What everything a person looks at is read from.

    Attributes:
        taxonomy: The model's classes.
        paths: (N) names as the set gives them.
        sha256: (N) of the files' bytes.
        embedding: (N, D) u, float32.
        probabilities: (N, C), calibrated.
        novelty: (N,) distance from the training images in units of the threshold, NaN where the
            checkpoint has none.
        labels: (N,) index in the labels' taxonomy, -1 where there is none.
        refused: Files that could not be read: (name, reason).
    """

    taxonomy: Taxonomy
    paths: tuple[str, ...]
    sha256: tuple[str, ...]
    embedding: NDArray[np.float32]
    probabilities: NDArray[np.float64]
    novelty: NDArray[np.float64]
    labels: NDArray[np.int64]
    refused: tuple[tuple[str, str], ...] = ()

    def __len__(self) -> int:
        return len(self.paths)


def embed(
    model: Model,
    records: Sequence[Record],
    limits: Limits | None = None,
    progress: Progress | None = None,
    batch: int = 32,
) -> EmbeddingTable:
    """Pass each image of a labelled set through the network once.

    Args:
        model: From `load_model`.
        records: The set.
        limits: What is refused.
        progress: Called with (done, all) after each image.
        batch: Images that the network sees at once.
    """
    limits = limits or Limits()
    sources = [ImageSource(record.name, partial(record.read, limits)) for record in records]
    rows, labels, refused = [], [], []
    for done, prediction in enumerate(predict(model, sources, limits, batch), start=1):
        if prediction.error is None:
            rows.append(prediction)
            labels.append(records[done - 1].label)
        else:
            refused.append((prediction.path, prediction.error))
        if progress is not None:
            progress(done, len(records))
    card = model.checkpoint.card
    return EmbeddingTable(
        taxonomy=model.taxonomy,
        paths=tuple(row.path for row in rows),
        sha256=tuple(row.sha256 for row in rows),
        embedding=np.array([row.embedding for row in rows], np.float32).reshape(-1, card.width),
        probabilities=np.array([list(row.probabilities.values()) for row in rows]).reshape(
            -1, len(model.taxonomy)
        ),
        novelty=np.array(
            [np.nan if row.novelty is None else row.novelty for row in rows], np.float64
        ),
        labels=np.array(labels, np.int64),
        refused=tuple(refused),
    )
