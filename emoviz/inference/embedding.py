"""A collection through a checkpoint: only images that it has not seen pass the network.

What is computed is kept batch by batch (`emoviz.inference.cache`), so a run that was cancelled or
killed goes on where it was. The table is read back from there in parts: memory holds the names
and labels of the collection, and one part.
"""

import hashlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

import numpy as np
from numpy.typing import NDArray

from emoviz import __version__
from emoviz.checkpoints import Checkpoint
from emoviz.data.dataset import Dataset
from emoviz.data.images import Limits, own_fault
from emoviz.data.parts import Part, PartRows, PartWork, Refused, of_part, whole_of
from emoviz.data.sources import ImageSource, from_bytes, refusal
from emoviz.errors import ImageError
from emoviz.inference.cache import (
    THUMBNAIL_SIDE,
    CachedEmbedding,
    EmbeddingCache,
    KnownFiles,
    Stamp,
    Thumbnails,
    fingerprint,
    keep_cost,
    stamp,
)
from emoviz.inference.embedding_table import EmbeddingTable, Origin, Progress
from emoviz.inference.leaks import keep_frequencies
from emoviz.inference.predict import Model, Prediction, load_model, predict
from emoviz.inference.stored import record_batches
from emoviz.settings import Settings

_PART = 4096  # rows of the table that are in memory at once
_LOOKED_UP = 512  # images whose hashes are looked up together


@dataclass(frozen=True)
class Embedded:
    """A collection whose embeddings are all in the cache.

    Attributes:
        collection: What was embedded.
        checkpoint: By what.
        hashes: (N) SHA-256 of each image; "" where it was refused.
        refused: What could not be used: (name, reason).
        new: Images that passed the network now.
        seconds: That this took.
    """

    collection: Dataset
    checkpoint: Checkpoint
    hashes: tuple[str, ...]
    refused: tuple[tuple[str, str], ...]
    new: int
    seconds: float

    def __len__(self) -> int:
        return sum(map(bool, self.hashes))

    @property
    def kept(self) -> list[int]:
        """Places in the collection of the images that have a row."""
        return [i for i, sha256 in enumerate(self.hashes) if sha256]

    @property
    def origin(self) -> Origin:
        """What a table made of it says of itself, as of now."""
        card = self.checkpoint.card
        return Origin(
            checkpoint=card.id,
            weights_sha256=card.weights_sha256,
            fingerprint=fingerprint(self.checkpoint),
            collection=self.collection.identity,
            title=self.collection.name,
            root=str(self.collection.root),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            version=__version__,
        )

    def parts(self, settings: Settings, rows: int = _PART) -> Iterator[EmbeddingTable]:
        """The table, so many rows at a time; at least one part, that may be empty."""
        origin = self.origin
        kept = self.kept
        with EmbeddingCache(settings, self.checkpoint) as cache:
            for start in range(0, max(len(kept), 1), rows):
                yield self._part(kept[start : start + rows], cache, origin)

    def _part(self, index: list[int], cache: EmbeddingCache, origin: Origin) -> EmbeddingTable:
        card, collection = self.checkpoint.card, self.collection
        known = cache.get_many(self.hashes[i] for i in index)
        rows = [known[self.hashes[i]] for i in index]
        novelty = [np.nan if row.novelty is None else row.novelty for row in rows]
        return EmbeddingTable(
            taxonomy=card.taxonomy,
            paths=tuple(collection.names[i] for i in index),
            sha256=tuple(self.hashes[i] for i in index),
            embedding=np.array([row.embedding for row in rows], np.float32).reshape(-1, card.width),
            probabilities=np.array([row.probabilities for row in rows], np.float64).reshape(
                -1, len(card.taxonomy)
            ),
            novelty=np.array(novelty, np.float64),
            labels=collection.label_indices[index],
            refused=self.refused,
            label_names=tuple(collection.labels[i] for i in index),
            label_taxonomy=collection.taxonomy if len(collection.taxonomy) else None,
            metadata={
                name: tuple(column[i] for i in index)
                for name, column in collection.metadata.items()
            },
            origin=origin,
        )


def embed_collection(
    model: Model,
    collection: Dataset,
    settings: Settings,
    progress: Progress | None = None,
    batch: int = 32,
    part: Part | None = None,
) -> Embedded:
    """Pass each image of a collection that the checkpoint has not seen through the network.

    Args:
        model: From `load_model`.
        collection: From `open_dataset`.
        settings: Where the cache is, and what is refused.
        progress: Called with (done, all); from one thread at a time, but not always the same.
        batch: Images that the network sees at once, and that a killed process may lose.
        part: The images of that part alone; all where it is left out. Its numbers hang on no other
            image of their batch.

    Returns:
        The hashes of the images and what was refused; the numbers are in the cache.

    Raises:
        TableError: The cache cannot be read or written.
    """
    run = _Run(model, collection, settings, progress or (lambda done, total: None), part)
    return run.finished(batch)


def embedding_work(
    checkpoint: Checkpoint,
    collection: Dataset,
    settings: Settings,
    progress: Progress | None = None,
    batch: int = 32,
) -> PartWork:
    """Embedding a collection as work in parts; the network is loaded with the first part."""
    model = cache(lambda: load_model(checkpoint, settings))

    def rows(part: Part) -> PartRows:
        found = embed_collection(model(), collection, settings, progress, batch, part)
        schema, batches = record_batches(found.parts(settings))
        return PartRows(found.kept, schema, batches, refused_in(found, part))

    return PartWork(whole_of("embed", collection, fingerprint(checkpoint)), rows)


