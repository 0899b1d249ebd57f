"""Metrics of ranks over judged rows: Spearman's correlation, the area under the ROC curve, risk over coverage.

Each gives, besides its value, what every row contributes: the value plus the row's influence, whose mean is nought
(the infinitesimal jackknife, Efron 1982). A row counts twice: with its own rank, and by where it puts the others'.
All are worked out by sorting, in O(N log N).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from provetune.core.protocols import Array


@dataclass(frozen=True, eq=False)
class SpearmanOf:
    """Spearman's rank correlation of two values a row; rows of equal value share the mean of their ranks.

    Where all rows have one value it is nought: ranks that say nothing.

    Attributes:
        gold, said: (N,) each.
    """

    gold: Array
    said: Array
    low: float = -1.0
    high: float = 1.0

    def __len__(self) -> int:
        return len(self.gold)

    def value(self) -> float:
        return _Ranked(self.gold, self.said).value if len(self) else float("nan")

    def contributions(self) -> Array:
        """The value plus each row's influence: that of Pearson's correlation on ranks, and by moving others' ranks."""
        if len(self) == 0:
            return np.zeros(0)
        return _Ranked(self.gold, self.said).contributions()

    def concerned(self) -> Array:
        return np.ones(len(self), dtype=bool)

    def keep(self, mask: Array) -> SpearmanOf:
        return replace(self, gold=self.gold[mask], said=self.said[mask])


class _Ranked:
    """Two columns as ranks between 0 and 1, and the second moments of those."""

    def __init__(self, gold: Array, said: Array) -> None:
        self.order = [_Order(gold), _Order(said)]
        self.ranks = [order.ranks() for order in self.order]
        self.off = [ranks - ranks.mean() for ranks in self.ranks]
        first, second = self.off
        self.both, self.of_gold, self.of_said = (float(np.mean(a * b)) for a, b in _pairs(first, second))
        self.size = float(np.sqrt(self.of_gold * self.of_said))
        self.value = self.both / self.size if self.size > 0 else 0.0

    def contributions(self) -> Array:
        first, second = self.off
        if not self.size > 0:
            return np.full(len(first), self.value)
        moments = []
        for a, b in _pairs(first, second):
            left, right = (self.order[0 if part is first else 1] for part in (a, b))
            moments.append(a * b + left.effect(b) + right.effect(a))
        both, of_gold, of_said = (values - values.mean() for values in moments)
        slope = self.value / 2
        return np.asarray(self.value + both / self.size - slope * (of_gold / self.of_gold + of_said / self.of_said))


def _pairs(first: Array, second: Array) -> tuple[tuple[Array, Array], ...]:
    return (first, second), (first, first), (second, second)


class _Order:
    """The order of values, ties together."""

    def __init__(self, values: Array) -> None:
        self.size = len(values)
        _, self.places, self.counts = np.unique(values, return_inverse=True, return_counts=True)

    def ranks(self) -> Array:
        """Share of rows below each, ties counting half: (N,)."""
        below = np.cumsum(self.counts) - self.counts
        return np.asarray((below + 0.5 * self.counts)[self.places] / self.size)

    def effect(self, weights: Array) -> Array:
        """For each row j: the mean over rows i of [value of j below that of i, half if equal] times the weight of i."""
        sums = np.bincount(self.places, weights, minlength=len(self.counts))
        above = sums.sum() - np.cumsum(sums)
        return np.asarray((above + 0.5 * sums)[self.places] / self.size)


