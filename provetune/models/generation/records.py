"""A written text as a small array: what a task's outputs are, and what can be kept in a file without pickling."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from provetune.core.protocols import Array


def record_of(text: str, score: float = math.nan, stopped: bool = False) -> Array:
    """The record of a text: fields ``text``, ``score`` and ``stopped``.

    Args:
        score: how sure a model was of it, 0 to 1; NaN for a text that no model wrote.
        stopped: it reached the most tokens that a text may have.
    """
    kind = np.dtype([("text", f"U{max(1, len(text))}"), ("score", np.float64), ("stopped", np.bool_)])
    return np.array((text, score, stopped), dtype=kind)
