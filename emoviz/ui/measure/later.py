"""Computations of some seconds in a thread of the server: the page goes on, a reload finds them.

A script that computes by itself hears nothing until it is done: a second tick would wait for all
that the first one brought about.
"""

import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import TypeVar

import streamlit as st

T = TypeVar("T")
_KEPT = 48  # results; what is older is on disk, or computed again
_AT_ONCE = 0.6  # seconds that a page waits before it says that it waits
_EVERY = 0.4


class _Later:
    """Futures by key, shared by all sessions; one is computed at a time."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, "emoviz-measure")
        self._lock = threading.Lock()
        self._futures: dict[str, Future[object]] = {}

    def begin(self, key: str, make: Callable[[], object]) -> Future[object]:
        """The future of a key; a new one where there is none, or none that will end well."""
        with self._lock:
            found = self._futures.pop(key, None)
            if found is None or found.cancelled() or (found.done() and found.exception()):
                found = self._pool.submit(make)
            self._futures[key] = found  # the latest last
            for old in list(self._futures)[:-_KEPT]:
                self._futures.pop(old).cancel()
            return found


@st.cache_resource(show_spinner=False)
def _later() -> _Later:
    return _Later()


def value(key: str, make: Callable[[], T], wait: float = _AT_ONCE) -> T | None:
    """What `make` gives, or None where that takes longer; it then goes on in the background.

    What this session asked for last and nobody began yet is let go: the person changed their mind.

    Args:
        key: Of all that the result hangs on.
        make: Computes it, without drawing anything.
        wait: Seconds.
    """
    last: Future[object] | None = st.session_state.get("measure-later")
    found = _later().begin(key, make)
    if last is not None and last is not found:
        last.cancel()
    st.session_state["measure-later"] = found
    with contextlib.suppress(TimeoutError, CancelledError):
        return found.result(wait)  # type: ignore[return-value]
    return None


def begin(key: str, make: Callable[[], T]) -> Future[T]:
    """What `make` will give; it is begun unless it was, and waits for what was begun before."""
    return _later().begin(key, make)  # type: ignore[return-value]


def result(key: str, make: Callable[[], T]) -> T:
    """What `make` gives, however long it takes: for downloads."""
    return begin(key, make).result()


def wait_for(key: str, make: Callable[[], object], words: str) -> None:
    """Say that something is computed, and draw the page anew once it is there."""
    st.fragment(_poll, run_every=_EVERY)(key, make, words)


def _poll(key: str, make: Callable[[], object], words: str) -> None:
    if begin(key, make).done():
        st.rerun()
    st.caption(f":material/hourglass_top: {words}")
