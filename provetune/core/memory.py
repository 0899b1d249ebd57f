"""Giving memory back to the machine once something large is done with.

Allocators keep what was freed for the next time. A process that has read a million rows and then only waits for its
workers would sit on half a gigabyte that they could use.
"""

from __future__ import annotations

import ctypes
import gc
import sys


def release_memory() -> None:
    """Return freed memory to the operating system, as far as its allocators can; changes nothing else.

    Arrow's pool is asked where pyarrow is loaded, the C library's where it is glibc.
    """
    gc.collect()
    arrow = sys.modules.get("pyarrow")
    if arrow is not None:
        arrow.default_memory_pool().release_unused()
    if sys.platform != "linux":
        return
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
