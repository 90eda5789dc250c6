"""Images to predictions, in the order given; a file that cannot be read costs only itself.

Reading and decoding run one batch ahead in a thread of their own while the network works.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from emoviz.checkpoints import Card, Checkpoint, load_novelty
from emoviz.data.images import Limits, OpenedImage, open_image, own_fault, thumbnail
from emoviz.data.sources import ImageSource
from emoviz.errors import CheckpointError, ImageError
from emoviz.inference.engines import Array, Engine, Kind, RawOutput, TorchEngine, open_engine
from emoviz.inference.prefetch import ahead, in_groups
from emoviz.labels import Sentiment, Taxonomy, sentiment_shares, sentiments, top2_opposite
from emoviz.models.novelty import Novelty
from emoviz.settings import Settings

Probabilities = NDArray[np.float64]
_NO_PIXELS = Image.new("RGB", (1, 1))  # in the place of those that the network has already


@dataclass(frozen=True)
class Model:
    """A checkpoint that is ready to run."""

    checkpoint: Checkpoint
    engine: Engine
    novelty: Novelty | None

    @property
    def taxonomy(self) -> Taxonomy:
        """The classes that it tells apart."""
        return self.checkpoint.card.taxonomy


@dataclass(frozen=True)
class Dimension:
    """An output beside the classes.

    Attributes:
        value: On its scale (`emoviz.models.network.DIMENSIONS`).
        low: Lower end of the interval that held nine in ten held-out images.
        high: Its upper end.
    """

    value: float
    low: float
    high: float


# From where on viewers are said to be likely to differ. Of held-out photographs of Emotion6, those
# above it had votes of .68 of the largest possible entropy, the others of .61 (docs/LOG.md).
DIVIDED = 0.6


@dataclass(frozen=True)
class Prediction:
    """The model's estimate of the emotion that one image evokes, or why there is none.

    Attributes:
        path: The image's name as it was given.
        sha256: Of the file's bytes; empty where they could not be read.
        probabilities: Calibrated probability of each class, adding up to 1; empty on error.
        predicted: The class with the highest probability.
        sentiment: The sentiment with the higher sum of probabilities; None where classes
            without a sentiment hold more, or on error.
        sentiment_shares: Probability of positive, negative and no sentiment together.
        top2_opposite: Whether the two most probable classes have opposite sentiments.
        unlike_training: Whether the image is farther from the training images than the
            checkpoint's threshold (see its card).
        novelty: That distance, in units of the threshold (above 1: unlike the training data).
        valence: Unpleasant (-1) to pleasant (1), of networks that estimate it, with its interval.
        arousal: Calm (-1) to excited (1), likewise.
        division: How divided viewers are likely to be: 0 of one mind, 1 votes spread evenly.
        kind: The kind of image that the estimate was made for, as the network sees it or as the
            person said; None of networks that know none.
        kinds: Probability of each kind, as the network sees it.
        not_sure: Whether the model had better not answer: its likeliest class is below the
            threshold that was set for the checkpoint; None where none was set
            (`emoviz.inference.abstention`).
        error: Why the image could not be read; None where it could.
        notes: What was done to the image on the way in, such as "first of several frames".
        size: (width, height) in pixels.
        embedding: (D,) u.
        thumbnail: JPEG bytes, where they were asked for.
    """

    path: str
    sha256: str = ""
    probabilities: dict[str, float] = field(default_factory=dict)
    predicted: str | None = None
    sentiment: Sentiment | None = None
    sentiment_shares: dict[str, float] = field(default_factory=dict)
    top2_opposite: bool = False
    unlike_training: bool = False
    novelty: float | None = None
    valence: "Dimension | None" = None
    arousal: "Dimension | None" = None
    division: "Dimension | None" = None
    kind: str | None = None
    kinds: dict[str, float] = field(default_factory=dict)
    not_sure: bool | None = None
    error: str | None = None
    notes: tuple[str, ...] = ()
    size: tuple[int, int] = (0, 0)
    embedding: NDArray[np.float32] | None = field(default=None, repr=False, compare=False)
    thumbnail: bytes | None = field(default=None, repr=False, compare=False)

    @property
    def viewers_differ(self) -> bool | None:
        """Whether viewers are likely to differ; None where the network does not estimate it."""
        return None if self.division is None else self.division.value >= DIVIDED

    @property
    def ranked(self) -> list[tuple[str, float]]:
        """Classes with their probabilities, most probable first."""
        return sorted(self.probabilities.items(), key=lambda item: -item[1])

    def to_dict(self) -> dict[str, Any]:
        """The command line's contract.

        ``not_sure`` only where a threshold was set; ``valence`` and the like only of networks that
        estimate them.
        """
        abstains = {} if self.not_sure is None else {"not_sure": self.not_sure}
        return {
            "path": self.path,
            "sha256": self.sha256,
            "predicted": self.predicted,
            "sentiment": self.sentiment,
            "probabilities": {name: round(p, 6) for name, p in self.probabilities.items()},
            "top2_opposite": self.top2_opposite,
            "unlike_training": self.unlike_training,
            **self._beside(),
            **abstains,
            "error": self.error,
        }

    def _beside(self) -> dict[str, Any]:
        told: dict[str, Any] = {}
        for name in ("valence", "arousal", "division"):
            given = getattr(self, name)
            if given is not None:
                told[name] = round(given.value, 4)
                told[f"{name}_interval"] = [round(given.low, 4), round(given.high, 4)]
        if self.division is not None:
            told["viewers_differ"] = self.viewers_differ
        if self.kind is not None:
            told["kind"] = self.kind
            told["kinds"] = {name: round(p, 4) for name, p in self.kinds.items()}
        return told


@dataclass(frozen=True)
class _Decoded:
    """One image on its way to the network."""

    source: ImageSource
    opened: OpenedImage | None = None
    array: NDArray[np.uint8] | None = None
    thumbnail: bytes | None = None
    error: str | None = None
    sha256: str = ""


def load_model(checkpoint: Checkpoint, settings: Settings, kind: Kind = "auto") -> Model:
    """Make a checkpoint ready to run on this machine."""
    return Model(checkpoint, open_engine(checkpoint, settings, kind), load_novelty(checkpoint))


def predict(
    model: Model,
    sources: Iterable[ImageSource],
    limits: Limits | None = None,
    batch: int = 32,
    thumbnail_side: int | None = None,
    kind: str | None = None,
    fill: bool = False,
) -> Iterator[Prediction]:
    """Predict image after image.

    Args:
        model: From `load_model`.
        sources: Read one batch ahead of the network, so any number costs the same memory.
        limits: What is refused.
        batch: Images that the network sees at once.
        thumbnail_side: Also make a JPEG with this long side, in pixels.
        kind: What kind of image all are, where a person knows better than the network; u stays
            that of the network's own kinds.
        fill: Fill short batches up in PyTorch, whose last digits hang on a batch's size, so that an
            image has the same numbers whichever others stand beside it.

    Yields:
        One prediction for each source, in order, errors included.

    Raises:
        ValueError: `batch` is below 1.
        CheckpointError: The network does not know that kind of image.
    """
    if batch < 1:
        raise ValueError(f"batch is {batch}; it must be at least 1.")
    card = model.checkpoint.card
    if kind is not None and kind not in card.kinds:
        raise CheckpointError(
            f"Checkpoint '{card.id}' knows no kind of image '{kind}'; it tells apart: "
            f"{', '.join(card.kinds) or 'none'}."
        )
    limits = limits or Limits()
    decoded = (_decode(model, source, limits, thumbnail_side) for source in sources)
    least = batch if fill and isinstance(model.engine, TorchEngine) else 1
    for group in ahead(in_groups(decoded, batch)):
        yield from _predict_group(model, group, kind, least)


def softmax(
    logits: NDArray[np.floating], temperature: float | NDArray[np.float64]
) -> Probabilities:
    """(N, C) probabilities of (N, C) logits divided by the temperature, or by (N, 1) of them."""
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    exponent = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(exponent / exponent.sum(axis=1, keepdims=True))


def filled(images: Sequence[NDArray[np.uint8]], least: int) -> NDArray[np.uint8]:
    """(N, H, W, 3) a batch of at least so many; the first image stands in for those missing."""
    return np.stack([*images, *[images[0]] * (least - len(images))])


def _decode(
    model: Model, source: ImageSource, limits: Limits, thumbnail_side: int | None
) -> _Decoded:
    preprocessing = model.checkpoint.card.preprocessing
    digest = ""
    try:
        data = source.read()
        with own_fault("it cannot be made ready for the network"):
            digest = hashlib.sha256(data).hexdigest()
            opened = open_image(data, limits, preprocessing.short_side)
            array = preprocessing.to_array(opened.pixels)
            small = thumbnail(opened.pixels, thumbnail_side) if thumbnail_side else None
    except (ImageError, MemoryError) as error:
        reason = str(error) or "there is not enough memory for it"
        return _Decoded(source, error=reason, sha256=digest)
    return _Decoded(source, replace(opened, pixels=_NO_PIXELS), array, small)


def _predict_group(
    model: Model, group: Sequence[_Decoded], kind: str | None, least: int
) -> Iterator[Prediction]:
    arrays = [item.array for item in group if item.array is not None]
    if not arrays:
        yield from (_refused(item) for item in group)
        return
    raw = model.engine.run(filled(arrays, least))
    rows = iter(_predictions(model, [item for item in group if item.array is not None], raw, kind))
    for item in group:
        yield _refused(item) if item.array is None else next(rows)


def _refused(item: _Decoded) -> Prediction:
    return Prediction(path=item.source.name, sha256=item.sha256, error=item.error)


def _predictions(
    model: Model, items: Sequence[_Decoded], raw: RawOutput, kind: str | None
) -> list[Prediction]:
    card, taxonomy = model.checkpoint.card, model.taxonomy
    logits, beside = _for_kind(card, raw, kind)
    probabilities = softmax(logits, card.temperature)
    shares = sentiment_shares(taxonomy, probabilities)
    feeling = sentiments(taxonomy, probabilities)
    opposite = top2_opposite(taxonomy, probabilities)
    distance = distances(model, raw)
    names = taxonomy.names
    out = []
    for i, item in enumerate(items):
        assert item.opened is not None
        out.append(
            Prediction(
                path=item.source.name,
                sha256=item.opened.sha256,
                probabilities=dict(zip(names, probabilities[i].tolist(), strict=True)),
                predicted=names[int(probabilities[i].argmax())],
                sentiment=feeling[i],
                sentiment_shares=dict(
                    zip(("positive", "negative", "none"), shares[i].tolist(), strict=True)
                ),
                top2_opposite=bool(opposite[i]),
                unlike_training=distance is not None and bool(distance[i] > 1.0),
                novelty=None if distance is None else float(distance[i]),
                **_beside(card, raw, beside, i, kind),
                notes=item.opened.notes,
                size=item.opened.size,
                embedding=raw.embedding[i],
                thumbnail=item.thumbnail,
            )
        )
    return out


def distances(model: Model, raw: RawOutput) -> Probabilities | None:
    """(N,) from the training images, in units of the threshold; None without the statistic.

    Raises:
        CheckpointError: The statistic does not fit the network, or gives no finite numbers.
    """
    if model.novelty is None:
        return None
    try:
        with np.errstate(all="ignore"):  # of numbers that are made to overflow
            found = model.novelty.distance(raw.energy, raw.pooled)
    except ValueError:  # of arrays of other lengths
        raise CheckpointError(
            f"The novelty statistic of network '{model.checkpoint.card.id}' does not fit its "
            "network."
        ) from None
    if not np.isfinite(found).all():
        raise CheckpointError(
            f"The novelty statistic of network '{model.checkpoint.card.id}' gives "
            "distances that are no finite numbers: it is damaged, or was made to mislead."
        )
    return found


def _for_kind(card: Card, raw: RawOutput, kind: str | None) -> tuple[Array, Array]:
    """Logits (N, C) and dimensions (N, A), as they are or for a kind that a person named."""
    if kind is None:
        return raw.logits, raw.dimensions
    count = len(raw.logits)
    chosen = raw.by_kind.reshape(count, len(card.kinds), -1)[:, card.kinds.index(kind)]
    return chosen[:, : raw.logits.shape[1]], chosen[:, raw.logits.shape[1] :]


def _beside(card: Card, raw: RawOutput, values: Array, i: int, kind: str | None) -> dict[str, Any]:
    """The fields of a `Prediction` beside the classes, of image `i`."""
    told: dict[str, Any] = {}
    if card.kinds:
        shares = raw.kinds[i].tolist()
        told["kinds"] = dict(zip(card.kinds, shares, strict=True))
        told["kind"] = kind or card.kinds[int(raw.kinds[i].argmax())]
    for number, name in enumerate(card.outputs_beside):
        entry = card.dimensions.get(name, {})
        low = 0.0 if name == "division" else -1.0
        value = min(1.0, max(low, float(values[i, number])))
        half = entry.get("half_width_by_kind", {}).get(told.get("kind"), entry.get("half_width", 2))
        told[name] = Dimension(value, max(low, value - half), min(1.0, value + half))
    return told
