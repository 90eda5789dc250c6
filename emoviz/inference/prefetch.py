"""One thread that works ahead: decoding goes on while the network runs."""

import queue
import threading
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def in_groups(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """So many items at a time; itertools has it from Python 3.12 on."""
    rest = iter(items)
    while group := list(islice(rest, size)):
        yield group


def ahead(items: Iterator[T], depth: int = 1) -> Iterator[T]:
    """Run an iterator in a thread of its own, `depth` items ahead of whoever consumes it.

    What it raises is raised here; when the consumer stops early, the thread ends.
    """
    ready: queue.Queue[T | BaseException | None] = queue.Queue(depth)
    stopped = threading.Event()

    def put(item: T | BaseException | None) -> bool:
        while not stopped.is_set():
            try:
                ready.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            for item in items:
                if not put(item):
                    return
            put(None)
        except BaseException as error:  # handed over, not swallowed
            put(error)

    thread = threading.Thread(target=work, name="emoviz-decode", daemon=True)
    thread.start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()
        thread.join()
