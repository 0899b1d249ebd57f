"""Does a verdict hold its error rate? Simulated and real studies, judged by the product's own code.

    python benchmarks/verdict_calibration.py --save verdict_calibration.json   # all of it; goes on where it stopped
    python benchmarks/verdict_calibration.py --quick                           # a little of everything: minutes
    python benchmarks/verdict_calibration.py --page                            # only tables and plots of what is kept

Each column of the grid, each family of claims and each real set is a cell that is kept and not made again; cells are
made again when the rule itself has changed. The page is docs/concepts/verdict.md, between its markers.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import verdict_demands as demands
import verdict_families as families
import verdict_grid as grids
import verdict_pools as pools
from harness import RESULTS, Cells, add_usual_arguments, read_kept, say

ROOT = Path(__file__).resolve().parents[1]
STORE = "verdict_calibration.json"
JUDGES = ("crossed", "mixture", "questions", "multiplicity", "looks", "contributions", "rows", "label_counts")
FULL_STRESS, QUICK_STRESS = 8_000, 600
FULL_FAMILIES, QUICK_FAMILIES = 4_000, 300
FULL_SPLITS, QUICK_SPLITS = 2_000, 200
FULL_REPLICATES, QUICK_REPLICATES = 100, 10
QUICK_SETS = ("sst2", "waimai_zh")
# Standard errors granted to simulated figures: none to the grid in the full run, two to what lies exactly on its limit.
FULL_SLACK, QUICK_SLACK, EDGE_SLACK = 0.0, 3.5, 2.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_usual_arguments(parser)
    parser.add_argument("--page", action="store_true", help="write the page's tables and plots from what is kept")
    arguments = parser.parse_args()
    if arguments.page:
        write_page(read_kept(RESULTS / STORE))
        return 0
    document = measure(arguments.save, quick=arguments.quick, fresh=arguments.fresh)
    if arguments.save == STORE and not arguments.quick:
        write_page(document)
    print(json.dumps(document) if arguments.json else summary(document))
    return 0 if document["met"] else 1


def measure(save: str | None, *, quick: bool, fresh: bool = False) -> dict[str, Any]:
    """Every cell, made or kept, and what they show."""
    settings = {"quick": quick, "rule": rule_hash()}
    cells = Cells(save, settings, fresh=fresh)
    for grid in grids.quick_grids() if quick else grids.full_grids():
        for column in grids.columns(grid):
            one = (grid, *column)
            _measure(cells, grids.name_of(*one), lambda one=one: grids.simulate_column(*one))
    stress = grids.Grid(FULL_STRESS, rows=(200, 500, 2000))
    if quick:
        stress = grids.Grid(QUICK_STRESS, rows=(500, 2000), seeds=(3, 5))
    for name, (metric, pair) in {**grids.stress_pairs(), **grids.beyond_pairs()}.items():
        one = (name, stress, metric, pair)
        _measure(cells, name, lambda one=one: grids.simulate_pair(*one))
    for name, make in families.cells(QUICK_FAMILIES if quick else FULL_FAMILIES, quick=quick).items():
        _measure(cells, name, make)
    _measure_real(cells, quick=quick)
    document = conclude(cells.values, slack=QUICK_SLACK if quick else FULL_SLACK)
    cells.keep(document)
    return {**document, "settings": cells.settings, "cells": cells.values}


def conclude(cells: dict[str, Any], slack: float) -> dict[str, Any]:
    """The six demands, from the cells."""
    grid = grids.flatten({name: cell for name, cell in cells.items() if name.startswith("grid/")})
    stress = [one for name, cell in cells.items() if name.startswith("stress/") for one in cell]
    named = {part: _below(cells, part) for part in ("aa", "pairs")}
    family = {name: cell for name, cell in cells.items() if name.split("/")[0] in ("holm", "tost", "reuse", "stopping")}
    found = {
        "1 grid": demands.grid_holds(grid, "crossed", slack),
        "1 stress": demands.stress_holds(stress, slack),
        "2 power": demands.power_holds(grid, slack),
        **({"3 real A/A": demands.real_holds(named["aa"], each=True)} if named["aa"] else {}),
        **({"4 real pairs": demands.real_holds(named["pairs"], each=False)} if named["pairs"] else {}),
        "5 wrong rules flagged": demands.harness_flags(grid, slack),
    }
    found |= {f"6 {part}": one for part, one in demands.families_hold(family, max(slack, EDGE_SLACK)).items()}
    return {"met": all(one["met"] for one in found.values()), "demands": found}


def summary(document: dict[str, Any]) -> str:
    """The demands, a line each."""
    lines = []
    for name, one in document["demands"].items():
        rest = {key: value for key, value in one.items() if key not in ("met", "rules")}
        words = ", ".join(f"{key} {_short(value)}" for key, value in rest.items())
        lines.append(f"{'met    ' if one['met'] else 'NOT MET'}  {name:<22} {words}")
    return "\n".join(lines)


def rule_hash() -> str:
    """Of the code that judges: another rule makes other cells."""
    folder = ROOT / "provetune" / "statistics"
    return hashlib.sha256(b"".join((folder / f"{name}.py").read_bytes() for name in JUDGES)).hexdigest()[:16]


def write_page(document: dict[str, Any]) -> None:
    """Tables and plots of the page, from a document with its cells."""
    from verdict_page import write

    write(document, ROOT / "docs")
    say("docs/concepts/verdict.md and docs/pictures/verdict_*.svg are written")


def _measure_real(cells: Cells, *, quick: bool) -> None:
    splits, replicates = (QUICK_SPLITS, QUICK_REPLICATES) if quick else (FULL_SPLITS, FULL_REPLICATES)
    for name, source in pools.SETS.items():
        if quick and name not in QUICK_SETS:
            continue
        if not pools.present(name):
            say(f"{name} is not in the shared data: left out")
            continue
        for metric in source.metrics[: 1 if quick else None]:
            arguments = (name, metric, splits, replicates)
            _measure(cells, f"aa/{name}/{metric}", lambda a=arguments: pools.same_against_same(*a))
            _measure(cells, f"pairs/{name}/{metric}", lambda a=arguments: pools.one_against_other(*a))


def _measure(cells: Cells, name: str, make: Any) -> None:
    if name in cells.values:
        return
    began = time.perf_counter()
    cells.measure(name, make)
    say(f"{time.perf_counter() - began:7.1f} s  {name}")


def _below(cells: dict[str, Any], part: str) -> dict[str, Any]:
    return {name.partition("/")[2]: cell for name, cell in cells.items() if name.startswith(f"{part}/")}


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{key}: {_short(one)}" for key, one in value.items())
    return f"{value:.4f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    raise SystemExit(main())
