"""Which of the model's classes may be called which label: a table of ticks that people change."""

import hashlib

import numpy as np
import streamlit as st

from emoviz.inference.labelled import proposed_bridge
from emoviz.labels import Bridge, Matrix, Taxonomy
from emoviz.ui.linked import write_parameter
from emoviz.ui.measure.matrix import MatrixCell, MatrixGrid, matrix, pressed_in
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
    held = _held()
    if name not in held:
        linked = from_text(st.query_params.get(link, ""), proposal.matrix.shape)
        held[name] = np.array(proposal.matrix if linked is None else linked)
    bridge = Bridge(model, labels, held[name])
    changed = not np.array_equal(bridge.matrix, proposal.matrix)
    with st.expander(
        f"{title or 'Labels and classes'}: {_summary(proposal)}",
        icon=":material/join_inner:",
        expanded=not proposal.matrix.any(),
    ):
        _ticks(bridge, name)
        if changed:
            st.button(
                "Back to the proposal",
                icon=":material/undo:",
                on_click=_reset,
                args=(name, proposal),
                key=f"reset-{name}",
            )
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


def _ticks(bridge: Bridge, name: str) -> None:
    st.caption(_GUIDE)
    shape = bridge.matrix.shape
    labels = [readable(text) for text in bridge.labels.names]
    classes = [readable(text) for text in bridge.model.names]
    cells = [
        [_tick(bool(bridge.matrix[s, c]), labels[s], classes[c]) for c in range(shape[1])]
        for s in range(shape[0])
    ]
    matrix(
        MatrixGrid(labels, cells, "label", "class of the model", column_names=classes),
        f"ticks-{name}",
        "Which class may be called which label",
        on_press=lambda: _toggle(name, shape[0], shape[1]),
    )
    _remarks(bridge)


def _tick(on: bool, label: str, name: str) -> MatrixCell:
    words = f"class {name} {'may' if on else 'may not'} be called label {label}"
    return MatrixCell("✓" if on else "", words, 0.8 if on else 0.0, down=on)


def _toggle(name: str, rows: int, columns: int) -> None:
    place = pressed_in(f"ticks-{name}", rows, columns)
    if place is not None:
        ticks = np.array(_held()[name])
        ticks[place] = 1.0 - ticks[place]
        _held()[name] = ticks


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
    _held()[name] = np.array(proposal.matrix)


def _held() -> dict[str, Matrix]:
    """What was ticked in this session, by the name of the bridge."""
    found: dict[str, Matrix] = st.session_state.setdefault("bridges", {})
    return found


def _name(model: Taxonomy, labels: Taxonomy) -> str:
    text = "\n".join([*model.names, "", *labels.names])
    return hashlib.sha256(text.encode()).hexdigest()[:12]
