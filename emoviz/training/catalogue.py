"""What the shipped recipes build, counted without weights."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any

import torch

from emoviz.models.network import EmotionNetwork, NetworkConfig, count_parameters
from emoviz.training.prepare import network_config
from emoviz.training.recipe import Recipe
from emoviz.training.recipe_loading import RECIPES, load_recipe


@dataclass(frozen=True)
class CatalogueEntry:
    """One recipe's network.

    Attributes:
        name: Of the recipe.
        backbone: timm's name; of a fusion, its members' with plus signs between them.
        layers: Stages by their numbers and parts by their names that have Gram modules.
        width: D, the length of u.
        classes: C.
        parameters: Number of weights, running statistics not counted.
    """

    name: str
    backbone: str
    layers: tuple[int | str, ...]
    width: int
    classes: int
    parameters: int

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**asdict(self), "layers": list(self.layers)}


def catalogue() -> Iterator[CatalogueEntry]:
    """Every shipped recipe, sorted by name; each takes a moment.

    Raises:
        RecipeError: A shipped recipe cannot be read.
        WeightsError: This timm lacks a backbone or layer.
    """
    for path in sorted(RECIPES.glob("*.yaml"), key=lambda path: path.stem):
        yield describe(load_recipe(path.stem))


def describe(recipe: Recipe) -> CatalogueEntry:
    """One recipe's network, built without weights.

    Raises:
        RecipeError: A recipe of `fuse` cannot be read.
        WeightsError: This timm lacks a backbone or layer.
    """
    if not recipe.fuse:
        return _entry(recipe.name, network_config(recipe))
    members = [describe(load_recipe(name)) for name in recipe.fuse]
    return CatalogueEntry(
        name=recipe.name,
        backbone=" + ".join(member.backbone for member in members),
        layers=tuple(layer for member in members for layer in member.layers),
        width=sum(member.width for member in members),
        classes=members[0].classes,
        parameters=sum(member.parameters for member in members),
    )


def _entry(name: str, config: NetworkConfig) -> CatalogueEntry:
    classes = config.classes
    like = replace(config, classes=1, dropout=0.0, gram_dropout=0.0, pooled_dropout=0.0)
    width, parameters = _size(like)  # the classifier has D weights and a bias for each class
    parameters += (classes - 1) * (width + 1)
    return CatalogueEntry(name, config.backbone, config.layers, width, classes, parameters)


@cache
def _size(config: NetworkConfig) -> tuple[int, int]:
    """Width and number of weights; the arrays are shapes alone, so this takes no memory."""
    with torch.device("meta"):
        network = EmotionNetwork(config)
    return network.width, count_parameters(network)
