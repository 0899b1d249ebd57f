"""How sure a figure of the machine is (latency): measured in blocks, judged by the blocks' median.

A block's figure is one number, so that a hiccup of the machine spoils one block and moves the median little.
The bounds are order statistics of the blocks (sign test), which hold whatever the blocks' distribution is.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb
from statistics import NormalDist

import numpy as np

from provetune.core.errors import UsageError
from provetune.statistics.rows import RowsBound

LEAST_BLOCKS = 20


def bound_for_blocks(metric: str, blocks: Sequence[float], confidence: float) -> RowsBound:
    """Median of the blocks' figures with one-sided bounds.

    Args:
        blocks: one figure a block, at least 20 of them.
        confidence: one-sided, between 0.5 and 1.

    Raises:
        UsageError: too few blocks, or no order statistic reaches the confidence.
    """
    if len(blocks) < LEAST_BLOCKS:
        raise UsageError(f"'{metric}' needs at least {LEAST_BLOCKS} blocks. Got {len(blocks)} instead.")
    figures = np.sort(np.asarray(blocks, dtype=np.float64))
    rank = _rank(len(figures), confidence)
    lower, upper = float(figures[rank]), float(figures[-1 - rank])
    error = (upper - lower) / (2 * NormalDist().inv_cdf(confidence))
    return RowsBound(metric, float(np.median(figures)), error, lower, upper, len(figures))


def _rank(count: int, confidence: float) -> int:
    """The largest r for which the r-th smallest (from 0) is below the true median with this confidence."""
    below, rank = 0.0, -1
    for k in range(count):
        below += comb(count, k) / 2**count
        if below > 1 - confidence:
            break
        rank = k
    if rank < 0:
        raise UsageError(
            f"{count} blocks cannot reach a confidence of {confidence}.", hint="Measure more blocks, or ask for less."
        )
    return rank
