"""The simulated grid: false support at a true boundary, coverage and power, and cells that stress the rule."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from verdict_rules import add_up, judge, tally
from verdict_worlds import BASE, WORLDS, Procedure, chunked, expected, procedure, skills

SEEDS = (3, 5, 10)
ROWS = (200, 500, 1000, 2000, 5000)
SEED_SDS = (0.0, 0.005, 0.01, 0.015)
EFFECTS = (0.0, 0.02)
POWER_CELLS = {("accuracy", 0.005): 0.94, ("accuracy", 0.01): 0.74}


@dataclass(frozen=True)
class Grid:
    """How much of it to simulate."""

    studies: int
    metrics: tuple[str, ...] = tuple(WORLDS)
    seed_sds: tuple[float, ...] = SEED_SDS
    effects: tuple[float, ...] = EFFECTS
    seeds: tuple[int, ...] = SEEDS
    rows: tuple[int, ...] = ROWS


def columns(grid: Grid) -> list[tuple[str, float, float]]:
    """What is drawn together: (metric, seed SD, effect). Its cells are the first seeds and rows of the same studies."""
    return [(metric, sd, effect) for metric in grid.metrics for sd in grid.seed_sds for effect in grid.effects]


def full_grids() -> list[Grid]:
    """The whole grid; few rows are cheap, and nearest to their limits, so that more studies have them."""
    return [Grid(16_000, rows=(200, 500, 1000)), Grid(5_000, rows=(2000, 5000))]


def quick_grids() -> list[Grid]:
    """Less of it, for a minute or two in the place of half an hour."""
    return [Grid(600, seed_sds=(0.005, 0.01), rows=(200, 1000, 2000), seeds=(3, 5))]


def name_of(grid: Grid, metric: str, seed_sd: float, effect: float) -> str:
    return f"grid/{metric}/sd {100 * seed_sd:g}/effect {100 * effect:g}/up to {max(grid.rows)} rows"


def simulate_column(grid: Grid, metric: str, seed_sd: float, effect: float) -> list[dict[str, Any]]:
    """Every (seeds, rows) cell of one metric, seed SD and effect."""
    base = baseline(metric)
    pair = (procedure(metric, base + effect, seed_sd), procedure(metric, base, seed_sd))
    return simulate_pair(name_of(grid, metric, seed_sd, effect), grid, metric, pair)


def simulate_pair(name: str, grid: Grid, metric: str, pair: Sequence[Procedure]) -> list[dict[str, Any]]:
    """Two candidates compared, at every number of seeds and rows of the grid."""
    world, random = WORLDS[metric], np.random.default_rng([20_260_101, zlib.crc32(name.encode())])
    truth = expected(world, pair[0]) - expected(world, pair[1])

    def portion(studies: int) -> dict[tuple[int, int], Any]:
        runs = [skills(random, one, studies, max(grid.seeds)) for one in pair]
        drawn = world.draw(random, studies, max(grid.rows), runs)
        found = {}
        for k in grid.seeds:
            for n in grid.rows:
                left, right = (world.contributions(drawn, number, k, n) for number in (0, 1))
                found[k, n] = tally(judge(left, right, world.unit), truth)
        return found

    portions = chunked(grid.studies, max(grid.rows), max(grid.seeds), portion)
    return [
        {"seeds": k, "rows": n, "truth": truth, "rules": add_up([one[k, n] for one in portions])}
        for k in grid.seeds
        for n in grid.rows
    ]


def stress_pairs() -> dict[str, tuple[str, tuple[Procedure, Procedure]]]:
    """Pairs that the rule's assumptions fit less well, by name: (metric, candidates)."""
    pairs = {}
    for metric in ("accuracy", "macro_f1"):
        base = baseline(metric)
        calm, wild = procedure(metric, base, 0.003), procedure(metric, base, 0.015)
        fixed = replace(procedure(metric, base, 0.0), runs=1)
        pairs[f"stress/{metric}/unequal seed SDs"] = (metric, (calm, wild))
        for seed_sd in (0.005, 0.015):
            chancy = procedure(metric, base, seed_sd)
            pairs[f"stress/{metric}/deterministic baseline, sd {100 * seed_sd:g}"] = (metric, (chancy, fixed))
    return pairs


def beyond_pairs() -> dict[str, tuple[str, tuple[Procedure, Procedure]]]:
    """What the rule does not survive, to be shown and not to be passed."""
    sound = procedure("accuracy", baseline("accuracy"), 0.005)
    ceiling = procedure("accuracy", 0.99, 0.002), procedure("accuracy", 0.9995, 0.0002)
    return {
        "beyond/accuracy/one run in ten of one candidate collapses": (
            "accuracy",
            (replace(sound, collapses=0.1), sound),
        ),
        "beyond/accuracy/99 % against 99.95 %": ("accuracy", ceiling),
    }


def baseline(metric: str) -> float:
    """What a candidate scores in this metric that is right on 90 % of rows (or entities)."""
    from scipy.special import ndtri

    return float(WORLDS[metric].score(np.array(ndtri(BASE))))


def flatten(cells: Mapping[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Cells of the grid with what each is about, for tables and limits."""
    found = []
    for name, rows in cells.items():
        _, metric, sd, effect, _ = name.split("/")
        about = {"metric": metric, "seed_sd": float(sd.split()[1]), "effect": float(effect.split()[1])}
        found += [{**about, **one} for one in rows]
    return found
