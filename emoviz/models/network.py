"""The network of the dissertation, chapter 4: semantics and texture, fused by addition.

::

    F_i    feature maps of the selected layers        h  pooled backbone output
    z_i =  GramModule_i(F_i)                          p  = P(h)
    z   =  [z_1; ...; z_v]  in R^D                    u  = p + z      (penultimate vector)
                                                      y  = W u + b    (logits)

What is added to the dissertation, where a configuration asks for it, leaves these lines as they
are:

- ``kinds``: p and z depend on the kind of image (photograph, abstract or figurative painting),
  which the network tells from h, or from h and its textures; see `KindGate`. Sets of different
  kinds then teach one network without pulling each other's classes about.
- ``dimensions``: valence, arousal and how divided viewers are, read from u by one more linear layer
  beside the classifier.

The networks that it is measured against are the same figure with other modules: k of them in
parallel on one layer, multiplied (IJCCC 2024); all layers gathered to the width of h, P being the
identity (Zhang et al.); no module, u = h (the plain backbone).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from emoviz.errors import CheckpointError, WeightsError
from emoviz.models.backbones import Backbone
from emoviz.models.dropout import Dropout
from emoviz.models.gram import (
    LEAKY_SLOPE,
    GatheredGram,
    GramModule,
    MultiplicativeGramModule,
    gram_matrix,
)


class Output(NamedTuple):
    """What the network gives for a batch.

    Attributes:
        logits: (N, C), before the softmax and before calibration.
        embedding: (N, D) the penultimate vector u, where centers and maps live.
        pooled: (N, C*) the backbone's pooled vector h.
        energy: (N, sum C_i) mean square of each channel of the selected maps, which is the
            diagonal of the Gram matrices; (N, 0) without Gram modules and in training.
        dimensions: (N, A) valence and the like, as `NetworkConfig.dimensions` names them.
        kinds: (N, K) probability of each kind of image, adding up to 1; (N, 0) without kinds.
        by_kind: (N, K (C + A)) logits and dimensions if the image were surely of each kind in turn;
            weighed by `kinds` they are `logits` and `dimensions`. (N, 0) in training.
    """

    logits: Tensor
    embedding: Tensor
    pooled: Tensor
    energy: Tensor
    dimensions: Tensor = torch.empty(0, 0)
    kinds: Tensor = torch.empty(0, 0)
    by_kind: Tensor = torch.empty(0, 0)


@dataclass(frozen=True)
class NetworkConfig:
    """Everything that `EmotionNetwork` is built from; stands in the card as it is.

    Attributes:
        backbone: timm's model name.
        classes: Number of outputs C.
        layers: Stages by their numbers (timm's ``out_indices``) or parts of the backbone by their
            names, with Gram modules each; none gives the plain backbone with a linear classifier.
        dropout: On u before the classifier, in training.
        gram_dropout: On the entries of the Gram matrices, in training.
        pooled_dropout: On h before the projection, in training.
        pooled_activation: On h before the projection: ``none`` or ``leaky_relu`` (slope 0.2).
        module: ``additive``, ``multiplicative`` or ``gathered``; see `emoviz.models.gram`.
        parallel: Modules side by side on each layer.
        reduce: Channels of a 1x1 convolution in front of each module; 0 leaves it out.
        kinds: Kinds of image that p and z depend on; none is the dissertation's network.
        kinds_from: What the kinds are told from: ``pooled``, which is h, or ``both``, h and the
            outputs of the Gram modules.
        dimensions: Outputs beside the classes, among `DIMENSIONS`.
        options: What a ``vision_transformer`` is built of; see `Backbone`.
        unit: Length of u where u = P h / |P h|, so that the logits are cosines with the classes'
            vectors (CLIP), without Gram modules; 0 leaves u as it is.
    """

    backbone: str
    classes: int
    layers: tuple[int | str, ...] = (1, 2, 3)
    dropout: float = 0.0
    gram_dropout: float = 0.0
    pooled_dropout: float = 0.0
    pooled_activation: Literal["none", "leaky_relu"] = "none"
    module: Literal["additive", "multiplicative", "gathered"] = "additive"
    parallel: int = 1
    reduce: int = 0
    kinds: tuple[str, ...] = ()
    kinds_from: Literal["pooled", "both"] = "pooled"
    dimensions: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    unit: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        lists = {key: list(getattr(self, key)) for key in ("layers", "kinds", "dimensions")}
        return {**asdict(self), **lists}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "NetworkConfig":
        """Read what a card holds; what older cards lack takes its default.

        Raises:
            CheckpointError: A field is unknown, missing or of an unknown kind.
        """
        try:
            lists = {key: tuple(values.get(key, ())) for key in ("kinds", "dimensions")}
            made = cls(**{**values, **lists, "layers": tuple(values["layers"])})
        except (TypeError, KeyError) as error:
            raise CheckpointError(f"The card's network does not fit: {error}.") from None
        for key, known in _CHOICES.items():
            if getattr(made, key) not in known:
                raise CheckpointError(
                    f"The card's network has {key} '{getattr(made, key)}'; this version knows "
                    f"{', '.join(known)}."
                )
        unknown = sorted(set(made.dimensions) - set(DIMENSIONS))
        if unknown:
            raise CheckpointError(
                f"The card's network has the output {', '.join(unknown)}; this version knows "
                f"{', '.join(DIMENSIONS)}."
            )
        return made


# Valence and arousal run from -1 to 1 (`emoviz.data.affect`); division from 0, all viewers of one
# mind, to 1, votes spread evenly over all answers (entropy over that of the even spread).
DIMENSIONS = ("valence", "arousal", "division")
_MODULES = ("additive", "multiplicative", "gathered")
_ACTIVATIONS = ("none", "leaky_relu")
_CHOICES = {
    "module": _MODULES,
    "pooled_activation": _ACTIVATIONS,
    "kinds_from": ("pooled", "both"),
}


class KindGate(nn.Module):
    """How p and z depend on the kind of image.

    ::

        kappa = softmax(K h [+ K' [z_1; ...; z_v]] + k) probability of each kind
        p     = P h + sum_k kappa_k (P_k h + b_k)
        z     = (sum_k kappa_k s_k) * [z_1; ...; z_v]   s_k in R^D, entry by entry

    The corrections begin at zero and the scales at one: the network begins as the dissertation's.
    u stays p + z and the logits stay linear in u, so that centers and the split of a logit into
    content and texture hold as before, given the image's kind.

    Args:
        pooled: Length of h.
        width: D, the length of p and z.
        kinds: K.
        dropout: On h before the kinds are told, in training.
        textures: Whether they are told from the outputs of the Gram modules, too.
    """

    def __init__(self, pooled: int, width: int, kinds: int, dropout: float, textures: bool) -> None:
        super().__init__()
        self.width = width
        self.dropout = Dropout(dropout)
        self.kind = nn.Linear(pooled, kinds)
        self.textures = nn.Linear(width, kinds, bias=False) if textures else None
        self.correction = nn.Linear(pooled, kinds * width)
        self.scale = nn.Parameter(torch.ones(kinds, width))
        nn.init.zeros_(self.correction.weight)
        nn.init.zeros_(self.correction.bias)

    def kinds(self, pooled: Tensor, textures: Tensor) -> Tensor:
        """(N, C*) h, (N, D) outputs of the Gram modules -> (N, K) probabilities."""
        told = self.kind(self.dropout(pooled))
        if self.textures is not None:
            told = told + self.textures(textures)
        return torch.softmax(told.float(), dim=1)

    def corrections(self, pooled: Tensor) -> Tensor:
        """(N, C*) h -> (N, K, D) what each kind adds to p."""
        added: Tensor = self.correction(pooled).unflatten(1, (-1, self.width))
        return added


class EmotionNetwork(nn.Module):
    """Backbone, Gram modules, projection and classifier.

    Args:
        config: What to build. Weights are random until they are loaded.

    Attributes:
        width: D, the length of u: the sum of the modules' widths, or the backbone's own width
            where there is no module or the modules are gathered to it.

    Raises:
        WeightsError: timm has no such backbone or layer, or the Gram modules would hold more
            weights than the backbone.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = Backbone(config.backbone, config.layers, config.options)
        self._check_weights()
        self.gram_modules = self._make_modules()
        widths: list[int] = [int(module.width) for module in self.gram_modules]  # type: ignore[arg-type]
        if config.unit and widths:
            raise WeightsError("A network whose u is a unit vector has no Gram modules.")
        self.width = sum(widths) if widths else config.unit or self.backbone.width
        self.pooled_activation: nn.Module = (
            nn.LeakyReLU(LEAKY_SLOPE) if config.pooled_activation == "leaky_relu" else nn.Identity()
        )
        self.pooled_scale: nn.Module = nn.Identity()  # in training: models/standardise.py
        self.pooled_dropout = Dropout(config.pooled_dropout)
        self.projection: nn.Module = (
            nn.Linear(self.backbone.width, self.width, bias=not config.unit)
            if config.unit or (widths and config.module != "gathered")
            else nn.Identity()
        )
        self.gate = self._make_gate()
        self.dropout = Dropout(config.dropout)
        self.classifier = nn.Linear(self.width, config.classes)
        self.dimensions = (
            nn.Linear(self.width, len(config.dimensions)) if config.dimensions else None
        )

    def forward(self, images: Tensor) -> Output:
        """Logits, u and h of normalised images (N, 3, H, W)."""
        maps, pooled = self.backbone(images)
        return self.head(maps, pooled)

    def head(
        self,
        maps: Sequence[Tensor],
        pooled: Tensor,
        grams: Sequence[Tensor] | None = None,
        positions: Sequence[int] | None = None,
    ) -> Output:
        """What follows the backbone: also what is trained alone when the backbone is frozen.

        Args:
            maps: (N, C_i, H_i, W_i) for each layer; with `grams` given, a sample of their
                positions serves.
            pooled: (N, C*) h.
            grams: (N, C_i, C_i) for each layer where they are already known, divided by H_i W_i
                (`gram_matrix`).
            positions: H_i W_i of each whole map; wanted with `grams` where the modules take them
                undivided (``multiplicative``).

        Raises:
            ValueError: `grams` do not serve, or `positions` are missing.
        """
        h = self.pooled_scale(self.pooled_activation(pooled))
        z = self._textures(maps, self._known(maps, grams, positions)) if len(maps) else None
        kinds = pooled[:, :0]
        if self.gate is not None:
            assert z is not None
            kinds = self.gate.kinds(h, z)
        h = self.pooled_dropout(h)
        energy = pooled[:, :0]
        if z is not None and not self.training:  # no loss asks for it
            squares = [mean_square(F) for F in maps] if grams is None else map(_diagonal, grams)
            energy = torch.cat(list(squares), dim=1)
        p = self._project(h)
        if self.gate is None:
            u = p if z is None else p + z
            y, a = self._read(u)
            return Output(y, u, pooled, energy, a, kinds, pooled[:, :0])
        assert z is not None
        # u of each kind in turn; that of the image is their mean, weighed by its kinds.
        each = p.unsqueeze(1) + self.gate.corrections(h) + z.unsqueeze(1) * self.gate.scale
        u = (kinds.unsqueeze(2) * each).sum(dim=1)
        y, a = self._read(u)
        by_kind = pooled[:, :0]
        if not self.training:
            by_kind = torch.cat(self._read(each), dim=2).flatten(1)
        return Output(y, u, pooled, energy, a, kinds, by_kind)

    def _project(self, h: Tensor) -> Tensor:
        """(N, C*) h -> (N, D) p; of length 1 where the configuration has a unit."""
        p: Tensor = self.projection(h)
        return p / p.norm(dim=1, keepdim=True).clamp(min=1e-12) if self.config.unit else p

    def _read(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (..., C) and dimensions (..., A) of u (..., D)."""
        u = self.dropout(u)
        a = u[..., :0] if self.dimensions is None else self.dimensions(u)
        return self.classifier(u), a

    def content(self, pooled: Tensor, kinds: Tensor) -> Tensor:
        """(N, C*) h and (N, K) `Output.kinds` -> (N, D) p, as it is outside of training."""
        h = self.pooled_scale(self.pooled_activation(pooled))
        p = self._project(h)
        if self.gate is None:
            return p
        return p + (kinds.unsqueeze(2) * self.gate.corrections(h)).sum(dim=1)

    def texture_scale(self, kinds: Tensor) -> Tensor:
        """(N, K) `Output.kinds` -> (N, D) what the Gram modules' outputs are multiplied by."""
        if self.gate is None:
            return kinds.new_ones(len(kinds), self.width)
        return kinds @ self.gate.scale

    def _textures(self, maps: Sequence[Tensor], grams: Sequence[Tensor | None]) -> Tensor:
        """z (N, D): the modules' outputs, layer by layer."""
        if self.config.module == "gathered":
            gathered: Tensor = self.gram_modules[0](maps, grams)
            return gathered
        k = self.config.parallel
        z = [
            g(F, G)
            for i, (F, G) in enumerate(zip(maps, grams, strict=True))
            for g in self.gram_modules[i * k : (i + 1) * k]
        ]
        return torch.cat(z, dim=1)

    def _known(
        self,
        maps: Sequence[Tensor],
        grams: Sequence[Tensor] | None,
        positions: Sequence[int] | None,
    ) -> Sequence[Tensor | None]:
        """Gram matrices as the modules take them; None where each makes its own."""
        divided = bool(self.gram_modules[0].divided)
        if self.config.reduce:
            if grams is not None:
                raise ValueError(
                    f"Gram matrices were given, but the modules reduce the maps to "
                    f"{self.config.reduce} channels first and need the maps alone."
                )
            return [None] * len(maps)
        if grams is None:
            return [gram_matrix(F, divided) for F in maps]
        if divided:
            return grams
        if positions is None:
            raise ValueError(
                "Gram matrices were given without the number of positions of the whole maps, "
                "which multiplicative modules need."
            )
        return [G * count for G, count in zip(grams, positions, strict=True)]

    def _make_gate(self) -> KindGate | None:
        config = self.config
        if not config.kinds:
            return None
        if not isinstance(self.projection, nn.Linear):
            raise WeightsError(
                "A network whose projection is the identity has no p that could depend on the kind "
                "of image. Leave network.kinds out, or choose layers and additive modules."
            )
        dropout = min(0.25, config.pooled_dropout)  # kinds are easy to tell, and many to learn from
        return KindGate(
            self.backbone.width,
            self.width,
            len(config.kinds),
            dropout,
            config.kinds_from == "both",
        )

    def _make_modules(self) -> nn.ModuleList:
        """k modules for each layer, or one for all layers."""
        config, channels = self.config, self.backbone.channels
        options = (config.gram_dropout, config.reduce)
        if not channels:
            return nn.ModuleList()
        if config.module == "gathered":
            return nn.ModuleList([GatheredGram(channels, self.backbone.width, *options)])
        kind = MultiplicativeGramModule if config.module == "multiplicative" else GramModule
        return nn.ModuleList(
            kind(count, *options) for count in channels for _ in range(config.parallel)
        )

    def _check_weights(self) -> None:
        """Count before memory is taken: a dense layer behind 2,048 channels holds 4.3 billion."""
        with torch.device("meta"):
            wanted = count_parameters(self._make_modules())
        known = count_parameters(self.backbone)
        if wanted >= known:
            raise WeightsError(
                f"The Gram modules on {list(self.config.layers)} of '{self.config.backbone}' would "
                f"hold {wanted:,} weights, the backbone itself {known:,}. Choose layers with fewer "
                "channels, or put a 1x1 convolution in front of each module (reduce: 32)."
            )


def count_parameters(module: nn.Module) -> int:
    """Number of trainable and frozen weights, without running statistics."""
    return sum(parameter.numel() for parameter in module.parameters())


def mean_square(maps: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, C), the diagonal of the divided Gram matrix."""
    return maps.flatten(2).float().square().mean(dim=2)


def _diagonal(gram: Tensor) -> Tensor:
    """(N, C, C) -> (N, C), written as a product so that every engine has it."""
    return (gram * torch.eye(gram.shape[1], device=gram.device)).sum(dim=2)


class Normalise(nn.Module):
    """Bytes (N, H, W, 3) in RGB order to a normalised float batch (N, 3, H, W)."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """(N, H, W, 3) uint8 -> (N, 3, H, W) float32."""
        return (images.permute(0, 3, 1, 2).float() / 255.0 - self.mean) / self.std
