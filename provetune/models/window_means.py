"""Features of a text's windows as one feature of the text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from provetune.core.protocols import Array

LEAST_NORM = 1e-12


def average_windows(features: Array, rows: Array, count: int | None = None) -> Array:
    """Features of windows (F, D) → features of examples (N, D): their mean, scaled to length one.

    Args:
        rows: number of the example each window belongs to, (F,).
        count: N; one more than the largest of `rows` when left out.
    """
    rows = np.asarray(rows)
    total = int(rows.max()) + 1 if count is None and len(rows) else count or 0
    summed = np.zeros((total, features.shape[1]), dtype=np.float32)
    np.add.at(summed, rows, features)
    norms = np.linalg.norm(summed, axis=1, keepdims=True)
    scaled: Array = summed / np.maximum(norms, LEAST_NORM)
    return scaled
