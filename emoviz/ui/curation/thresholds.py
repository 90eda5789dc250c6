"""Text and faces: a threshold, the pictures just below and just above it, what would go."""

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from emoviz.checkpoints import Checkpoint
from emoviz.curation.checks import FindingLimits
from emoviz.curation.examined import Detected
from emoviz.inference.tabular import csv_text
from emoviz.plots.curation import share_histogram
from emoviz.settings import Settings
from emoviz.ui.curation import choices, examining
from emoviz.ui.curation.pictures import ShownImages, label_of, wall
from emoviz.ui.curation.subject import CurationSubject, read_marks
from emoviz.ui.linked import linked_choice, write_parameter
from emoviz.ui.words import counted

_KINDS = {"text": "Text", "faces": "Faces as main focus"}
_WHAT = {"text": "text", "faces": "the largest face"}
_STEPS = (0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 4, 5, 7, 10, 15, 20, 30, 40, 50, 70)  # percent
_AROUND = 8


def show(subject: CurationSubject, settings: Settings, checkpoint: Checkpoint | None) -> None:
    """A slider with what lies around it."""
    item = subject.item
    assert item is not None
    kind = linked_choice("Look at", _KINDS, "seen", "text", width=240)
    seen = item.text if kind == "text" else item.faces
    if seen is None:
        st.info(
            f"Nobody looked for {kind} in this set yet"
            f"{_why(subject, kind)}. Tick it below and examine the set anew; what was found before "
            "is known and costs nothing.",
            icon=":material/search:",
        )
        examining.offer(subject, settings, checkpoint)
        return
    share = np.nan_to_num(seen.share, nan=0.0)
    if not (share > 0).any():
        st.success(f"In none of {len(share):,} images {kind} was found.", icon=":material/check:")
        return
    threshold = _threshold(kind)
    gone = np.flatnonzero(share >= threshold)
    st.plotly_chart(
        share_histogram(seen.share, threshold, _WHAT[kind]),
        key="datasets-shares",
        config={"displaylogo": False},
        alt=f"Images by the share of the picture that is {_WHAT[kind]}",
    )
    none = int((share == 0).sum())
    st.markdown(
        f"**{counted(len(gone), 'image')} of {len(share):,}** would be thrown out at "
        f"{100 * threshold:g} % and more. In {none:,} nothing was found."
    )
    _around(subject, settings, seen, share, threshold, kind)
    _use(subject, kind, threshold, gone, share)


def _threshold(kind: str) -> float:
    """From a slider whose value is in the link; as a share of the area."""
    limits = FindingLimits()
    first = 100 * (limits.text if kind == "text" else limits.face)
    key = f"from-{kind}"
    if st.session_state.get(key) not in _STEPS:
        asked = _number(st.query_params.get(key, ""))
        st.session_state[key] = asked if asked in _STEPS else first
    value = st.select_slider(
        f"Throw out pictures of which {_WHAT[kind]} takes this much or more",
        _STEPS,
        format_func=lambda step: f"{step:g} %",
        key=key,
        persist_state="session",
    )
    write_parameter(key, "" if value == first else f"{value:g}")
    return float(value) / 100


def _around(
    subject: CurationSubject,
    settings: Settings,
    seen: Detected,
    share: NDArray[np.float64],
    threshold: float,
    kind: str,
) -> None:
    """The pictures that a slightly other threshold would treat otherwise."""
    order = np.argsort(share, kind="stable")
    below = order[(share[order] < threshold) & (share[order] > 0)][::-1][:_AROUND]
    above = order[share[order] >= threshold][:_AROUND]
    for title, rows, side in (
        ("Just above: these go", above, "above"),
        ("Just below: these stay", below, "below"),
    ):
        st.markdown(f"**{title}**")
        shown = [
            ShownImages(int(i), f"{100 * share[i]:.1f} %, {_number_of(kind, seen, i)}")
            for i in rows
        ]
        if shown:
            wall(subject, settings, shown, f"datasets-{kind}-{side}", title)
        else:
            st.caption("None.")


def _use(
    subject: CurationSubject,
    kind: str,
    threshold: float,
    gone: NDArray[np.int64],
    share: NDArray[np.float64],
) -> None:
    """Into the recipe, and the list of what would go."""
    kept = read_marks(subject).keep
    item = subject.item
    assert item is not None
    spared = sum(item.looks.sha256[i] in kept for i in gone)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            f"Use {100 * threshold:g} % in Preparation",
            key=f"datasets-use-{kind}",
            type="primary",
            icon=":material/filter_alt:",
            on_click=choices.set_share,
            args=(kind, threshold),
        )
        st.download_button(
            "List of what would go",
            _listed(subject, gone, share),
            f"{subject.known.id}-{kind}.csv",
            "text/csv",
            key=f"datasets-list-{kind}",
            on_click="ignore",
            icon=":material/download:",
        )
    note = f" {counted(spared, 'image')} of them you keep in any case." if spared else ""
    st.caption(
        "Press a picture to keep it whatever the threshold says, or to throw it out by hand. "
        f"Nothing is deleted: Preparation makes a new set without them.{note}"
    )


def _listed(subject: CurationSubject, gone: NDArray[np.int64], share: NDArray[np.float64]) -> bytes:
    assert subject.item is not None
    names, hashes = subject.item.names, subject.item.looks.sha256
    rows = [
        (names[i], hashes[i], label_of(subject, i), f"{share[i]:.5f}")
        for i in gone[np.argsort(-share[gone], kind="stable")].tolist()
    ]
    return csv_text([("name", "sha256", "label", "share"), *rows]).encode(errors="replace")


def _number_of(kind: str, seen: Detected, i: int) -> str:
    return counted(int(seen.count[i]), "word" if kind == "text" else "face")


def _why(subject: CurationSubject, kind: str) -> str:
    assert subject.found is not None
    why = str(subject.found.get("not_looked_for", {}).get(kind, ""))
    return "" if why in ("", "not asked for") else f" ({why.rstrip('.')})"


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return -1.0
