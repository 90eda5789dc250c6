"""Recipes out of files and settings.

A recipe is validated when it is read: an unknown key or an impossible value is named with its
line and what is allowed.
"""

import typing
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from emoviz.errors import RecipeError
from emoviz.recipe_reading import Reader, compose, merged, scalar_under, with_setting
from emoviz.training.recipe import Recipe
from emoviz.training.recipe_checks import conflicts

RECIPES = Path(__file__).resolve().parent.parent / "recipes"


def load_recipe(name: str, below: tuple[str, ...] = ()) -> Recipe:
    """Read a recipe by its name in ``emoviz/recipes`` or by its path.

    Raises:
        RecipeError: There is none, or it has an unknown key or an impossible value.
    """
    path = Path(name)
    if not path.is_file():
        path = RECIPES / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(item.stem for item in RECIPES.glob("*.yaml")))
        raise RecipeError(f"There is no recipe '{name}'. Known: {known}; or give a YAML file.")
    if name in below:
        raise RecipeError(
            f"Recipe '{name}' extends or fuses itself, by way of {' and '.join(below)}."
        )
    try:
        return read_recipe(path.read_text(encoding="utf-8"), path.name, (*below, name))
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"Recipe '{path}' cannot be read: {error}.") from None


def read_recipe(text: str, name: str = "recipe", below: tuple[str, ...] = ()) -> Recipe:
    """Validate a recipe's text; see `load_recipe`."""
    node = compose(text, name)
    parent = scalar_under(node, "extends")
    if parent:
        base = yaml.safe_dump(load_recipe(parent, below).to_dict())
        node = merged(compose(base, parent), node)
    reader = Reader(name, own=scalar_under(node, "taxonomy"))
    recipe = typing.cast(Recipe, reader.read(node, Recipe, "the recipe"))
    recipe = replace(recipe, extends="")  # it is whole now
    check_recipe(recipe, name, below)
    return recipe


def as_written_now(values: Mapping[str, Any]) -> dict[str, Any]:
    """Plain values of a recipe that an earlier version kept, with what this one adds.

    What cannot be read any more comes back as it is: it is then another recipe than any of today.
    """
    try:
        return read_recipe(yaml.safe_dump(dict(values))).to_dict()
    except RecipeError:
        return dict(values)


def apply_settings(recipe: Recipe, settings: Sequence[str]) -> Recipe:
    """A recipe with single values changed, as by ``--set`` on the command line.

    Args:
        recipe: The recipe to change.
        settings: ``key=value`` each, with dots for what lies deeper and numbers from 0 for the
            items of a list: ``loss.beta=0.5``, ``network.layers=[1, 2]``, ``phases.0.epochs=3``,
            ``data.sets.emotion6.weight=2``.

    Raises:
        RecipeError: A key is unknown, or a value impossible or in conflict with another; the
            message begins with the setting.
    """
    for setting in settings:
        recipe = with_setting(recipe, Recipe, setting)
    if settings:
        check_recipe(recipe, f"--set {' '.join(settings)}")
    return recipe


def check_recipe(recipe: Recipe, source: str, below: tuple[str, ...] = ()) -> None:
    """Raise `RecipeError` where single values are possible but not with one another.

    Args:
        recipe: What was read.
        source: File or setting, to begin the message with.
        below: Recipes that are being read already, to find circles.
    """
    problem = next(conflicts(recipe), "")
    if problem:
        raise RecipeError(f"{source}: {problem}.")
    for name in recipe.fuse:
        _check_member(recipe, load_recipe(name, below), source)


def _check_member(recipe: Recipe, member: Recipe, source: str) -> None:
    """The networks that are fused must see the same images and speak of the same classes."""
    if member.fuse:
        raise RecipeError(f"{source}: fuse names '{member.name}', which is itself a fusion.")
    for key in ("taxonomy", "input"):
        if getattr(member, key) != getattr(recipe, key):
            raise RecipeError(f"{source}: '{member.name}' of fuse has another {key}.")
