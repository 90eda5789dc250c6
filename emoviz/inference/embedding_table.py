"""The table of embeddings: what a checkpoint makes of a set of images, one row an image."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emoviz.checkpoints import Checkpoint
from emoviz.errors import TableError
from emoviz.inference.cache import fingerprint
from emoviz.inference.text_column import coded, taken
from emoviz.labels import Taxonomy

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Origin:
    """Where a table came from.

    Attributes:
        checkpoint: Id of the checkpoint.
        weights_sha256: Of its weights, as its card gives it.
        fingerprint: Of all that decides over the numbers (`emoviz.inference.cache.fingerprint`).
        collection: Absolute path of the folder, ZIP, table or image.
        title: The collection, for people.
        root: Folder that the table's paths are relative to.
        created: When the table was written, ISO 8601 in UTC.
        version: Of emoviz.
    """

    checkpoint: str
    weights_sha256: str
    fingerprint: str
    collection: str
    title: str
    root: str
    created: str
    version: str


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
        label_names: (N) labels as text, also those outside every taxonomy; "" where there is
            none. Empty where the labels are known by their index alone.
        label_taxonomy: Of the labels; None where no taxonomy holds them all.
        metadata: What else is known of the images, such as their artists: column -> (N) texts.
        origin: Where the table came from; None for one that was never stored.
    """

    taxonomy: Taxonomy
    paths: Sequence[str]
    sha256: Sequence[str]
    embedding: NDArray[np.float32]
    probabilities: NDArray[np.float64]
    novelty: NDArray[np.float64]
    labels: NDArray[np.int64]
    refused: tuple[tuple[str, str], ...] = ()
    label_names: Sequence[str] = ()
    label_taxonomy: Taxonomy | None = None
    metadata: Mapping[str, Sequence[str]] = field(default_factory=dict)
    origin: Origin | None = None

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def named_labels(self) -> tuple[NDArray[np.int64], tuple[str, ...]]:
        """(N,) index of each label, -1 where there is none, and the names that it counts.

        Names of the labels' taxonomy, or the texts themselves, sorted, where no taxonomy holds
        them all.
        """
        if self.label_taxonomy is not None or not self.label_names:
            names = self.label_taxonomy.names if self.label_taxonomy is not None else ()
            return self.labels, names
        codes, different = coded(self.label_names)
        names = tuple(sorted(set(different) - {""}))
        place = {name: i for i, name in enumerate(names)}
        return np.array([place.get(text, -1) for text in different], np.int64)[codes], names

    @property
    def predicted(self) -> NDArray[np.int64]:
        """(N,) the most probable class."""
        return np.asarray(self.probabilities.argmax(axis=1))

    @property
    def second(self) -> NDArray[np.int64]:
        """(N,) the second most probable class; the only one where there is one."""
        order = np.argsort(-self.probabilities, axis=1, kind="stable")
        return np.asarray(order[:, min(1, order.shape[1] - 1)])

    def take(self, rows: NDArray[np.int64]) -> "EmbeddingTable":
        """The table of some rows (K,), in that order."""

        return replace(
            self,
            paths=taken(self.paths, rows),
            sha256=taken(self.sha256, rows),
            embedding=self.embedding[rows],
            probabilities=self.probabilities[rows],
            novelty=self.novelty[rows],
            labels=self.labels[rows],
            label_names=taken(self.label_names, rows),
            metadata={name: taken(column, rows) for name, column in self.metadata.items()},
        )

    def file(self, row: int) -> Path | None:
        """The file behind a row, where it is still there; an image inside a ZIP has none."""
        path = Path(self.origin.root if self.origin else "", self.paths[row])
        try:
            return path if path.is_file() else None
        except (OSError, ValueError):  # a name that no file can have
            return None

    def check_made_by(self, checkpoint: Checkpoint) -> None:
        """Raise `TableError` unless the table holds the answers of this very checkpoint."""
        card, origin = checkpoint.card, self.origin
        if origin is None or origin.fingerprint == fingerprint(checkpoint):
            return
        same = origin.weights_sha256 == card.weights_sha256
        what = "the same weights with another card" if same else "other weights"
        raise TableError(
            f"The table of '{origin.title}' holds answers of checkpoint '{origin.checkpoint}' "
            f"({what}), not of '{card.id}' as it is now. Make one: python -m emoviz embed "
            f"'{origin.collection}' --checkpoint {card.id}"
        )
