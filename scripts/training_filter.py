"""Give a checkpoint that has none the filter of its training images' hashes.

    python scripts/training_filter.py CHECKPOINT --data [TAXONOMY=]TABLE [--data ...] --out FOLDER

The tables are those it was trained on; as many images as its card says must be left of them, split
as its recipe splits. Its weights stay as they are; the graph is exported anew, as it stores where
in the weights' file each array begins. A training puts the filter in by itself.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import torch
import yaml

from emoviz.checkpoints import (
    load_centers,
    load_network,
    load_novelty,
    open_checkpoint,
    save_checkpoint,
)
from emoviz.data.reading import parse_data_argument, read_labelled
from emoviz.settings import load_settings
from emoviz.training.finish import seen_images
from emoviz.training.recipe_loading import read_recipe
from emoviz.training.targets import make_targets, split_sets


def main() -> None:
    """Read the tables, count, and write the checkpoint anew."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("checkpoint")
    parser.add_argument("--data", action="append", required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    found = open_checkpoint(given.checkpoint, load_settings())
    card = found.card
    recipe = read_recipe(yaml.safe_dump(dict(card.recipe)), card.id)
    if any(entry["images in the finished weights"] == 0 for entry in card.data):
        recipe = replace(recipe, data=replace(recipe.data, test=0.0))  # a table was for the test
    sets = [
        read_labelled(path, taxonomy) for taxonomy, path in map(parse_data_argument, given.data)
    ]
    if not recipe.data.folds:
        sets = split_sets(sets, recipe.data)
    records = make_targets(sets, recipe, recipe.classes).records
    seen, told = seen_images(records, recipe)
    learned = sum(entry["images in the finished weights"] for entry in card.data)
    if told["images"] != learned:
        parser.error(f"{told['images']} images are left, the card names {learned}: other tables?")
    centers = load_centers(found)
    made = save_checkpoint(
        given.out,
        replace(card, seen=told),
        load_network(found),
        None if centers is None else torch.from_numpy(centers),
        load_novelty(found),
        bool(card.graph_sha256),
        seen,
    )
    print(f"{made.folder}: {told['images']:,} images in {told['bytes']:,} bytes")


if __name__ == "__main__":
    main()
