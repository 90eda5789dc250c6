"""Looking at many images by processes: the same numbers, and nothing is lost where one is ended."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from emoviz.data import image_statistics
from emoviz.data.dataset import Record
from emoviz.data.image_statistics import Looks, look_at
from emoviz.data.images import Limits


@pytest.fixture
def records(tmp_path: Path, picture: Callable[..., bytes]) -> list[Record]:
    """Thirty images in seven batches; one is broken and one is missing."""
    for i in range(30):
        data = b"broken" if i == 7 else picture(seed=i)
        if i != 20:
            (tmp_path / f"{i}.jpg").write_bytes(data)
    return [Record(f"{i}.jpg", tmp_path / f"{i}.jpg") for i in range(30)]


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_statistics, "_BATCH", 4)
    monkeypatch.setattr(image_statistics, "_WORTH_PROCESSES", 10)
    monkeypatch.setattr(image_statistics, "available_cores", lambda: 2)


def same(one: Looks, other: Looks) -> bool:
    pairs = [(getattr(one, item.name), getattr(other, item.name)) for item in fields(Looks)]
    return all(np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b for a, b in pairs)


def test_processes_see_what_this_one_sees(
    records: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[int, int]] = []
    found = look_at(records, Limits(), lambda done, total: told.append((done, total)))
    assert told[-1] == (30, 30)
    assert [i for i, why in enumerate(found.reason) if why] == [7, 20]
    monkeypatch.setattr(image_statistics, "_WORTH_PROCESSES", 1_000)
    assert same(found, look_at(records, Limits()))


def test_what_a_process_that_was_ended_left_is_looked_at_here(
    records: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("resource")
    whole, batches = image_statistics._by_processes, list[int]()

    def without_time(records: Sequence[Record], limits: Limits) -> Iterator[Looks]:
        for part in whole(records, limits, 0):
            batches.append(len(part))
            yield part

    monkeypatch.setattr(image_statistics, "_by_processes", without_time)
    found = look_at(records, Limits())
    assert sum(batches) < 30, "no process was ended"
    monkeypatch.setattr(image_statistics, "_WORTH_PROCESSES", 1_000)
    assert same(found, look_at(records, Limits()))


PARENT = """
import os, sys
from multiprocessing import get_context
from concurrent.futures import ProcessPoolExecutor
from emoviz.data.image_statistics import _end_with_the_parent
if __name__ == "__main__":
    pool = ProcessPoolExecutor(1, get_context("spawn"), _end_with_the_parent)
    print(pool.submit(os.getpid).result(), flush=True)
    os.kill(os.getpid(), 9)
"""


@pytest.mark.skipif(not Path("/proc").exists(), reason="no /proc here")
def test_processes_end_with_the_one_that_started_them(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    line = subprocess.run([sys.executable, script], capture_output=True, text=True).stdout
    child = Path("/proc") / line.strip()
    end = time.monotonic() + 60
    while child.exists() and "Z" not in (child / "stat").read_text().rpartition(")")[2][:3]:
        assert time.monotonic() < end, "it waits for work that nobody gives"
        time.sleep(0.05)
