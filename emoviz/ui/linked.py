"""A picker whose choice is in the link, by a short key instead of the words that people read."""

from collections import Counter
from collections.abc import Hashable, Mapping
from typing import TypeVar

import streamlit as st

Key = TypeVar("Key", bound=Hashable)
_HEARD = "linked-values"  # in the session: what each parameter of the link said last


def told_apart(options: Mapping[Key, str]) -> dict[Key, str]:
    """Words for options of which no two are alike: those that were have their key behind them.

    The browser says which words were chosen, not which key; of two alike it could only ever be
    the first.
    """
    counts = Counter(options.values())
    taken = {words for words, count in counts.items() if count == 1 and words}
    found: dict[Key, str] = {}
    for key, words in options.items():
        if counts[words] > 1 or not words:
            words = f"{words} ({key})".strip()
            while words in taken:
                words = f"{words} ({key})"
            taken.add(words)
        found[key] = words
    return found


def linked_choice(
    label: str,
    options: Mapping[str, str],
    key: str,
    default: str = "",
    *,
    help: str | None = None,  # as Streamlit calls it
    width: int = 200,
) -> str:
    """A selectbox over keys, shown by their words.

    Streamlit's own binding writes the words into the link, which change with a card's title.

    Args:
        label: Above the box.
        options: Key -> words; at least one.
        key: Of the widget and of the link's parameter.
        default: Key that the link leaves out; the first option where it is none of them.
        help: Behind the question mark.
        width: In CSS pixels.

    Returns:
        The chosen key.
    """
    options = told_apart(options)
    first = default if default in options else next(iter(options))
    _begin(key, options, first)
    chosen = st.selectbox(
        label,
        list(options),
        format_func=lambda name: options.get(name, name),
        key=key,
        persist_state="session",
        help=help,
        width=width,
    )
    write_parameter(key, "" if chosen in (None, first) else str(chosen))
    return chosen or first


def linked_segments(label: str, options: Mapping[str, str], key: str, default: str = "") -> str:
    """As `linked_choice`, as a row of buttons of which one is down: for the views of a page."""
    options = told_apart(options)
    first = default if default in options else next(iter(options))
    _begin(key, options, first)
    chosen = st.segmented_control(
        label,
        list(options),
        required=True,
        format_func=lambda name: options.get(name, name),
        key=key,
        persist_state="session",
        label_visibility="collapsed",
    )
    write_parameter(key, "" if chosen in (None, first) else str(chosen))
    return chosen or first


def linked_toggle(label: str, key: str, help: str | None = None) -> bool:
    """A switch that is on where the link says 1."""
    asked = from_link(key)
    if asked is not None or key not in st.session_state:
        st.session_state[key] = asked == "1"
    on = st.toggle(label, key=key, help=help, persist_state="session")
    write_parameter(key, "1" if on else "")
    return on


def from_link(key: str) -> str | None:
    """What the link asks for anew; None where it says nothing, or repeats what was written to it.

    A page that leads to another says in the link what the other shall show: that counts more than
    what the session had chosen there before.
    """
    heard: dict[str, str] = st.session_state.setdefault(_HEARD, {})
    asked = st.query_params.get(key)
    if asked is None or asked == heard.get(key):
        return None
    heard[key] = asked
    return asked


def write_parameter(key: str, value: str) -> None:
    """Put a value into the link, or take it out where it is empty."""
    st.session_state.setdefault(_HEARD, {})[key] = value
    if st.query_params.get(key, "") == value:
        return
    if value:
        st.query_params[key] = value
    else:
        st.query_params.pop(key, None)


def _begin(key: str, options: Mapping[str, str], first: str) -> None:
    """What the link asks for anew, else what was chosen before, else the first."""
    asked = from_link(key)
    if asked in options:
        st.session_state[key] = asked
    elif st.session_state.get(key) not in options:
        st.session_state[key] = first
