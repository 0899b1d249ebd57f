"""Which features go through a model together: neighbours in length, as many as a token budget holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from provetune.core.protocols import Array

ROW_LIMIT = 64


def batches_by_length(lengths: Array, batch_tokens: int, row_limit: int = ROW_LIMIT) -> Iterator[Array]:
    """Index arrays of neighbours in length, longest first so that memory is claimed once.

    Each holds at most `row_limit` features and, padded to its longest, at most `batch_tokens` tokens (or one
    feature, where one alone is longer).
    """
    order = np.argsort(-np.asarray(lengths), kind="stable")
    start = 0
    while start < len(order):
        longest = max(1, int(lengths[order[start]]))
        rows = min(row_limit, max(1, batch_tokens // longest))
        yield order[start : start + rows]
        start += rows
