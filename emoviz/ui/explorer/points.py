"""What lies on a map: one checkpoint's view of a collection, or vectors that a person brought."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emoviz.analysis.alignment import ModelOutputs, judge
from emoviz.errors import TaxonomyError
from emoviz.inference.embedding_table import EmbeddingTable
from emoviz.inference.text_column import taken
from emoviz.inference.vectors import Vectors
from emoviz.labels import Bridge, Taxonomy, bridge_between

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Points:
    """N images (or brought vectors) with all that can colour, name and measure them.

    Attributes:
        title: Whose view it is: a checkpoint's title, or the name of a file.
        names: (N) paths or names.
        sha256: (N) of the images' bytes; empty strings where there are no images.
        vectors: (N, D) u.
        labels: (N,) index among `label_names`, -1 where there is none.
        label_names: What people called the images.
        columns: Metadata, (N) strings each.
        taxonomy: Of the probabilities; None for brought vectors.
        probabilities: (N, C), or None.
        novelty: (N,) above 1: unlike the training images; None where nothing is known.
        label_taxonomy: Where the labels belong to a known one.
        table: What they were read from; None for brought vectors.
    """

    title: str
    names: Sequence[str]
    sha256: Sequence[str]
    vectors: NDArray[np.float32]
    labels: Indices
    label_names: tuple[str, ...] = ()
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    taxonomy: Taxonomy | None = None
    probabilities: NDArray[np.float64] | None = None
    novelty: NDArray[np.float64] | None = None
    label_taxonomy: Taxonomy | None = None
    table: EmbeddingTable | None = None

    def __len__(self) -> int:
        return len(self.names)

    @property
    def noun(self) -> str:
        """What one of them is called: brought vectors have no images."""
        return "vector" if self.taxonomy is None else "image"

    @property
    def has_labels(self) -> bool:
        """Whether any image has a label."""
        return bool((self.labels >= 0).any())

    @cached_property
    def predicted(self) -> Indices | None:
        """(N,) index of the most probable class."""
        if self.probabilities is None:
            return None
        return np.asarray(self.probabilities.argmax(axis=1), np.int64)

    @cached_property
    def bridge(self) -> Bridge | None:
        """From the model's classes to the labels; None where nothing joins them."""
        if self.taxonomy is None or self.label_taxonomy is None:
            return None
        try:
            return bridge_between(self.taxonomy, self.label_taxonomy)
        except TaxonomyError:
            return None

    @cached_property
    def right(self) -> NDArray[np.int8] | None:
        """(N,) 1 where the answer is the label, 0 where not, -1 where they cannot be compared."""
        if self.bridge is None or self.probabilities is None or not self.has_labels:
            return None
        outputs = ModelOutputs(self.title, self.bridge.model, self.probabilities)
        aligned = judge(outputs, self.labels, self.bridge)
        right = np.full(len(self), -1, np.int8)
        right[aligned.rows] = aligned.right
        return right

    @classmethod
    def from_table(cls, table: EmbeddingTable, title: str) -> "Points":
        """A checkpoint's view of a collection; the title is the checkpoint's, for people."""
        labels, names = table.named_labels
        return cls(
            title=title,
            names=table.paths,
            sha256=table.sha256,
            vectors=table.embedding,
            labels=labels,
            label_names=names,
            columns=table.metadata,
            taxonomy=table.taxonomy,
            probabilities=table.probabilities,
            novelty=table.novelty,
            label_taxonomy=table.label_taxonomy,
            table=table,
        )

    @classmethod
    def from_vectors(cls, brought: Vectors) -> "Points":
        """Vectors that a person brought, with their labels where they have some."""
        names = tuple(sorted(set(brought.labels) - {""}))
        place = {name: i for i, name in enumerate(names)}
        labels = [place.get(label, -1) for label in brought.labels] or [-1] * len(brought)
        return cls(
            title=brought.title,
            names=brought.names,
            sha256=("",) * len(brought),
            vectors=brought.values,
            labels=np.array(labels, np.int64),
            label_names=names,
        )

    def original(self, index: int) -> Path | None:
        """The image's own file, where it is still there."""
        return None if self.table is None else self.table.file(index)

    def part(self, kept: Indices) -> "Points":
        """Some of the rows, in the order given."""
        return replace(
            self,
            names=taken(self.names, kept),
            sha256=taken(self.sha256, kept),
            vectors=self.vectors[kept],
            labels=self.labels[kept],
            columns={key: taken(values, kept) for key, values in self.columns.items()},
            probabilities=None if self.probabilities is None else self.probabilities[kept],
            novelty=None if self.novelty is None else self.novelty[kept],
            table=None,
        )
