"""A run is a folder: settings, progress line by line, the finished checkpoint.

::

    <run>/settings.json        recipe, tables, versions, when it started
          progress.jsonl       one line an epoch
          checkpoints/<name>/  the finished network, or nothing yet
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

import numpy as np
import torch
from numpy.typing import NDArray

import emoviz
from emoviz.checkpoints import Checkpoint, save_checkpoint
from emoviz.data.preprocessing import Preprocessing
from emoviz.data.records import LabelledSet, fold_indices, parse_data_argument, read_table
from emoviz.errors import TrainingError
from emoviz.files import write_json
from emoviz.labels import get_taxonomy
from emoviz.models.backbones import Backbone, load_pretrained
from emoviz.models.losses import ContrastiveCenterLoss
from emoviz.models.network import EmotionNetwork, NetworkConfig
from emoviz.settings import Settings
from emoviz.training.features import FeatureSource
from emoviz.training.finish import (
    HeldOut,
    Measured,
    Outputs,
    make_card,
    measure_folds,
    measure_splits,
    outputs,
    outputs_on_features,
    without_unreadable,
)
from emoviz.training.loop import EpochResult, Training, train
from emoviz.training.recipe import Recipe, load_recipe
from emoviz.training.targets import (
    Targets,
    check_splits,
    make_targets,
    split_sets,
    with_class_weights,
)
from emoviz.training.views import ViewMaker, unreadable

Rows = NDArray[np.int64]
SETTINGS, PROGRESS, CHECKPOINTS = "settings.json", "progress.jsonl", "checkpoints"


@dataclass(frozen=True)
class Prepared:
    """What every training of a run shares.

    Attributes:
        recipe: What to do.
        sets: The labelled sets, without what cannot be read.
        targets: Of all their images.
        preprocessing: Of the finished network.
        features: Of the frozen backbone, computed once for all trainings.
        tell: Called with a line for people.
    """

    recipe: Recipe
    sets: tuple[LabelledSet, ...]
    targets: Targets
    preprocessing: Preprocessing
    features: FeatureSource
    tell: Callable[[str], None]

    def training(self, train_rows: Rows, watched: Rows) -> tuple[Training, str]:
        """A fresh network to train on some of the images, and where its backbone came from."""
        torch.manual_seed(self.recipe.seed)
        network, pretrained = build_network(self.recipe)
        part = self.recipe.loss
        classes = len(get_taxonomy(self.recipe.taxonomy))
        loss = ContrastiveCenterLoss(classes, network.width, part.margin, part.center_spread)
        state = Training(
            self.recipe,
            network,
            loss,
            self.preprocessing,
            with_class_weights(self.targets.rows(train_rows), self.recipe.data.class_weight_power),
            self.targets.rows(watched),
            self.tell,
            self.features,
        )
        return state, pretrained


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
    whole = any(phase.train == "all" for phase in recipe.phases)  # the rest is quick anywhere
    gpu = whole and settings.device != "cpu" and torch.cuda.is_available()
    device = "cuda" if gpu else "cpu"
    began = time.monotonic()
    _write_settings(folder, recipe, tables, device)
    prepared = prepare(recipe, tables, tell, settings.home / "cache" / "features")
    with (folder / PROGRESS).open("a", encoding="utf-8") as stream:
        state, measured, pretrained = _train_and_measure(prepared, device, stream)
    origin = {
        "backbone_weights": pretrained,
        "trained_on": f"{device}, {(time.monotonic() - began) / 60:.0f} minutes",
    }
    card = make_card(state, prepared.sets, prepared.targets, measured, origin)
    centers = state.loss.centers.detach().cpu() if recipe.loss.beta else None
    place = folder / CHECKPOINTS / (recipe.name or "network")
    return save_checkpoint(place, card, state.network, centers, measured.novelty)


def prepare(
    recipe: Recipe, tables: Sequence[str], tell: Callable[[str], None], cache: Path | None = None
) -> Prepared:
    """Read the tables, leave out what cannot be read, and make the targets."""
    preprocessing = _preprocessing(recipe)
    sets = []
    for text in tables:
        taxonomy, path = parse_data_argument(text)
        item = read_table(path, taxonomy)
        item = without_unreadable(item, unreadable(item.records, preprocessing))
        tell(f"{item.name}: {len(item.records)} images, {len(item.refused)} refused")
        sets.append(item)
    sets = split_sets(sets, recipe.data)
    targets = make_targets(sets, recipe, get_taxonomy(recipe.taxonomy))
    if not recipe.data.folds:
        check_splits(targets)
    maker = ViewMaker(preprocessing, recipe.augment, recipe.augment.view_seed)
    pool = targets.records if recipe.data.folds else None
    features = FeatureSource(maker, cache, tell, pool)
    return Prepared(recipe, tuple(sets), targets, preprocessing, features, tell)


def cross_validate(prepared: Prepared, device: str, stream: TextIO) -> HeldOut:
    """Train without each fold in turn and keep what each network makes of its fold.

    Raises:
        TrainingError: A fold holds no image, or all of them.
    """
    recipe, targets = prepared.recipe, prepared.targets
    groups = [record.group for record in targets.records]
    folds = fold_indices(groups, recipe.data.folds, recipe.data.split_seed)
    parts: list[Outputs] = []
    order: list[Rows] = []
    for k in range(recipe.data.folds):
        held, rest = np.flatnonzero(folds == k), np.flatnonzero(folds != k)
        if len(held) < 2 or len(rest) < 2:
            raise TrainingError(
                f"Fold {k + 1} of {recipe.data.folds} holds {len(held)} of {len(folds)} images. "
                "Bring more images (or groups), or set data.folds lower."
            )
        prepared.tell(f"Fold {k + 1} of {recipe.data.folds}: {len(held)} images held out")
        state, _ = prepared.training(rest, held)
        _follow(train(state, device), stream, prepared.tell, fold=k + 1)
        parts.append(_outputs(prepared, state, targets.rows(held)))
        order.append(held)
    back = np.argsort(np.concatenate(order))
    joined = (np.concatenate(column)[back] for column in zip(*map(_columns, parts), strict=True))
    words = f"out of {recipe.data.folds} folds"
    return HeldOut(words, targets, Outputs(*joined), folds)


def build_network(recipe: Recipe) -> tuple[EmotionNetwork, str]:
    """The recipe's network with its starting weights, and where those came from."""
    part = recipe.network
    config = NetworkConfig(
        backbone=part.backbone,
        classes=len(get_taxonomy(recipe.taxonomy)),
        layers=part.layers,
        dropout=part.dropout,
        gram_dropout=part.gram_dropout,
        pooled_dropout=part.pooled_dropout,
    )
    network = EmotionNetwork(config)
    source = load_pretrained(network.backbone) if part.pretrained else "random"
    return network, source


