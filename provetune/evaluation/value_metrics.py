"""Scores of predicted numbers: errors in their own units, share of variance explained, correlations.

Equal to scikit-learn's and SciPy's. Of several numbers a row each score is the mean over them, and ``metric:name`` that
of one. All but Spearman's are functions of summed row statistics, so that the verdict can judge them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from provetune.core.protocols import Metric
from provetune.statistics.measured_rows import MeasuredRows, OfSums, RowMetric
from provetune.statistics.rank_metrics import SpearmanOf

if TYPE_CHECKING:
    from provetune.core.protocols import Array

_Sums: TypeAlias = Callable[["Array"], "Array"]
_INFINITE = float("inf")

VALUE_METRICS = (
    Metric(
        "r2",
        "Share of the variance that is explained; 0 is what the mean would get.",
        per_label=True,
        label_needed=False,
        low=-_INFINITE,
    ),
    Metric(
        "rmse",
        "Root of the mean squared error, in the number's own units.",
        False,
        per_label=True,
        label_needed=False,
        high=_INFINITE,
    ),
    Metric(
        "mae",
        "Mean absolute error, in the number's own units.",
        False,
        per_label=True,
        label_needed=False,
        high=_INFINITE,
    ),
    Metric("pearson", "Pearson's correlation of said and true numbers.", per_label=True, label_needed=False, low=-1.0),
    Metric("spearman", "Spearman's rank correlation.", kind="ranks", per_label=True, label_needed=False, low=-1.0),
)
"""The first is the primary one: free of units, and better when it is larger."""

_COUNT, _OFF, _SQUARE, _GOLD, _GOLD_SQUARE, _SAID, _SAID_SQUARE, _BOTH = range(8)
_WIDTH = 8


@dataclass(frozen=True, eq=False)
class MeanOfMetrics:
    """The mean of several metrics of the same rows: one number after another.

    Attributes:
        parts: each over the same N rows.
    """

    parts: tuple[RowMetric, ...]
    low: float = -1.0
    high: float = 1.0

    def __len__(self) -> int:
        return len(self.parts[0])

    def value(self) -> float:
        return float(np.mean([part.value() for part in self.parts]))

    def contributions(self) -> Array:
        return np.asarray(np.mean([part.contributions() for part in self.parts], axis=0))

    def concerned(self) -> Array:
        return np.asarray(np.logical_or.reduce([part.concerned() for part in self.parts]))

    def keep(self, mask: Array) -> MeanOfMetrics:
        return replace(self, parts=tuple(part.keep(mask) for part in self.parts))


def value_scores(gold: Array, said: Array, names: Sequence[str]) -> dict[str, float]:
    """Every score of `VALUE_METRICS` over the rows; empty where there are none.

    Args:
        gold, said: (N, C) each.
        names: of the C numbers.
    """
    if len(gold) == 0:
        return {}
    metrics = measured_values(gold, said, names).metrics
    return {metric.name: metrics[metric.name].value() for metric in VALUE_METRICS}


def measured_values(
    gold: Array, said: Array, names: Sequence[str], groups: Sequence[object] | None = None
) -> MeasuredRows:
    """The rows as the verdict takes them.

    Args:
        gold, said: (N, C) each.
        names: of the C numbers.
        groups: a value a row; rows of one value are not independent of each other.
    """
    gold, said = (np.asarray(values, dtype=np.float64).reshape(len(values), -1) for values in (gold, said))
    functions: dict[str, tuple[_Sums, float, float]] = {
        "r2": (_r2, -_INFINITE, 1.0),
        "rmse": (_rmse, 0.0, _INFINITE),
        "mae": (_mae, 0.0, _INFINITE),
        "pearson": (_pearson, -1.0, 1.0),
    }
    found: dict[str, RowMetric] = {}
    for name, (function, low, high) in functions.items():
        parts = [_of_sums(gold[:, k], said[:, k], function, low, high) for k in range(len(names))]
        _add(found, name, parts, names)
    ranks = [SpearmanOf(gold[:, k], said[:, k]) for k in range(len(names))]
    _add(found, "spearman", ranks, names)
    numbers = None if groups is None else np.unique(np.asarray(groups, dtype=str), return_inverse=True)[1]
    return MeasuredRows(found, tuple(names) if len(names) > 1 else (), numbers)


def _add(found: dict[str, RowMetric], name: str, parts: Sequence[RowMetric], names: Sequence[str]) -> None:
    if len(parts) == 1:
        found[name] = parts[0]
        return
    found[name] = MeanOfMetrics(tuple(parts), parts[0].low, parts[0].high)
    found.update({f"{name}:{label}": part for label, part in zip(names, parts, strict=True)})


def _of_sums(gold: Array, said: Array, function: _Sums, low: float, high: float) -> OfSums:
    """Sums in units of the gold numbers' spread, off their mean: none is then much larger than another."""
    centre, unit = (float(gold.mean()), float(gold.std()) or 1.0) if len(gold) else (0.0, 1.0)
    true, told = (gold - centre) / unit, (said - centre) / unit
    off = told - true
    columns = [np.ones(len(gold)), np.abs(off), off**2, true, true**2, told, told**2, true * told]
    scale = unit if function in (_rmse, _mae) else 1.0
    return OfSums(np.stack(columns, axis=1), lambda sums: scale * function(sums), low, high)


def _rmse(sums: Array) -> Array:
    return np.asarray(np.sqrt(np.maximum(sums[..., _SQUARE], 0) / sums[..., _COUNT]))


def _mae(sums: Array) -> Array:
    return np.asarray(sums[..., _OFF] / sums[..., _COUNT])


def _r2(sums: Array) -> Array:
    """Without any variance: 1 where all is right, else 0, as scikit-learn has it."""
    total = sums[..., _GOLD_SQUARE] - sums[..., _GOLD] ** 2 / sums[..., _COUNT]
    left = sums[..., _SQUARE]
    varied = total > 1e-12 * np.maximum(sums[..., _COUNT], 1)
    share = np.divide(left, total, out=np.ones_like(left), where=varied)
    return np.asarray(np.where(varied, 1 - share, (left <= 0) * 1.0))


def _pearson(sums: Array) -> Array:
    """0 where either side does not vary."""
    count = sums[..., _COUNT]
    both = sums[..., _BOTH] - sums[..., _GOLD] * sums[..., _SAID] / count
    gold = sums[..., _GOLD_SQUARE] - sums[..., _GOLD] ** 2 / count
    said = sums[..., _SAID_SQUARE] - sums[..., _SAID] ** 2 / count
    size = np.sqrt(np.maximum(gold, 0) * np.maximum(said, 0))
    return np.asarray(np.divide(both, size, out=np.zeros_like(both), where=size > 1e-12 * np.maximum(count, 1)))
