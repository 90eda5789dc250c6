"""Whole pages take turns, so that a press on one screen does not wait for everybody's pages.

All sessions run in one Python process, which does one thing at a time. Where fifty people open
pages at once, fifty runs share it, and a decision on the desk, a hundredth of a second of work in a
fragment of its page, would have a fiftieth of the processor. Here few pages run at a time and the
others wait in the order in which they were asked for; fragments do not wait. A page that takes long
(images that are classified, a network that is loaded) gives up its place after a moment.
"""

import itertools
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition

AT_ONCE = 2
LONGEST = 1.0  # seconds for which a page keeps the place of another
_LOOK = 0.2  # seconds after which one who waits looks whether it is still wanted


class Turns:
    """Lets so many pages run at once.

    Args:
        at_once: Pages that run.
        longest: Seconds after which one that runs no longer counts.
    """

    def __init__(self, at_once: int = AT_ONCE, longest: float = LONGEST) -> None:
        self._at_once, self._longest = at_once, longest
        self._changed, self._numbers = Condition(), itertools.count()
        self._waiting: deque[int] = deque()
        self._running: dict[int, float] = {}

    @contextmanager
    def turn(self, still_wanted: Callable[[], object] = lambda: None) -> Iterator[None]:
        """Wait for a place, and keep it until the end.

        Args:
            still_wanted: Called while waiting; what it raises ends the wait.
        """
        number = self._begin(still_wanted)
        try:
            yield
        finally:
            with self._changed:
                del self._running[number]
                self._changed.notify_all()

    def _begin(self, still_wanted: Callable[[], object]) -> int:
        with self._changed:
            number = next(self._numbers)
            self._waiting.append(number)
            try:
                while self._waiting[0] != number or self._busy() >= self._at_once:
                    self._changed.wait(_LOOK)
                    still_wanted()
                self._running[number] = time.monotonic()
            finally:
                self._waiting.remove(number)
                self._changed.notify_all()
        return number

    def _busy(self) -> int:
        """Pages that run and have not run for long."""
        since = time.monotonic() - self._longest
        return sum(began > since for began in self._running.values())


TURNS = Turns()
