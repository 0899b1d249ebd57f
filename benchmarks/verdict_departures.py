"""What each departure from the published rule is for: false support with it and without it.

    python benchmarks/verdict_departures.py --save verdict_departures.json     # some minutes; goes on where it stopped
    python benchmarks/verdict_departures.py --quick                            # a tenth of the studies
    python benchmarks/verdict_departures.py --page                             # only the page, from what is kept

Five parts. `freedom`: the simulated studies of the grid with few rows, judged with and without the rows' own degrees
of freedom and the least variance; `power`: what they cost where rows are many. `unseen`: two candidates without chance
that differ on so few rows that a test often shows none of them. `few`: tests, slices and labels of 10 to 50 rows, with
and without Hoeffding's bound. `level`: one candidate's share held against a level, with and without beta quantiles.
The tables are in docs/concepts/verdict.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import NormalDist
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np
from harness import RESULTS, Cells, add_usual_arguments, read_kept, say
from scipy.stats import binom
from verdict_calibration import rule_hash
from verdict_grid import baseline
from verdict_page import fill, percent, table
from verdict_rules import CONFIDENCE, DEPARTURES, RULE_WORDS, add_up, judge, rates, tally
from verdict_worlds import WORLDS, chunked, expected, procedure, skills

from provetune.statistics.caution import cautious
from provetune.statistics.crossed import estimate
from provetune.statistics.questions import Evidence
from provetune.statistics.rows import standard_error
from provetune.statistics.share_bounds import of_share
from provetune.study.claim_figures import Figures, varies

ROOT = Path(__file__).resolve().parents[1]
STORE = "verdict_departures.json"
SEEDS = (3, 5, 10)
FEW_ROWS, MANY_ROWS = (200, 500), (2000,)
SEED_SDS, EFFECTS = (0.0, 0.005), (0.0, 0.02)
UNSEEN_ROWS, UNSEEN_MEAN = (50, 200, 1000), (0.5, 1.0, 2.0, 3.0)
TINY_ROWS, TINY_SCORES = (10, 20, 29, 50), (0.8, 0.9, 0.98)
LEVEL_ROWS, LEVEL_SCORES = (20, 50, 100, 300, 1000), (0.8, 0.9, 0.95, 0.98)
LEVEL_WORDS = {
    "product": "as shipped",
    "crossed": "without the beta quantiles",
    "normal": "normal bound (rows alone)",
}
STUDIES = {"freedom": 8_000, "power": 2_000, "unseen": 4_000, "few": 2_000}
SHARES = Figures((), unit=1.0)
UNSEEN_WORDS = {
    "product": "both, as shipped",
    "least variance": "least variance alone",
    "unseen share": "share that stays unseen alone",
    "sign": "neither: without variance the sign decides",
}

Array = np.ndarray[Any, np.dtype[Any]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_usual_arguments(parser)
    parser.add_argument("--page", action="store_true", help="write the page's tables from what is kept")
    arguments = parser.parse_args()
    if arguments.page:
        fill(ROOT / "docs", {"departures": page(read_kept(RESULTS / STORE)["cells"])})
        return 0
    document = measure(arguments.save, quick=arguments.quick, fresh=arguments.fresh)
    if arguments.save == STORE and not arguments.quick:
        fill(ROOT / "docs", {"departures": page(document["cells"])})
    print(json.dumps(document) if arguments.json else page(document["cells"]))
    return 0


def measure(save: str | None, *, quick: bool, fresh: bool = False) -> dict[str, Any]:
    """Every cell, made or kept."""
    cells = Cells(save, {"quick": quick, "rule": rule_hash()}, fresh=fresh)
    share = 0.1 if quick else 1.0
    for metric in ("accuracy", "macro_f1"):
        for seed_sd in SEED_SDS:
            for effect in EFFECTS:
                name = f"{metric}/sd {100 * seed_sd:g}/effect {100 * effect:g}"
                for part, rows in (("freedom", FEW_ROWS), ("power", MANY_ROWS)):
                    studies = round(STUDIES[part] * share)
                    _make(cells, f"{part}/{name}", lambda a=(metric, seed_sd, effect, rows, studies): simulate(*a))
    for rows in UNSEEN_ROWS:
        for mean in UNSEEN_MEAN:
            studies = round(STUDIES["unseen"] * share)
            _make(cells, f"unseen/{rows} rows/{mean:g}", lambda a=(rows, mean, studies): simulate_unseen(*a))
    for score in TINY_SCORES:
        for rows in TINY_ROWS:
            studies = round(STUDIES["few"] * share)
            _make(cells, f"few/{score}/{rows} rows", lambda a=(score, rows, studies): simulate_few(*a))
    for score in LEVEL_SCORES:
        for rows in LEVEL_ROWS:
            _make(cells, f"level/{score}/{rows} rows", lambda a=(score, rows): level_errors(*a))
    cells.keep({})
    return {"settings": cells.settings, "cells": cells.values}


def simulate(metric: str, seed_sd: float, effect: float, rows: tuple[int, ...], studies: int) -> list[dict[str, Any]]:
    """Two candidates of the grid, judged with and without each departure, at every number of seeds and rows."""
    world, base = WORLDS[metric], baseline(metric)
    pair = (procedure(metric, base + effect, seed_sd), procedure(metric, base, seed_sd))
    truth = expected(world, pair[0]) - expected(world, pair[1])
    random = _random(metric, seed_sd, effect, rows)

    def portion(count: int) -> dict[tuple[int, int], Any]:
        runs = [skills(random, one, count, max(SEEDS)) for one in pair]
        drawn = world.draw(random, count, max(rows), runs)
        found = {}
        for k in SEEDS:
            for n in rows:
                left, right = (world.contributions(drawn, number, k, n) for number in (0, 1))
                found[k, n] = tally(judge(left, right, world.unit), truth, rules=DEPARTURES)
        return found

    portions = chunked(studies, max(rows), max(SEEDS), portion)
    return [{"seeds": k, "rows": n, "rules": add_up([one[k, n] for one in portions])} for k in SEEDS for n in rows]


def simulate_unseen(rows: int, mean: float, studies: int) -> dict[str, Any]:
    """One run each of two candidates without chance; the left one is wrong on `mean` further rows of a test."""
    share = mean / rows
    random = _random("unseen", rows, mean)
    false = dict.fromkeys(UNSEEN_WORDS, 0)
    for _ in range(studies):
        right = random.random((1, rows)) < 0.9
        left = right & (random.random((1, rows)) >= share / 0.9)
        one, other = left.astype(float), right.astype(float)
        floored, bare = estimate(one, other, unit=1.0), estimate(one, other)
        judged = {
            "product": cautious(floored, rows, -1, 1, varied=varies(floored, SHARES)),
            "least variance": floored,
            "unseen share": cautious(bare, rows, -1, 1, varied=bare.variance > 0),
            "sign": bare,
        }
        for name, evidence in judged.items():
            false[name] += evidence.lower(CONFIDENCE) > -share
    return {
        "rows": rows,
        "mean": mean,
        "studies": studies,
        "false": {name: int(count) for name, count in false.items()},
    }


def simulate_few(score: float, rows: int, studies: int) -> dict[str, Any]:
    """Two candidates on few rows, judged with and without Hoeffding's bound."""
    world, pair = WORLDS["accuracy"], (procedure("accuracy", score, 0.005),) * 2
    random = _random(score, rows)
    runs = [skills(random, one, studies, 5) for one in pair]
    drawn = world.draw(random, studies, rows, runs)
    left, right = (world.contributions(drawn, number, 5, rows).astype(float) for number in (0, 1))
    counts = {name: {"above": 0, "below": 0} for name in ("product", "without")}
    for study in range(studies):
        found = estimate(left[study], right[study], unit=1.0)
        bounded = cautious(found, rows, -1.0, 1.0, varied=varies(found, SHARES))
        judged: dict[str, Evidence] = {"product": bounded, "without": found}
        for name, evidence in judged.items():
            counts[name]["above"] += int(evidence.lower(CONFIDENCE) > 0)
            counts[name]["below"] += int(evidence.upper(CONFIDENCE) < 0)
    return {"rows": rows, "score": score, "studies": studies, "false": counts}


