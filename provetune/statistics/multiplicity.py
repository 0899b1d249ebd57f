"""Several claims of one study: Holm's correction (1979), which keeps the chance of any false support at α."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from provetune.core.errors import UsageError


def holm(p: Sequence[float]) -> list[float]:
    """Adjusted p-values, in the order given: a claim holds at level α where its adjusted p is at most α.

    Raises:
        UsageError: a p-value that is no number between 0 and 1.
    """
    values = np.asarray(p, dtype=np.float64)
    if not ((values >= 0) & (values <= 1)).all():
        raise UsageError(f"p-values must be between 0 and 1. Got {list(p)} instead.")
    order = np.argsort(values, kind="stable")
    stepped = values[order] * np.arange(len(values), 0, -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.maximum.accumulate(stepped), 1.0)
    return [float(one) for one in adjusted]
