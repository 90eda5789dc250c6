"""What input of any kind may do: be taken, or be refused in words. Nothing else."""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from hypothesis import settings

from emoviz.errors import EmovizError

SECONDS, MEMORY = 5.0, 1.5e9  # of processor time; bytes beyond what was held before
TIMES = int(os.environ.get("FUZZ_TIMES", "1"))


def examples(count: int) -> settings:
    """So many examples in CI, more by ``scripts/fuzz``."""
    return settings(max_examples=count * TIMES)


@contextlib.contextmanager
def only_told() -> Iterator[None]:
    """Anything but an `EmovizError` fails, and so do five seconds or 1.5 GB."""
    before, began = _memory(peak=False), time.process_time()
    with contextlib.suppress(EmovizError):
        yield
    seconds = time.process_time() - began
    assert seconds < SECONDS, f"{seconds:.1f} seconds"
    taken = _memory(peak=True) - before
    assert taken < MEMORY, f"{taken / 1e6:,.0f} MB"


def _memory(peak: bool) -> int:
    """Bytes that this process holds, or held at most since it was last asked for `peak=False`."""
    status = Path("/proc/self/status")
    if not status.exists():  # no Linux
        return 0
    if not peak:
        Path("/proc/self/clear_refs").write_text("5")
    name = "VmHWM:" if peak else "VmRSS:"
    line = next(line for line in status.read_text().splitlines() if line.startswith(name))
    return 1024 * int(line.split()[1])
