"""A network of one's own as a frozen encoder, with a head fitted on labelled images.

What an encoder can be is said in `emoviz.training.encoder_reading`.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from emoviz.checkpoints import Card, Checkpoint, check_id, save_checkpoint
from emoviz.data.dataset import Dataset, Record, assign_splits, relabelled
from emoviz.data.images import Limits, open_image
from emoviz.data.preprocessing import Preprocessing
from emoviz.errors import ImageError, TrainingError, WeightsError
from emoviz.inference.trust import remember
from emoviz.labels import own_taxonomy
from emoviz.models.backbones import Backbone
from emoviz.models.network import EmotionNetwork, NetworkConfig, Normalise
from emoviz.settings import Settings
from emoviz.training.encoder_reading import Encoder, read_encoder
from emoviz.training.finish import versions
from emoviz.training.gram_head import REDUCED, fit_gram_head, gram_stages, reduced, set_reductions
from emoviz.training.linear_probe import fit_probe

Head = Literal["linear", "gram"]
_FEWEST = 2  # images of a class in the training split
_FOR_COMPONENTS = 256  # images whose positions stand for all in the principal components
_BATCH = 32


def fill_backbone(backbone: Backbone, encoder: Encoder) -> str:
    """Give a backbone the weights of an encoder.

    Returns:
        Where they came from, for the card.

    Raises:
        WeightsError: They are of another shape.
    """
    body = backbone.body
    wanted = body.state_dict()
    given = {name: value for name, value in encoder.arrays.items() if name in wanted}
    other = [n for n in wanted if n not in given or given[n].shape != wanted[n].shape]
    if other:
        shapes = f"{tuple(given[other[0]].shape)}" if other[0] in given else "none"
        raise WeightsError(
            f"The weights do not fit {encoder.name}: '{other[0]}' should have the "
            f"shape {tuple(wanted[other[0]].shape)} and has {shapes}. It may be of another image "
            "size or another version."
        )
    body.load_state_dict(given)
    return encoder.source


def encoder_network(
    encoder: Encoder, classes: int, unit: int = 0, head: Head = "linear"
) -> EmotionNetwork:
    """The encoder with a head of random weights.

    Args:
        encoder: From `read_encoder`.
        classes: Of the head.
        unit: See `NetworkConfig`.
        head: ``linear``, or ``gram`` for Gram modules on reduced maps of three stages.

    Raises:
        WeightsError: Its weights are of another shape than timm's network of that name.
        TrainingError: It takes no Gram modules.
    """
    config = NetworkConfig(
        encoder.architecture, classes, layers=(), options=encoder.options, unit=unit
    )
    if head == "gram":
        config = _with_gram_modules(config)
    network = EmotionNetwork(config).eval()
    fill_backbone(network.backbone, encoder)
    side = encoder.preprocessing.size
    try:
        with torch.inference_mode():
            network(torch.zeros(1, 3, side, side))
    except (AssertionError, RuntimeError) as error:
        raise WeightsError(
            f"{encoder.name} takes no images of {side} x {side} pixels, as its folder has it "
            f"({str(error).splitlines()[0]})."
        ) from None
    return network


def _with_gram_modules(config: NetworkConfig) -> NetworkConfig:
    backbone = Backbone(config.backbone, (), config.options)
    stages = gram_stages(backbone)
    channels = Backbone(config.backbone, stages, config.options).channels
    return replace(
        config,
        layers=stages,
        reduce=min(REDUCED, *channels),
        pooled_dropout=0.5,
        gram_dropout=0.5,
    )


def add_encoder(
    place: str,
    id: str,
    labelled: Dataset,
    settings: Settings,
    tell: Callable[[str], None] = print,
    head: Head = "linear",
) -> Checkpoint:
    """Fit a head on a frozen encoder and keep both as a checkpoint.

    Args:
        place: See `read_encoder`.
        id: Of the checkpoint.
        labelled: Images with labels; those without a split get one by their groups' names.
        settings: Where checkpoints are kept, and what is refused.
        tell: Called with a line for people now and then.
        head: ``linear`` on the pooled vector, or ``gram``: Gram modules beside it, as in the
            dissertation, on maps that are reduced first (`emoviz.training.gram_head`).

    Raises:
        WeightsError: The encoder cannot be had.
        TrainingError: There are too few images, or it takes no Gram modules.
        CheckpointError: The id cannot be used or is taken.
    """
    check_id(id, settings)
    encoder = read_encoder(place)
    labelled = _of_its_own_classes(labelled)
    names = labelled.taxonomy.names
    network = encoder_network(encoder, len(names), head=head)
    records = assign_splits([r for r in labelled.records if r.label >= 0], 0.15, 0.15)
    tell(f"{encoder.source}: {len(records):,} images pass it")
    reading = _Reading(encoder.preprocessing, labelled, records, settings)
    if head == "gram":
        beginning = [r for r in records if r.split == "train"][:_FOR_COMPONENTS]
        first = _Reading(encoder.preprocessing, labelled, beginning, settings)
        set_reductions(network, first.batches())
        parts = [reduced(network, images) for images in reading.batches()]
        pooled = torch.cat([h for h, _ in parts])
        maps = [torch.cat(column) for column in zip(*(m for _, m in parts), strict=True)]
    else:
        with torch.inference_mode():
            pooled = torch.cat([network.backbone(images).pooled for images in reading.batches()])
    kept = reading.kept
    y = np.array([records[i].label for i in kept])
    split = np.array([records[i].split for i in kept])
    learned = split == "train"
    counts = Counter(y[learned].tolist())
    missing = [name for i, name in enumerate(names) if counts[i] < _FEWEST]
    if missing:
        raise TrainingError(
            f"Too few images to learn from: of {', '.join(missing)} fewer than {_FEWEST} can be "
            "used. Bring more, or leave these classes out."
        )
    if head == "gram":
        logits = fit_gram_head(network, pooled, maps, y, split)
    else:
        x = pooled.numpy()
        weight, bias = fit_probe(x[learned], y[learned])
        with torch.no_grad():
            network.classifier.weight.copy_(torch.from_numpy(weight))
            network.classifier.bias.copy_(torch.from_numpy(bias))
        logits = x @ weight.T + bias
    temperature = _temperature(logits[split == "validation"], y[split == "validation"])
    test = split == "test"
    right = (logits.argmax(axis=1) == y)[test]
    measures = {"accuracy": round(float(right.mean()), 4), "n": len(right)} if len(right) else {}
    tell(f"{int(learned.sum()):,} images learned from; on {len(right):,} others: {measures}")
    for name, why in reading.refused:
        tell(f"refused {name}: {why}")
    made = save_checkpoint(
        settings.user_checkpoints / id,
        _card(id, encoder, labelled, Counter(split.tolist()), measures, temperature, network),
        network,
    )
    remember(made, settings)
    return made


def _of_its_own_classes(labelled: Dataset) -> Dataset:
    """Without the classes of its taxonomy that no image has."""
    counts = Counter(record.label for record in labelled.records)
    names = labelled.taxonomy.names
    there = [name for i, name in enumerate(names) if counts[i]]
    if len(there) == len(names):
        return labelled
    name = f"{labelled.taxonomy.name}-{len(there)}-classes"
    return relabelled(labelled, own_taxonomy(name, there))


class _Reading:
    """Records on their way into a network.

    Attributes:
        kept: Which were read, once the batches are through.
        refused: The others, with the reasons.
    """

    def __init__(
        self,
        preprocessing: Preprocessing,
        labelled: Dataset,
        records: Sequence[Record],
        settings: Settings,
    ) -> None:
        self._preprocessing, self._records = preprocessing, records
        self._name, self._limits = labelled.name, Limits.of(settings)
        self._normalise = Normalise(preprocessing.mean, preprocessing.std)
        self.kept: list[int] = []
        self.refused: list[tuple[str, str]] = []

    def batches(self) -> Iterator[Tensor]:
        """Normalised images (N, 3, H, W).

        Raises:
            TrainingError: None can be read.
        """
        waiting: list[NDArray[np.uint8]] = []
        for i, record in enumerate(self._records):
            try:
                data = record.read(self._limits)
                opened = open_image(data, self._limits, self._preprocessing.short_side)
            except ImageError as error:
                self.refused.append((record.name, str(error)))
                continue
            waiting.append(self._preprocessing.to_array(opened.pixels))
            self.kept.append(i)
            if len(waiting) == _BATCH:
                yield self._normalise(torch.from_numpy(np.stack(waiting)))
                waiting.clear()
        if waiting:
            yield self._normalise(torch.from_numpy(np.stack(waiting)))
        if not self.kept:
            raise TrainingError(f"No image of '{self._name}' can be read.")


def _temperature(logits: NDArray[np.floating], truth: NDArray[np.int64]) -> float:
    """What the logits are best divided by on images that were not learned from; 1 without any."""
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    if len(truth) < 10:
        return 1.0

    def loss(log_temperature: float) -> float:
        scaled = log_softmax(logits / math.exp(log_temperature), axis=1)
        return float(-scaled[np.arange(len(truth)), truth].mean())

    return round(math.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x), 4)


def _card(
    id: str,
    encoder: Encoder,
    labelled: Dataset,
    counts: Mapping[str, int],
    measures: Mapping[str, Any],
    temperature: float,
    network: EmotionNetwork,
) -> Card:
    """Everything from what ran; nothing from a recipe."""
    count = counts.get("train", 0)
    config = network.config
    head = "a linear head"
    if config.layers:
        head = (
            f"Gram modules on stages {', '.join(map(str, config.layers))} (each reduced to "
            f"{config.reduce} channels by principal components) and a linear classifier"
        )
    about = labelled.about
    return Card(
        id=id,
        title=f"{encoder.name}, {'Gram' if config.layers else 'linear'} head",
        summary=(
            f"{encoder.name} as it came ({encoder.source}), frozen, with {head} "
            f"fitted on {count:,} images of {labelled.name}; {len(labelled.taxonomy)} classes."
        ),
        taxonomy=labelled.taxonomy,
        network=network.config.to_dict(),
        preprocessing=encoder.preprocessing,
        temperature=temperature,
        data=(
            {
                "name": labelled.name,
                "source": str(about.get("source", "")),
                "terms": str(about.get("terms", "")),
                "counts": dict(counts),
            },
        ),
        measures={f"{labelled.name}, test": dict(measures)} if measures else {},
        versions={**versions(), "backbone_weights": encoder.source},
        licence="Not known: after the terms of the encoder's weights and of the images.",
        intended_use="Comparing this encoder with other networks on the same images.",
        limits="A head on a frozen encoder; nothing is known beyond the measures above.",
    )
