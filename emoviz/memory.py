"""Memory that processes which train or infer with torch on the CPU keep for themselves."""

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def keep_large_blocks() -> bool:
    """Tell glibc to keep large blocks instead of mapping and unmapping each activation.

    Eager torch on the CPU is 1.7 to 3 times quicker so (docs/LOG.md). The price is that memory
    once taken is not given back: for processes with bounded batches only.

    Returns:
        Whether this system's allocator took the advice.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    size = 2**31 - 1
    return bool(mallopt(_M_MMAP_THRESHOLD, size) and mallopt(_M_TRIM_THRESHOLD, size))
