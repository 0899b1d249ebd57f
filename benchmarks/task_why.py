"""Why a line of the tasks' table is low: ours again with one thing changed, beside the table's own setting.

    python benchmarks/task_why.py                      # every experiment that is not there yet, then the page
    python benchmarks/task_why.py --sets xquad_en      # of one set
    python benchmarks/task_why.py --page               # only write docs/concepts/results.md again

An experiment is a study of one run with the rows and the seed of the table's first run. Its score is that on the sealed
test, as in the table: nothing is chosen by it, and no default has come of it. Given the same line again, it goes on.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness import RESULTS, Cells, read_kept, say
from task_page import write_page
from task_sets import SETS
from task_studies import OURS, candidate_name, write_problem

STORE = "task_why.json"
EXPERIMENTS: dict[str, list[dict[str, Any]]] = {
    # Below word overlap after one epoch of 1,000 rows: is it the method, or the rows that it has seen?
    "xquad_en": [{"epochs": 1}, {"epochs": 4}],
    # A little below the plain recipe: is it the number format, batch and rate, or our quick ways?
    "sick2014": [
        {"precision": "fp32"},
        {"batch_rows": 8, "learning_rate": 5e-5},
        {"batch_rows": 8, "learning_rate": 5e-5, "speedups": False},
    ],
    # No better than the majority: is it the rate?
    "afqmc_zh": [{"learning_rate": 2e-5}, {"learning_rate": 5e-5}, {"learning_rate": 2e-4}],
}


def main() -> None:
    arguments = parse()
    cells = Cells(STORE, {})
    for name in arguments.sets if not arguments.page else ():
        for number, change in enumerate(EXPERIMENTS[name]):
            cell = f"{name}/{said(change)}"
            say(f"experiment {cell}")
            cells.measure(cell, partial(measure, name, number, change, arguments.workspace))
    kept = read_kept(RESULTS / "task_results.json")
    write_page(
        kept.get("cells", {}),
        kept.get("settings", {}),
        read_kept(RESULTS / "task_speed.json"),
        cells.values or read_kept(RESULTS / STORE).get("cells", {}),
    )
    for cell, value in cells.values.items():
        print(f"{cell:<36} {value['score']:.4f}   {value['seconds']:.0f} s")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", choices=list(EXPERIMENTS), default=list(EXPERIMENTS), metavar="SET")
    parser.add_argument("--workspace", type=Path, default=Path(".provetune") / "task_why")
    parser.add_argument("--page", action="store_true", help="write the page from what is stored, run nothing")
    return parser.parse_args()


def said(change: dict[str, Any]) -> str:
    """A change in words: ``epochs 4``."""
    words = {name: f"{value:g}" if isinstance(value, float) else str(value).lower() for name, value in change.items()}
    return ", ".join(f"{name} {value}" for name, value in words.items())


def measure(name: str, number: int, change: dict[str, Any], workspace: Path) -> dict[str, Any]:
    """One run's score on the sealed test, and the seconds that it took.

    The table's first run is called `OURS` and 0 everywhere, so that rows and seed are the same.
    """
    import provetune as pt

    facts = SETS[name]
    place = workspace / f"{name}-{number}"
    path = write_problem(name, OURS, {**facts.candidate, **change}, 0, place)
    document = pt.run(path, workspace=place, listener=None).document
    found = document["candidates"][candidate_name(OURS, 0)]
    return {
        "score": found["metrics"][facts.metric]["mean"],
        "seconds": found["seconds"],
        "study": document["study"],
    }


if __name__ == "__main__":
    main()
