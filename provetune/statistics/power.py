"""Before a study: the smallest difference it can detect, and how likely it finds a given one.

The priors describe two fine-tuned candidates near 0.90 accuracy. They were fitted to the smallest effects that
simulated studies of five seeds find at 80 % power, for seed SDs of 0.5, 1 and 1.5 points and 500 to 5,000 rows, and
reproduce that table within 0.1 points (`docs/concepts/verdict.md`). A pilot on validation rows replaces them.
"""

from __future__ import annotations

from provetune.core.errors import UsageError
from provetune.statistics.crossed import Estimate
from provetune.statistics.projection import Projection, Spread, project

POWER = 0.8
# In units of the score: 0.01 is a point.
PRIOR_SEED_SD = 0.01
PRIOR_ROW_SD = 0.173
PRIOR_RESIDUAL_SD = 0.15


def detectable(
    seed_sd: float = PRIOR_SEED_SD,
    row_sd: float = PRIOR_ROW_SD,
    seeds: int = 5,
    rows: int = 2000,
    alpha: float = 0.05,
    power: float = POWER,
    *,
    residual_sd: float = PRIOR_RESIDUAL_SD,
    varying: int = 2,
) -> float:
    """The smallest distance from a claim's margin that is found with this power, in units of the score.

    Args:
        seed_sd: of a run's true score, per candidate.
        row_sd: of the difference between the candidates on a row, averaged over all seeds; for a claim about one
            candidate, of that candidate's rows.
        seeds: runs a candidate.
        rows: test rows, or groups of them.
        alpha: one-sided; divide it by the number of claims for the worst case of the correction.
        residual_sd: of one row in one run, beyond row and run.
        varying: candidates in the comparison that chance has a part in: 2, 1 (against one without, or a level), 0.

    Raises:
        UsageError: a number out of range.
    """
    projection = _projection(seed_sd, row_sd, residual_sd, varying)
    _check(seeds, rows, alpha, power)
    return float(projection.reach(seeds, rows, alpha, power))


def power_of(
    effect: float,
    seed_sd: float = PRIOR_SEED_SD,
    row_sd: float = PRIOR_ROW_SD,
    seeds: int = 5,
    rows: int = 2000,
    alpha: float = 0.05,
    *,
    residual_sd: float = PRIOR_RESIDUAL_SD,
    varying: int = 2,
) -> float:
    """How likely a true distance of `effect` from the margin is found; `detectable` is its inverse.

    Raises:
        UsageError: a number out of range.
    """
    projection = _projection(seed_sd, row_sd, residual_sd, varying)
    _check(seeds, rows, alpha, POWER)
    return _power(projection, effect, seeds, rows, alpha)


def detectable_after(pilot: Estimate, seeds: int, rows: int, alpha: float, power: float = POWER) -> float:
    """`detectable`, with the scatter that a pilot showed (an estimate on validation rows).

    Raises:
        UsageError: a number out of range.
    """
    _check(seeds, rows, alpha, power)
    return float(project(pilot).reach(seeds, rows, alpha, power))


def power_after(pilot: Estimate, effect: float, seeds: int, rows: int, alpha: float) -> float:
    """`power_of`, with the scatter that a pilot showed.

    Raises:
        UsageError: a number out of range.
    """
    _check(seeds, rows, alpha, POWER)
    return _power(project(pilot), effect, seeds, rows, alpha)


def _power(projection: Projection, effect: float, seeds: int, rows: int, alpha: float) -> float:
    from scipy.special import ndtr

    seeds_variance, rows_variance, _ = projection.variances(seeds, rows)
    error = float(seeds_variance + rows_variance) ** 0.5
    if error == 0:
        return 1.0 if effect > 0 else 0.0
    reach = float(projection.reach(seeds, rows, alpha, 0.5))
    return float(ndtr((effect - reach) / error))


def _projection(seed_sd: float, row_sd: float, residual_sd: float, varying: int) -> Projection:
    if min(seed_sd, row_sd, residual_sd) < 0:
        raise UsageError("Standard deviations must not be negative.")
    if varying not in (0, 1, 2):
        raise UsageError(f"varying must be 0, 1 or 2. Got {varying} instead.")
    return Projection((Spread(seed_sd**2, residual_sd**2),) * varying, row_sd**2)


def _check(seeds: int, rows: int, alpha: float, power: float) -> None:
    if seeds < 1 or rows < 1:
        raise UsageError(f"seeds and rows must be at least 1. Got {seeds} and {rows} instead.")
    if not 0 < alpha < 0.5:
        raise UsageError(f"alpha must be between 0 and 0.5. Got {alpha} instead.")
    if not 0 < power < 1:
        raise UsageError(f"power must be between 0 and 1. Got {power} instead.")
