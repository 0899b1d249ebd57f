"""What the calibration must show, as limits: each is met or not, with the figure that decides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from verdict_grid import POWER_CELLS
from verdict_rules import SHOULD_FAIL, rates

PER_SIDE, POOLED, STRESS = 0.060, 0.050, 0.065
COVERAGE = (0.94, 0.985)
REAL_FALSE, REAL_FALSE_EACH, REAL_COVERAGE, REAL_COVERAGE_EACH = 0.05, 0.08, 0.95, 0.93
FAMILY_WISE, EQUIVALENCE, REUSE, STOPPING = 0.05, 0.05, 0.10, 0.05

Cell = Mapping[str, Any]


def demand(met: bool, **figures: Any) -> dict[str, Any]:
    return {"met": bool(met), **figures}


def grid_holds(cells: Iterable[Cell], rule: str, slack: float) -> dict[str, Any]:
    """Demand 1 for one rule: false support per side in each cell and pooled, coverage of the two-sided interval.

    Args:
        slack: standard errors of the simulation that each cell is granted; 0 in the full run.
    """
    found = [(rates(cell["rules"][rule]), cell["rules"][rule]["studies"]) for cell in cells]
    sides = [(max(one["above"], one["below"]), studies) for one, studies in found]
    worst = max(rate for rate, _ in sides)
    pooled = float(np.mean([(one["above"] + one["below"]) / 2 for one, _ in found]))
    covered = [one["covered"] for one, _ in found]
    per_side = all(rate <= PER_SIDE + slack * _error(PER_SIDE, studies) for rate, studies in sides)
    low, high = (slack * _error(limit, found[0][1]) for limit in COVERAGE)
    inside = min(covered) >= COVERAGE[0] - low and max(covered) <= COVERAGE[1] + high
    return demand(
        per_side and pooled <= POOLED and inside,
        cells=len(found),
        worst=worst,
        pooled=pooled,
        least_coverage=min(covered),
        most_coverage=max(covered),
    )


def stress_holds(cells: Iterable[Cell], slack: float) -> dict[str, Any]:
    """False support per side where the rule's assumptions fit less well."""
    found = [(rates(cell["rules"]["crossed"]), cell["rules"]["crossed"]["studies"]) for cell in cells]
    sides = [(max(one["above"], one["below"]), studies) for one, studies in found]
    met = all(rate <= STRESS + slack * _error(STRESS, studies) for rate, studies in sides)
    return demand(met, cells=len(sides), worst=max(rate for rate, _ in sides))


def power_holds(cells: Iterable[Cell], slack: float) -> dict[str, Any]:
    """Demand 2: five seeds, 2,000 rows, +2 points."""
    found = {}
    met = []
    for cell in cells:
        wanted = POWER_CELLS.get((cell["metric"], cell["seed_sd"] / 100))
        if wanted is None or (cell["seeds"], cell["rows"], cell["effect"]) != (5, 2000, 2):
            continue
        counts = cell["rules"]["crossed"]
        power = rates(counts)["found"]
        found[f"sd {cell['seed_sd']:g}"] = power
        met.append(power >= wanted - slack * _error(wanted, counts["studies"]))
    return demand(all(met), power=found)


def real_holds(sets: Mapping[str, Mapping[str, Any]], *, each: bool) -> dict[str, Any]:
    """Demands 3 and 4: real sets, each limit plus two Monte-Carlo standard errors.

    Args:
        sets: by name what `verdict_pools` measured.
        each: hold every set to its own limits too.
    """
    false = [(one["rates"]["crossed"]["false"], one["errors"]["crossed"]["false"]) for one in sets.values()]
    covered = [(one["rates"]["crossed"]["covered"], one["errors"]["crossed"]["covered"]) for one in sets.values()]
    mean_false, error_false = _mean(false)
    mean_covered, error_covered = _mean(covered)
    met = mean_false <= REAL_FALSE + 2 * error_false and mean_covered >= REAL_COVERAGE - 2 * error_covered
    if each:
        met = met and all(rate <= REAL_FALSE_EACH + 2 * error for rate, error in false)
        met = met and all(rate >= REAL_COVERAGE_EACH - 2 * error for rate, error in covered)
    return demand(
        met,
        sets=len(sets),
        false=mean_false,
        false_error=error_false,
        worst=max(rate for rate, _ in false),
        coverage=mean_covered,
        coverage_error=error_covered,
        least_coverage=min(rate for rate, _ in covered),
    )


def harness_flags(cells: Iterable[Cell], slack: float) -> dict[str, Any]:
    """Demand 5: the rules that are known to be wrong do not pass demand 1."""
    cells = list(cells)
    found = {rule: grid_holds(cells, rule, slack) for rule in SHOULD_FAIL}
    return demand(not any(one["met"] for one in found.values()), rules=found)


def families_hold(cells: Mapping[str, Mapping[str, Any]], slack: float) -> dict[str, dict[str, Any]]:
    """Demand 6, by part; `slack` standard errors of the simulation are granted."""
    worst: dict[str, float] = {"holm": 0.0, "tost": 0.0, "reuse": 0.0, "stopping": 0.0}
    limits = {"holm": FAMILY_WISE, "tost": EQUIVALENCE, "reuse": REUSE, "stopping": STOPPING}
    met = dict.fromkeys(worst, True)
    for name, cell in cells.items():
        part = name.split("/")[0]
        if "after every seed" in name:
            continue
        rate = family_rate(part, cell)
        worst[part] = max(worst[part], rate)
        met[part] = met[part] and rate <= limits[part] + slack * _error(limits[part], cell["studies"])
    return {part: demand(met[part], worst=worst[part], limit=limits[part]) for part in worst}


def family_rate(part: str, cell: Mapping[str, Any]) -> float:
    """The share of studies with an error, of one cell of `verdict_families`."""
    if part == "reuse":
        return float(cell["halved"][-1] / cell["studies"])
    errors = max(cell["supported"], cell["refuted"]) if part == "holm" else cell["supported"]
    return float(errors / cell["studies"])


def _mean(measured: list[tuple[float, float]]) -> tuple[float, float]:
    mean = float(np.mean([rate for rate, _ in measured]))
    return mean, float(np.sqrt(sum(error**2 for _, error in measured)) / len(measured))


def _error(rate: float, studies: int) -> float:
    return float(np.sqrt(rate * (1 - rate) / studies))
