"""Objects that live as long as their process, taken out of what the garbage collector looks through.

Libraries leave a million objects behind. Every full collection goes through all of them and takes half a second, and
studies ask for one each, statsmodels with each correction. What is made afterwards is collected as ever.
"""

from __future__ import annotations

import gc
import sys

MANY = 100
"""So many more modules are worth another time."""

_loaded = 0


def freeze_loaded() -> None:
    """Take what is alive now out of the collector's sight, where many modules were loaded since the last time."""
    global _loaded
    if len(sys.modules) - _loaded < MANY:
        return
    gc.collect()  # what is dead already is not kept
    gc.freeze()
    _loaded = len(sys.modules)
