"""Whole pages take turns, so that a press on one screen does not wait for everybody's pages.

All sessions run in one Python process, which does one thing at a time. Where fifty people open
pages at once, fifty runs share it, and a decision on the desk, a hundredth of a second of work in a
fragment of its page, would have a fiftieth of the processor. Here few pages run at a time and the
others wait in the order in which they were asked for, one that is asked for anew at the end of the
line; fragments do not wait. A page that takes long (images that are classified, a network that is
loaded) gives up its place after a moment.
"""

import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Lock

AT_ONCE = 2
LONGEST = 1.0  # seconds for which a page keeps the place of another
_LOOK = 0.5  # seconds after which one who waits looks whether it is still wanted
SOON = 3.0  # seconds of waiting of which nobody is told


class Turns:
    """Lets so many pages run at once.

    Args:
        at_once: Pages that run.
        longest: Seconds after which one that runs no longer counts.
        soon: Seconds of waiting of which nobody is told.
    """

    def __init__(
        self, at_once: int = AT_ONCE, longest: float = LONGEST, soon: float = SOON
    ) -> None:
        self._at_once, self._longest, self._soon, self._lock = at_once, longest, soon, Lock()
        self._waiting: deque[Event] = deque()
        self._running: dict[Event, float] = {}

    @contextmanager
    def turn(
        self,
        still_wanted: Callable[[], object] = lambda: None,
        tell: Callable[[int], object] = lambda ahead: None,
    ) -> Iterator[None]:
        """Wait for a place, and keep it until the end.

        Args:
            still_wanted: Called while waiting; what it raises ends the wait.
            tell: Called once where it takes long, with the number of pages that come first.
        """
        place = Event()
        with self._lock:
            self._waiting.append(place)
        try:
            self._admit()
            late = time.monotonic() + self._soon
            while not place.wait(_LOOK):
                still_wanted()
                self._admit()  # who runs may have run for long by now
                if time.monotonic() > late and (ahead := self._ahead(place)):
                    tell(ahead)
                    late = math.inf
            yield
        finally:
            with self._lock:
                if self._running.pop(place, None) is None:
                    self._waiting.remove(place)
            self._admit()

    def _ahead(self, place: Event) -> int:
        """Pages that come before this one; 0 where it has its place by now."""
        with self._lock:
            return self._waiting.index(place) + 1 if place in self._waiting else 0

    def _admit(self) -> None:
        """Let those in who came first, as many as there is room for."""
        with self._lock:
            now = time.monotonic()
            busy = sum(began > now - self._longest for began in self._running.values())
            while self._waiting and busy < self._at_once:
                place = self._waiting.popleft()
                self._running[place] = now
                place.set()
                busy += 1


TURNS = Turns()
