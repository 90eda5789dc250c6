"""A run is a folder: settings, progress line by line, the finished checkpoint.

::

    <run>/settings.json        recipe, tables, versions, when it started
          progress.jsonl       one line an epoch
          checkpoints/<name>/  the finished network, or nothing yet
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

import torch

import emoviz
from emoviz.checkpoints import Checkpoint, save_checkpoint
from emoviz.data.preprocessing import Preprocessing
from emoviz.data.records import LabelledSet, parse_data_argument, read_table
from emoviz.errors import TrainingError
from emoviz.files import write_json
from emoviz.labels import get_taxonomy
from emoviz.models.backbones import Backbone, load_pretrained
from emoviz.models.losses import ContrastiveCenterLoss
from emoviz.models.network import EmotionNetwork, NetworkConfig
from emoviz.settings import Settings
from emoviz.training.finish import make_card, without_unreadable
from emoviz.training.loop import EpochResult, Training, train
from emoviz.training.recipe import Recipe, load_recipe
from emoviz.training.targets import Targets, make_targets, split_sets
from emoviz.training.views import unreadable

SETTINGS, PROGRESS, CHECKPOINTS = "settings.json", "progress.jsonl", "checkpoints"


def train_in_folder(
    recipe_name: str,
    tables: Sequence[str],
    folder: Path | None,
    seed: int | None,
    settings: Settings,
    tell: Callable[[str], None],
) -> Checkpoint:
    """Train a recipe on tables of labelled images and leave everything in one folder.

    Args:
        recipe_name: A name or a YAML file.
        tables: ``TAXONOMY=FILE`` or ``FILE`` each.
        folder: The run's; a new one under the person's home where None.
        seed: Instead of the recipe's.
        settings: Where the home is, which device.
        tell: Called with a line for people now and then.

    Raises:
        RecipeError, TableError, TaxonomyError, WeightsError, TrainingError: See there.
    """
    recipe = load_recipe(recipe_name)
    recipe = recipe if seed is None else replace(recipe, seed=seed)
    folder = _new_folder(folder or settings.runs / _stamp(recipe))
    device = "cuda" if settings.device != "cpu" and torch.cuda.is_available() else "cpu"
    began = time.monotonic()
    write_json(
        folder / SETTINGS,
        {
            "recipe": recipe.to_dict(),
            "tables": list(tables),
            "device": device,
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            "versions": {"emoviz": emoviz.__version__, "torch": torch.__version__},
        },
    )
    state, sets, targets, pretrained = prepare(
        recipe, tables, tell, settings.home / "cache" / "features"
    )
    with (folder / PROGRESS).open("a", encoding="utf-8") as progress:
        for result in train(state, device):
            progress.write(json.dumps(result.to_dict()) + "\n")
            progress.flush()
            tell(_line(result))
    tell("Calibrating and measuring on the test split ...")
    seconds = time.monotonic() - began
    card, novelty = make_card(state, sets, targets, pretrained, device, seconds)
    centers = state.loss.centers.detach().cpu() if recipe.loss.beta else None
    place = folder / CHECKPOINTS / (recipe.name or "network")
    return save_checkpoint(place, card, state.network, centers, novelty)


def prepare(
    recipe: Recipe, tables: Sequence[str], tell: Callable[[str], None], cache: Path | None = None
) -> tuple[Training, list[LabelledSet], Targets, str]:
    """Read the tables, build the network and the targets.

    Returns:
        The training state, the sets with their splits, all targets, and where the backbone's
        weights came from.
    """
    preprocessing = _preprocessing(recipe)
    sets = []
    for text in tables:
        taxonomy, path = parse_data_argument(text)
        item = read_table(path, taxonomy)
        item = without_unreadable(item, unreadable(item.records, preprocessing))
        tell(f"{item.name}: {len(item.records)} images, {len(item.refused)} refused")
        sets.append(item)
    sets = split_sets(sets, recipe.data)
    taxonomy = get_taxonomy(recipe.taxonomy)
    targets = make_targets(sets, recipe, taxonomy)
    torch.manual_seed(recipe.seed)
    network, pretrained = build_network(recipe, len(taxonomy))
    part = recipe.loss
    loss = ContrastiveCenterLoss(len(taxonomy), network.width, part.margin, part.center_spread)
    train_part, validation = targets.of_split("train"), targets.of_split("validation")
    state = Training(recipe, network, loss, preprocessing, train_part, validation, tell, cache)
    return state, sets, targets, pretrained


def build_network(recipe: Recipe, classes: int) -> tuple[EmotionNetwork, str]:
    """The recipe's network with its starting weights, and where those came from."""
    part = recipe.network
    config = NetworkConfig(
        backbone=part.backbone,
        classes=classes,
        layers=part.layers,
        dropout=part.dropout,
        gram_dropout=part.gram_dropout,
        pooled_dropout=part.pooled_dropout,
    )
    network = EmotionNetwork(config)
    source = load_pretrained(network.backbone) if part.pretrained else "random"
    return network, source


def _preprocessing(recipe: Recipe) -> Preprocessing:
    """The recipe's input with the mean and deviation that the backbone was trained with."""
    part = recipe.input
    mean, std = Backbone(recipe.network.backbone, ()).normalisation
    return Preprocessing.from_dict({**asdict(part), "mean": mean, "std": std})


def _new_folder(folder: Path) -> Path:
    if folder.exists() and any(folder.iterdir()):
        raise TrainingError(f"The run folder '{folder}' is not empty. Choose another with --run.")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _stamp(recipe: Recipe) -> str:
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{recipe.name or 'run'}-s{recipe.seed}"


def _line(result: EpochResult) -> str:
    return (
        f"phase {result.phase} epoch {result.epoch}/{result.epochs}: loss {result.loss:.3f} "
        f"(entropy {result.entropy:.3f}, intra {result.intra:.3f}, inter {result.inter:.3f}), "
        f"validation {result.validation_entropy:.3f}, {result.images_per_second:.0f} images/s, "
        f"{result.seconds_left:.0f} s left"
    )
