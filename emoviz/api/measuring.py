"""Measuring networks on labelled images: one, or two on the same ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypedDict, Unpack

import numpy as np
from numpy.typing import NDArray

from emoviz.analysis.resampling import Intervals
from emoviz.api.network import Network
from emoviz.api.opening import text_of
from emoviz.api.results import ComparisonResult, EvaluationResult
from emoviz.data.dataset import Dataset
from emoviz.data.library import id_of
from emoviz.errors import TableError, TaxonomyError
from emoviz.experiments.assess import MeasuredSet, comparison, evaluation
from emoviz.experiments.contenders import Contender, open_contender, table_of
from emoviz.inference.embedding_table import EmbeddingTable
from emoviz.inference.labelled import bridge_from, labels_of, open_labelled, proposed_bridge
from emoviz.inference.leaks import seen_rows
from emoviz.inference.predictions import LabelledNames, prediction_table
from emoviz.jobs import Reporter
from emoviz.labels import Bridge, Taxonomy, bridge_between, get_taxonomy
from emoviz.settings import Settings, load_settings

Measured = Network | str | Contender
Split = Literal["train", "validation", "test"]
BridgeRule = Mapping[str, Sequence[str]]


class SetChoice(TypedDict, total=False):
    """Which images of a set are measured, and against which labels; each may be left out.

    Attributes:
        taxonomy: Of the labels, by its name; found from them where left out.
        split: Only ``train``, ``validation`` or ``test``.
        level: Which folder is the class, counted from the outermost, 1.
        bridge: What may be called what, ``{"label": ["class", ...]}``; proposed where left out.
        without_seen: Leave out images that were in a network's training, by bytes or looks.
    """

    taxonomy: str | None
    split: Split | None
    level: int | None
    bridge: BridgeRule | None
    without_seen: bool


def evaluate(
    network: Measured,
    data: str | Path | Dataset,
    *,
    seed: int = 0,
    settings: Settings | None = None,
    **choice: Unpack[SetChoice],
) -> EvaluationResult:
    """How good a network is on labelled images, every number with its interval.

    Args:
        network: From `emoviz.load`, an id, or ids with ``+`` between them: an ensemble.
        data: A table with file and label, a folder of classes, or the id of a set; or what
            `emoviz.open` made of one.
        seed: Of the intervals and of k-means.
        settings: Instead of the environment's.
        choice: ``taxonomy`` of the labels, by its name, where they do not tell; ``split``, for
            ``train``, ``validation`` or ``test`` alone; ``level``, which folder is the class,
            counted from the outermost, 1; ``bridge``, what may be called what
            (``{"label": ["class", ...]}``); ``without_seen=True`` to leave out images that were in
            the network's training, by bytes or looks.

    Raises:
        TableError: The set cannot be read, or has no label that the network knows.
        CheckpointError: The network is not there or cannot be used.
        TypeError: The data are no place.
    """
    settings = settings or load_settings()
    contender = _contender(network, settings)
    seen = measured_tables([contender], _set_of(data), settings, **choice)
    return EvaluationResult(evaluation(contender, *seen.of(0), settings, Intervals(seed=seed)))


def compare(
    a: Measured,
    b: Measured,
    data: str | Path | Dataset,
    *,
    seed: int = 0,
    settings: Settings | None = None,
    **choice: Unpack[SetChoice],
) -> ComparisonResult:
    """Whether network `b` is better than `a` on the same images; see `evaluate`."""
    settings = settings or load_settings()
    pair = _contender(a, settings), _contender(b, settings)
    seen = measured_tables(pair, _set_of(data), settings, **choice)
    return ComparisonResult(
        comparison(
            pair,
            (seen.tables[0], seen.tables[1]),
            (seen.bridges[0], seen.bridges[1]),
            seen.measured,
            settings,
            Intervals(seed=seed),
        )
    )


@dataclass(frozen=True)
class SeenSet:
    """A labelled set that some contenders were shown.

    Attributes:
        measured: The set.
        tables: Of each contender, its members' tables.
        bridges: Of each contender, its members' bridges to the labels.
        notes: How the set and what other programs answered were read.
        left_out: Images that could be read and are left out, since they were in a training.
    """

    measured: MeasuredSet
    tables: list[list[EmbeddingTable]]
    bridges: list[list[Bridge]]
    notes: Sequence[str] = ()
    left_out: int = 0

    @property
    def taken(self) -> int:
        """Images that could be read."""
        return len(self.tables[0][0]) + self.left_out

    def of(self, index: int) -> tuple[list[EmbeddingTable], list[Bridge], MeasuredSet]:
        """What `evaluation` wants of one contender."""
        return self.tables[index], self.bridges[index], self.measured


def measured_tables(
    contenders: Sequence[Contender],
    data: str | Path | Dataset | None,
    settings: Settings,
    *,
    taxonomy: str | None = None,
    split: Split | None = None,
    level: int | None = None,
    bridge: BridgeRule | None = None,
    without_seen: bool = False,
    watch: Reporter | None = None,
) -> SeenSet:
    """Show a labelled set to contenders.

    Args:
        contenders: One, or several that are measured on the same images.
        data: See `evaluate`; None where one contender's predictions bring their labels.
        settings: Where the cache is.
        taxonomy, split, level, bridge, without_seen: See `SetChoice`.
        watch: Told how far it is.

    Raises:
        TableError: Nothing is left, or no contender says what it was trained on.
    """
    known = get_taxonomy(taxonomy) if taxonomy else None
    opened = None
    if data is not None and data != "":
        wanted = (known, contenders[0].taxonomies[0], split, level)
        opened = open_labelled(data, settings, *wanted)
    tables = _tables(contenders, opened, settings, watch)
    rows = [(place, why) for place, why in (opened.problems if opened is not None else ())]
    rows += [row for own in tables for table in own for row in table.refused]
    refused = tuple(dict.fromkeys(rows))
    labels, left_out = labels_of(tables[0][0], opened), 0
    notes = []
    if without_seen:
        rows_left = _unseen(contenders, tables[0][0], settings)
        left_out = len(tables[0][0]) - len(rows_left)
        tables = [[table.take(rows_left) for table in own] for own in tables]
        labels = labels.take(rows_left)
        notes.append(f"images left out because they were in a training: {left_out}")
    told = [item.predictions for item in contenders if item.predictions is not None]
    notes += [f"{item.title}: {note}" for item in told for note in item.notes]
    bridges = [
        [
            bridge_from(bridge, classes, labels.taxonomy)
            if bridge is not None
            else bridge_between(classes, labels.taxonomy)
            if item.predictions is None
            else _strangers_bridge(item.name, classes, labels.taxonomy)
            for classes in item.taxonomies
        ]
        for item in contenders
    ]
    if opened is None:
        alone = MeasuredSet(told[0].title, labels, refused=refused)
        return SeenSet(alone, tables, bridges, notes, left_out)
    id = id_of(settings, opened.path)
    measured = MeasuredSet(opened.name, labels, id, opened.unknown, refused, opened.about)
    return SeenSet(measured, tables, bridges, [*opened.notes, *notes], left_out)


def _unseen(
    contenders: Sequence[Contender], table: EmbeddingTable, settings: Settings
) -> NDArray[np.int64]:
    """(K,) rows of the images that no contender was trained on."""
    members = [member for item in contenders for member in item.members]
    seen = seen_rows(members, table.sha256, settings)
    if seen is None:
        raise TableError("No network here says which images it was trained on: none is left out.")
    if seen.either.all():
        raise TableError("Every image of the set was in a training: none is left to measure on.")
    return np.flatnonzero(~seen.either)


def _strangers_bridge(name: str, classes: Taxonomy, labels: Taxonomy) -> Bridge:
    """As far as another program's classes are emotions of the field or names of labels."""
    bridge = proposed_bridge(classes, labels)
    if not bridge.matrix.any():
        raise TaxonomyError(
            f"No class of '{name}' ({', '.join(classes.names[:6])}) is known as a label "
            f"({', '.join(labels.names[:6])}). Say what may be called what, with --bridge FILE."
        )
    return bridge


