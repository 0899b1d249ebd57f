"""What every run scores on every row, (k, n): what `provetune.statistics.crossed` judges.

For means it is the row's own score. For functions of sums it is the row's influence (`provetune.statistics.rows`); its
mean is the score itself, so that seeds are compared by the score that is reported.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from provetune.core.errors import UsageError
from provetune.statistics.rows import row_contributions

if TYPE_CHECKING:
    from provetune.core.protocols import Array
    from provetune.statistics.rows import JudgedRows


def run_contributions(metric: str, runs: Sequence[JudgedRows], label: int | None = None) -> tuple[Array, Array]:
    """Contributions of every run and row, (k, M), and the numbers of the M rows that the metric is about.

    Raises:
        UsageError: no runs, runs on different rows, or a metric that these rows cannot have.
    """
    if not runs:
        raise UsageError("Contributions need at least one run.")
    for rows in runs[1:]:
        if not np.array_equal(rows.labels, runs[0].labels):
            raise UsageError("Runs must be judged on the same rows in the same order.")
    found = [row_contributions(metric, rows, label) for rows in runs]
    return np.stack([values for _, values, _ in found]), found[0][2]


def micro_f1_contributions(hits: Array, predicted: Array, gold: Array) -> Array:
    """Of F1 over things found in rows (entities): θ + n·(2·hits − θ·(predicted + gold)) / Σ(predicted + gold).

    Args:
        hits: found rightly, one number a row, any leading axes: (…, n).
        predicted: found, same shape.
        gold: to be found, a shape that broadcasts.

    Returns:
        Same shape; the mean over rows is F1 itself, 0 where there is nothing found nor to be found.
    """
    size = np.asarray(predicted, dtype=np.float64) + gold
    total = size.sum(axis=-1, keepdims=True)
    share = np.divide(1.0, total, out=np.zeros_like(total), where=total > 0)
    score = 2 * np.sum(hits, axis=-1, keepdims=True) * share
    found: Array = score + size.shape[-1] * share * (2 * np.asarray(hits) - score * size)
    return found
