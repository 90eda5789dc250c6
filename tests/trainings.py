"""What tests of trainings share: nobody who listens, and the weights that came out."""

from pathlib import Path

import torch
from safetensors.torch import load_file


def quiet(line: str) -> None:
    """Nobody listens."""


def weights(run: Path, name: str = "little") -> dict[str, torch.Tensor]:
    """Those of a checkpoint of a run."""
    return load_file(run / "checkpoints" / name / "model.safetensors")


def same(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> bool:
    """Whether two have the same weights to the bit."""
    return set(one) == set(two) and all(torch.equal(one[key], two[key]) for key in one)