def level_errors(score: float, rows: int) -> dict[str, Any]:
    """How often one run that is right on this share of rows is said to be beyond it: no simulation, the binomial."""
    false = dict.fromkeys(LEVEL_WORDS, 0.0)
    for right in range(rows + 1):
        chance = float(binom.pmf(right, rows, score))
        if chance < 1e-9:
            continue
        answers = np.zeros((1, rows))
        answers[:, :right] = 1
        found = estimate(answers, unit=1.0)
        share = cautious(of_share(estimate(answers), rows), rows, 0.0, 1.0, varied=True)
        error, _ = standard_error(answers[0])
        false["product"] += chance * (share.lower(CONFIDENCE) > score)
        false["crossed"] += chance * (found.lower(CONFIDENCE) > score)
        false["normal"] += chance * (right / rows - NormalDist().inv_cdf(CONFIDENCE) * error > score)
    return {"rows": rows, "score": score, "false": false}


def page(cells: Mapping[str, Any]) -> str:
    """The tables, in Markdown."""
    command = f"Written by `python benchmarks/verdict_departures.py --save {STORE}`."
    return "\n\n".join([_freedom(cells), _unseen(cells), _few(cells), _levels(cells), command])


def _freedom(cells: Mapping[str, Any]) -> str:
    rows = []
    for rule in DEPARTURES:
        row = [RULE_WORDS[rule] if rule != "normal_rows" else "without both"]
        for metric in ("accuracy", "macro_f1"):
            for n in (*FEW_ROWS, *MANY_ROWS):
                sides = [_worse(cell, rule) for cell in _cells(cells, metric) if cell["rows"] == n]
                row.append(f"{percent(float(np.mean(sides)))}, {percent(max(sides))}")
        powers = [
            rates(cell["rules"][rule])["found"]
            for cell in cells["power/accuracy/sd 0.5/effect 2"]
            if cell["seeds"] == 5
        ]
        rows.append([*row, percent(powers[0])])
    heads = [f"{metric}, {n:,} rows" for metric in ("accuracy", "macro-F1") for n in (*FEW_ROWS, *MANY_ROWS)]
    said = (
        "False support in the worse direction, mean and worst over seed SDs of 0 and 0.5 points, 3, 5 and 10 seeds, "
        "equal candidates and such as lie two points apart; power at +2 points, 5 seeds, 2,000 rows, SD 0.5:"
    )
    return f"{said}\n\n{table(('rule', *heads, 'power'), rows)}"


