"""Rows judged by metrics that are not counts of labels: means, functions of summed row statistics, ranks.

A task says for each of its metrics which of these it is, and the verdict needs no more: the score, what each row
contributes to it (contributions whose mean is the score), and the score of some of the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from provetune.core.errors import UsageError
from provetune.core.suggest import advice

if TYPE_CHECKING:
    from provetune.core.protocols import Array

_STEP = 1e-4


class RowMetric(Protocol):
    """One metric over N rows.

    Attributes:
        low, high: the least and greatest value it can have.
    """

    @property
    def low(self) -> float: ...

    @property
    def high(self) -> float: ...

    def __len__(self) -> int: ...

    def value(self) -> float:
        """The score."""

    def contributions(self) -> Array:
        """What each row contributes, (N,); their mean is the score."""

    def concerned(self) -> Array:
        """Which rows it is about, bool (N,)."""

    def keep(self, mask: Array) -> RowMetric:
        """The same metric over the rows where the mask (N,) is true."""


@dataclass(frozen=True, eq=False)
class MeanOf:
    """The mean of a value a row.

    Attributes:
        values: (N,); NaN for rows that the metric is not about, which then count for nothing.
    """

    values: Array
    low: float = 0.0
    high: float = 1.0

    def __len__(self) -> int:
        return len(self.values)

    def value(self) -> float:
        used = self.values[~np.isnan(self.values)]
        return float(used.mean()) if len(used) else float("nan")

    def contributions(self) -> Array:
        concerned = ~np.isnan(self.values)
        if concerned.all():
            return np.asarray(self.values, dtype=np.float64)
        # A mean over some of the rows is a ratio of two sums over all of them.
        share, value = concerned.mean(), self.value()
        return np.asarray(value + np.where(concerned, np.nan_to_num(self.values) - value, 0.0) / share)

    def concerned(self) -> Array:
        return np.asarray(~np.isnan(self.values))

    def keep(self, mask: Array) -> MeanOf:
        return replace(self, values=self.values[mask])


@dataclass(frozen=True, eq=False)
class OfSums:
    """A function of row statistics summed over the rows, e.g. micro-F1, corpus BLEU, Pearson's correlation.

    Attributes:
        sums: statistics of each row, (N, K).
        function: sums over rows (…, K) → the metric (…); it must not change when all sums are multiplied by one
            number, unless one of the statistics is the number of rows.
    """

    sums: Array
    function: Callable[[Array], Array]
    low: float = 0.0
    high: float = 1.0

    def __len__(self) -> int:
        return len(self.sums)

    def value(self) -> float:
        return float(self.function(self.sums.sum(axis=0, dtype=np.float64)))

    def contributions(self) -> Array:
        """The infinitesimal jackknife (Efron 1982): θ + N · ∇f(mean) · (row − mean) / N."""
        count = len(self.sums)
        if count == 0:
            return np.zeros(0)
        total = self.sums.sum(axis=0, dtype=np.float64)
        deviations = (self.sums - total / count) @ _gradient(self.function, total)
        return np.asarray(self.value() + count * deviations)

    def concerned(self) -> Array:
        return np.ones(len(self.sums), dtype=bool)

    def keep(self, mask: Array) -> OfSums:
        return replace(self, sums=self.sums[mask])


@dataclass(frozen=True, eq=False)
class MeasuredRows:
    """N judged rows of a task whose labels are no classes.

    Attributes:
        metrics: by name, ``metric:label`` for the value of one label.
        names: labels that metrics can be asked for.
        groups: number of each row's group (N,); rows of one group are not independent of each other.
    """

    metrics: Mapping[str, RowMetric]
    names: tuple[str, ...] = ()
    groups: Array | None = None

    def __len__(self) -> int:
        return len(next(iter(self.metrics.values()))) if self.metrics else 0

    def metric(self, name: str, label: str | None = None) -> RowMetric:
        """One of its metrics.

        Raises:
            UsageError: there is none of that name, or none of that label.
        """
        found = self.metrics.get(name if label is None else f"{name}:{label}")
        if found is not None:
            return found
        if label is not None and label not in self.names:
            raise UsageError(f"There is no label '{label}'.", hint=advice(label, self.names))
        if label is None and any(key.startswith(f"{name}:") for key in self.metrics):
            raise UsageError(f"'{name}' needs a label.", hint=f"Write [{name}:LABEL].")
        known = sorted({key.partition(":")[0] for key in self.metrics})
        if label is not None and name in known:
            raise UsageError(f"'{name}' has no value for '{label}' here.")
        raise UsageError(f"There is no metric '{name}' of rows.", hint=advice(name, known))

    def keep(self, mask: Array) -> MeasuredRows:
        """The rows where the mask (N,) is true."""
        groups = None if self.groups is None else self.groups[mask]
        return replace(self, metrics={name: one.keep(mask) for name, one in self.metrics.items()}, groups=groups)


def _gradient(function: Callable[[Array], Array], total: Array) -> Array:
    """∂f/∂total by central differences, all K at once; one-sided where a statistic is 0 and may not be less."""
    scale = np.maximum(np.abs(total), 1e-3 * np.abs(total).max(initial=1.0)) * _STEP
    below = np.where((total >= 0) & (total < scale), total, scale)
    up, down = np.diag(scale), np.diag(below)
    return np.asarray((function(total + up) - function(total - down)) / (scale + below))
