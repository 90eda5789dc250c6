"""Another program's predictions on Evaluate and Compare: brought in, chosen, set beside labels."""

from collections.abc import Mapping
from pathlib import Path

import streamlit as st

from emoviz.analysis.alignment import judge_together
from emoviz.checkpoints import Checkpoint
from emoviz.errors import EmovizError
from emoviz.experiments.contenders import answers_of
from emoviz.inference.labelled import Labels, joined, labels_of
from emoviz.inference.predictions import (
    LabelledNames,
    PredictionTable,
    prediction_table,
    read_predictions,
)
from emoviz.settings import Settings
from emoviz.ui.explorer import sources
from emoviz.ui.explorer.points import Points
from emoviz.ui.explorer.sources import SentFile, Source
from emoviz.ui.library.bring_in import Outcome
from emoviz.ui.linked import linked_choice
from emoviz.ui.measure.bridging import choose_bridge, to_text
from emoviz.ui.measure.subject import EvaluationSubject, choose_labels
from emoviz.ui.words import counted, plain, readable

_NONE = "none"


def choose(
    settings: Settings, title: str, first: str, link: str = "rival"
) -> PredictionTable | None:
    """The predictions that were chosen; None where none are, or where there are none.

    Args:
        settings: Where they are kept.
        title: Over the box.
        first: What stands for none of them.
        link: The link's parameter.
    """
    kept = _kept(settings)
    if not kept:
        return None
    words = {_NONE: first} | {key: readable(file.name) for key, file in kept.items()}
    chosen = linked_choice(title, words, link, width=300)
    if chosen == _NONE:
        return None
    file = kept[chosen]
    try:
        found = _read(str(file), file.stat().st_mtime_ns)
    except (EmovizError, OSError) as error:
        st.error(plain(str(error)), icon=":material/error:")
        return None
    for note in found.notes:
        st.caption(plain(note))
    return found


def alone(item: PredictionTable) -> EvaluationSubject | None:
    """The predictions beside the labels of their own table; None where they cannot be measured."""
    try:
        table = prediction_table(item)
    except EmovizError as error:
        st.info(plain(str(error)), icon=":material/label_off:")
        return None
    labels = labels_of(table)
    bridge = choose_bridge(item.taxonomy, labels.taxonomy)
    key = f"rival {item.sha256} {to_text(bridge.matrix)}"
    judged = judge_together([answers_of(table, item.title)], labels.indices, [bridge])[0]
    points = Points.from_table(table, item.title)
    source = Source(key, item.title, "")
    return EvaluationSubject(source, (), points, (table,), labels, (bridge,), judged, key, item)


def beside(
    source: Source, checkpoint: Checkpoint, item: PredictionTable, settings: Settings
) -> list[EvaluationSubject] | None:
    """A checkpoint and the predictions on the images of a set that both have answered.

    Returns:
        None while the set is being embedded, where it has no labels, or where no image of it is in
        the table, which the page then says.
    """
    points = sources.points(source, checkpoint, settings)
    if points is None or points.table is None:
        return None
    file = sources.file_of(source, checkpoint, settings)
    labels = choose_labels(source, points, settings)
    if labels is None:
        st.info("These images have no labels to be right or wrong about.")
        return None
    table = points.table
    hashes = dict(zip(table.paths, table.sha256, strict=True))
    shown = LabelledNames(source.title, table.paths, labels.indices, labels.taxonomy, hashes)
    try:
        theirs = prediction_table(item, shown)
        rows = joined([table, theirs])
        tables = [table.take(rows[0]), theirs.take(rows[1])]
        own = Labels(
            labels.indices[rows[0]],
            labels.taxonomy,
            None if labels.shares is None else labels.shares[rows[0]],
        )
        assert points.taxonomy is not None
        bridges = [choose_bridge(points.taxonomy, labels.taxonomy)]
        if item.taxonomy.names == points.taxonomy.names:
            bridges.append(bridges[0])
        else:
            words = f"Labels and classes of {readable(item.title)}"
            bridges.append(choose_bridge(item.taxonomy, labels.taxonomy, "bridge2", words))
        outputs = [answers_of(tables[0], points.title), answers_of(tables[1], item.title)]
        judged = judge_together(outputs, own.indices, bridges, own.shares)
    except EmovizError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return None
    ticks = " ".join(to_text(bridge.matrix) for bridge in bridges)
    key = f"{file} {file.stat().st_mtime_ns} {labels.taxonomy.names} {item.sha256} {ticks}"
    seen = Points.from_table(tables[0], points.title)
    ours, others = (tables[0],), (tables[1],)
    mine, bridged = (bridges[0],), (bridges[1],)
    return [
        EvaluationSubject(source, (checkpoint,), seen, ours, own, mine, judged[0], f"{key} a"),
        EvaluationSubject(source, (), seen, others, own, bridged, judged[1], f"{key} b", item),
    ]


def _kept(settings: Settings) -> Mapping[str, Path]:
    files = sorted((settings.home / "predictions").glob("*/[!.]*"))
    return {file.parent.name: file for file in files}


@st.cache_resource(max_entries=6, show_spinner=False)
def _read(file: str, changed: int) -> PredictionTable:
    return read_predictions(Path(file))


def _brought(path: Path) -> Outcome:
    found = read_predictions(path)
    words = f"{path.name}: {counted(len(found), 'image')}."
    return Outcome(words, taken=len(found), problems=found.problems)


PREDICTIONS = SentFile(
    "**Predictions of another program**, as CSV, TSV or Parquet: a column `file` and, for each "
    "class, `p_<class>` (or `score_<class>`, `logit_<class>`), or one column `predicted`. A column "
    "`label` lets it stand alone.",
    ("csv", "tsv", "txt", "parquet"),
    "predictions",
    _brought,
    lambda file: ("rival", file.parent.name),
)