def _tables(
    contenders: Sequence[Contender],
    opened: Dataset | None,
    settings: Settings,
    watch: Reporter | None,
) -> list[list[EmbeddingTable]]:
    """Of each contender's members; checkpoints come first, since they read the images."""
    found: dict[int, list[EmbeddingTable]] = {}
    members = [(i, member) for i, item in enumerate(contenders) for member in item.members]
    if members and opened is None:
        raise TableError("A checkpoint is measured on a set: name it with --data.")
    for done, (i, member) in enumerate(members, 1):
        assert opened is not None
        if watch is not None:
            words = f"embedding images with {member.card.id}"
            watch.step(words, until=0.9 * done / len(members))
        found.setdefault(i, []).append(table_of(member, opened, settings, watch))
    seen = [table for own in found.values() for table in own]
    hashes = {name: sha for t in seen for name, sha in zip(t.paths, t.sha256, strict=True)}
    shown = None
    if opened is not None:
        shown = LabelledNames(
            opened.name, opened.names, opened.label_indices, opened.taxonomy, hashes
        )
    for i, item in enumerate(contenders):
        if item.predictions is not None:
            found[i] = [prediction_table(item.predictions, shown)]
    return [found[i] for i in range(len(contenders))]


def _set_of(data: str | Path | Dataset) -> str | Dataset:
    return data if isinstance(data, Dataset) else text_of(data)


def _contender(network: Measured, settings: Settings) -> Contender:
    if isinstance(network, Contender):
        return network
    if isinstance(network, Network):
        return Contender(network.card.id, (network.checkpoint,))
    return open_contender(str(network), settings)