def _unseen(cells: Mapping[str, Any]) -> str:
    found = [cell for name, cell in cells.items() if name.startswith("unseen/")]
    rows = []
    for rule, words in UNSEEN_WORDS.items():
        row = [words]
        for n in UNSEEN_ROWS:
            row.append(percent(max(cell["false"][rule] / cell["studies"] for cell in found if cell["rows"] == n)))
        rows.append(row)
    said = (
        "Two candidates without chance, of which one is wrong on 0.5 to 3 further rows of a test on average; false "
        'support of "not worse by that much", the worst of them:'
    )
    return f"{said}\n\n{table(('rule', *(f'{n:,} rows' for n in UNSEEN_ROWS)), rows)}"


def _few(cells: Mapping[str, Any]) -> str:
    rows = []
    for name, shown in (("product", "with Hoeffding's bound"), ("without", "without")):
        row = [shown]
        for n in TINY_ROWS:
            found = [cells[f"few/{score}/{n} rows"] for score in TINY_SCORES]
            row.append(percent(max(max(cell["false"][name].values()) / cell["studies"] for cell in found)))
        rows.append(row)
    said = (
        "Two candidates on few rows, 5 seeds, seed SD 0.5 points, near 80, 90 and 98 %; false support in the worse "
        "direction, the worst of the three. The bound is laid over fewer than 30 rows:"
    )
    return f"{said}\n\n{table(('rule', *(f'{n} rows' for n in TINY_ROWS)), rows)}"


def _levels(cells: Mapping[str, Any]) -> str:
    rows = []
    for name, words in LEVEL_WORDS.items():
        row = [words]
        for n in LEVEL_ROWS:
            row.append(percent(max(cells[f"level/{score}/{n} rows"]["false"][name] for score in LEVEL_SCORES)))
        rows.append(row)
    said = (
        '"At least this share", said of one run whose true share is just that (0.8, 0.9, 0.95 or 0.98, the worst), '
        "by summing the binomial:"
    )
    return f"{said}\n\n{table(('rule', *(f'{n:,} rows' for n in LEVEL_ROWS)), rows)}"


def _cells(cells: Mapping[str, Any], metric: str) -> Iterator[Mapping[str, Any]]:
    for name, found in cells.items():
        if name.split("/")[0] in ("freedom", "power") and name.split("/")[1] == metric:
            yield from found


def _worse(cell: Mapping[str, Any], rule: str) -> float:
    found = rates(cell["rules"][rule])
    return max(found["above"], found["below"])


def _random(*facts: Any) -> np.random.Generator:
    return np.random.default_rng([20_260_101, zlib.crc32(repr(facts).encode())])


def _make(cells: Cells, name: str, make: Any) -> None:
    if name not in cells.values:
        cells.measure(name, make)
        say(name)


if __name__ == "__main__":
    raise SystemExit(main())
