"""Whole pages take turns."""

import os
import platform
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from emoviz.memory import give_back
from emoviz.ui.turns import Turns


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)


class Page:
    """A run in a thread of its own, which goes on until it is told to end."""

    def __init__(self, turns: Turns, order: list[int], number: int) -> None:
        self.runs, self.done, self.unwanted = threading.Event(), threading.Event(), False
        self.thread = threading.Thread(target=self._run, args=(turns, order, number), daemon=True)
        self.thread.start()

    def _run(self, turns: Turns, order: list[int], number: int) -> None:
        def still_wanted() -> None:
            if self.unwanted:
                raise InterruptedError

        try:
            with turns.turn(still_wanted):
                order.append(number)
                self.runs.set()
                assert self.done.wait(60)
        except InterruptedError:
            order.append(-number)

    def end(self) -> None:
        self.done.set()
        self.thread.join(60)
        assert not self.thread.is_alive()


def test_few_run_at_once_in_the_order_in_which_they_came() -> None:
    turns, order = Turns(at_once=2, longest=600), list[int]()
    pages = []
    for number in range(1, 7):
        pages.append(Page(turns, order, number))
        until(lambda: len(turns._waiting) + len(turns._running) == len(pages))
    assert sorted(order) == [1, 2]
    assert len(turns._running) == 2
    for ended in range(4):
        pages[ended].end()
        assert pages[ended + 2].runs.wait(30)
        assert len(turns._running) == 2
    assert order[2:] == [3, 4, 5, 6]
    for page in pages[4:]:
        page.end()
    assert not turns._running
    assert not turns._waiting


def test_a_page_that_takes_long_gives_up_its_place() -> None:
    turns, order = Turns(at_once=1, longest=0.05), list[int]()
    long = Page(turns, order, 1)
    assert long.runs.wait(30)
    other = Page(turns, order, 2)
    assert other.runs.wait(30)
    assert not long.done.is_set()
    other.end()
    long.end()


def test_who_is_no_longer_wanted_leaves_and_holds_up_nobody() -> None:
    turns, order = Turns(at_once=1, longest=600), list[int]()
    first = Page(turns, order, 1)
    assert first.runs.wait(30)
    second = Page(turns, order, 2)
    until(lambda: len(turns._waiting) == 1)
    third = Page(turns, order, 3)
    until(lambda: len(turns._waiting) == 2)
    second.unwanted = True
    second.thread.join(60)
    assert order == [1, -2]
    first.end()
    assert third.runs.wait(30)
    third.end()


def test_a_page_that_fails_gives_its_place_back() -> None:
    turns = Turns(at_once=1, longest=600)
    for _ in range(3):
        with pytest.raises(ValueError, match="broken"), turns.turn():
            raise ValueError("broken")
    with turns.turn():
        assert len(turns._running) == 1


def test_memory_that_is_no_longer_needed_goes_back_to_the_system() -> None:
    page, status = os.sysconf("SC_PAGE_SIZE"), Path("/proc/self/statm")
    if not status.exists() or platform.libc_ver()[0] != "glibc" or "LD_PRELOAD" in os.environ:
        pytest.skip("another allocator than glibc's, or no /proc")

    def resident() -> int:
        return int(status.read_text().split()[1]) * page

    blocks = [bytearray(b"x") * 40_000 for _ in range(4_000)]  # below what is mapped by itself
    pinned = bytearray(b"x") * 40_000  # above them, so that the heap cannot shrink from its end
    full = resident()
    del blocks
    give_back()
    assert full - resident() > 100e6
    assert len(pinned) == 40_000


def test_who_waits_long_is_told_once_how_many_come_first() -> None:
    turns, order, told = Turns(at_once=1, longest=600, soon=0.0), list[int](), list[int]()
    first = Page(turns, order, 1)
    assert first.runs.wait(30)
    second = Page(turns, order, 2)
    until(lambda: len(turns._waiting) == 1)
    looks = 0

    def still_wanted() -> None:
        nonlocal looks
        looks += 1
        if looks == 3:
            raise InterruptedError

    with pytest.raises(InterruptedError), turns.turn(still_wanted, told.append):
        pass
    assert told == [2]
    first.end()
    assert second.runs.wait(30)
    second.end()
    assert not turns._waiting
