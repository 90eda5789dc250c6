"""Labelled sets come in, on Data sets and on Retrain: of one's own, or published ones."""

import csv
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

import streamlit as st

from emoviz.data.importers.common import Importer
from emoviz.data.importers.registry import OWN, importers
from emoviz.data.library import free_id, set_path
from emoviz.labels import TAXONOMIES
from emoviz.settings import Settings
from emoviz.ui import access, background
from emoviz.ui.library import bring_in
from emoviz.ui.library.bring_in import Arrival, BringInForm, Outcome, Way
from emoviz.ui.library.sets import CHOICE
from emoviz.ui.linked import linked_choice
from emoviz.ui.problems import show_problems
from emoviz.ui.words import counted

_FIRST = (*OWN, "huggingface")
_ENDINGS = ("zip", "csv", "tsv", "parquet")
_WAYS: Mapping[Way, str] = {
    "path": "A folder or ZIP with one folder a class (`joy/1.jpg`, `fear/2.jpg`), or a table (CSV, "
    "TSV, Parquet) with the columns `file` and `label`. Any labels will do; `train`, `val` and "
    "`test` above the classes fix the split. Files stay where they are.",
    "file": "A ZIP with one folder a class, or a Parquet table that holds its images: they are "
    "copied into the library. A CSV names images by their whole paths on the machine that emoviz "
    "runs on.",
}


@access.offers("prepare")
def show(settings: Settings, key: str, busy: bool, published: bool = False) -> None:
    """The form; `published` sets of the field are offered by their kinds, too."""
    kind, labels, ways = OWN[0], "", _WAYS
    if published:
        importer = _choose_kind()
        kind, labels = importer.kind, _which_labels(importer)
        if kind not in OWN:
            ways = {"path": "The folder where you unpacked it, on this machine: published sets are "
                    "too large to be sent, and most of them may not be passed on."}  # fmt: skip
    bring_in.show(_form(settings, key, kind, labels, ways), settings, busy)


def watch(settings: Settings, key: str) -> bool:
    """What is being brought in, and what became of it; whether it goes on."""
    form = _form(settings, key)
    id, state = bring_in.followed(
        form, settings, _job_key, lambda id, result: _arrived(settings, id, result)
    )
    if state == "done":
        st.session_state[CHOICE] = id
    bring_in.tell(form, settings)
    return state == "live"


def refused_of(settings: Settings, id: str) -> list[tuple[str, str]]:
    """Lines, rows and files that did not fit when the set was brought in: (place, reason)."""
    try:
        with _refused_path(settings, id).open(encoding="utf-8", newline="") as stream:
            return [(row[0], row[1]) for row in list(csv.reader(stream))[1:] if len(row) > 1]
    except (OSError, ValueError):
        return []


def show_refused(settings: Settings, id: str) -> None:
    """What did not fit, each with its reason, and all of it to take home."""
    if rows := refused_of(settings, id):
        whole = f"{id}-refused.csv", _refused_path(settings, id).read_bytes()
        show_problems(rows, whole=whole)


def _form(
    settings: Settings,
    key: str,
    kind: str = OWN[0],
    labels: str = "",
    ways: Mapping[Way, str] = _WAYS,
) -> BringInForm:
    def take(arrival: Arrival) -> None:
        _take(settings, key, kind, labels, arrival)

    return BringInForm(key, ways, take, _ENDINGS)


def _choose_kind() -> Importer:
    known = importers()
    words = {kind: item.title for kind, item in known.items()}
    kind = linked_choice(
        "What is it?",
        {**{k: words[k] for k in _FIRST}, **{k: w for k, w in words.items() if k not in _FIRST}},
        "kind",
        OWN[0],
        help="Folders of images of your own come first; then the published sets of the field.",
        width=380,
    )
    st.html(_described(known[kind]))
    return known[kind]


def _described(importer: Importer) -> str:
    rows = {
        "Point at": importer.layout,
        "Source": importer.source,
        "Terms": importer.terms,
        "To cite": importer.citation,
    }
    cells = "".join(
        f"<tr><th>{name}</th><td>{escape(text)}</td></tr>" for name, text in rows.items() if text
    )
    return f'<div class="ev-facts"><table><tbody>{cells}</tbody></table></div>'


def _which_labels(importer: Importer) -> str:
    if importer.choices:
        return str(
            st.selectbox("Which labels", importer.choices, key=f"datasets-labels-{importer.kind}")
        )
    if not importer.takes_taxonomy:
        return ""
    found = "as they are called"
    chosen = st.selectbox(
        "Labels",
        [found, *TAXONOMIES],
        key="datasets-taxonomy",
        help="Any labels will do. Name a taxonomy of the field where the labels are of it and "
        "some of them do not occur.",
        width=380,
    )
    return "" if chosen in (None, found) else str(chosen)


@access.acts("prepare")
def _take(settings: Settings, key: str, kind: str, labels: str, arrival: Arrival) -> None:
    path = arrival.place(settings)
    given = Path(arrival.text)
    title = arrival.title or given.stem or given.name
    id = arrival.name or free_id(settings, title)
    command = ["data", "import", kind, str(path), "--library", id, "--title", title]
    command += ["--refused", str(_refused_path(settings, id))]
    command += ["--labels", labels] if labels else []
    command += ["--level", str(arrival.level)] if arrival.level is not None else []
    command += ["--sent"] if arrival.way == "file" and not access.any_path(settings) else []
    background.begin(settings, f"Bringing in {title}", command, _job_key(id))
    bring_in.started(key, id, arrival)


def _arrived(settings: Settings, id: str, result: Mapping[str, Any]) -> Outcome:
    taken, problems = int(result.get("taken", 0)), refused_of(settings, id)
    words = f"{id} is in the library now: {counted(taken, 'image')}."
    return Outcome(
        words,
        taken=taken,
        problems=problems,
        notes=result.get("notes", ()),
        other_level=result.get("other_level"),
    )


def _refused_path(settings: Settings, id: str) -> Path:
    return set_path(settings, id).with_suffix(".refused.csv")


def _job_key(id: str) -> str:
    return f"import {id}"
