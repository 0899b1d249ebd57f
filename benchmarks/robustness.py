"""Adversarial training and R-Drop: accuracy on clean and on perturbed texts of clinc150, with intervals over seeds.

    python benchmarks/robustness.py                               # every cell that is not there yet, then the table
    python benchmarks/robustness.py --who plain rdrop --seeds 2   # some columns, fewer runs
    python benchmarks/robustness.py --table                       # only the table of what is stored, in Markdown
    python benchmarks/robustness.py --quick --json                # a few steps of one objective, nothing kept

A cell is one run: `full` on minilm-en with its defaults, and an objective with its own, through the same
`provetune.run` that users call, on twenty rows a label, another twenty for each run: with the hundred that there are,
objectives that go over each batch several times would make the table one of a day. Its bundle is asked every test row
as it stands, with typos, with other words, and with both (`perturbed_text.py`). Nothing is chosen by perturbed rows:
validation is clean. Given the same line again, it goes on.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness import DATA, Cells, labelled_rows, machine
from perturbed_text import PERTURBED
from task_page import difference, interval
from task_sets import SETS, TaskSet
from task_studies import candidate_name, write_problem

STORE = "robustness.json"
SET = "clinc150"
SEEDS = 5
PER_LABEL = 20
CANDIDATE = {"method": "full", "backbone": "minilm-en", "data": {"subset": {"per_label": PER_LABEL}}}
OBJECTIVES: dict[str, dict[str, Any]] = {
    "plain": {},
    "fgm": {"objective": "fgm"},
    "pgd": {"objective": "pgd"},
    "freelb": {"objective": "freelb"},
    "rdrop": {"objective": "rdrop"},
}
QUICK = {"epochs": 1, "evaluations": 1}
QUICK_ROWS = 200


def main() -> None:
    arguments = parse()
    failed: list[str] = []
    if arguments.quick:
        with tempfile.TemporaryDirectory() as scratch:
            cells = Cells(None, {})
            SETS[SET] = thinned(SETS[SET], Path(scratch))
            failed = fill(cells, ["fgm"], 1, Path(scratch), QUICK, QUICK_ROWS)
    else:
        cells = Cells(STORE, {"set": SET, "candidate": CANDIDATE, "objectives": OBJECTIVES}, fresh=arguments.fresh)
        if not arguments.table:
            failed = fill(cells, arguments.who, arguments.seeds, arguments.workspace, {}, None)
    show(cells.values, arguments.json, arguments.table)
    if failed:
        raise SystemExit(f"Failed: {', '.join(failed)}. Given the same line again, these are tried once more.")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--who", nargs="+", choices=list(OBJECTIVES), default=list(OBJECTIVES))
    parser.add_argument("--seeds", type=int, default=SEEDS, help="runs of each")
    parser.add_argument("--workspace", type=Path, default=Path(".provetune") / "robustness")
    parser.add_argument("--table", action="store_true", help="print the table of what is stored, run nothing")
    parser.add_argument("--quick", action="store_true", help="a few steps of one objective, kept nowhere")
    parser.add_argument("--fresh", action="store_true", help="run cells again that are kept")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    return parser.parse_args()


def fill(
    cells: Cells, who: list[str], seeds: int, workspace: Path, changes: dict[str, Any], rows: int | None
) -> list[str]:
    """Run the cells that are not there, seed after seed, so that every objective has its first soon; failed ones."""
    return cells.measure_all(
        (f"{name}/{seed}", lambda n=name, k=seed: measure(n, k, workspace, changes, rows))
        for seed in range(seeds)
        for name in who
    )


def measure(name: str, seed: int, workspace: Path, changes: dict[str, Any], rows: int | None) -> dict[str, Any]:
    """Accuracy of one run on each kind of texts, and the seconds that it trained."""
    import provetune as pt

    path = write_problem(SET, name, {**CANDIDATE, **OBJECTIVES[name], **changes}, seed, workspace)
    # Whatever is best: a quick run may be worse than the baseline, whose bundle alone would be kept.
    document = pt.run(path, workspace=workspace, overrides=("study.keep=all",), listener=None).document
    found = document["candidates"][candidate_name(name, seed)]
    model = pt.load(found["bundles"][0])
    texts, labels = labelled_rows(SET, rows, "test")
    scores = {}
    for kind, perturb in PERTURBED.items():
        told = model.predict([perturb(text) for text in texts])
        scores[kind] = sum(one["label"] == label for one, label in zip(told, labels, strict=True)) / len(labels)
    return {"scores": scores, "seconds": found["seconds"], "study": document["study"]}


def thinned(facts: TaskSet, folder: Path) -> TaskSet:
    """The set with every so many of its rows: some of each label, which stand together in the files."""
    data = dict(facts.data)
    for split in ("train", "validation", "test"):
        header, *lines = (DATA / SET / data[split]).read_text(encoding="utf-8").splitlines(keepends=True)
        kept = "".join([header, *lines[:: max(1, len(lines) // (2 * QUICK_ROWS))]])
        (folder / data[split]).write_text(kept, encoding="utf-8")
        data[split] = str(folder / data[split])
    return replace(facts, data=data)


def lines_of(values: dict[str, Any]) -> list[dict[str, Any]]:
    """Of each objective and kind of texts: runs, mean, interval, and the difference from plain with its interval."""
    by_name: dict[str, list[dict[str, Any]]] = {
        name: [value for cell, value in values.items() if cell.split("/")[0] == name] for name in OBJECTIVES
    }
    lines = []
    for name, cells in by_name.items():
        for kind in PERTURBED if cells else ():
            scores = [cell["scores"][kind] for cell in cells]
            plain = [cell["scores"][kind] for cell in by_name["plain"]]
            lines.append(
                {
                    "objective": name,
                    "texts": kind,
                    "runs": len(scores),
                    "mean": sum(scores) / len(scores),
                    "interval": interval(scores),
                    "over_plain": None if name == "plain" else difference(scores, plain),
                    "seconds": sum(cell["seconds"] for cell in cells) / len(cells),
                }
            )
    return lines


def changed_share() -> dict[str, float]:
    """Share of the test rows that each kind of texts changes."""
    texts, _ = labelled_rows(SET, None, "test")
    return {kind: sum(perturb(text) != text for text in texts) / len(texts) for kind, perturb in PERTURBED.items()}


def show(values: dict[str, Any], as_json: bool, as_table: bool) -> None:
    """The lines, for a person, as a table of a page, or as one document."""
    lines = lines_of(values)
    if as_json:
        print(json.dumps({"machine": machine(), "changed": changed_share(), "lines": lines, "cells": values}))
        return
    if as_table:
        print("| objective | texts | accuracy | 95 % interval | over plain | seconds a run |")
        print("|---|---|---|---|---|---|")
    for line in lines:
        low, high = line["interval"]
        over = line["over_plain"]
        beyond = "" if over is None else f"{over[0]:+.4f} ({over[1]:+.4f} to {over[2]:+.4f})"
        cells = [line["objective"], line["texts"], f"{line['mean']:.4f}", f"{low:.4f} to {high:.4f}", beyond]
        cells.append(f"{line['seconds']:.0f}")
        print(f"| {' | '.join(cells)} |" if as_table else "  ".join(f"{cell:<18}" for cell in cells).rstrip())


if __name__ == "__main__":
    main()
