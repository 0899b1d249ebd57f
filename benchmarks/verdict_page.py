"""Tables and plots of docs/concepts/verdict.md, from the cells of `verdict_calibration`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from verdict_demands import EQUIVALENCE, FAMILY_WISE, REUSE, STOPPING, family_rate
from verdict_grid import flatten
from verdict_rules import METRICS, RULE_WORDS, RULES, rates

from provetune.core.files import write_text

COMMAND = "Written by `python benchmarks/verdict_calibration.py --save verdict_calibration.json`"
DEMANDS = {
    "1 grid": "false support per side at most 6 % in each cell, 5 % pooled; coverage of 95 % intervals 94 to 98.5 %",
    "1 stress": "stress cells: false support per side at most 6.5 %",
    "2 power": "+2 points, 5 seeds, 2,000 rows: power at least 94 % at seed SD 0.5, 74 % at SD 1",
    "3 real A/A": "real A/A: false at most 5 % on average, 8 % in each set; coverage at least 95 %, 93 % in each",
    "4 real pairs": "real pairs: false at most 5 %, coverage at least 95 %",
    "5 wrong rules flagged": "the same grid flags rows alone and Welch's t on seeds as wrong",
    "6 holm": "any false support among several claims at most 5 %",
    "6 tost": "equality at its edge at most 5 %",
    "6 reuse": "eight looks at the same rows at most 10 %",
    "6 stopping": "stopping early at most 5 %",
}
PICTURES = {
    "grid": (("False support of each rule", "verdict_rates"), ("Power", "verdict_power")),
    "real": (("Real sets", "verdict_real"),),
    "families": (("Looking again", "verdict_reuse"),),
}
LIMITS = {"holm": FAMILY_WISE, "tost": EQUIVALENCE, "reuse": REUSE, "stopping": STOPPING}

Cell = Mapping[str, Any]


def write(document: Mapping[str, Any], docs: Path) -> None:
    """Fill the page between its markers, and draw its plots."""
    cells = document["cells"]
    grid = flatten({name: cell for name, cell in cells.items() if name.startswith("grid/")})
    blocks = {
        "demands": _demands(document),
        "grid": _grid(grid),
        "stress": _stress(cells),
        "real": _real(cells),
        "families": _families(cells),
    }
    for name, pictures in PICTURES.items():
        # The pictures stand with the tables: the page links to none that is not drawn yet.
        blocks[name] += "".join(f"\n\n![{title}](../pictures/{file}.svg)" for title, file in pictures)
    fill(docs, blocks)
    from verdict_plots import draw

    draw(grid, cells, docs / "pictures")


def fill(docs: Path, blocks: Mapping[str, str]) -> None:
    """Put each block between the page's markers of its name."""
    path = docs / "concepts" / "verdict.md"
    text = path.read_text(encoding="utf-8")
    for name, block in blocks.items():
        pattern = re.compile(f"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        text = pattern.sub(lambda found, block=block: f"{found[1]}{block}\n{found[2]}", text)
    write_text(path, text)


def _demands(document: Mapping[str, Any]) -> str:
    settings = document["settings"]
    rows = []
    for name, one in document["demands"].items():
        rows.append((DEMANDS[name], _decisive(name, one), "yes" if one["met"] else "**no**"))
    grid = [one for name, cell in document["cells"].items() if name.startswith("grid/") for one in cell]
    studies = [one["rules"]["crossed"]["studies"] for one in grid]
    said = f"{COMMAND} on {settings['processor']}; {min(studies):,} to {max(studies):,} studies a cell of the grid."
    granted = "Real sets are granted two Monte-Carlo standard errors, and so are families and looks."
    return f"{table(('demand', 'measured', 'met'), rows)}\n\n{said} {granted}"


def _decisive(name: str, one: Mapping[str, Any]) -> str:
    """The figures of a demand that decide, in words."""
    if name == "1 grid":
        coverage = f"coverage {percent(one['least_coverage'])} to {percent(one['most_coverage'])}"
        return f"worst {percent(one['worst'])}, pooled {percent(one['pooled'])}; {coverage} ({one['cells']} cells)"
    if name == "2 power":
        return ", ".join(f"{percent(power)} at {sd.replace('sd', 'SD')}" for sd, power in one["power"].items())
    if "real" in name:
        false = f"false {percent(one['false'])} ± {percent(one['false_error'])}, worst {percent(one['worst'])}"
        coverage = f"coverage {percent(one['coverage'])}, least {percent(one['least_coverage'])}"
        return f"{false}; {coverage} ({one['sets']} sets and metrics)"
    if "rules" in one:
        return ", ".join(f"{RULE_WORDS[rule]}: up to {percent(found['worst'])}" for rule, found in one["rules"].items())
    return f"worst {percent(one['worst'])}"


def _grid(cells: Sequence[Cell]) -> str:
    """False support and coverage of every rule by number of seeds, over all other settings."""
    seeds = sorted({cell["seeds"] for cell in cells})
    rows = []
    for rule in RULES:
        row = [RULE_WORDS[rule]]
        for k in seeds:
            false = _sides([cell for cell in cells if cell["seeds"] == k], rule)
            row.append(f"{percent(min(false))} to {percent(max(false))}")
        found = [rates(cell["rules"][rule]) for cell in cells]
        row.append(percent(float(np.mean([(one["above"] + one["below"]) / 2 for one in found]))))
        row.append(percent(min(one["covered"] for one in found)))
        rows.append(row)
    first = table(("rule", *(f"false, {k} seeds" for k in seeds), "pooled", "least coverage"), rows)
    return f"{first}\n\nOurs by metric, over all spreads of seeds; false is the worse side:\n\n{_by_metric(cells)}"


def _by_metric(cells: Sequence[Cell]) -> str:
    rows = []
    for metric, words in METRICS.items():
        for n in sorted({cell["rows"] for cell in cells}):
            chosen = [cell for cell in cells if (cell["metric"], cell["rows"]) == (metric, n)]
            if not chosen:
                continue
            false = _sides(chosen, "crossed")
            covered = [rates(cell["rules"]["crossed"])["covered"] for cell in chosen]
            powers = []
            for sd in (0.5, 1.0):
                wanted = {"seeds": 5, "seed_sd": sd, "effect": 2.0}
                found = [one for one in chosen if all(one[name] == value for name, value in wanted.items())]
                powers.append(percent(rates(found[0]["rules"]["crossed"])["found"]) if found else "–")
            spread = f"{percent(min(covered))} to {percent(max(covered))}"
            rows.append((words, f"{n:,}", percent(float(np.mean(false))), percent(max(false)), spread, *powers))
    head = ("metric", "rows", "false, mean", "false, worst", "coverage", "power, 5 seeds, SD 0.5", "SD 1")
    return table(head, rows)


def _stress(cells: Mapping[str, Any]) -> str:
    rows = []
    for name, found in cells.items():
        part, _, rest = name.partition("/")
        if part not in ("stress", "beyond"):
            continue
        metric, words = rest.split("/")
        words = words if part == "stress" else f"{words} (no limit: shown as a warning)"
        false = {rule: _sides(found, rule) for rule in ("crossed", "normal_rows")}
        covered = min(rates(cell["rules"]["crossed"])["covered"] for cell in found)
        worst = (percent(max(false["crossed"])), percent(max(false["normal_rows"])))
        rows.append((words, METRICS[metric], *worst, percent(covered)))
    return table(("cell", "metric", "false, worst", "without ν_r and least variance", "least coverage"), rows)


def _real(cells: Mapping[str, Any]) -> str:
    rows = []
    for name, cell in cells.items():
        part, _, rest = name.partition("/")
        if part not in ("aa", "pairs"):
            continue
        real, metric = rest.split("/")
        ours, error = cell["rates"]["crossed"], cell["errors"]["crossed"]
        others = (percent(cell["rates"][rule]["false"]) for rule in ("seed_t", "rows_only"))
        false = f"{percent(ours['false'])} ± {percent(error['false'])}"
        covered = f"{percent(ours['covered'])} ± {percent(error['covered'])}"
        rows.append((real, METRICS[metric], "A/A" if part == "aa" else "pair", false, covered, *others))
    rows.sort(key=lambda row: (row[2], row[0], row[1]))
    return table(("set", "metric", "study", "false per side", "coverage", "Welch's t, false", "rows only, false"), rows)


def _families(cells: Mapping[str, Any]) -> str:
    rows = []
    for name, cell in cells.items():
        part, _, rest = name.partition("/")
        if part not in LIMITS:
            continue
        beside = ""
        if part == "holm":
            beside = f"{percent(cell['uncorrected'] / cell['studies'])} without correction"
        if part == "reuse":
            beside = f"{percent(cell['unaccounted'][-1] / cell['studies'])} unaccounted"
        if part == "stopping" and "seeds" in cell:
            beside = f"{cell['seeds'] / cell['studies']:.1f} seeds on average"
            if cell["true"]:
                beside += f", {percent(cell['found'] / cell['studies'] / cell['true'])} of true claims found"
        limit = "–" if "after every seed" in name else percent(LIMITS[part])
        rows.append((part, rest.replace("/", ", "), percent(family_rate(part, cell)), limit, beside))
    return table(("what", "cell", "any false support", "limit", ""), rows)


def _sides(cells: Sequence[Cell], rule: str) -> list[float]:
    """The worse side of each cell."""
    found = [rates(cell["rules"][rule]) for cell in cells]
    return [max(one["above"], one["below"]) for one in found]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def percent(rate: float) -> str:
    """A rate as the page shows it."""
    return f"{100 * rate:.1f} %" if rate < 0.995 or rate == 1 else f"{100 * rate:.2f} %"
