"""What is in a set: counts by class and split, a wall of its pictures, where it comes from."""

import os
from collections import Counter
from collections.abc import Mapping
from html import escape
from typing import Any

import pandas as pd
import streamlit as st

from emoviz.curation.card import counts_of
from emoviz.data.dataset import NO_LABEL, Dataset
from emoviz.data.dataset_file import KnownSet
from emoviz.data.library import SAMPLE
from emoviz.inference.stored import table_path
from emoviz.plots.bars import counts_by_class
from emoviz.settings import Settings
from emoviz.ui import tables
from emoviz.ui.curation.pictures import ShownImages, wall
from emoviz.ui.curation.subject import CurationSubject
from emoviz.ui.library import sets
from emoviz.ui.linked import linked_choice
from emoviz.ui.words import counted, plain, readable

ALL = "all"
_ABOUT = {"source": "Source", "terms": "Terms", "citation": "To cite", "made": "Made"}


def summary(subject: CurationSubject) -> None:
    """The set in one line."""
    item = subject.labelled
    splits = Counter(record.split for record in item.records)
    told = ", ".join(f"{splits[s]:,} {s}" for s in ("train", "validation", "test") if splits[s])
    without = sum(record.label == NO_LABEL for record in item.records)
    classes = counted(len(item.taxonomy), "class", "classes")
    words = [
        f"**{counted(len(item.records), 'image')}**, {classes} ({plain(item.taxonomy.title)})",
        "labels are shares of people's votes" if item.votes else "",
        f"split: {told}" if told else "no split",
        f"{without:,} without a label of these classes" if without else "",
    ]
    st.markdown("; ".join(filter(None, words)) + ".")


def show_counts(subject: CurationSubject) -> None:
    """A chart, and the numbers beside it."""
    counts = counts_of(subject.labelled)
    chart, numbers = st.columns([3, 2], gap="large")
    with chart:
        told = {s: {readable(name): n for name, n in row.items()} for s, row in counts.items()}
        st.html(counts_by_class(told))
    with numbers:
        table = pd.DataFrame(counts).fillna(0).astype(int)
        table.index = [readable(str(name)) for name in table.index]
        if len(counts) > 1:
            table["all"] = table.sum(axis=1)
        tables.show(table, "datasets-numbers")


def show_wall(subject: CurationSubject, settings: Settings) -> None:
    """All pictures, by class and split, a page at a time; a few of each class to begin with."""
    item = subject.labelled
    names = item.taxonomy.names
    classes = {ALL: "A few of each class", **{f"c{i}": readable(n) for i, n in enumerate(names)}}
    if any(record.label == NO_LABEL for record in item.records):
        classes["none"] = "Without a label"
    splits = {ALL: "Any split", **{s: s for s in ("train", "validation", "test")}}
    with st.container(horizontal=True):
        asked = linked_choice("Class", _distinct(classes), "class", ALL, width=240)
        split = linked_choice("Split", splits, "split", ALL, width=160)
    places = [i for i, r in enumerate(item.records) if split in (ALL, r.split)]
    if asked == ALL:
        places = _some(item, places)
    else:
        wanted = NO_LABEL if asked == "none" else int(asked[1:])
        places = [i for i in places if item.records[i].label == wanted]
    if not places:
        st.caption("No image of this class is in this split.")
        return
    st.caption(f"{counted(len(places), 'image')}; press one to see it in large.")
    wall(
        subject,
        settings,
        [ShownImages(i) for i in places],
        f"datasets-wall-{asked}-{split}",
        "Images",
    )


def show_origin(subject: CurationSubject, settings: Settings) -> None:
    """Source, terms, citation, the steps that led here, and what did not fit."""
    st.html(about_html(subject.known.about))
    columns: dict[str, set[str]] = {}
    for record in subject.labelled.records:
        for name, text in record.metadata.items():
            columns.setdefault(name, set()).add(text)
    if columns:
        told = ", ".join(
            f"{plain(name)} ({counted(len(v), 'value')})" for name, v in columns.items()
        )
        st.caption(f"Known of each image besides its label: {told}.")
    st.caption(f"The set is the file {plain(str(subject.known.path))}.")


def leave(known: KnownSet, settings: Settings) -> None:
    """What can be done with the set next, and out of the library with it."""
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Retrain with it", icon=":material/model_training:", key="datasets-retrain"):
            st.switch_page("pages/train/retrain.py", query_params={sets.CHOICE: known.id})
        if st.button("Evaluate on it", icon=":material/straighten:", key="datasets-evaluate"):
            # The page takes its collection from its own widget's state, by the key of its tables.
            place = os.path.abspath(known.path)  # noqa: PTH100  as `open_collection` names it
            tables = table_path(settings, place, known.title, "x").parent.name
            st.session_state["collection"] = SAMPLE if known.id == SAMPLE else tables
            st.switch_page("pages/measure/evaluate.py")
        sets.remove_button(settings, known)


def about_html(about: Mapping[str, Any]) -> str:
    """Where a set comes from, escaped."""
    rows = "".join(
        f"<tr><th>{title}</th><td>{escape(readable(str(about[key])))}</td></tr>"
        for key, title in _ABOUT.items()
        if about.get(key)
    )
    steps = about.get("lineage")
    told = [s for s in steps if isinstance(s, Mapping)] if isinstance(steps, list) else []
    lines = "".join(f"<li>{escape(readable(str(s.get('words', ''))))}</li>" for s in told)
    table = f"<table><tbody>{rows}</tbody></table>" if rows else ""
    words = f"<h3>How it came to be</h3><ol>{lines}</ol>" if lines else ""
    nothing = "" if rows or lines else "<p>Nothing is known of its origin.</p>"
    return f'<div class="ev-facts">{table}{words}{nothing}</div>'


def _some(item: Dataset, places: list[int], most: int = 6) -> list[int]:
    """The first images of each class, class by class; spread over the set, not its beginning."""
    by_class: dict[int, list[int]] = {}
    for i in places:
        by_class.setdefault(item.records[i].label, []).append(i)
    rows = []
    for label in sorted(by_class, key=lambda label: (label == NO_LABEL, label)):
        mine = by_class[label]
        rows += mine[:: max(1, len(mine) // most)][:most]
    return rows


def _distinct(words: dict[str, str]) -> dict[str, str]:
    """A picker goes by words: those that two keys share get the key behind them."""
    count = Counter(words.values())
    return {key: f"{text} ({key})" if count[text] > 1 else text for key, text in words.items()}
