"""A run's network among the checkpoints, with a card that people may have edited."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from emoviz.checkpoints import (
    Card,
    Checkpoint,
    check_id,
    load_centers,
    load_network,
    load_novelty,
    load_seen,
    made_before,
    read_checkpoint,
    save_checkpoint,
)
from emoviz.data.dataset import assign_splits
from emoviz.data.library import save_set
from emoviz.data.reading import parse_data_argument, read_labelled
from emoviz.errors import TableError, TrainingError
from emoviz.files import read_json
from emoviz.inference.trust import remember
from emoviz.settings import Settings
from emoviz.training.folder import SETTINGS

# Of the card; the last two stand in its entry of the training set.
EDITABLE = ("title", "summary", "licence", "intended_use", "limits", "data_source", "data_terms")


def promote(source: Path, id: str, edits: Mapping[str, str], settings: Settings) -> Checkpoint:
    """Put a run's checkpoint under the person's checkpoints, with its graph.

    What an interrupted promotion of the same network with the same card left there is taken.

    Args:
        source: Folder of the checkpoint in the run.
        id: Its new name; small letters, digits, ``-`` and ``_``.
        edits: Of the card: some of `EDITABLE`.
        settings: Where the home is.

    Raises:
        TrainingError: A value of the card cannot be edited.
        CheckpointError: The id cannot be used or is taken, or the run's checkpoint cannot be read.
        OSError: The disk is full; nothing is left behind.
    """
    checkpoint = read_checkpoint(source)
    unknown = set(edits) - set(EDITABLE)
    if unknown:
        raise TrainingError(
            f"{', '.join(sorted(unknown))} of a card cannot be edited; {', '.join(EDITABLE)} can."
        )
    card = replace(checkpoint.card, **{**_with_data(checkpoint.card, edits), "id": id})
    kept = made_before(settings.user_checkpoints / id, card)
    if kept is None:
        check_id(id, settings)
        kept = _saved(settings.user_checkpoints / id, card, checkpoint)
    remember(kept, settings)
    return kept


def _saved(folder: Path, card: Card, checkpoint: Checkpoint) -> Checkpoint:
    import torch

    centers = load_centers(checkpoint)
    return save_checkpoint(
        folder,
        card,
        load_network(checkpoint),
        None if centers is None else torch.from_numpy(centers),
        load_novelty(checkpoint),
        seen=load_seen(checkpoint),
    )


def _with_data(card: Card, edits: Mapping[str, str]) -> dict[str, Any]:
    """Edits as values of the card: those of the data go into its one entry."""
    given: dict[str, Any] = {k: v for k, v in edits.items() if not k.startswith("data_")}
    of_data = {k.removeprefix("data_"): v for k, v in edits.items() if k.startswith("data_")}
    if of_data and len(card.data) != 1:
        raise TrainingError(
            f"The card names {len(card.data)} sets; source and terms can be edited where it is one."
        )
    if of_data:
        given["data"] = ({**card.data[0], **of_data},)
    return given


def keep_held_out(
    run: Path, checkpoint: Checkpoint, settings: Settings, tell: Callable[[str], None]
) -> None:
    """Put the images that a run kept for the test into the library, as a set of their own.

    On them the new network and any other can be compared: none of them was learned from. What
    cannot be read any more is told and left out. Tables for the test alone are taken whole; the
    others gave none then. A network that was trained after its folds has learned from everything.
    """
    kept = read_json(run / SETTINGS) or {}
    part = checkpoint.card.recipe.get("data", {})
    if part.get("folds"):
        tell("No images are kept as a set: after its folds the network learned from all of them.")
        return
    whole = kept.get("test_tables", [])
    for number, entry in enumerate(whole or kept.get("tables", [])):
        taxonomy, path = parse_data_argument(str(entry["table"]))
        try:
            item = read_labelled(path, taxonomy)
        except TableError as error:
            tell(f"The held-out images are not kept as a set: {error}")
            return
        shares = float(part.get("validation", 0.1)), float(part.get("test", 0.15))
        records = assign_splits(item.records, *shares, int(part.get("split_seed", 0)))
        test = tuple(r for r in records if r.split == "test") if not whole else item.records
        if not test:
            continue
        id = f"{checkpoint.card.id}-held-out" + (f"-{number + 1}" if number else "")
        about = {
            "source": item.name,
            "lineage": f"images that checkpoint {checkpoint.card.id} was not trained on",
        }
        title = f"Test images of {checkpoint.card.id}"  # no other set's name is in it
        save_set(settings, id, title, replace(item, records=test), about)
        tell(f"{len(test)} held-out images: set {id}")
