"""How much the figures of a claim will scatter: what a pilot showed, or what is assumed without one.

The assumption is of two fine-tuned candidates near 0.90 (`provetune.statistics.power`). Three things are derived from
it: a candidate without chance has the residual of its single run in every row; one candidate alone has a row's own
variance, p(1 − p), a quarter of which is taken to change from run to run; a mean over labels of unequal size is as sure
as one over fewer rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from provetune.problem.claims import Claim
from provetune.problem.scopes import Scope
from provetune.statistics.crossed import Estimate, Parts
from provetune.statistics.power import PRIOR_RESIDUAL_SD, PRIOR_ROW_SD, PRIOR_SEED_SD
from provetune.statistics.projection import Projection, Spread, project
from provetune.study.claim_figures import is_share

PRIOR_LEVEL = 0.9
RESIDUAL_SHARE = 0.25


@dataclass(frozen=True)
class Scatter:
    """What a claim's power is reckoned from.

    Attributes:
        projection: variances, free of how many seeds and rows there are.
        units: independent test rows, in the projection's sense of a row.
        basis: where it comes from.
        effect: the difference (or value) that a pilot found on validation rows; None without one.
        runs: runs of each candidate with chance that a pilot has.
    """

    projection: Projection
    units: int
    basis: Literal["pilot", "prior"]
    effect: float | None = None
    runs: tuple[int, ...] = ()

    @property
    def seed_sd(self) -> float:
        """Root mean square over the candidates that chance has a part in."""
        found = [spread.seed_variance for spread in self.projection.candidates if spread.varies]
        return float((sum(found) / len(found)) ** 0.5) if found else 0.0

    @property
    def row_sd(self) -> float:
        return float(self.projection.row_variance**0.5)

    def as_estimate(self, seeds: int, effect: float = 0.0) -> Estimate:
        """What a study of so many seeds would find, were its scatter as expected.

        Args:
            seeds: of each candidate with chance, at least 2.
        """
        seeds_variance, rows_variance, freedom = self.projection.variances(seeds, self.units)
        parts = [_parts(spread, seeds, self.units) for spread in self.projection.candidates]
        right = parts[1] if len(parts) > 1 else None
        rows_freedom = 2 / (self.projection.row_excess / self.units + 2 / max(self.units - 1, 1))
        return Estimate(
            effect,
            float(seeds_variance),
            float(rows_variance),
            float(freedom),
            self.units,
            parts[0],
            right,
            rows_freedom,
        )


def assume(claim: Claim, scope: Scope, chance: Sequence[bool], units: int) -> Scatter | None:
    """The scatter before any pilot; None for metrics that nothing can be assumed of.

    Args:
        chance: for each candidate of the claim, whether its runs differ.
        units: independent test rows that count.
    """
    if not is_share(scope.metric):
        return None
    if claim.right is None:
        level = claim.level if claim.level is not None and 0 < claim.level < 1 else PRIOR_LEVEL
        of_row = level * (1 - level)
        residual, row_variance = RESIDUAL_SHARE * of_row, (1 - RESIDUAL_SHARE) * of_row
    else:
        residual, row_variance = PRIOR_RESIDUAL_SD**2, PRIOR_ROW_SD**2
    row_variance += residual * sum(not each for each in chance)
    spreads = tuple(Spread(PRIOR_SEED_SD**2, residual) if each else Spread(0.0, 0.0, varies=False) for each in chance)
    return Scatter(Projection(spreads, row_variance), units, "prior")


def observed(pilot: Estimate, units: int) -> Scatter:
    """The scatter that a pilot showed, on so many test rows."""
    parts = [part for part in (pilot.left, pilot.right) if part is not None]
    runs = tuple(part.seeds for part in parts if part.seeds > 1)
    return Scatter(project(pilot), units, "pilot", pilot.effect, runs)


def _parts(spread: Spread, seeds: int, rows: int) -> Parts:
    if not spread.varies:
        return Parts(1, 0.0, (), 0.0, 0.0)
    return Parts(seeds, 0.0, (), spread.seed_variance + spread.residual / rows, spread.residual)