def _train_and_measure(
    prepared: Prepared, device: str, stream: TextIO
) -> tuple[Training, Measured, str]:
    targets = prepared.targets
    if prepared.recipe.data.folds:
        held = cross_validate(prepared, device, stream)
        prepared.tell("All images")
        state, pretrained = prepared.training(np.arange(len(targets)), np.arange(0))
        _follow(train(state, device), stream, prepared.tell, fold=0)
        return state, measure_folds(held, state.network, prepared.recipe), pretrained
    splits = np.array([record.split for record in targets.records])
    rows = (np.flatnonzero(splits == name) for name in ("train", "validation"))
    state, pretrained = prepared.training(*rows)
    _follow(train(state, device), stream, prepared.tell, fold=0)
    prepared.tell("Calibrating and measuring on the test split ...")
    return state, measure_splits(state, targets), pretrained


def _outputs(prepared: Prepared, state: Training, targets: Targets) -> Outputs:
    if all(phase.train != "all" for phase in prepared.recipe.phases):
        return outputs_on_features(state, prepared.features, targets)
    return outputs(state, targets)


def _columns(part: Outputs) -> tuple[NDArray[np.float32], ...]:
    return part.logits, part.embedding, part.pooled, part.energy


def _follow(
    results: Iterator[EpochResult], stream: TextIO, tell: Callable[[str], None], fold: int
) -> None:
    """Write each epoch's line as it comes; fold 0 is the training of the finished network."""
    for result in results:
        stream.write(json.dumps({"fold": fold, **result.to_dict()}) + "\n")
        stream.flush()
        tell(_line(result))


def _write_settings(folder: Path, recipe: Recipe, tables: Sequence[str], device: str) -> None:
    values = {
        "recipe": recipe.to_dict(),
        "tables": list(tables),
        "device": device,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {"emoviz": emoviz.__version__, "torch": torch.__version__},
    }
    write_json(folder / SETTINGS, values)


def _preprocessing(recipe: Recipe) -> Preprocessing:
    """The recipe's input with the mean and deviation that the backbone was trained with."""
    part = recipe.input
    mean, std = Backbone(recipe.network.backbone, ()).normalisation
    return Preprocessing.from_dict({**asdict(part), "mean": mean, "std": std})


def _new_folder(folder: Path) -> Path:
    if folder.is_file():
        raise TrainingError(f"The run folder '{folder}' is a file. Choose another with --run.")
    if folder.exists() and any(folder.iterdir()):
        raise TrainingError(f"The run folder '{folder}' is not empty. Choose another with --run.")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _stamp(recipe: Recipe) -> str:
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{recipe.name or 'run'}-s{recipe.seed}"


def _line(result: EpochResult) -> str:
    held_out = result.validation_entropy
    watched = "" if held_out is None else f"held out {held_out:.3f}, "
    return (
        f"phase {result.phase} epoch {result.epoch}/{result.epochs}: loss {result.loss:.3f} "
        f"(entropy {result.entropy:.3f}, intra {result.intra:.3f}, inter {result.inter:.3f}), "
        f"{watched}{result.images_per_second:.0f} images/s, {result.seconds_left:.0f} s left"
    )
