"""What is measured: a checkpoint's answers beside labels, through a bridge."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from emoviz.analysis.alignment import AlignedPredictions, ensemble, judge, judge_together
from emoviz.analysis.metrics import METRICS
from emoviz.analysis.resampling import MetricEstimate
from emoviz.checkpoints import Checkpoint
from emoviz.data.dataset import NO_LABEL
from emoviz.errors import EmovizError
from emoviz.experiments.assess import leak_of, leak_words
from emoviz.experiments.contenders import answers_of
from emoviz.inference.embedding_table import EmbeddingTable
from emoviz.inference.labelled import Labels, duplicates, labels_of, open_labelled
from emoviz.inference.leaks import SeenRows, seen_rows
from emoviz.inference.predictions import PredictionTable
from emoviz.labels import Bridge, own_taxonomy
from emoviz.settings import Settings
from emoviz.ui.explorer.points import Points
from emoviz.ui.explorer.sources import Source
from emoviz.ui.linked import linked_choice, linked_toggle
from emoviz.ui.measure import numbers
from emoviz.ui.measure.bridging import choose_bridge, to_text
from emoviz.ui.problems import show_problems
from emoviz.ui.words import counted, listed, plain, readable

OWN, NONE = "own", "none"
_MOST_LABELS = 40  # of a column that may be read as labels
_FILES = (".csv", ".tsv", ".parquet")


@dataclass(frozen=True)
class EvaluationSubject:
    """One model on one set: a checkpoint, or several as an ensemble.

    Attributes:
        source: The set.
        members: The checkpoint, or those of the ensemble.
        points: The images, as the first member sees them.
        tables: What each member made of them.
        labels: Of the images.
        bridges: From each member's classes to the labels.
        judged: The images that can be measured.
        key: What all of this hangs on, for caches.
        predictions: Another program's answers, where it is no checkpoint; it has no members then.
    """

    source: Source
    members: tuple[Checkpoint, ...]
    points: Points
    tables: tuple[EmbeddingTable, ...]
    labels: Labels
    bridges: tuple[Bridge, ...]
    judged: AlignedPredictions
    key: str
    predictions: PredictionTable | None = None

    @property
    def table(self) -> EmbeddingTable:
        """What the first member made of the images: their names, hashes and columns."""
        return self.tables[0]


def choose_labels(source: Source, points: Points, settings: Settings) -> Labels | None:
    """The labels of the set, or one of its columns read as labels; None where there are none."""
    table = points.table
    assert table is not None
    options = _options(table)
    if not options:
        return None
    chosen = next(iter(options))
    if len(options) > 1:
        chosen = linked_choice(
            "Labels",
            {**options, NONE: "none: without labels"},
            "labels",
            help="What the model's answers are compared with: the set's own labels, or a column "
            "that holds some.",
        )
    if chosen == NONE:
        return None
    if chosen != OWN:
        return column_labels(table, chosen.removeprefix("column-"))
    return own_labels(source, table, settings)


def own_labels(source: Source, table: EmbeddingTable, settings: Settings) -> Labels | None:
    """The labels that the set itself has; None where it has none."""
    if OWN not in _options(table):
        return None
    stamp = Path(source.path)
    changed = stamp.stat().st_mtime_ns if stamp.is_file() else 0
    created = f"{table.origin.created} {table.origin.checkpoint}" if table.origin else ""
    return _own_labels(table, f"{created} {len(table)}", source.path, changed, settings)


def column_labels(table: EmbeddingTable, column: str) -> Labels:
    """A column of the metadata as labels of their own."""
    texts = [text.strip() for text in table.metadata[column]]
    taxonomy = own_taxonomy(f"column {column}", sorted(set(texts) - {""}))
    place = {"": NO_LABEL} | {text: taxonomy.index(text) for text in set(texts) - {""}}
    indices = np.array([place[text] for text in texts], np.int64)
    return Labels(indices, taxonomy)


def subject(
    source: Source,
    checkpoint: Checkpoint,
    points: Points,
    file: Path,
    labels: Labels,
    bridge: Bridge,
) -> EvaluationSubject:
    """Put a checkpoint's answers beside labels; kept by what they hang on."""
    name = ",".join(labels.taxonomy.names)
    key = f"{file} {file.stat().st_mtime_ns} {name} {to_text(bridge.matrix)}"
    assert points.table is not None
    found = _judged(key, points.table, points.title, labels, bridge)
    tables, bridges = (points.table,), (bridge,)
    return EvaluationSubject(source, (checkpoint,), points, tables, labels, bridges, found, key)


def offer_unseen(items: Sequence[EvaluationSubject], settings: Settings) -> list[EvaluationSubject]:
    """A switch that leaves out images that any model was trained on; the rest once it is on.

    Args:
        items: Models on the same images, in the same order; measured on the same ones afterwards.
        settings: Where thumbnails are kept.
    """
    each_seen = (_seen(item.key, item, settings) for item in items)
    known = [found.either for found in each_seen if found is not None]
    seen = np.logical_or.reduce(known) if known else np.zeros(0, bool)
    if not seen.any() or seen.all():
        return list(items)
    if not linked_toggle("Leave out images that were in the training", "unseen"):
        return list(items)
    rows = np.delete(np.arange(len(items[0].table)), items[0].judged.rows[seen])
    labels = items[0].labels.take(rows)
    tables = [[table.take(rows) for table in item.tables] for item in items]
    outputs = [
        answers_of(table, item.judged.name)
        for item, own in zip(items, tables, strict=True)
        for table in own
    ]
    bridges = [bridge for item in items for bridge in item.bridges]
    each = iter(judge_together(outputs, labels.indices, bridges, labels.shares))
    st.caption(f"{counted(int(seen.sum()), 'image')} that were in the training are left out.")
    left = []
    for item, own in zip(items, tables, strict=True):
        judged = [next(each) for _ in own]
        one = judged[0] if len(judged) == 1 else ensemble(judged, item.judged.name)
        points = Points.from_table(own[0], item.points.title)
        changed: dict[str, Any] = {
            "points": points,
            "tables": tuple(own),
            "labels": labels,
            "judged": one,
        }
        left.append(replace(item, **changed, key=f"{item.key} unseen"))
    return left


