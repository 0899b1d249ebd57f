"""What each row contributes to a score, for telling two models of one run apart by the rows that they share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from provetune.core.errors import UsageError
from provetune.statistics.judged import contributions_of

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import Array, Targets, Task


def row_values(task: Task, outcomes: pa.Table, targets: Targets, metric: str) -> Array | None:
    """Contributions of the rows to a metric, float64 (N,); None where these rows cannot have it by row."""
    try:
        return np.asarray(contributions_of(metric, task.judged(outcomes, targets)), dtype=np.float64)
    except UsageError:
        return None
