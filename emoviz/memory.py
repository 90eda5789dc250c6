"""What a process takes of the machine: its cores, and memory that it keeps or gives back."""

import ctypes
import gc
import os
import sys
from collections.abc import Callable

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def available_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def keep_large_blocks() -> bool:
    """Tell glibc to keep large blocks instead of mapping and unmapping each activation.

    Eager torch on the CPU is 1.7 to 3 times quicker so (docs/LOG.md). The price is that memory
    once taken is not given back: for processes with bounded batches only.

    Returns:
        Whether this system's allocator took the advice.
    """
    mallopt = _of_libc("mallopt")
    size = 2**31 - 1
    return bool(mallopt(_M_MMAP_THRESHOLD, size) and mallopt(_M_TRIM_THRESHOLD, size))


def give_back() -> bool:
    """Collect garbage and return what the allocator holds free to the system.

    Returns:
        Whether this system's allocator had something to return.
    """
    gc.collect()
    return bool(_of_libc("malloc_trim")(0))


def _of_libc(name: str) -> Callable[..., int]:
    """A function of glibc; one that does nothing where it is not there."""
    try:
        if sys.platform.startswith("linux"):
            found: Callable[..., int] = getattr(ctypes.CDLL("libc.so.6"), name)
            return found
    except (OSError, AttributeError):
        pass
    return lambda *values: 0
