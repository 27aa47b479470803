"""How a process takes memory from the system, and gives back what it has used."""

import ctypes
import os
import sys
from typing import Final

LARGE: Final = 2**20
"""From so many bytes on a block is the system's own, and goes back to it when it is freed."""

# Of glibc's `mallopt`.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8


def save_memory() -> None:
    """Have a process that hosts services return what a burst took; call it before all else.

    Left alone, glibc keeps a heap for each thread (a quarter of what an embedded system held after
    its first imports), and once it has freed a panel of 30 MiB takes all later ones from a heap,
    where they leave holes; Arrow's own allocator keeps a panel's memory for the next. Processes
    that only calculate are better off without: they use the same memory again at once.
    """
    # Read by Arrow with the first panel.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_MMAP_THRESHOLD, LARGE)
        mallopt(_M_TRIM_THRESHOLD, LARGE)
