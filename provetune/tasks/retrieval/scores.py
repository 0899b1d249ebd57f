"""The scores of retrieval by name; the first is the one that selection and plain claims use.

Each is a mean over the different queries: a query that several rows ask, each with another document, counts once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.protocols import Metric

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import Array

METRICS = (
    Metric(
        "ndcg_at_10", "How far in front of the first ten the right documents stand: a place counts 1 / log2(1 + k)."
    ),
    Metric("mrr", "One over the place of the first right document; also called mean reciprocal rank."),
    Metric("mrr_at_10", "The same, 0 where none of the first ten is right."),
    Metric("recall_at_1", "Share of a query's right documents that stand first."),
    Metric("recall_at_5", "Share of a query's right documents among the first five."),
    Metric("recall_at_10", "Share of a query's right documents among the first ten."),
    Metric("recall_at_100", "Share of a query's right documents among the first hundred."),
    Metric("latency_p50_ms", "Median time for the vector of one query, in milliseconds.", False, "system"),
    Metric("latency_p95_ms", "Time that 95 % of single queries stay under, in milliseconds.", False, "system"),
    Metric("latency_p99_ms", "Time that 99 % of single queries stay under, in milliseconds.", False, "system"),
)


def row_scores(places: Sequence[Array], counted: Array) -> dict[str, Array]:
    """The values of each row by metric, float64 (N,); NaN where a row's query was counted before, or has no answer.

    Args:
        places: places of the right documents of each row's query, ascending; N arrays.
        counted: the first row of each query, bool (N,).
    """
    from provetune.evaluation.ranking import ndcg_at, recall_at, reciprocal_ranks

    values = {
        "ndcg_at_10": ndcg_at(places, 10),
        "mrr": reciprocal_ranks(places),
        "mrr_at_10": reciprocal_ranks(places, 10),
    }
    values |= {f"recall_at_{k}": recall_at(places, k) for k in (1, 5, 10, 100)}
    return {name: np.where(counted, each, np.nan) for name, each in values.items()}


def scores_of(outcomes: pa.Table) -> dict[str, Array]:
    """The values of each row of outcomes, (N,)."""
    places = [np.asarray(each, dtype=np.int64) for each in outcomes.column("places").to_pylist()]
    return row_scores(places, outcomes.column("counted").to_numpy(zero_copy_only=False))


def place_table(outcomes: pa.Table) -> tuple[tuple[Any, ...], ...]:
    """How many queries have their first right document in which places: place, queries, share."""
    counted = outcomes.filter(outcomes.column("counted"))
    first = np.array([min(places) for places in counted.column("places").to_pylist() if places])
    bounds = ((1, 1), (2, 3), (4, 10), (11, 100), (101, None))
    rows: list[tuple[Any, ...]] = []
    for low, high in bounds:
        count = int(np.sum((first >= low) & (first <= (np.inf if high is None else high))))
        name = str(low) if low == high else f"{low} to {high}" if high else f"{low} and on"
        rows.append((name, count, round(count / max(1, len(first)), 4)))
    return tuple(rows)
