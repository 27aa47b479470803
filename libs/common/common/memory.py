"""How a process takes memory from the system, and gives back what it has used."""

import ctypes
import os
import sys
from typing import Final

LARGE: Final = 32 * 2**20
"""From so many bytes on a block is the system's own, and goes back to it when it is freed."""
SPARE: Final = 8 * 2**20
"""So many free bytes stay at the heap's end: writing a page taken anew costs ten times as much."""

# Of glibc's `mallopt`.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8


def save_memory() -> None:
    """Have a process that hosts services return what a burst took; call it before all else.

    Left alone, glibc keeps a heap for each thread that read or decoded something, and Arrow's own
    allocator keeps a panel's memory for the next: together a quarter of what an embedded system
    held after its first imports. With one heap, what a thread leaves serves the next. Processes
    that only calculate have one thread anyway.
    """
    # Read by Arrow with the first panel.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_MMAP_THRESHOLD, LARGE)
        mallopt(_M_TRIM_THRESHOLD, SPARE)
