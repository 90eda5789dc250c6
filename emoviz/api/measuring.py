"""Measuring networks on labelled images: one, or two on the same ones."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from emoviz.analysis.resampling import Intervals
from emoviz.api.network import Network
from emoviz.api.results import ComparisonResult, EvaluationResult
from emoviz.data.library import id_of
from emoviz.experiments.assess import MeasuredSet, comparison, evaluation
from emoviz.experiments.contenders import Contender, open_contender, table_of
from emoviz.inference.embedding_table import EmbeddingTable
from emoviz.inference.labelled import bridge_from, labels_of, open_labelled
from emoviz.jobs import Reporter
from emoviz.labels import Bridge, Taxonomy, bridge_between, get_taxonomy
from emoviz.settings import Settings, load_settings

Measured = Network | str | Contender
Split = Literal["train", "validation", "test"]
BridgeRule = Mapping[str, Sequence[str]]


def evaluate(
    network: Measured,
    data: str | Path,
    *,
    taxonomy: str | None = None,
    split: Split | None = None,
    bridge: BridgeRule | None = None,
    seed: int = 0,
    settings: Settings | None = None,
) -> EvaluationResult:
    """How good a network is on labelled images, every number with its interval.

    Args:
        network: From `emoviz.load`, an id, or ids with ``+`` between them: an ensemble.
        data: A table with file and label, a folder of classes, or the id of a set.
        taxonomy: Of the labels, by its name; found from them where left out.
        split: Only ``train``, ``validation`` or ``test``.
        bridge: What may be called what, ``{"label": ["class", ...]}``; proposed where left out.
        seed: Of the intervals and of k-means.
        settings: Instead of the environment's.

    Raises:
        TableError: The set cannot be read, or has no label that the network knows.
        CheckpointError: The network is not there or cannot be used.
    """
    settings = settings or load_settings()
    contender = _contender(network, settings)
    seen = measured_tables([contender], data, settings, taxonomy, split, bridge)
    return EvaluationResult(evaluation(contender, *seen.of(0), settings, Intervals(seed=seed)))


def compare(
    a: Measured,
    b: Measured,
    data: str | Path,
    *,
    taxonomy: str | None = None,
    split: Split | None = None,
    bridge: BridgeRule | None = None,
    seed: int = 0,
    settings: Settings | None = None,
) -> ComparisonResult:
    """Whether network `b` is better than `a` on the same images; see `evaluate`."""
    settings = settings or load_settings()
    pair = _contender(a, settings), _contender(b, settings)
    seen = measured_tables(pair, data, settings, taxonomy, split, bridge)
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
    """

    measured: MeasuredSet
    tables: list[list[EmbeddingTable]]
    bridges: list[list[Bridge]]

    def of(self, index: int) -> tuple[list[EmbeddingTable], list[Bridge], MeasuredSet]:
        """What `evaluation` wants of one contender."""
        return self.tables[index], self.bridges[index], self.measured


def measured_tables(
    contenders: Sequence[Contender],
    data: str | Path,
    settings: Settings,
    taxonomy: str | None = None,
    split: Split | None = None,
    bridge: BridgeRule | None = None,
    watch: Reporter | None = None,
) -> SeenSet:
    """Show a labelled set to contenders.

    Args:
        contenders: One, or several that are measured on the same images.
        data: See `evaluate`, as the following.
        settings: Where the cache is.
        taxonomy: Of the labels.
        split: Only this one.
        bridge: What may be called what.
        watch: Told how far it is.
    """
    known = get_taxonomy(taxonomy) if taxonomy else None
    first = contenders[0].members[0].card.taxonomy
    opened = open_labelled(str(data), settings, known, first, split)
    joining: Callable[[Taxonomy, Taxonomy], Bridge] = (
        bridge_between
        if bridge is None
        else lambda model, labels: bridge_from(bridge, model, labels)
    )
    bridges = [
        [joining(member.card.taxonomy, opened.taxonomy) for member in item.members]
        for item in contenders
    ]
    count, done = sum(len(item.members) for item in contenders), 0
    tables: list[list[EmbeddingTable]] = []
    for item in contenders:
        tables.append([])
        for member in item.members:
            done += 1
            if watch is not None:
                watch.step(f"embedding images with {member.card.id}", until=0.9 * done / count)
            tables[-1].append(table_of(member, opened, settings, watch))
    refused = {row: None for own in tables for table in own for row in table.refused}
    labels = labels_of(tables[0][0], opened)
    measured = MeasuredSet(
        opened.name,
        labels,
        id_of(settings, opened.path),
        opened.unknown,
        tuple(refused),
        opened.about,
    )
    return SeenSet(measured, tables, bridges)


def _contender(network: Measured, settings: Settings) -> Contender:
    if isinstance(network, Contender):
        return network
    if isinstance(network, Network):
        return Contender(network.card.id, (network.checkpoint,))
    return open_contender(str(network), settings)
