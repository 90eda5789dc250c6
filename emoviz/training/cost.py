"""What a training will take on this machine, before it begins: time, memory, room on the disk."""

from dataclasses import dataclass

import numpy as np

from emoviz.checkpoints import Checkpoint
from emoviz.training.recipe import Phase, Recipe


@dataclass(frozen=True)
class DurationEstimate:
    """What a run will take on this machine.

    Attributes:
        seconds_reading: For the features of the frozen backbone, where they are not kept yet.
        seconds_training: For all epochs of all networks.
        memory: Bytes while training, about.
        disk: Bytes of kept features.
        bytes_a_view: Bytes kept for each image and view; 0 where none are kept.
        networks: How many are trained: one for each fold, and the finished one.
    """

    seconds_reading: float
    seconds_training: float
    memory: float
    disk: float
    bytes_a_view: float
    networks: int = 1

    def words(self) -> str:
        """One line for people."""
        parts = []
        if self.seconds_reading:
            parts.append(f"{hours(self.seconds_reading)} to look at the images once")
        count = f" ({self.networks} networks)" if self.networks > 1 else ""
        parts.append(f"{hours(self.seconds_training)} to train{count}")
        parts.append(f"{self.memory / 1e9:.1f} GB of memory")
        if self.disk:
            parts.append(f"{self.disk / 1e6:,.0f} MB on the disk for features")
        return f"What this will take here, about: {', '.join(parts)}."


def hours(seconds: float) -> str:
    """``40 s``, ``12 min`` or ``31 h``."""
    if seconds < 100:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.0f} h"


def estimate(
    recipe: Recipe, images: int, seconds_a_forward: float, shape: "Shape"
) -> DurationEstimate:
    """What a run will take, from how long one image takes through the backbone.

    Ratios measured by ``benchmarks/retrain.py``: a step on whole maps takes a fortieth of a pass
    through the backbone, one on 48 positions a hundredth, a step of the whole network three passes,
    and so at most a step of its tail. A random view is read in bfloat16, in about two thirds of the
    time.

    Args:
        recipe: What will be trained.
        images: Of the whole set.
        seconds_a_forward: Of one image through the backbone, on the device that trains.
        shape: Of the backbone's maps.
    """
    data = recipe.data
    # Folds train on all other folds each, and the finished network on everything.
    learned = images * (data.folds if data.folds else 1 - data.validation - data.test)
    watched = images * (1 if data.folds else data.validation)
    seconds = memory = kept = 0.0
    views = 0
    for phase in recipe.phases:
        if phase.train == "all":
            seconds += phase.epochs * (3 * learned + watched) * seconds_a_forward
            batch = min(phase.batch, images)
            memory = max(memory, 1.2e9 + 16 * shape.parameters + batch * 60e6)
            continue
        seconds += phase.epochs * learned * seconds_a_forward * _share_of_a_pass(recipe, phase)
        seconds += 2.0
        view = shape.bytes_kept(0 if phase.positions == 0 else 4 * phase.positions)
        kept, views = max(kept, view), max(views, phase.views)
    total = images * views * kept
    reading = images * (1 + 2 / 3 * (views - 1)) * seconds_a_forward if views else 0.0
    memory = max(memory, 0.8e9 + total)
    return DurationEstimate(reading, seconds, memory, total, kept, data.folds + 1)


def _share_of_a_pass(recipe: Recipe, phase: Phase) -> float:
    """What a step on kept features takes of a pass through the backbone, for each image."""
    if phase.train == "tail":
        return 3.0
    if not recipe.network.layers:
        return 1 / 2000
    return 1 / 40 if phase.positions == 0 else 1 / 100


@dataclass(frozen=True)
class Shape:
    """Sizes of a network's features.

    Attributes:
        channels: C_i of each layer with a Gram module.
        positions: H_i W_i of each.
        width: C* of the pooled vector.
        parameters: Weights of the whole network.
    """

    channels: tuple[int, ...]
    positions: tuple[int, ...]
    width: int
    parameters: int

    def bytes_kept(self, most: int = 0) -> float:
        """Bytes of one view's features: float32 but for maps, which are float16.

        Args:
            most: Positions of each map that are kept; 0 keeps all.
        """
        maps = sum(
            c * (min(p, most) if most else p) * 2
            for c, p in zip(self.channels, self.positions, strict=True)
        )
        return float(4 * self.width + sum(2 * c * (c + 1) for c in self.channels) + maps)


def measure_network(
    recipe: Recipe, device: str = "cpu", start: Checkpoint | None = None
) -> tuple[Shape, float]:
    """Sizes of the recipe's network, and seconds of an image through its backbone here.

    Builds it with random weights and passes eight images, about a second of work; imports torch.

    Args:
        recipe: What will be trained.
        device: Where.
        start: The checkpoint that ``network.start`` names.

    Raises:
        WeightsError: timm has no such backbone or layer.
    """
    import time

    import torch

    from emoviz.models.network import EmotionNetwork, count_parameters
    from emoviz.training.prepare import network_config

    network = EmotionNetwork(network_config(recipe, start)).eval().to(device)
    backbone = network.backbone.to(memory_format=torch.channels_last)
    size = recipe.input.size
    images = torch.zeros(8, 3, size, size, device=device)
    images = images.contiguous(memory_format=torch.channels_last)
    times = []
    with torch.inference_mode():
        for _ in range(3):
            began = time.perf_counter()
            backbone(images).pooled.sum().item()
            times.append(time.perf_counter() - began)
    positions = backbone.positions(size)
    shape = Shape(backbone.channels, positions, backbone.width, count_parameters(network))
    return shape, float(np.min(times)) / len(images)
