"""What a recipe may not say at once, though each value is possible by itself."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from emoviz.errors import TaxonomyError
from emoviz.labels import TAXONOMIES

if TYPE_CHECKING:
    from emoviz.training.recipe import NetworkPart, Recipe

_LONGEST_NAME = 80  # letters; a run's folder adds 19, and may have 255 bytes
_MOST_BYTES = 200
# A run writes to, and replaces, a folder of that name.
_NO_FOLDER = re.compile(r"^\.|[/\\:\x00-\x1f]")


def conflicts(recipe: "Recipe") -> Iterator[str]:
    """What does not go together, in words for a message; nothing where all is well."""
    if recipe.extends:
        yield "extends works in a recipe's file alone"
    too_long = (
        len(recipe.name) > _LONGEST_NAME
        or len(recipe.name.encode(errors="surrogatepass")) > _MOST_BYTES
    )
    if _NO_FOLDER.search(recipe.name) or too_long:
        yield (
            f"name is '{recipe.name[:_LONGEST_NAME]}', which its network's folder cannot have; "
            f"wanted: no '/', '\\' or ':', no dot at the beginning, {_LONGEST_NAME} letters or "
            f"{_MOST_BYTES} bytes at most"
        )
    yield from _class_conflicts(recipe)
    if not recipe.phases:
        yield "phases is an empty list; wanted: one phase or more"
    if len(recipe.fuse) == 1:
        yield "fuse names one recipe; wanted: two or more"
    yield from _network_conflicts(recipe.network, {phase.train for phase in recipe.phases})
    yield from _view_conflicts(recipe)
    if recipe.network.standardise and not recipe.network.layers and recipe.loss.beta:
        yield (
            "network.standardise without network.layers needs loss.beta 0: the scale of u goes "
            "into the classifier at the end, and the centers would stand in another space"
        )


def _class_conflicts(recipe: "Recipe") -> Iterator[str]:
    if not recipe.labels:
        if recipe.taxonomy not in TAXONOMIES:
            yield (
                f"taxonomy is '{recipe.taxonomy}'; allowed: {', '.join(TAXONOMIES)}, or a name of "
                "your own with labels"
            )
        return
    try:
        classes = recipe.classes
    except TaxonomyError as error:
        yield f"labels and taxonomy do not go together: {str(error).rstrip('.')}"
        return
    if len(classes) < len(recipe.labels):
        yield "labels names one twice"
    if len(classes) < 2:
        yield "labels names one class; a network needs at least two to tell apart"


def _network_conflicts(part: "NetworkPart", trained: set[str]) -> Iterator[str]:
    if not part.layers:
        if part.module != "additive" or part.parallel > 1 or part.reduce:
            yield "network.layers is empty, and module, parallel and reduce speak of its layers"
        if "tail" in trained:
            yield "a phase trains the tail, which begins behind network.layers; these are empty"
    if part.linear_start and (
        part.kinds_from != "both" or part.module != "additive" or part.parallel > 1 or part.start
    ):
        yield (
            "network.linear_start needs kinds_from: both, one additive module a layer and no "
            "network.start"
        )
    if part.linear_start and (
        len(part.linear_start) != len(part.kinds) or min(part.linear_start) <= 0
    ):
        yield "network.linear_start must be a number above 0 for each of network.kinds"
    if part.linear_start and "all" in trained:
        yield "network.linear_start is fitted to kept features; a phase trains all"
    if part.kinds_from == "both" and not (part.kinds and part.layers):
        yield "network.kinds_from is both, which needs network.kinds and network.layers"
    if "tail" in trained and any(isinstance(layer, str) for layer in part.layers):
        yield "a phase trains the tail; network.layers must then be stages by their numbers"
    if part.start and part.module == "gathered":
        yield "network.start is for additive and multiplicative modules; module is gathered"
    if part.module == "gathered" and part.parallel > 1:
        yield "network.module is gathered, which has one module a layer; parallel must be 1"
    if part.module == "gathered" and part.standardise:
        yield "network.module is gathered, which cannot be trained with standardise: true"
    if part.reduce and trained != {"all"}:
        yield "network.reduce needs phases that train all: kept Gram matrices are not reduced"
    if part.reduce and part.standardise:
        yield "network.reduce cannot be trained with standardise: true"


def _view_conflicts(recipe: "Recipe") -> Iterator[str]:
    size, ten, augment = recipe.input.size, recipe.input.ten_crop, recipe.augment
    if ten > size:
        yield f"input.ten_crop is {ten}; allowed: at most input.size, {size}"
    if augment.crop == "window" and not ten:
        yield "augment.crop is window, whose side is input.ten_crop; that is 0"
    if augment.zoom_least > augment.zoom:
        yield f"augment.zoom_least is {augment.zoom_least:g}, above zoom {augment.zoom:g}"
    if augment.mixup and all(phase.train != "all" for phase in recipe.phases):
        yield "augment.mixup needs a phase that trains all; others train on kept features"
