"""Labelled sets of different taxonomies as the targets of one network.

Each set keeps its own labels and reaches the network's classes through its bridge; nothing is
relabelled.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emoviz.data.dataset import (
    SPLITS,
    Dataset,
    Record,
    Split,
    assign_splits,
    merge_labels,
)
from emoviz.errors import TrainingError
from emoviz.labels import Bridge, Taxonomy, bridge_between
from emoviz.models.losses import NO_CLASS
from emoviz.training.recipe import DataPart, NetworkPart, Recipe, SetPart

_MISSED = 1 / 3  # of its share that a split may be off without a word

Rows = NDArray[np.int64]  # indices of images among those of some targets


@dataclass(frozen=True)
class Targets:
    """Everything that the loss needs to know of N images.

    Attributes:
        records: (N) the images.
        sets: (N,) index of each image's set.
        names: Names of the sets.
        taxonomies: Names of the sets' taxonomies, as their tables have them.
        joins: From the network's classes to each set's labels. Labels that the network cannot tell
            apart are one here, and in the records.
        shares: (N, S) targets, S the largest number of labels of any set; rows add up to 1.
        bridges: (sets, S, C) 0/1.
        single: (N,) the class whose center the image pulls on, or -1.
        weights: (N,) weight in the loss, mean 1.
        dimensions: (N, A) what the outputs beside the classes should be; NaN where not known.
        kinds: (N,) index of the kind of image among the network's; -1 where not known.
    """

    records: tuple[Record, ...]
    sets: NDArray[np.int64]
    names: tuple[str, ...]
    taxonomies: tuple[str, ...]
    joins: tuple[Bridge, ...]
    shares: NDArray[np.float32]
    bridges: NDArray[np.float32]
    single: NDArray[np.int64]
    weights: NDArray[np.float32]
    dimensions: NDArray[np.float32]
    kinds: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.records)

    def rows(self, index: Rows) -> "Targets":
        """Some of the images, in the order of `index`."""
        return replace(
            self,
            records=tuple(self.records[i] for i in index),
            sets=self.sets[index],
            shares=self.shares[index],
            single=self.single[index],
            weights=self.weights[index],
            dimensions=self.dimensions[index],
            kinds=self.kinds[index],
        )

    @property
    def answers(self) -> Rows:
        """(N,) the label of each image in its own set, -1 where none can be right."""
        reachable = [bridge.reachable for bridge in self.joins]
        labels = [record.label for record in self.records]
        pairs = zip(labels, self.sets, strict=True)
        known = [label if label >= 0 and reachable[s][label] else -1 for label, s in pairs]
        return np.array(known, np.int64)

    def of_split(self, split: Split) -> "Targets":
        """The images of one split."""
        return self.rows(np.flatnonzero([record.split == split for record in self.records]))


def split_sets(sets: Sequence[Dataset], part: DataPart) -> list[Dataset]:
    """Give every record of every set its split, by group."""
    return [
        replace(
            item, records=assign_splits(item.records, part.validation, part.test, part.split_seed)
        )
        for item in sets
    ]


def make_targets(sets: Sequence[Dataset], recipe: Recipe, taxonomy: Taxonomy) -> Targets:
    """Targets of several sets for one network.

    Votes for labels that no class may be called are dropped and the rest scaled to 1; an image
    with no vote left takes no part, unless its valence or arousal is learned.

    Raises:
        TaxonomyError: No bridge joins a set with the network's taxonomy.
        TrainingError: No image is left.
    """
    found = [bridge_between(taxonomy, item.taxonomy) for item in sets]
    joins = tuple(bridge.merged for bridge in found)
    width = max(len(bridge.labels) for bridge in joins)
    bridges = np.zeros((len(sets), width, len(taxonomy)), np.float32)
    parts = []
    for i, (item, bridge) in enumerate(zip(sets, found, strict=True)):
        bridges[i, : len(joins[i].labels)] = joins[i].matrix
        part = recipe.data.part_of(item.taxonomy.name, item.name)
        divided = division(item)
        item = merge_labels(item, bridge)
        parts.append(_set_targets(item, joins[i], part, recipe.network, width, i, divided))
    records = tuple(record for part in parts for record in part[0])
    if not records:
        raise TrainingError("No image has a label that one of the network's classes may be called.")
    arrays = (np.concatenate(column) for column in list(zip(*parts, strict=True))[1:])
    index, shares, *others = arrays  # single class, weight, dimensions, kind
    names = tuple(item.name for item in sets)
    taxonomies = tuple(item.taxonomy.name for item in sets)
    return Targets(records, index, names, taxonomies, joins, shares, bridges, *others)


def _set_targets(
    item: Dataset,
    bridge: Bridge,
    part: SetPart,
    network: NetworkPart,
    width: int,
    number: int,
    divided: Sequence[float],
) -> tuple[Any, ...]:
    """Records, then arrays: the set, shares, single class, weight, dimensions and kind of each."""
    records, shares, single, weights = [], [], [], []
    dimensions, kinds = [], []
    softened = _same_sentiment(bridge, part.sentiment_smoothing)
    for record, entropy in zip(item.records, divided, strict=True):
        votes = np.array(record.shares) * bridge.reachable
        covered = votes.sum()
        known = {"valence": record.valence, "arousal": record.arousal, "division": entropy}
        beside = [np.nan if (v := known[name]) is None else v for name in network.dimensions]
        rated = record.valence is not None or record.arousal is not None
        if covered <= 0 and not (rated and network.dimensions):
            continue
        # The class of the majority, where it is one class and holds enough of all the votes.
        top = int(votes.argmax())
        clear = covered > 0 and top == record.label and votes[top] / covered >= part.center_share
        row = np.zeros(width, np.float32)
        if covered > 0:
            sharp = votes**part.sharpen
            row[: len(votes)] = sharp / sharp.sum() @ softened
        kind = record.metadata.get("kind") or part.kind
        records.append(record)
        shares.append(row)
        single.append(int(bridge.single[top]) if clear else NO_CLASS)
        weights.append(part.weight)
        dimensions.append(beside)
        kinds.append(network.kinds.index(kind) if kind in network.kinds else -1)
    return (
        records,
        np.full(len(records), number, np.int64),
        np.array(shares, np.float32).reshape(-1, width),
        np.array(single, np.int64),
        np.array(weights, np.float32),
        np.array(dimensions, np.float32).reshape(len(records), len(network.dimensions)),
        np.array(kinds, np.int64),
    )


def division(item: Dataset) -> list[float]:
    """How divided the voters of each image were: entropy of the votes over the largest possible.

    What is missing to 1 counts as one more answer. NaN where there are no votes, or where people
    could give several answers, so that shares are no distribution.
    """
    if not item.votes or any(sum(record.shares) > 1.001 for record in item.records):
        return [np.nan] * len(item.records)
    shares = np.array([record.shares for record in item.records]).reshape(len(item.records), -1)
    rest = np.clip(1.0 - shares.sum(axis=1, keepdims=True), 0.0, 1.0)
    p = np.hstack([shares, rest])
    entropy = -(p * np.log(np.maximum(p, 1e-12))).sum(axis=1)
    return [float(value) for value in entropy / np.log(p.shape[1])]


def _same_sentiment(bridge: Bridge, share: float) -> NDArray[np.float64]:
    """(S, S) rows that move a share of each label to the reachable labels of its sentiment."""
    signs = bridge.labels.signs
    same = (signs[:, None] == signs[None, :]) & (signs != 0)[:, None] & bridge.reachable[None, :]
    spread = same / np.maximum(same.sum(axis=1, keepdims=True), 1)
    keep = np.where(same.any(axis=1), 1.0 - share, 1.0)
    return np.asarray(np.diag(keep) + share * spread)


def missed_shares(item: Dataset, wanted: DataPart) -> list[str]:
    """What to say where a split by groups holds far more or fewer images than was asked for.

    Groups go into splits whole, by a hash of their names; where few of them hold most images, a
    split can miss its share by much.
    """
    found: list[str] = []
    if wanted.folds:
        return found
    groups = len({record.group for record in item.records})
    shares: tuple[tuple[Split, float], ...] = (
        ("validation", wanted.validation),
        ("test", wanted.test),
    )
    for split, share in shares:
        count, due = len(item.of_split(split)), share * len(item.records)
        if abs(count - due) > max(_MISSED * due, 2.0):
            found.append(
                f"{item.name}: the {split} split holds {count:,} of {len(item.records):,} images, "
                f"wanted about {due:.0f}: the {groups:,} groups stay whole. Another "
                "data.split_seed may come nearer."
            )
    return found


def check_splits(targets: Targets, needs_validation: bool = True) -> None:
    """Each split needs at least two images; validation may be left out on purpose.

    Raises:
        TrainingError: One has fewer.
    """
    for split in SPLITS:
        if split == "validation" and not needs_validation:
            continue
        count = sum(record.split == split for record in targets.records)
        if count < 2:
            raise TrainingError(
                f"The {split} split holds {count} images; each split needs at least 2. Bring more "
                "images, or change data.validation and data.test in the recipe."
            )


def with_class_weights(targets: Targets, power: float) -> Targets:
    """Weigh samples by (mean class mass / mass of their classes) ** power, then scale to mean 1.

    A label that may be several classes spreads its mass over them.

    Args:
        targets: Of the training images alone.
        power: 0 treats all samples alike, 1 all classes alike.
    """
    spread = targets.bridges / np.maximum(targets.bridges.sum(axis=2, keepdims=True), 1)
    classes = np.einsum("ns,nsc->nc", targets.shares, spread[targets.sets])
    mass = classes.sum(axis=0)
    factor = np.ones(len(mass))
    present = mass > 0
    factor[present] = (mass[present].mean() / mass[present]) ** power
    weights = targets.weights * (classes @ factor)
    return replace(targets, weights=(weights / weights.mean()).astype(np.float32))