def refused_in(found: Embedded, part: Part) -> list[Refused]:
    """What of a part has no row, with its place in the whole."""
    names, reasons = found.collection.names, dict(found.refused)
    index, problems = of_part(found.collection, part)
    return [
        Refused(i, names[i], reasons[names[i]]) for i in index if not found.hashes[i]
    ] + problems


class _Run:
    """One pass over a collection: a thread looks up, reads and decodes, another computes."""

    def __init__(
        self,
        model: Model,
        collection: Dataset,
        settings: Settings,
        progress: Progress,
        part: Part | None,
    ) -> None:
        self._model, self._collection, self._settings = model, collection, settings
        self._progress, self._lock, self._done = progress, threading.Lock(), 0
        self._limits = Limits.of(settings)
        self._hashes = [""] * len(collection)
        self._wanted: Sequence[int] = range(len(collection))
        self._fill = part is not None
        self._refused = list[tuple[str, str]](collection.problems)
        if part is not None:
            self._wanted, problems = of_part(collection, part)
            self._refused = [(problem.key, problem.reason) for problem in problems]
        self._asked: deque[int] = deque()  # images that are on their way through the network

    def finished(self, batch: int) -> Embedded:
        began, new = time.monotonic(), 0
        waiting: list[Prediction] = []
        with (
            EmbeddingCache(self._settings, self._model.checkpoint) as cache,
            Thumbnails(self._settings) as thumbnails,
        ):
            results = predict(
                self._model, self._unseen(), self._limits, batch, THUMBNAIL_SIDE, fill=self._fill
            )
            try:
                for prediction in filter(self._accepted, results):
                    waiting.append(prediction)
                    new += 1
                    if len(waiting) == batch:
                        _keep(waiting, cache, thumbnails, self._settings)
                        waiting.clear()
            finally:  # also when stopped: what was computed is kept
                _keep(waiting, cache, thumbnails, self._settings)
        seconds = time.monotonic() - began
        checkpoint, hashes = self._model.checkpoint, tuple(self._hashes)
        if 2 * new > len(self._wanted):  # else looking up the others is most of it
            keep_cost(self._settings, checkpoint, seconds, new)
        refused = tuple(self._refused)
        return Embedded(self._collection, checkpoint, hashes, refused, new, seconds)

    def _unseen(self) -> Iterator[ImageSource]:
        """Images that the checkpoint has not seen, in order; runs in the thread that decodes."""
        with (
            KnownFiles(self._settings) as files,
            EmbeddingCache(self._settings, self._model.checkpoint) as cache,
            Thumbnails(self._settings) as thumbnails,
        ):

            def seen(hashes: Iterable[str]) -> set[str]:
                return thumbnails.known(cache.known(hashes))

            for start in range(0, len(self._wanted), _LOOKED_UP):
                yield from self._unseen_of(self._wanted[start : start + _LOOKED_UP], files, seen)

    def _unseen_of(
        self, wanted: Sequence[int], files: KnownFiles, seen: Callable[[Iterable[str]], set[str]]
    ) -> Iterator[ImageSource]:
        stamps = {i: stamp(*self._collection.place(i)) for i in wanted}
        remembered = files.get_many(mark for mark in stamps.values() if mark is not None)
        ready = seen(remembered.values())
        read: dict[Stamp, str] = {}
        for i, mark in stamps.items():
            if mark is not None and remembered.get(mark) in ready:
                self._note(i, remembered[mark])
                continue
            source, sha256 = self._read(i)
            if mark is not None and sha256:
                read[mark] = sha256
            if sha256 and seen([sha256]):  # a copy of an image under another name
                self._note(i, sha256)
                continue
            self._asked.append(i)
            yield source
        files.put(read)

    def _read(self, index: int) -> tuple[ImageSource, str]:
        """The image in memory and its SHA-256, or the reason why it cannot be read and ""."""
        name = self._collection.names[index]
        try:
            with own_fault("it cannot be read"):
                data = self._collection.records[index].read(self._limits)
        except ImageError as error:
            return refusal(name, str(error)), ""
        return from_bytes(name, data), hashlib.sha256(data).hexdigest()

    def _accepted(self, prediction: Prediction) -> bool:
        """Note what became of the image that was asked for first."""
        index, reason = self._asked.popleft(), prediction.error
        if reason is None and not np.isfinite(_numbers(prediction)).all():
            reason = "the network's answer is not a number"
        if reason is not None:
            self._refused.append((prediction.path, reason))
        self._note(index, prediction.sha256 if reason is None else "")
        return reason is None

    def _note(self, index: int, sha256: str) -> None:
        with self._lock:
            self._hashes[index] = sha256
            self._done += 1
            self._progress(self._done, len(self._wanted))


def _keep(
    predictions: Sequence[Prediction],
    cache: EmbeddingCache,
    thumbnails: Thumbnails,
    settings: Settings,
) -> None:
    """Thumbnails first: an image counts as seen once its embedding is there too."""
    jpegs = {p.sha256: p.thumbnail for p in predictions if p.thumbnail is not None}
    thumbnails.put(jpegs)
    keep_frequencies(jpegs, settings)
    cache.put(
        {
            p.sha256: CachedEmbedding(
                np.asarray(p.embedding, np.float32),
                np.array(list(p.probabilities.values()), np.float64),
                p.novelty,
            )
            for p in predictions
        }
    )


def _numbers(prediction: Prediction) -> NDArray[np.float64]:
    """u and the probabilities of an image in one row."""
    assert prediction.embedding is not None
    return np.array([*prediction.embedding, *prediction.probabilities.values()], np.float64)