@dataclass(frozen=True, eq=False)
class AucOf:
    """Area under the ROC curve: how often a row that has the label scores above one that has not; ties count half.

    Attributes:
        scores: larger speaks for the label, (N,).
        has: which rows have it, bool (N,).
    """

    scores: Array
    has: Array
    low: float = 0.0
    high: float = 1.0

    def __len__(self) -> int:
        return len(self.scores)

    def value(self) -> float:
        """NaN where all rows have the label, or none."""
        above, _ = self._placements()
        return float(above.mean()) if len(above) else float("nan")

    def contributions(self) -> Array:
        """By placements (DeLong et al. 1988): where a row with the label lies among those without, and the reverse."""
        above, below = self._placements()
        value = self.value()
        found = np.full(len(self), value)
        if len(above):
            found[self.has] += (above - value) * len(self) / len(above)
            found[~self.has] += (below - value) * len(self) / len(below)
        return found

    def concerned(self) -> Array:
        return np.ones(len(self), dtype=bool)

    def keep(self, mask: Array) -> AucOf:
        return replace(self, scores=self.scores[mask], has=self.has[mask])

    def _placements(self) -> tuple[Array, Array]:
        """Share of rows without the label that each row with it beats, and the share with it that beat each without."""
        with_it, without = self.scores[self.has], self.scores[~self.has]
        if not (len(with_it) and len(without)):
            return np.zeros(0), np.zeros(0)
        return _share_below(without, with_it), 1 - _share_below(with_it, without)


def _share_below(some: Array, values: Array) -> Array:
    """Share of `some` that is below each of `values`, equal ones counting half."""
    ordered = np.sort(some)
    sides = (np.searchsorted(ordered, values, side) for side in ("left", "right"))
    return np.asarray(sum(sides) / (2 * len(some)))


@dataclass(frozen=True, eq=False)
class RiskCoverageOf:
    """Area under the risk–coverage curve (AURC): the share of errors among the surest rows, over every coverage.

    At coverage i/N the risk is the share of errors among the i surest rows; their mean over i is the area (Geifman &
    El-Yaniv 2017, arXiv:1705.08500). Rows of one confidence come in no order: the mean over all orders is taken.

    Attributes:
        confidence: how sure the model is of each row, (N,).
        errors: 1 where it is wrong, (N,); or any loss between 0 and 1.
    """

    confidence: Array
    errors: Array
    low: float = 0.0
    high: float = 1.0

    def __len__(self) -> int:
        return len(self.errors)

    def value(self) -> float:
        return float((self.errors * self._weights()).mean()) if len(self) else float("nan")

    def contributions(self) -> Array:
        """A row's own error, weighted by the coverages that it is in, and what it takes off the risk of surer sets."""
        if len(self) == 0:
            return np.zeros(0)
        own = np.asarray(self.errors * self._weights())
        # A further row makes all sets larger that hold it; an error among the surer rows weighs less in those.
        _, places, sizes = np.unique(-self.confidence, return_inverse=True, return_counts=True)
        ends = np.cumsum(sizes) / len(self)
        begins, errors = ends - sizes / len(self), np.bincount(places, self.errors)
        # Ties lie anywhere between their begin and end: the means there of 1/u, and of 1/u where the other is ahead.
        behind = np.zeros(len(sizes))
        behind[1:] = np.log(ends[1:] / begins[1:]) / (ends - begins)[1:]
        among = (1 - begins * behind) / (ends - begins)
        relieved = np.cumsum((errors * behind)[::-1])[::-1] - errors * behind + errors * among
        moved = own - relieved[places] / len(self)
        return np.asarray(moved - moved.mean() + self.value())

    def concerned(self) -> Array:
        return np.ones(len(self), dtype=bool)

    def keep(self, mask: Array) -> RiskCoverageOf:
        return replace(self, confidence=self.confidence[mask], errors=self.errors[mask])

    def _weights(self) -> Array:
        """Σ 1/i over the coverages i/N that hold each row, ties averaged, (N,)."""
        count = len(self)
        order = np.argsort(-self.confidence, kind="stable")
        tails = np.cumsum((1.0 / np.arange(1, count + 1))[::-1])[::-1]
        _, places, sizes = np.unique(-self.confidence[order], return_inverse=True, return_counts=True)
        weights = np.empty(count)
        weights[order] = (np.bincount(places, tails) / sizes)[places]
        return weights
