"""Give a checkpoint what a training of today would leave beside its weights.

    python scripts/training_statistics.py CHECKPOINT --data [TAXONOMY=]TABLE [--data ...] \
        --out FOLDER [--novelty]

That is the filter of its training images' hashes and, with --novelty, the statistic behind "unlike
the training images", for which each image passes through the network once (30 ms an image on one
core). The tables are those it was trained on; as many images as its card says must be left of them,
split as its recipe splits. Its weights stay as they are; the graph is exported anew, as it stores
where in the weights' file each array begins. A training does both by itself.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import yaml

from emoviz.checkpoints import (
    Checkpoint,
    load_centers,
    load_network,
    load_novelty,
    open_checkpoint,
    save_checkpoint,
)
from emoviz.data.dataset import fold_indices
from emoviz.data.reading import parse_data_argument, read_labelled
from emoviz.inference.engines import open_engine
from emoviz.settings import Settings, load_settings
from emoviz.training.augmentation import ViewMaker
from emoviz.training.finish import (
    HeldOut,
    Outputs,
    has_frozen_backbone,
    novelty_of_folds,
    novelty_width,
    seen_images,
)
from emoviz.training.recipe import Recipe
from emoviz.training.recipe_loading import read_recipe
from emoviz.training.targets import Targets, make_targets, split_sets


def main() -> None:
    """Read the tables, count, and write the checkpoint anew."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("checkpoint")
    parser.add_argument("--data", action="append", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--novelty", action="store_true")
    given = parser.parse_args()
    settings = load_settings()
    found = open_checkpoint(given.checkpoint, settings)
    card = found.card
    recipe = read_recipe(yaml.safe_dump(dict(card.recipe)), card.id)
    if any(entry["images in the finished weights"] == 0 for entry in card.data):
        recipe = replace(recipe, data=replace(recipe.data, test=0.0))  # a table was for the test
    sets = [
        read_labelled(path, taxonomy) for taxonomy, path in map(parse_data_argument, given.data)
    ]
    if not recipe.data.folds:
        sets = split_sets(sets, recipe.data)
    targets = make_targets(sets, recipe, recipe.classes)
    seen, told = seen_images(targets.records, recipe)
    learned = sum(entry["images in the finished weights"] for entry in card.data)
    if told["images"] != learned:
        parser.error(f"{told['images']} images are left, the card names {learned}: other tables?")
    novelty, words = load_novelty(found), card.novelty
    if given.novelty:
        if not recipe.data.folds or not has_frozen_backbone(recipe):
            parser.error("--novelty is for networks of folds on a frozen backbone.")
        held, network = looked_at(found, targets, recipe, settings), load_network(found)
        novelty, words = novelty_of_folds(held, novelty_width(network), recipe)
        print(words)
    centers = load_centers(found)
    made = save_checkpoint(
        given.out,
        replace(card, seen=told, novelty=words),
        load_network(found),
        None if centers is None else torch.from_numpy(centers),
        novelty,
        bool(card.graph_sha256),
        seen,
    )
    print(f"{made.folder}: {told['images']:,} images in {told['bytes']:,} bytes")


def looked_at(found: Checkpoint, targets: Targets, recipe: Recipe, settings: Settings) -> HeldOut:
    """What the network makes of its training images; each in the fold that it had in training."""
    engine = open_engine(found, settings)
    maker = ViewMaker(found.card.preprocessing, recipe.augment, recipe.seed)
    rows, parts = [], []
    for index, images in maker.batches(targets.records, np.arange(len(targets)), 16, None):
        rows.append(index)
        parts.append(engine.run(images.numpy()))
        if len(rows) % 20 == 0:
            print(f"{sum(map(len, rows)):,} of {len(targets):,} images", flush=True)
    kept = targets.rows(np.concatenate(rows))
    made = Outputs(
        *(np.concatenate(column) for column in zip(*(p[:6] for p in parts), strict=True))
    )
    folds = fold_indices(
        [record.group for record in kept.records], recipe.data.folds, recipe.data.split_seed
    )
    return HeldOut(f"out of {recipe.data.folds} folds", kept, made, folds)


if __name__ == "__main__":
    main()
