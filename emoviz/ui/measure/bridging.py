"""Which of the model's classes may be called which label: a table of ticks that people change."""

import hashlib
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from emoviz.inference.labelled import proposed_bridge
from emoviz.labels import Bridge, Matrix, Taxonomy
from emoviz.ui.linked import write_parameter
from emoviz.ui.words import counted, listed, plain, readable

_GUIDE = (
    "A tick says that this class of the model may be called this label. The model's answer is the "
    "label whose ticked classes are the most probable together. A label without a tick cannot be "
    "answered: its images are left out and counted. Labels with the same ticks count as one."
)


def choose_bridge(
    model: Taxonomy, labels: Taxonomy, link: str = "bridge", title: str = ""
) -> Bridge:
    """The bridge as it was proposed, or as a person ticked it; the link keeps what was changed.

    Args:
        model: Its classes.
        labels: The set's.
        link: The link's parameter.
        title: Over the ticks.
    """
    proposal = proposed_bridge(model, labels)
    name = _name(model, labels)
    key = f"bridge-{name}-{_state('version').get(name, 0)}"
    base = _base(name, key, link, proposal)
    held = base.copy()
    for row, cells in st.session_state.get(key, {}).get("edited_rows", {}).items():
        for column, value in cells.items():
            held[int(row), model.names.index(column)] = float(bool(value))
    bridge = Bridge(model, labels, held)
    _state("held")[name] = held
    with st.expander(
        f"{title or 'Labels and classes'}: {_summary(proposal)}",
        icon=":material/join_inner:",
        expanded=not proposal.matrix.any(),
    ):
        _editor(base, bridge, key)
        if not np.array_equal(bridge.matrix, proposal.matrix):
            st.button(
                "Back to the proposal",
                icon=":material/undo:",
                on_click=_reset,
                args=(name, proposal),
                key=f"reset-{name}",
            )
    changed = not np.array_equal(bridge.matrix, proposal.matrix)
    if changed:
        st.caption(":material/edit: Which class may be called which label was changed by hand.")
    write_parameter(link, to_text(bridge.matrix) if changed else "")
    return bridge


def to_text(matrix: Matrix) -> str:
    """A matrix of zeros and ones as a short text for the link."""
    bits = "".join(str(int(value)) for value in matrix.reshape(-1))
    return f"{int('1' + bits, 2):x}"


def from_text(text: str, shape: tuple[int, ...]) -> Matrix | None:
    """The matrix that `to_text` wrote; None for anything else, or for another shape."""
    try:
        bits = f"{int(text, 16):b}"[1:]
    except ValueError:
        return None
    if len(bits) != shape[0] * shape[1]:
        return None
    return np.array([float(bit) for bit in bits]).reshape(shape)


def _base(name: str, key: str, link: str, proposal: Bridge) -> Matrix:
    """What the editor began with: it would forget the ticks if that changed under it.

    An editor that is new on the page begins with what was ticked last, or with what the link says.
    """
    bases = _state("base")
    if key not in st.session_state or key not in bases:
        linked = from_text(st.query_params.get(link, ""), proposal.matrix.shape)
        begun = _state("held").get(name, linked)
        bases[key] = np.array(proposal.matrix if begun is None else begun)
    found: Matrix = bases[key]
    return found


def _editor(base: Matrix, bridge: Bridge, key: str) -> None:
    ticks = pd.DataFrame(
        base.astype(bool),
        index=pd.Index([readable(name) for name in bridge.labels.names], name="label"),
        columns=list(bridge.model.names),
    )
    st.caption(_GUIDE)
    st.data_editor(
        ticks,
        key=key,
        column_config={
            name: st.column_config.CheckboxColumn(readable(name), width="small")
            for name in bridge.model.names
        },
        alt="Ticks: which class may be called which label",
    )
    _remarks(bridge)


def _remarks(bridge: Bridge) -> None:
    names = [plain(name) for name in bridge.labels.names]
    lost = [name for name, kept in zip(names, bridge.reachable, strict=True) if not kept]
    if lost:
        st.caption(f":material/block: Without a class, and left out: {listed(lost)}.")
    groups = bridge.groups
    for group in np.unique(groups):
        members = [name for name, own in zip(names, groups, strict=True) if own == group]
        if len(members) > 1:
            st.caption(
                f":material/merge: Cannot be told apart and count as one: {listed(members)}."
            )


def _summary(proposal: Bridge) -> str:
    """Of the proposal alone: an expander whose title changes under a tick would close."""
    if not proposal.matrix.any():
        return "nothing joins them yet; tick which class may be called which label"
    if proposal.labels.names == proposal.model.names:
        return "the same"
    told = int(proposal.merged.reachable.sum())
    return f"{counted(told, 'label')} that the model can answer, by a proposed bridge"


def _reset(name: str, proposal: Bridge) -> None:
    versions = _state("version")
    versions[name] = versions.get(name, 0) + 1
    _state("held")[name] = proposal.matrix


def _state(what: str) -> dict[str, Any]:
    """Of all bridges of the session, by their names."""
    found: dict[str, Any] = st.session_state.setdefault(f"bridge-{what}", {})
    return found


def _name(model: Taxonomy, labels: Taxonomy) -> str:
    text = "\n".join([*model.names, "", *labels.names])
    return hashlib.sha256(text.encode()).hexdigest()[:12]
