"""Checkpoints x sets through bridges: how far does a network reach beyond what it learned from?

Dissertation, Tables 5.3 and 5.4. Nothing is trained; `emoviz.experiments.run` trains recipes for
the same question.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from emoviz.analysis.resampling import USUAL
from emoviz.checkpoints import Checkpoint
from emoviz.data.dataset import Dataset
from emoviz.data.library import id_of
from emoviz.errors import EmovizError
from emoviz.experiments.assess import MeasuredSet, Values, evaluation, versions
from emoviz.experiments.contenders import Contender, table_of
from emoviz.inference.labelled import labels_of, open_labelled
from emoviz.labels import bridge_between, get_taxonomy
from emoviz.settings import Settings

SHOWN = ("accuracy", "macro_f1", "sentiment_accuracy", "cross_sentiment", "ece")
Step = Callable[[str], None]


@dataclass(frozen=True)
class CrossCell:
    """One checkpoint on one set.

    Attributes:
        checkpoint: Its id.
        set: The set's id or title.
        images: That were measured.
        labels: Taxonomy that answers and labels were compared in.
        left_out: Images with a label that no class may be called.
        estimates: Measure -> value, low, high, reason.
        per_class: Label -> precision, recall, f1, support.
        bridge: Label -> the classes that may be called so.
        learned_from: Names of the sets that the checkpoint was trained on, as its card has them.
        set_sha256: Of images and labels.
        reason: Why there is no number; the cell is then empty.
    """

    checkpoint: str
    set: str
    images: int = 0
    labels: str = ""
    left_out: int = 0
    estimates: Mapping[str, Any] | None = None
    per_class: Mapping[str, Any] | None = None
    bridge: Mapping[str, Sequence[str]] | None = None
    learned_from: tuple[str, ...] = ()
    set_sha256: str = ""
    reason: str = ""


def across(
    checkpoints: Sequence[Checkpoint],
    sets: Sequence[str],
    settings: Settings,
    step: Step | None = None,
) -> Iterator[CrossCell]:
    """Measure every checkpoint on every set, set by set; one that does not fit costs only itself.

    Args:
        checkpoints: Of any taxonomies.
        sets: Ids of the library or paths, each as ``SET`` or ``TAXONOMY=SET``.
        settings: Where embeddings and results are kept.
        step: Called with the cell's name before it begins.
    """
    for text in sets:
        for checkpoint in checkpoints:
            if step is not None:
                step(f"{checkpoint.card.id} on {text}")
            try:
                yield _cell(checkpoint, *_opened(text, checkpoint, settings), settings)
            except EmovizError as error:
                yield CrossCell(checkpoint.card.id, text, reason=str(error))


def across_values(cells: Sequence[CrossCell]) -> Values:
    """Cells as plain values for JSON and for a report."""
    return {
        "across": [dict(vars(cell)) for cell in cells],
        **asdict(USUAL),
        "versions": versions(),
    }


def _opened(text: str, checkpoint: Checkpoint, settings: Settings) -> tuple[str, Dataset]:
    """A set under the name that it goes by in the table."""
    name, separator, rest = text.partition("=")
    given = bool(separator) and "/" not in name and "\\" not in name
    taxonomy = get_taxonomy(name) if given else None
    opened = open_labelled(rest if given else text, settings, taxonomy, checkpoint.card.taxonomy)
    short = id_of(settings, opened.path) or opened.name
    return f"{name}={short}" if given else short, opened


def _cell(checkpoint: Checkpoint, name: str, opened: Dataset, settings: Settings) -> CrossCell:
    card = checkpoint.card
    bridge = bridge_between(card.taxonomy, opened.taxonomy)
    table = table_of(checkpoint, opened, settings)
    measured = MeasuredSet(
        opened.name,
        labels_of(table, opened),
        id_of(settings, opened.path),
        opened.unknown,
        table.refused,
        opened.about,
    )
    contender = Contender(card.id, (checkpoint,))
    values = evaluation(contender, [table], [bridge], measured, settings)
    return CrossCell(
        checkpoint=card.id,
        set=name,
        images=values["n"],
        labels=values["taxonomy"],
        left_out=values["left_out"],
        estimates={name: values["intervals"][name] for name in SHOWN},
        per_class=values["per_class"],
        bridge=values["bridge"],
        learned_from=tuple(str(part.get("name", "")) for part in card.data),
        set_sha256=values["set_sha256"],
    )
