"""Several finished networks as one: the fusion of the 2021 thesis on facial emotion."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from emoviz.errors import CheckpointError
from emoviz.models.network import EmotionNetwork, NetworkConfig, Output


@dataclass(frozen=True)
class FusedConfig:
    """Everything that `FusedNetwork` is built from; stands in the card as it is.

    Attributes:
        members: One configuration for each network.
    """

    members: tuple[NetworkConfig, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"members": [member.to_dict() for member in self.members]}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "FusedConfig":
        """Read what a card holds.

        Raises:
            CheckpointError: It has no list of members, or one of them does not fit.
        """
        members = values.get("members")
        if set(values) != {"members"} or not isinstance(members, Sequence) or not members:
            raise CheckpointError("The card's network does not fit: wanted a list of members.")
        return cls(tuple(NetworkConfig.from_dict(member) for member in members))


class FusedNetwork(nn.Module):
    """The mean of several networks' class probabilities.

    The thesis says that the outputs of ResNet18 and VGG19 are combined in an ensemble model, not
    how. Read here as the mean of the probabilities, which needs no further training; each network
    counts the same however large its logits are.

    Args:
        members: Trained networks of the same classes that take the same normalised images.

    Attributes:
        width: The sum of the members' widths.

    Raises:
        ValueError: There is no member, or they differ in their number of classes.
    """

    def __init__(self, members: Sequence[EmotionNetwork]) -> None:
        super().__init__()
        counts = {member.config.classes for member in members}
        if len(counts) != 1:
            raise ValueError(f"Networks of {sorted(counts)} classes cannot be fused.")
        self.config = FusedConfig(tuple(member.config for member in members))
        self.members = nn.ModuleList(members)
        self.width = sum(member.width for member in members)

    def forward(self, images: Tensor) -> Output:
        """Normalised images (N, 3, H, W) to what `EmotionNetwork` gives.

        Logits are the logarithms of the mean probabilities, so that the softmax gives these back;
        u and h are the members' in one row; there is no energy, and nothing beside the classes
        (N, 0).
        """
        outputs: list[Output] = [member(images) for member in self.members]
        logs = torch.stack([torch.log_softmax(out.logits, dim=1) for out in outputs])
        mean = torch.logsumexp(logs, dim=0) - math.log(len(outputs))
        embedding = torch.cat([out.embedding for out in outputs], dim=1)
        pooled = torch.cat([out.pooled for out in outputs], dim=1)
        none = pooled[:, :0]
        return Output(mean, embedding, pooled, none, none, none, none)


Network = EmotionNetwork | FusedNetwork


def build(values: Mapping[str, Any]) -> Network:
    """The network that a card describes, with random weights.

    Args:
        values: What `NetworkConfig.to_dict` or `FusedConfig.to_dict` gave.

    Raises:
        CheckpointError: A field is unknown or missing.
        WeightsError: This timm has no such backbone or layer.
    """
    if "members" not in values:
        return EmotionNetwork(NetworkConfig.from_dict(values))
    return FusedNetwork([EmotionNetwork(item) for item in FusedConfig.from_dict(values).members])
