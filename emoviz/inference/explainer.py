"""A checkpoint's network in PyTorch, for what needs gradients or inner maps.

Importing this module imports no torch; `load_explainer` does.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from emoviz.checkpoints import Checkpoint, load_network
from emoviz.errors import require_training_packages
from emoviz.inference.engines import has_gpu
from emoviz.settings import Settings

if TYPE_CHECKING:
    from torch import Tensor, nn

    from emoviz.models.backbones import Backbone
    from emoviz.models.fusion import Network

Bytes = NDArray[np.uint8]
Progress = Callable[[int, int], None]
# Where a network has no Gram modules: the stages of the dissertation (table 3.3).
_SHALLOW = (1, 2, 3)


@dataclass(frozen=True)
class Layer:
    """A part of a backbone whose output is a feature map.

    Attributes:
        name: ``stage 2``, or the part's own name; of a fusion, with the network's number.
        member: Which network of a fusion; 0 where there is one.
        key: Number of the stage or name of the part, as the card's ``layers`` have it.
        module: Path of the module inside the backbone.
    """

    name: str
    member: int
    key: int | str
    module: str


@dataclass(frozen=True)
class Explainer:
    """A network that is asked why.

    Attributes:
        checkpoint: Where it came from.
        network: In evaluation mode; its weights ask for no gradients.
        device: ``cpu`` or ``cuda``.
    """

    checkpoint: Checkpoint
    network: "Network"
    device: str = "cpu"

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the outputs, in order."""
        return tuple(self.checkpoint.card.taxonomy.names)

    @property
    def side(self) -> int:
        """Of the square that the network takes, in pixels."""
        return self.checkpoint.card.preprocessing.size

    def to_input(self, images: Bytes) -> "Tensor":
        """(N, H, W, 3) bytes in RGB order -> normalised (N, 3, H, W) on the network's device."""
        import torch

        from emoviz.models.network import Normalise

        preprocessing = self.checkpoint.card.preprocessing
        normalise = Normalise(preprocessing.mean, preprocessing.std)
        normal: Tensor = normalise(torch.from_numpy(np.array(images)))
        return normal.to(self.device)

    def logits(self, images: "Tensor") -> "Tensor":
        """Normalised (N, 3, H, W) -> (N, C); over ten crops where the checkpoint wants them."""
        from emoviz.models.crops import run_on_crops

        crop = self.checkpoint.card.preprocessing.ten_crop
        return run_on_crops(self.network, images, crop).logits

    @property
    def backbones(self) -> "tuple[Backbone, ...]":
        """One, or each member's of a fusion."""
        from emoviz.models.fusion import FusedNetwork

        if isinstance(self.network, FusedNetwork):
            members: Any = self.network.members
            return tuple(member.backbone for member in members)
        return (self.network.backbone,)

    @property
    def stages(self) -> tuple[Layer, ...]:
        """Every stage whose map can be had, shallow ones first."""
        return tuple(
            self._stage(member, number)
            for member, backbone in enumerate(self.backbones)
            for number in range(len(_feature_info(backbone)))
        )

    @property
    def gram_layers(self) -> tuple[Layer, ...]:
        """The layers with Gram modules; where there are none, the shallow stages 1 to 3."""
        found: list[Layer] = []
        for member, backbone in enumerate(self.backbones):
            shallow = [stage for stage in _SHALLOW if stage < len(_feature_info(backbone))]
            own = [*backbone.stages] or ([] if backbone.parts else shallow)
            found += [self._stage(member, stage) for stage in own]
            found += [self._part(member, part) for part in backbone.parts]
        return tuple(found)

    def module(self, layer: Layer) -> "nn.Module":
        """The module whose output is the layer's map."""
        return self.backbones[layer.member].body.get_submodule(layer.module)

    def maps(self, images: "Tensor", layers: tuple[Layer, ...]) -> "list[Tensor]":
        """The layers' maps (N, C_i, H_i, W_i), with gradients where `images` ask for them.

        The network runs no further than it must, where all layers are stages of one backbone.
        """
        found: dict[Layer, Tensor] = {}
        for member, backbone in enumerate(self.backbones):
            own = [layer for layer in layers if layer.member == member]
            if own:
                found |= dict(zip(own, _maps(backbone, images, own), strict=True))
        return [found[layer] for layer in layers]

    def _stage(self, member: int, number: int) -> Layer:
        module = _feature_info(self.backbones[member])[number]["module"]
        return Layer(self._named(member, f"stage {number}"), member, number, module)

    def _part(self, member: int, name: str) -> Layer:
        return Layer(self._named(member, name), member, name, name)

    def _named(self, member: int, name: str) -> str:
        return name if len(self.backbones) == 1 else f"network {member + 1}, {name}"


def load_explainer(checkpoint: Checkpoint, settings: Settings) -> Explainer:
    """Build a checkpoint's network for explanations. Imports torch.

    Raises:
        CheckpointError: The weights do not fit the card.
        NotInstalledError: PyTorch is not installed.
    """
    require_training_packages()
    import torch

    if settings.threads:
        torch.set_num_threads(settings.threads)
    device = "cuda" if settings.device != "cpu" and has_gpu() else "cpu"
    network = load_network(checkpoint).requires_grad_(False)
    return Explainer(checkpoint, network.to(device), device)


def _feature_info(backbone: "Backbone") -> Any:
    """timm's description of the stages; empty where maps cannot be had."""
    able = hasattr(backbone.body, "forward_intermediates")
    return getattr(backbone.body, "feature_info", ()) if able else ()


def _maps(backbone: "Backbone", images: "Tensor", layers: list[Layer]) -> "list[Tensor]":
    body: Any = backbone.body
    if any(isinstance(layer.key, str) for layer in layers):
        known = dict(zip((*backbone.stages, *backbone.parts), backbone(images).maps, strict=True))
        return [known[layer.key] for layer in layers]
    stages = sorted({int(layer.key) for layer in layers})
    maps = body.forward_intermediates(
        images, indices=stages, intermediates_only=True, stop_early=True
    )
    by_stage = dict(zip(stages, maps, strict=True))
    return [by_stage[int(layer.key)] for layer in layers]
