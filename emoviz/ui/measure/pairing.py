"""Several models on the same images: which, joined by content, judged together."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from emoviz.analysis.alignment import AlignedPredictions, ensemble, judge_together
from emoviz.checkpoints import Checkpoint
from emoviz.errors import AnalysisError
from emoviz.experiments.contenders import answers_of
from emoviz.inference.labelled import Labels, joined
from emoviz.labels import Bridge
from emoviz.settings import Settings
from emoviz.ui.explorer import sources
from emoviz.ui.explorer.points import Points
from emoviz.ui.explorer.sources import Source
from emoviz.ui.linked import from_link, told_apart, write_parameter
from emoviz.ui.measure.bridging import choose_bridge, to_text
from emoviz.ui.measure.subject import EvaluationSubject, choose_labels
from emoviz.ui.words import counted, plain, readable


def choose_others(
    known: Mapping[str, Checkpoint],
    first: Checkpoint,
    label: str,
    link: str,
    most: int,
    wanted: int,
) -> list[Checkpoint]:
    """Checkpoints beside the one in the sidebar; the link keeps them.

    Args:
        known: By id.
        first: The one in the sidebar, which is none of them.
        label: Over the box.
        link: The link's parameter.
        most: How many at most.
        wanted: How many to begin with.
    """
    others = [name for name in known if name != first.card.id]
    key = f"{link}-{first.card.id}-{most}"
    asked = [name for name in (from_link(link) or "").split(",") if name in others]
    if asked or key not in st.session_state:
        st.session_state[key] = (asked or _alike(known, first, others)[:wanted])[:most]
    st.session_state[key] = [name for name in st.session_state[key] if name in others]
    words = told_apart({name: readable(known[name].card.title) for name in others})
    chosen = st.multiselect(
        label,
        others,
        format_func=lambda name: words.get(name, name),
        key=key,
        max_selections=most,
        placeholder="Choose a network" if most == 1 else "Choose networks",
        persist_state="session",
        width=360,
    )
    write_parameter(link, ",".join(chosen))
    return [known[name] for name in chosen]


def together(
    source: Source,
    checkpoints: Sequence[Checkpoint],
    settings: Settings,
    labels_place: DeltaGenerator | None = None,
) -> list[EvaluationSubject] | None:
    """Judge several models on the same images and labels.

    Args:
        source: The images.
        checkpoints: The models.
        settings: Where views of the images are kept.
        labels_place: Where the choice of labels stands; here and now where None.

    Returns:
        A subject for each; None while a view of the images is being made, where they have no
        labels, or where the models cannot be compared, which the page then shows.
    """
    asked = [sources.points(source, checkpoint, settings) for checkpoint in checkpoints]
    ready = [view for view in asked if view is not None and view.table is not None]
    if len(ready) < len(checkpoints):
        return None
    files = [sources.file_of(source, checkpoint, settings) for checkpoint in checkpoints]
    stamps = " ".join(f"{file} {file.stat().st_mtime_ns}" for file in files)
    views = _shared(stamps, ready)
    tables = [view.table for view in views if view.table is not None]
    if len(tables[0]) < max(map(len, ready)):
        st.caption(f"On the {counted(len(tables[0]), 'image')} that all of them have seen.")
    with labels_place or st.container():
        labels = choose_labels(source, views[0], settings)
    if labels is None:
        st.info(
            "These images have no labels to be right or wrong about. Evaluate shows what needs "
            "none.",
            icon=":material/label_off:",
        )
        return None
    bridges = _bridges(views, labels)
    ticks = [to_text(bridge.matrix) for bridge in bridges]
    key = f"{stamps} {labels.taxonomy.names} {ticks}"
    try:
        judged = _judged(key, views, labels, bridges)
    except AnalysisError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return None
    return [
        EvaluationSubject(
            source, (checkpoint,), view, (table,), labels, (bridge,), found, f"{key} {number}"
        )
        for number, (checkpoint, view, table, bridge, found) in enumerate(
            zip(checkpoints, views, tables, bridges, judged, strict=True)
        )
    ]


def as_one(members: Sequence[EvaluationSubject]) -> EvaluationSubject:
    """The members as an ensemble: the mean of their bridged probabilities."""
    key = "ensemble " + " ".join(item.key for item in members)
    return replace(
        members[0],
        members=tuple(item.members[0] for item in members),
        tables=tuple(item.tables[0] for item in members),
        bridges=tuple(item.bridges[0] for item in members),
        judged=_ensemble(key, [item.judged for item in members]),
        key=key,
    )


def _alike(known: Mapping[str, Checkpoint], first: Checkpoint, others: Sequence[str]) -> list[str]:
    """Those with the same classes first."""
    own = first.card.taxonomy.names
    return sorted(others, key=lambda name: known[name].card.taxonomy.names != own)


def _bridges(views: Sequence[Points], labels: Labels) -> list[Bridge]:
    """One for each list of classes: models with the same classes share theirs."""
    found: dict[tuple[str, ...], Bridge] = {}
    for view in views:
        assert view.taxonomy is not None
        names = view.taxonomy.names
        if names not in found:
            link = "bridge" if not found else f"bridge{len(found) + 1}"
            title = f"Labels and classes of {readable(view.title)}" if found else ""
            found[names] = choose_bridge(view.taxonomy, labels.taxonomy, link, title)
    return [found[view.taxonomy.names] for view in views if view.taxonomy is not None]


@st.cache_resource(max_entries=4, show_spinner=False)
def _shared(stamps: str, _views: Sequence[Points]) -> list[Points]:
    """The views of the images that all of them have, in one order."""
    tables = [view.table for view in _views if view.table is not None]
    if all(table.sha256 == tables[0].sha256 for table in tables):
        return list(_views)
    return [
        Points.from_table(table.take(rows), view.title)
        for view, table, rows in zip(_views, tables, joined(tables), strict=True)
    ]


@st.cache_resource(max_entries=6, show_spinner=False)
def _judged(
    key: str, _views: Sequence[Points], _labels: Labels, _bridges: Sequence[Bridge]
) -> list[AlignedPredictions]:
    answers = [answers_of(view.table, view.title) for view in _views if view.table is not None]
    return judge_together(answers, _labels.indices, _bridges, _labels.shares)


@st.cache_resource(max_entries=6, show_spinner=False)
def _ensemble(key: str, _members: Sequence[AlignedPredictions]) -> AlignedPredictions:
    names = ", ".join(item.name for item in _members)
    return ensemble(_members, f"Ensemble of {len(_members)}: {names}")
