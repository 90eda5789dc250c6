"""The network of the dissertation, chapter 4: semantics and texture, fused by addition.

::

    F_i    feature maps of the selected layers        h  pooled backbone output
    z_i =  GramModule_i(F_i)                          p  = P(h)
    z   =  [z_1; ...; z_v]  in R^D                    u  = p + z      (penultimate vector)
                                                      y  = W u + b    (logits)
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from emoviz.errors import CheckpointError
from emoviz.models.backbones import Backbone
from emoviz.models.gram import GramModule, gram_matrix


class Output(NamedTuple):
    """What the network gives for a batch.

    Attributes:
        logits: (N, C), before the softmax and before calibration.
        embedding: (N, D) the penultimate vector u, where centers and maps live.
        pooled: (N, C*) the backbone's pooled vector h.
        energy: (N, sum C_i) mean square of each channel of the selected maps, which is the
            diagonal of the Gram matrices; (N, 0) without Gram modules.
    """

    logits: Tensor
    embedding: Tensor
    pooled: Tensor
    energy: Tensor


@dataclass(frozen=True)
class NetworkConfig:
    """Everything that `EmotionNetwork` is built from; stands in the card as it is.

    Attributes:
        backbone: timm's model name.
        classes: Number of outputs C.
        layers: Stages with a Gram module each (timm's ``out_indices``); none gives the plain
            backbone with a linear classifier.
        dropout: On u before the classifier, in training.
        gram_dropout: On the entries of the Gram matrices, in training.
        pooled_dropout: On h before the projection, in training.
    """

    backbone: str
    classes: int
    layers: tuple[int, ...] = (1, 2, 3)
    dropout: float = 0.0
    gram_dropout: float = 0.0
    pooled_dropout: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**asdict(self), "layers": list(self.layers)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "NetworkConfig":
        """Read what a card holds.

        Raises:
            CheckpointError: A field is unknown or missing.
        """
        try:
            return cls(**{**values, "layers": tuple(values["layers"])})
        except (TypeError, KeyError) as error:
            raise CheckpointError(f"The card's network does not fit: {error}.") from None


class EmotionNetwork(nn.Module):
    """Backbone, Gram modules, projection and classifier.

    Args:
        config: What to build. Weights are random until they are loaded.

    Attributes:
        width: D, the length of u: the sum of the modules' widths, or the backbone's own width
            where there is no module.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = Backbone(config.backbone, config.layers)
        self.gram_modules = nn.ModuleList(
            GramModule(channels, config.gram_dropout) for channels in self.backbone.channels
        )
        widths = [channels // 2 for channels in self.backbone.channels]
        self.width = sum(widths) if widths else self.backbone.width
        self.pooled_scale: nn.Module = nn.Identity()  # in training: models/standardise.py
        self.pooled_dropout = nn.Dropout(config.pooled_dropout)
        self.projection: nn.Module = (
            nn.Linear(self.backbone.width, self.width) if widths else nn.Identity()
        )
        self.dropout = nn.Dropout(config.dropout)
        self.classifier = nn.Linear(self.width, config.classes)

    def forward(self, images: Tensor) -> Output:
        """Logits, u and h of normalised images (N, 3, H, W)."""
        maps, pooled = self.backbone(images)
        return self.head(maps, pooled)

    def head(
        self, maps: Sequence[Tensor], pooled: Tensor, grams: Sequence[Tensor] | None = None
    ) -> Output:
        """What follows the backbone: also what is trained alone when the backbone is frozen.

        Args:
            maps: (N, C_i, H_i, W_i) for each module; with `grams` given, a sample of their
                positions serves.
            pooled: (N, C*) h.
            grams: (N, C_i, C_i) for each module where they are already known.
        """
        u: Tensor = self.projection(self.pooled_dropout(self.pooled_scale(pooled)))
        energy = pooled[:, :0]
        if len(self.gram_modules):
            known = grams if grams is not None else [gram_matrix(F) for F in maps]
            parts = zip(self.gram_modules, known, maps, strict=True)
            z = [g.gram_branch(G) + g.conv_branch(F) for g, G, F in parts]  # type: ignore[operator]
            u = u + torch.cat(z, dim=1)
            energy = torch.cat([_diagonal(G) for G in known], dim=1)
        return Output(self.classifier(self.dropout(u)), u, pooled, energy)


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
