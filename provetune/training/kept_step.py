"""Which of a run's checkpoints is kept: the latest that is not clearly worse than the best.

Validation rows are few, and the best of several noisy scores is often an early one by luck: in a run on 4,500 pairs the
model of the first of three epochs was one row of 500 ahead of the last one's, and two points behind it on 4,900 test
rows. Learning rates fall to zero, so of checkpoints that cannot be told apart the latest is the one to keep. They count
as told apart where the scores differ by more than the standard error of their difference over the same rows, as in the
one-standard-error rule of Breiman et al. (Classification and Regression Trees, 1984, section 3.4.3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from provetune.statistics.rows import standard_error

if TYPE_CHECKING:
    from provetune.core.protocols import Array


def noise_between(rows: Array | None, others: Array | None) -> float:
    """Standard error of the difference of two scores, of what each row contributes to them, (N,).

    Zero where that cannot be told: contributions are missing, of other rows, or not all numbers.
    """
    if rows is None or others is None or rows.shape != others.shape or len(rows) < 2:
        return 0.0
    error, _ = standard_error(np.asarray(rows - others, dtype=np.float64))
    return error if np.isfinite(error) else 0.0