def say_what_is_measured(
    item: EvaluationSubject, *others: EvaluationSubject, settings: Settings
) -> None:
    """How many images are measured, what was left out and why, and who may know them already.

    Args:
        item: What is measured.
        others: Other models on the same images.
        settings: Where thumbnails are kept.
    """
    judged = item.judged
    parts = [f"On **{counted(len(judged), 'image')}** with a label that the model can answer"]
    if judged.unlabelled:
        parts.append(f"{counted(judged.unlabelled, 'image')} without a label")
    if judged.left_out:
        named = [f"{plain(name)} ({count:,})" for name, count in _most(judged.left_out)]
        parts.append(f"left out, because no class may be called so: {listed(named)}")
    if copies := duplicates(item.table):
        parts.append(f"{counted(copies, 'copy', 'copies')} of another among all images")
    st.markdown("; ".join(parts) + ".")
    for one in (item, *others):
        _say_what_was_seen(one, settings)
    for member in (member for one in (item, *others) for member in one.members):
        if names := trained_on(member, item.source.title):
            st.warning(
                f"By their names, {plain(member.card.title)} was trained on {listed(names)}. On "
                "images that it has seen a network looks better than it is: take others.",
                icon=":material/school:",
            )
    show_problems(item.table.refused, len(item.table))


def _say_what_was_seen(item: EvaluationSubject, settings: Settings) -> None:
    """Images that the model was trained on, and the number without them."""
    found = leak_of(_seen(item.key, item, settings), item.judged.right)
    if found is None or not found.seen:
        return
    title = plain(listed([member.card.title for member in item.members]))
    words = f"{leak_words(asdict(found), title)}."
    if found.accuracy_without.value is None:
        words += " None is left that it has not seen."
    else:
        words += (
            f" Without them its accuracy is {_on_images(found.accuracy_without)}, "
            f"with them {_on_images(found.accuracy)}."
        )
    st.warning(words, icon=":material/school:")


def _on_images(accuracy: MetricEstimate) -> str:
    known = numbers.with_interval(accuracy, METRICS["accuracy"])
    return f"{known} on {counted(accuracy.n, 'image')}"


def trained_on(checkpoint: Checkpoint, title: str) -> list[str]:
    """Sets that the card names and whose letters are in a set's title: the images may be known."""
    names = [str(part.get("name", "")) for part in checkpoint.card.data]
    return [plain(name) for name in names if _letters(name) and _letters(name) in _letters(title)]


def _letters(text: str) -> str:
    return "".join(sign for sign in text.casefold() if sign.isalnum())


def single(
    source: Source, checkpoint: Checkpoint, points: Points, file: Path, labels: Labels
) -> EvaluationSubject:
    """A checkpoint's answers beside labels, through the bridge that a person chose."""
    assert points.taxonomy is not None
    bridge = choose_bridge(points.taxonomy, labels.taxonomy)
    return subject(source, checkpoint, points, file, labels, bridge)


# A minute: thumbnails that are made later tell more.
@st.cache_resource(
    max_entries=24, ttl=60, show_spinner="Looking for images that were in the training …"
)
def _seen(key: str, _item: EvaluationSubject, _settings: Settings) -> SeenRows | None:
    """Which of the measured images a member was trained on; None where none can say."""
    return seen_rows(_item.members, [_item.table.sha256[i] for i in _item.judged.rows], _settings)


@st.cache_resource(max_entries=12, show_spinner=False)
def _judged(
    key: str, _table: EmbeddingTable, title: str, _labels: Labels, _bridge: Bridge
) -> AlignedPredictions:
    return judge(answers_of(_table, title), _labels.indices, _bridge, _labels.shares)


@st.cache_resource(max_entries=8, show_spinner=False)
def _own_labels(
    _table: EmbeddingTable, created: str, path: str, changed: int, _settings: Settings
) -> Labels:
    """With people's votes, where the set has them: merged labels take the majority anew."""
    labelled = None
    if Path(path).suffix.casefold() in _FILES:
        try:
            labelled = open_labelled(path, _settings)
        except (EmovizError, OSError):
            labelled = None  # the table of embeddings has the labels all the same
    return labels_of(_table, labelled)


def _options(table: EmbeddingTable) -> dict[str, str]:
    """What may be read as labels: key -> words."""
    found = {}
    if any(table.label_names) or (table.labels >= 0).any():
        found[OWN] = "the set's own"
    for name, values in table.metadata.items():
        kinds = len(set(values) - {""})
        if 2 <= kinds <= _MOST_LABELS and kinds <= len(values) / 2:
            found[f"column-{name}"] = f"column: {readable(name)}"
    return found


def _most(counts: Mapping[str, int], shown: int = 8) -> list[tuple[str, int]]:
    ranked = sorted(counts.items(), key=lambda item: -item[1])
    rest = sum(count for _, count in ranked[shown:])
    return [*ranked[:shown], *([("others", rest)] if rest else [])]
