"""Checkpoints x sets: does a network keep its word on images from elsewhere?"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import streamlit as st

from emoviz.analysis.comparison import claim, holm, mcnemar
from emoviz.analysis.metrics import METRICS
from emoviz.analysis.resampling import MetricEstimate, paired_share_difference
from emoviz.checkpoints import Checkpoint
from emoviz.experiments.published import FIGURES
from emoviz.inference.labelled import proposed_bridge
from emoviz.settings import Settings
from emoviz.ui import tables
from emoviz.ui.explorer import sources
from emoviz.ui.explorer.sources import Source
from emoviz.ui.linked import linked_choice, told_apart, write_parameter
from emoviz.ui.measure import computed, numbers
from emoviz.ui.measure.subject import own_labels, subject
from emoviz.ui.words import plain, readable

_MOST = 6
_KEY = "across-sets"
_GUIDE = (
    "Each row is a network, each column a set; labels and classes are joined by the proposed "
    "bridges. A number is of the labels that the model can answer on that set, so numbers of "
    "models with different classes are of different tasks. In brackets: the 95 % confidence "
    "interval, and the number of images."
)


def show(checkpoints: Sequence[Checkpoint], settings: Settings) -> None:
    """The table, as far as its cells are embedded; the first that is not is offered."""
    known = {item.key: item for item in sources.known(settings)}
    chosen = _choose_sets(known, checkpoints[0], settings)
    if not chosen:
        st.info("Choose the sets above.", icon=":material/table:")
        return
    measure = linked_choice(
        "Measure", {name: kind.title for name, kind in METRICS.items()}, "measure"
    )
    cells, judged = {}, {}
    for checkpoint in checkpoints:
        for key in chosen:
            found = _cell(known[key], checkpoint, settings)
            if found is None:  # the page shows how it comes about
                return
            cells[checkpoint.card.id, key], judged[checkpoint.card.id, key] = found
    tables.draw(_table(checkpoints, [known[key] for key in chosen], cells, measure))
    st.caption(f"**{METRICS[measure].title}**: {METRICS[measure].plain} {_GUIDE}")
    for sentence in claims(checkpoints, {key: known[key].title for key in chosen}, judged):
        st.markdown(f"- {sentence}")
    _printed()


def _choose_sets(
    known: Mapping[str, Source], checkpoint: Checkpoint, settings: Settings
) -> list[str]:
    """Those of the link, or those that the checkpoint has seen; the link keeps them."""
    if _KEY not in st.session_state:
        asked = [key for key in st.query_params.get("on", "").split(",") if key in known]
        seen = [key for key, item in known.items() if item.table(settings, checkpoint).is_file()]
        st.session_state[_KEY] = (asked or seen[:3] or list(known)[:1])[:_MOST]
    st.session_state[_KEY] = [key for key in st.session_state[_KEY] if key in known]
    words = told_apart({key: capital(item.title) for key, item in known.items()})
    chosen = st.multiselect(
        "Sets",
        list(known),
        format_func=lambda key: words.get(key, key),
        key=_KEY,
        max_selections=_MOST,
        placeholder="One or more",
        persist_state="session",
        help="Sets with labels: the sample, those of the library, and what was embedded before.",
    )
    write_parameter("on", ",".join(chosen))
    return chosen


Rights = Mapping[str, bool]


def claims(
    checkpoints: Sequence[Checkpoint],
    titles: Mapping[str, str],
    judged: Mapping[tuple[str, str], tuple[tuple[str, ...], Rights]],
) -> list[str]:
    """What may be said of each network against the first, corrected for the number of tests.

    Args:
        checkpoints: The first is the one in the sidebar.
        titles: Of the sets, by key.
        judged: (checkpoint, set) -> labels that are told apart, and whether each image was answered
            rightly. Two networks that tell other labels apart are not tested.
    """
    pairs = []
    for key in titles:
        labels, first = judged[checkpoints[0].card.id, key]
        for other in checkpoints[1:]:
            own, second = judged[other.card.id, key]
            both = sorted(first.keys() & second.keys())
            if own == labels and both:
                rows = np.array([[first[name], second[name]] for name in both])
                pairs.append((key, other, rows))
    tests = [mcnemar(rows[:, 0], rows[:, 1]) for _, _, rows in pairs]
    corrected = holm([test.p for test in tests])
    sentences = []
    for (key, other, rows), test, p in zip(pairs, tests, corrected, strict=True):
        gap = paired_share_difference(test.only_a_right, test.only_b_right, len(rows))
        names = plain(checkpoints[0].card.title), plain(other.card.title)
        told = claim(*names, replace(test, p=p), gap, len(tests))
        sentences.append(f"{plain(capital(titles[key]))}: {told}")
    return sentences


def _cell(
    source: Source, checkpoint: Checkpoint, settings: Settings
) -> tuple[Mapping[str, MetricEstimate], tuple[tuple[str, ...], Rights]] | None:
    """One checkpoint on one set: all metrics, and which images it has right.

    None where it must be embedded first.
    """
    points = sources.points(source, checkpoint, settings)
    if points is None:
        return None
    assert points.table is not None
    labels = own_labels(source, points.table, settings)
    if labels is None:
        return {name: MetricEstimate(None, reason="no labels") for name in METRICS}, ((), {})
    file = sources.file_of(source, checkpoint, settings)
    bridge = proposed_bridge(points.table.taxonomy, labels.taxonomy)
    item = subject(source, checkpoint, points, file, labels, bridge)
    asked = computed.evaluating(item, settings)
    values = asked.now()
    if values is None:
        asked.wait(f"{plain(checkpoint.card.title)} on {plain(source.title)} …")
        return None
    names = (points.names[row] for row in item.judged.rows.tolist())
    right = dict(zip(names, item.judged.right.tolist(), strict=True))
    return computed.estimates(values["intervals"]), (item.judged.labels.names, right)


def _table(
    checkpoints: Sequence[Checkpoint],
    chosen: Sequence[Source],
    cells: Mapping[tuple[str, str], Mapping[str, MetricEstimate]],
    measure: str,
) -> pd.DataFrame:
    rows = [
        [
            numbers.on_images(cells[checkpoint.card.id, source.key][measure], METRICS[measure])
            for source in chosen
        ]
        for checkpoint in checkpoints
    ]
    columns = [capital(source.title) for source in chosen]
    return pd.DataFrame(rows, index=[item.card.title for item in checkpoints], columns=columns)


def capital(title: str) -> str:
    """A set's title as it begins a line."""
    return readable(title[:1].upper() + title[1:])


def _printed() -> None:
    """Tables 5.3 and 5.4, and those of the paper."""
    with st.expander("What the dissertation and the paper print", icon=":material/menu_book:"):
        scores = [
            f"per_class.{n}.{s}"
            for n in ("others", "sadness")
            for s in ("precision", "recall", "f1")
        ]
        rows = [
            (
                item.source,
                item.data.title,
                item.row,
                *(f"{item.values[s].mean:.3f}" for s in scores),
            )
            for item in FIGURES["cross-dataset"]
        ]
        titles = [name.removeprefix("per_class.").replace(".", ": ") for name in scores]
        columns = ["source", "measured on", "network", *titles]
        tables.draw(pd.DataFrame(rows, columns=columns).set_index("source"))
        st.caption("Trained on WEBEmo sadness: sadness or not. Other networks, on other sets.")
