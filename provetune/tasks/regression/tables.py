"""Regression's own tables of a report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.protocols import ReportTable

if TYPE_CHECKING:
    from provetune.core.protocols import Array

PARTS = 5


def range_table(gold: Array, said: Array, name: str, count: int) -> ReportTable:
    """Errors by fifths of the true numbers: a model that only says the middle is far off at both ends.

    Args:
        gold, said: one number a row, (N,) each.
        count: how many numbers a row has; the name is told where there are several.
    """
    edges = np.unique(np.quantile(gold, np.linspace(0, 1, PARTS + 1)))
    numbers = np.clip(np.searchsorted(edges, gold, side="left") - 1, 0, max(0, len(edges) - 2))
    lines: list[tuple[Any, ...]] = []
    for number in np.unique(numbers):
        inside = numbers == number
        true, told = gold[inside], said[inside]
        lines.append(
            (
                f"{true.min():.4g} to {true.max():.4g}",
                int(inside.sum()),
                _rounded(true.mean()),
                _rounded(told.mean()),
                _rounded((told - true).mean()),
                _rounded(np.abs(told - true).mean()),
            )
        )
    of = f" of {name}" if count > 1 else ""
    return ReportTable(
        "value_ranges" if count == 1 else f"value_ranges:{name}",
        f"What is said by what is true{of}",
        ("true value", "rows", "mean true", "mean said", "mean error", "mean absolute error"),
        tuple(lines),
        "A mean error above 0 says too much, below 0 too little.",
    )


def score_table(gold: Array, said: Array, names: Sequence[str]) -> ReportTable:
    """Every score of each of several numbers, (N, C) each."""
    from provetune.evaluation.value_metrics import value_scores

    lines = []
    heads: tuple[str, ...] = ()
    for k, name in enumerate(names):
        scores = value_scores(gold[:, k : k + 1], said[:, k : k + 1], (name,))
        heads = ("number", *scores)
        lines.append((name, *(_rounded(value) for value in scores.values())))
    return ReportTable("values", "Each number by itself", heads, tuple(lines))


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")
