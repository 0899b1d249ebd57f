"""Every task on real sets: ours, a classical baseline, and the plain recipe of the Hugging Face examples.

    python benchmarks/task_results.py                              # every cell that is not there yet, then the page
    python benchmarks/task_results.py --sets wnut17 fiqa_absa      # some sets
    python benchmarks/task_results.py --who ours baseline          # some columns
    python benchmarks/task_results.py --who plain --seeds 1        # fewer runs than the table wants
    python benchmarks/task_results.py --page                       # only write docs/concepts/results.md again
    python benchmarks/task_results.py --quick --json               # one small set, one seed, nothing kept

A cell is one run: a set, who trained, and which seed. Ours are studies of one run through the same `provetune.run`
that users call, with defaults; the plain recipe trains for as many epochs on the same rows with the settings of the
examples (`plain_recipes.py`). Both are judged by our scorers, which agree with the reference implementations (tests).
Given the same line again, it goes on; a cell that fails is told and left out, and the command ends with 1.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness import RESULTS, Cells, machine, read_kept
from task_page import lines_of, write_page
from task_sets import SETS, TaskSet
from task_studies import OURS, candidate_name, write_problem

STORE = "task_results.json"
SPEED = "task_speed.json"
WHY = "task_why.json"
WHO = ("baseline", OURS, "plain")
QUICK = "fiqa_absa"


def main() -> None:
    arguments = parse()
    if arguments.quick:
        with tempfile.TemporaryDirectory() as scratch:
            cells, failed = Cells(None, {}), []
            for name, make in wanted([QUICK], WHO, 1, Path(scratch)):
                cells.measure(name, make)
        values = cells.values
    else:
        failed = [] if arguments.page else fill(arguments)
        kept = read_kept(RESULTS / STORE)
        values = kept.get("cells", {})
        write_page(
            values, kept.get("settings", {}), read_kept(RESULTS / SPEED), read_kept(RESULTS / WHY).get("cells", {})
        )
    show(values, arguments.json)
    if failed:
        raise SystemExit(f"Failed: {', '.join(failed)}. Given the same line again, these are tried once more.")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS), metavar="SET")
    parser.add_argument("--who", nargs="+", choices=WHO, default=list(WHO))
    parser.add_argument("--seeds", type=int, help="runs a cell at most; what the table wants when left out")
    parser.add_argument("--workspace", type=Path, default=Path(".provetune") / "task_results")
    parser.add_argument("--page", action="store_true", help="write the page from what is stored, run nothing")
    parser.add_argument("--quick", action="store_true", help="one small set and one seed, kept nowhere")
    parser.add_argument("--fresh", action="store_true", help="run cells again that are kept")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    return parser.parse_args()


def fill(arguments: argparse.Namespace) -> list[str]:
    """Run the cells that are asked for and not there; the names of those that failed."""
    makers = wanted(arguments.sets, arguments.who, arguments.seeds, arguments.workspace)
    return Cells(STORE, {}).measure_all(makers, again=arguments.fresh)


def wanted(sets: list[str], who: Any, seeds: int | None, workspace: Path) -> Iterator[tuple[str, Any]]:
    """Names of cells and what makes them: the baselines, then run after run, so that every set has its first soon."""
    for name in sets if "baseline" in who else []:
        for shown in SETS[name].baselines:
            yield f"{name}/{shown}/0", lambda n=name, s=shown: baseline_cell(n, s, workspace)
    for seed in range(max(max(facts.seeds, facts.plain_seeds) for facts in SETS.values())):
        for name in sets:
            facts = SETS[name]
            for part, count, make in ((OURS, facts.seeds, ours_cell), ("plain", facts.plain_seeds, plain_cell)):
                if part in who and seed < (count if seeds is None else min(count, seeds)):
                    yield f"{name}/{part}/{seed}", lambda n=name, k=seed, m=make: m(n, k, workspace)


def baseline_cell(name: str, shown: str, workspace: Path) -> dict[str, Any]:
    """A baseline's score on the sealed test; the task's own one is in every study, so in that of our first run."""
    from provetune.tasks import TASKS

    facts = SETS[name]
    method = facts.baselines[shown]
    # Where rows are cut down, the one that a study adds learns from all of them.
    if method == TASKS.get(facts.task).baseline and (facts.rows is None or method == "untrained"):
        document = run_study(name, OURS, facts.candidate, 0, workspace)
        added = next(each for each in document["candidates"] if each != candidate_name(OURS, 0))
        return taken(document, added, facts)
    return run_cell(name, shown, {"method": method}, 0, workspace)


def ours_cell(name: str, seed: int, workspace: Path) -> dict[str, Any]:
    """One of our runs, judged on the sealed test."""
    return run_cell(name, OURS, SETS[name].candidate, seed, workspace)


def plain_cell(name: str, seed: int, workspace: Path) -> dict[str, Any]:
    """One run of the plain recipe, for as many epochs on the same rows."""
    from plain_recipes import train_plain

    return train_plain(name, SETS[name], seed, workspace)


def run_cell(name: str, who: str, candidate: dict[str, Any], seed: int, workspace: Path) -> dict[str, Any]:
    """A study of one run, and what the table takes from it."""
    return taken(run_study(name, who, candidate, seed, workspace), candidate_name(who, seed), SETS[name])


def run_study(name: str, who: str, candidate: dict[str, Any], seed: int, workspace: Path) -> dict[str, Any]:
    """The document of a study of one run; one that is finished already is not run again."""
    import provetune as pt

    path = write_problem(name, who, candidate, seed, workspace)
    document: dict[str, Any] = pt.run(path, workspace=workspace, listener=None).document
    return document


def taken(document: dict[str, Any], candidate: str, facts: TaskSet) -> dict[str, Any]:
    """Scores of the one run on the sealed test, its epochs and the seconds of training, validation included."""
    found = document["candidates"][candidate]
    return {
        "score": found["metrics"][facts.metric]["mean"],
        "metrics": {name: one["mean"] for name, one in found["metrics"].items()},
        "seconds": found["seconds"],
        "study": document["study"],
    }


def show(values: dict[str, Any], as_json: bool) -> None:
    """A line a set and column, for a person or as one document."""
    lines = lines_of(values)
    if as_json:
        print(json.dumps({"machine": machine(), "lines": lines, "cells": values}))
        return
    for line in lines:
        low, high = line["interval"]
        print(
            f"{line['set']:<18} {line['who']:<18} {line['metric']:<10} {line['mean']:.4f} "
            f"({low:.4f} to {high:.4f}), {line['runs']} runs, {line['seconds']:.0f} s a run"
        )


if __name__ == "__main__":
    main()
