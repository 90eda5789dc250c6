"""From a few choices to a whole recipe: what the Retrain page asks for.

The recipe is an ordinary one: written to a file, `train` does the same with it.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import yaml

from emoviz.checkpoints import Checkpoint
from emoviz.data.dataset import MOST_CLASSES, NO_LABEL, SPLITS, Dataset, assign_splits
from emoviz.data.dataset_file import KnownSet
from emoviz.labels import TAXONOMIES, Taxonomy
from emoviz.training.recipe import Recipe
from emoviz.training.recipe_loading import read_recipe
from emoviz.training.trackers import TrackerName

What = Literal["probe", "heads", "all"]
Augmentation = Literal["none", "gentle", "paper"]
# Backbones that people are offered; the weights of the first come with the installation.
BACKBONES: Mapping[str, tuple[str, int]] = {
    "tf_efficientnet_lite2": ("EfficientNet-Lite2 (comes along)", 260),
    "tf_efficientnetv2_s": ("EfficientNetV2-S, as in the dissertation (from the model hub)", 224),
    "tf_efficientnetv2_b2": ("EfficientNetV2-B2 (from the model hub)", 256),
}
LAYERS: Mapping[int, tuple[int, ...]] = {
    0: (),
    1: (2,),
    2: (1, 2),
    3: (1, 2, 3),
    4: (0, 1, 2, 3),
}
_AUGMENT: Mapping[str, dict[str, Any]] = {
    "none": {"crop": "none", "flip": False},
    "gentle": {"scale": 0.5, "flip": True, "colour": 0.15},
    "paper": {"scale": 0.08, "flip": True, "randaugment": 3, "randaugment_ops": 2},
}
FEW_IN_A_CLASS, MANY_CLASSES = 5, 100


@dataclass(frozen=True)
class Choices:
    """What a person chooses; the defaults suit small sets.

    Attributes:
        name: For people.
        what: ``probe``: a linear classifier on the pooled vector; ``heads``: Gram modules,
            projection, classifier and centers on kept features; ``all``: the whole network.
        backbone: timm's name; of the starting checkpoint where there is one.
        start: Id of a checkpoint to begin with; empty begins with ImageNet's weights.
        size: Side of the input in pixels.
        modules: v, number of Gram modules; see `LAYERS`.
        beta: Strength of the contrastive-center loss; 0 turns it off.
        lambda_: Weight of its inter-class term.
        margin: m.
        epochs: Passes over the training images.
        learning_rate: Of the modules and the classifier.
        batch: Images a step.
        augmentation: How views differ from the image.
        views: Views an image of which features are kept; not for ``all``.
        optimiser: adamw, or sgd with warm restarts as in the dissertation.
        validation: Share of the images that watch.
        test: Share of the images that are measured on at the end.
        seed: Of everything random.
        whole_maps: Train on whole maps, exactly as the full network would; False takes a sample
            of 48 positions in each step, which needs a fifth of the memory.
        tracker: Where the curves go.
    """

    name: str = "My network"
    what: What = "heads"
    backbone: str = "tf_efficientnet_lite2"
    start: str = ""
    size: int = 260
    modules: int = 3
    beta: float = 0.01
    lambda_: float = 10.0
    margin: float = 5.0
    epochs: int = 20
    learning_rate: float = 2e-3
    batch: int = 64
    augmentation: Augmentation = "gentle"
    views: int = 2
    optimiser: Literal["adamw", "sgd"] = "adamw"
    validation: float = 0.15
    test: float = 0.15
    seed: int = 0
    whole_maps: bool = True
    tracker: TrackerName = "tensorboard"


@dataclass(frozen=True)
class SetCheck:
    """What a set holds, and what will not work with it.

    Attributes:
        counts: Label -> images, in the taxonomy's order; labels without images too.
        splits: Images for training, validation, test.
        warnings: What will work badly, in words.
        errors: What forbids to start, in words.
    """

    counts: Mapping[str, int]
    splits: Mapping[str, int]
    warnings: tuple[str, ...]
    errors: tuple[str, ...]


def recipe_of(
    choices: Choices, classes: Taxonomy, known: KnownSet, start: Checkpoint | None = None
) -> Recipe:
    """The whole recipe.

    Args:
        choices: What a person chose.
        classes: What the network will tell apart.
        known: The set, for the card.
        start: The checkpoint that it begins with: its input is taken.

    Raises:
        RecipeError: A value is impossible, or values do not go together.
    """
    own = classes.name not in TAXONOMIES
    probe = choices.what == "probe"
    values: dict[str, Any] = {
        "name": slug(choices.name),
        "title": choices.name,
        "summary": _summary(choices, known),
        "taxonomy": classes.name,
        "seed": choices.seed,
        "tracker": choices.tracker,
        "licence": f"Weights: after the terms of the images: {known.about.get('terms') or 'open'}.",
        "intended_use": "Exploring and comparing; not for decisions about people.",
        "limits": "The model's estimate of what viewers would say, learned from "
        f"{known.count:,} labelled images. See the measures for how often it is right.",
        "network": _network(choices),
        "input": _input(choices, start),
        "loss": {
            "beta": 0.0 if probe else choices.beta,
            "lambda": choices.lambda_,
            "margin": choices.margin,
            "center_spread": 0.3,
        },
        "data": {
            "validation": choices.validation,
            "test": choices.test,
            "sets": {known.taxonomy.name: _set_part(known)},
        },
        "augment": _AUGMENT[choices.augmentation],
        "phases": [_phase(choices)],
    }
    if own:
        values["labels"] = list(classes.names)
    if known.taxonomy.name not in TAXONOMIES and known.taxonomy.name != classes.name:
        values["data"].pop("sets")
    return read_recipe(yaml.safe_dump(values, allow_unicode=True), "the choices")


def check_set(labelled: Dataset, validation: float, test: float) -> SetCheck:
    """Count a set and say what will not work with it.

    Args:
        labelled: Its records.
        validation: Share for validation where the set has no split.
        test: Share for the test likewise.
    """
    names = labelled.taxonomy.names
    found = Counter(record.label for record in labelled.records if record.label != NO_LABEL)
    counts = {name: found.get(i, 0) for i, name in enumerate(names)}
    records = assign_splits(labelled.records, validation, test)
    splits: dict[str, int] = {
        name: sum(record.split == name for record in records) for name in SPLITS
    }
    learned = {r.label for r in records if r.split == "train" and r.label != NO_LABEL}
    return SetCheck(
        counts,
        splits,
        tuple(_warnings(counts, splits, learned, names, labelled)),
        tuple(_errors(counts, splits, learned, labelled, validation)),
    )


def slug(text: str) -> str:
    """A name for files made of words for people."""
    return re.sub(r"[^a-z0-9_-]+", "-", text.casefold()).strip("-_")[:40] or "network"


def _errors(
    counts: Mapping[str, int],
    splits: Mapping[str, int],
    learned: set[int],
    labelled: Dataset,
    validation: float,
) -> list[str]:
    present = [name for name, count in counts.items() if count]
    found = []
    if len(present) < 2:
        found.append(
            f"All images have one label ({', '.join(present) or 'none'}). A network needs at least "
            "two to tell apart: add images of another class."
        )
    elif max(counts.values()) < 2:
        found.append(
            "No class has more than one image: nothing would be left to check the network with. "
            "Bring at least a few images of each class."
        )
    elif len(learned) < 2:
        found.append(
            "All images for training have one label; the split leaves the others out of it. Bring "
            "more images."
        )
    if len(present) > MOST_CLASSES:
        found.append(
            f"The set has {len(present):,} classes; this page trains at most {MOST_CLASSES:,}. "
            "Are the labels perhaps names of images or of artists?"
        )
    if not found:
        found += _too_few(splits, labelled, validation)
    return found


def _too_few(splits: Mapping[str, int], labelled: Dataset, validation: float) -> list[str]:
    """What to do where one part of the images is too small to serve."""
    short = [s for s in SPLITS if splits[s] < 2 and (s != "validation" or validation > 0)]
    if not short:
        return []
    parts = (
        f"Of {len(labelled.records):,} images {splits['train']} would be for training, "
        f"{splits['validation']} to watch over it (validation) and {splits['test']} for the test "
        "at the end; each part needs two."
    )
    if any(record.split is not None for record in labelled.records):
        return [
            f"{parts} The set says itself which image is for what: bring it in again with some "
            "images in each of train, val and test, or without such folders, and they are chosen "
            "here."
        ]
    return [f"{parts} Bring more images, or raise the share kept out for checking under Settings."]


def _warnings(
    counts: Mapping[str, int],
    splits: Mapping[str, int],
    learned: set[int],
    names: tuple[str, ...],
    labelled: Dataset,
) -> list[str]:
    missing = [name for name, count in counts.items() if not count]
    few = [name for name, count in counts.items() if 0 < count < FEW_IN_A_CLASS]
    unseen = [n for i, n in enumerate(names) if counts[n] and i not in learned]
    sizes = [count for count in counts.values() if count]
    found = []
    if missing:
        found.append(f"No image is {_listed(missing)}: the network cannot learn to say so.")
    if unseen:
        found.append(f"All images of {_listed(unseen)} are kept for checking; none is learned.")
    if few:
        found.append(
            f"Fewer than {FEW_IN_A_CLASS} images: {_listed(few)}. Expect little there; twenty or "
            "more a class are a good beginning."
        )
    if len(sizes) > 1 and max(sizes) > 10 * min(sizes):
        found.append(
            f"The largest class has {max(sizes):,} images, the smallest {min(sizes):,}: the "
            "network will favour the large ones."
        )
    if len(sizes) > MANY_CLASSES:
        found.append(f"{len(sizes):,} classes are many: charts and maps will be hard to read.")
    if 0 < splits["validation"] < 30:
        found.append(
            f"Only {splits['validation']} images watch over the training: one image more or less "
            f"right moves the accuracy by {100 / splits['validation']:.0f} points."
        )
    if labelled.problems:
        found.append(f"{len(labelled.problems):,} rows of the set cannot be used.")
    return found


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - 8:,} more" if len(names) > 8 else ""
    return ", ".join(names[:8]) + more


def _summary(choices: Choices, known: KnownSet) -> str:
    kinds = {
        "probe": "A linear classifier on the frozen features of",
        "heads": "Gram modules and classifier on the frozen features of",
        "all": "The whole network, beginning with",
    }
    start = f"checkpoint {choices.start}" if choices.start else choices.backbone
    return f"{kinds[choices.what]} {start}; trained on {known.title} ({known.count:,} images)."


def _network(choices: Choices) -> dict[str, Any]:
    frozen = choices.what != "all"
    probe = choices.what == "probe"
    layers = [] if probe else list(LAYERS[choices.modules])
    dropout = 0.5 if frozen and layers else 0.0
    return {
        "backbone": choices.backbone,
        "layers": layers,
        "start": choices.start,
        "standardise": frozen and (bool(layers) or probe or not choices.beta),
        "pooled_dropout": dropout,
        "gram_dropout": dropout,
        "dropout": 0.2 if layers else 0.0,
    }


def _input(choices: Choices, start: Checkpoint | None) -> dict[str, Any]:
    if start is None:
        return {"size": choices.size, "fit": "crop", "crop": 0.875}
    given = start.card.preprocessing.to_dict()
    return {key: given[key] for key in ("size", "fit", "crop", "interpolation") if key in given}


def _phase(choices: Choices) -> dict[str, Any]:
    phase: dict[str, Any] = {
        "train": "all" if choices.what == "all" else "heads",
        "epochs": choices.epochs,
        "batch": choices.batch,
        "optimiser": choices.optimiser,
        "learning_rate": choices.learning_rate,
    }
    if choices.optimiser == "sgd":
        phase |= {"schedule": "restarts", "restart_epochs": 5, "lowest_rate": 1e-4}
        phase["backbone_learning_rate"] = choices.learning_rate
    else:
        phase |= {"weight_decay": 0.05, "center_learning_rate": 3.0}
        phase["backbone_learning_rate"] = choices.learning_rate / 10
    if choices.what != "all":
        phase |= {"views": choices.views, "positions": 0 if choices.whole_maps else 48}
    return phase


def _set_part(known: KnownSet) -> dict[str, str]:
    about = known.about
    return {
        "title": known.title,
        "source": str(about.get("source") or ""),
        "terms": str(about.get("terms") or ""),
    }
