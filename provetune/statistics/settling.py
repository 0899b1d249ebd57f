"""What would settle an inconclusive claim: more seeds, more rows, both, or nothing that can be had."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from provetune.core.errors import UsageError
from provetune.statistics.crossed import TINY, Estimate
from provetune.statistics.projection import Projection, project

MOST_SEEDS = 100
MOST_TIMES_ROWS = 1000
POWER = 0.8


@dataclass(frozen=True)
class Needs:
    """Three ways to an answer; None where that way leads nowhere.

    Attributes:
        seeds: this many a candidate, with the rows there are.
        rows: this many, with the seeds there are.
        both: the cheapest (seeds, rows) together, each counted by how many times it grows.
        note: the same in one sentence.
    """

    seeds: int | None
    rows: int | None
    both: tuple[int, int] | None
    note: str


def settle(
    estimate: Estimate,
    margin: float,
    direction: Literal["above", "below"],
    alpha: float,
    smallest: float,
    power: float = POWER,
) -> Needs:
    """What would decide whether the effect is above (or below) the margin, either way.

    Args:
        margin: what the effect is held against.
        direction: the claim's; it changes the words alone, since a decision against the claim settles it too.
        alpha: one-sided, what is left of it after correction for other claims.
        smallest: the smallest distance from the margin that matters; 0 for none.
        power: with which the answer is to be found.

    Raises:
        UsageError: a direction, level or power that is none.
    """
    if direction not in ("above", "below"):
        raise UsageError(f"direction must be 'above' or 'below'. Got '{direction}' instead.")
    _check(alpha, smallest, power)
    distance = abs(estimate.effect - margin)
    return _settle(estimate, max(distance, smallest), distance, alpha, power)


def settle_equal(
    estimate: Estimate, centre: float, margin: float, alpha: float, smallest: float, power: float = POWER
) -> Needs:
    """The same for "within the margin of the centre": both sides must be excluded, or one shown to be passed.

    Raises:
        UsageError: a level or power that is none.
    """
    _check(alpha, smallest, power)
    off = abs(estimate.effect - centre)
    distance = abs(margin - off)
    if off > margin:
        return _settle(estimate, max(distance, smallest), distance, alpha / 2, power)
    # Inside, no effect is farther from the nearer edge than the margin; both tests must succeed.
    gap = max(distance, min(smallest, margin))
    return _settle(estimate, gap, distance, alpha, (1 + power) / 2)


def _settle(estimate: Estimate, gap: float, distance: float, alpha: float, power: float) -> Needs:
    """Reckoned for the gap; the distance that was seen is told where it is smaller than that."""
    seeds = max(part.seeds for part in (estimate.left, estimate.right) if part is not None)
    rows = estimate.rows
    if not np.isfinite(estimate.variance):
        return Needs(
            None, None, None, "A single row decides nothing: more rows are needed before this can be reckoned."
        )
    if gap > TINY and estimate.variance == 0:
        return Needs(
            None, None, None, "Neither rows nor runs vary, so nothing can be reckoned: only more rows can tell."
        )
    if gap <= TINY:
        return Needs(
            None, None, None, "Nothing would settle it: what was measured lies on the edge of the claim itself."
        )
    projection = project(estimate)
    if projection.reach(seeds, rows, alpha, power) <= gap:
        return Needs(
            None, None, None, f"This study could have shown {gap:.3g}; the effect seems too near the edge to matter."
        )
    more_seeds = _least_seeds(projection, seeds, rows, gap, alpha, power)
    more_rows = _least_rows(projection, np.array([seeds]), rows, gap, alpha, power)[0]
    both = _cheapest(projection, seeds, rows, gap, alpha, power)
    found = Needs(more_seeds, int(more_rows) if more_rows > 0 else None, both, "")
    return Needs(found.seeds, found.rows, found.both, _words(found, seeds, rows, distance, gap))


def _least_seeds(projection: Projection, seeds: int, rows: int, gap: float, alpha: float, power: float) -> int | None:
    if not any(spread.varies for spread in projection.candidates):
        return None
    tried = np.arange(seeds + 1, MOST_SEEDS + 1)
    enough = np.flatnonzero(projection.reach(tried, rows, alpha, power) <= gap)
    return int(tried[enough[0]]) if len(enough) else None


def _least_rows(
    projection: Projection, seeds: np.ndarray, rows: int, gap: float, alpha: float, power: float
) -> np.ndarray:
    """The fewest rows, those there are or more, for each number of seeds, by halving; 0 where no number would do."""
    low = np.full(len(seeds), rows - 1, dtype=np.int64)
    high = np.full(len(seeds), rows * MOST_TIMES_ROWS, dtype=np.int64)
    possible = projection.reach(seeds, high, alpha, power) <= gap
    while (high - low > 1).any():
        middle = (low + high + 1) // 2
        enough = projection.reach(seeds, middle, alpha, power) <= gap
        high, low = np.where(enough, middle, high), np.where(enough, low, middle)
    return np.where(possible, high, 0)


def _cheapest(
    projection: Projection, seeds: int, rows: int, gap: float, alpha: float, power: float
) -> tuple[int, int] | None:
    if not any(spread.varies for spread in projection.candidates):
        return None
    tried = np.arange(max(seeds, 2), MOST_SEEDS + 1)
    needed = _least_rows(projection, tried, rows, gap, alpha, power)
    if not (needed > 0).any():
        return None
    cost = np.where(needed > 0, tried / seeds + needed / rows, np.inf)
    best = int(cost.argmin())
    return int(tried[best]), int(needed[best])


def _words(needs: Needs, seeds: int, rows: int, distance: float, gap: float) -> str:
    at = f"At a distance of {gap:.3g} from the edge"
    if distance < gap * (1 - 1e-6):
        near = f"{distance:.1g} from" if distance >= gap / 100 else "on"
        at = f"It lies {near} the edge; were it {gap:.3g} away, the smallest that matters"
    ways = []
    if needs.seeds is not None:
        ways.append(f"{needs.seeds} seeds a candidate on these {rows:,} rows")
    if needs.rows is not None:
        ways.append(f"{needs.rows:,} rows" + (f" with these {seeds} seeds" if seeds > 1 else ""))
    if needs.both is not None:
        ways.append(f"{needs.both[0]} seeds with {needs.both[1]:,} rows")
    if not ways:
        return (
            f"{at}, nothing within reach would settle it: not {MOST_SEEDS} seeds, nor {MOST_TIMES_ROWS} times the rows."
        )
    if needs.seeds is None and needs.rows is None:
        return f"{at}, more seeds or more rows alone would not settle it; {ways[0]} would."
    return f"{at}, {', or '.join(ways)} would settle it."


def _check(alpha: float, smallest: float, power: float) -> None:
    if not 0 < alpha < 0.5:
        raise UsageError(f"alpha must be between 0 and 0.5. Got {alpha} instead.")
    if not 0.5 <= power < 1:
        raise UsageError(f"power must be from 0.5 to below 1. Got {power} instead.")
    if smallest < 0:
        raise UsageError(f"smallest must not be negative. Got {smallest} instead.")
