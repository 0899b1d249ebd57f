"""What a comparison would be worth with other numbers of seeds and rows: V(k′, n′) = Σ (σ²_α + e²/n′)/k′ + T·n/n′."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from provetune.statistics.mixture import mixed_quantile

if TYPE_CHECKING:
    from provetune.core.protocols import Array
    from provetune.statistics.crossed import Estimate, Parts


@dataclass(frozen=True)
class Spread:
    """How one candidate's runs scatter, free of how many there were.

    Attributes:
        seed_variance: σ²_α, of a run's true score.
        residual: e², of one row in one run beyond both.
        varies: whether chance is in it at all; a candidate without chance runs once, whatever the seeds.
    """

    seed_variance: float
    residual: float
    varies: bool = True


@dataclass(frozen=True)
class Projection:
    """The scatter of one candidate or two, and that of a row's (difference in) difficulty.

    Attributes:
        row_variance: T·n.
        row_excess: excess kurtosis of the rows' differences.
    """

    candidates: tuple[Spread, ...]
    row_variance: float
    row_excess: float = 0.0

    def reach(self, seeds: Array | int, rows: Array | int, alpha: float, power: float) -> Array:
        """The distance from the margin that is found with this power: (q + z)·√V, elementwise."""
        from scipy.special import ndtri

        seeds_variance, rows_variance, freedom = self.variances(seeds, rows)
        rows_freedom = 2 / (self.row_excess / np.asarray(rows) + 2 / np.maximum(np.asarray(rows) - 1, 1))
        quantile = mixed_quantile(1 - alpha, seeds_variance, rows_variance, freedom, rows_freedom)
        found: Array = (quantile + ndtri(power)) * np.sqrt(seeds_variance + rows_variance)
        return found

    def variances(self, seeds: Array | int, rows: Array | int) -> tuple[Array, Array, Array]:
        """V_s, T and ν with so many seeds a candidate and so many rows, elementwise."""
        seeds, rows = np.broadcast_arrays(np.asarray(seeds, dtype=np.float64), np.asarray(rows, dtype=np.float64))
        shares = [
            (spread.seed_variance + spread.residual / rows) / seeds for spread in self.candidates if spread.varies
        ]
        seeds_variance = np.zeros(rows.shape) + sum(shares)
        spare = np.maximum(seeds - 1, 1)
        under = np.zeros(rows.shape) + sum(share**2 / spare for share in shares)
        freedom = np.divide(seeds_variance**2, under, out=np.full(rows.shape, np.inf), where=under > 0)
        return seeds_variance, self.row_variance / rows, freedom


def project(estimate: Estimate) -> Projection:
    """The scatter that an estimate found: σ²_α = max(s² − e²/n, 0) of each candidate, and T·n."""
    parts = [part for part in (estimate.left, estimate.right) if part is not None]
    rows = estimate.rows
    excess = max(2 / estimate.rows_freedom - 2 / (rows - 1), 0.0) * rows if rows > 1 else 0.0
    return Projection(tuple(_spread(part, rows) for part in parts), estimate.rows_variance * rows, excess)


def _spread(part: Parts, rows: int) -> Spread:
    return Spread(max(part.seed_variance - part.residual / rows, 0.0), part.residual, varies=part.seeds > 1)
