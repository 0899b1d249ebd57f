"""Every task on real sets: ours, a classical baseline, and the plain recipe of the Hugging Face examples.

    python benchmarks/task_results.py                              # every cell that is not there yet, then the page
    python benchmarks/task_results.py --sets wnut17 fiqa_absa      # some sets
    python benchmarks/task_results.py --who ours baseline          # some columns
    python benchmarks/task_results.py --who plain --seeds 1        # fewer runs than the table wants
    python benchmarks/task_results.py --page                       # only write docs/concepts/results.md again
    python benchmarks/task_results.py --quick --json               # one small set, one seed, nothing kept

A cell is one run: a set, who trained, and which seed. Ours are studies of one seed through the same `provetune.run`
that users call, with defaults; the plain recipe trains for as many epochs on the same rows with the settings of the
examples (`plain_recipes.py`). Both are judged by our scorers, which agree with the reference implementations (tests).
Given the same line again, it goes on.
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

import numpy as np
from harness import DATA, RESULTS, Cells, machine, read_kept, say
from scipy import stats
from task_sets import FOLDERS, SETS, TaskSet

STORE = "task_results.json"
PAGE = Path(__file__).resolve().parents[1] / "docs" / "concepts" / "results.md"
WHO = ("baseline", "ours", "plain")
QUICK = "fiqa_absa"
BEGIN, END = "<!-- tasks -->", "<!-- /tasks -->"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS), metavar="SET")
    parser.add_argument("--who", nargs="+", choices=WHO, default=list(WHO))
    parser.add_argument("--seeds", type=int, help="runs a cell at most; what the table wants when left out")
    parser.add_argument("--workspace", type=Path, default=Path(".provetune") / "task_results")
    parser.add_argument("--page", action="store_true", help="write the page from what is stored, run nothing")
    parser.add_argument("--quick", action="store_true", help="one small set and one seed, kept nowhere")
    parser.add_argument("--fresh", action="store_true", help="run cells again that are kept")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    arguments = parser.parse_args()
    if arguments.quick:
        with tempfile.TemporaryDirectory() as scratch:
            cells = Cells(None, {})
            for name, make in wanted([QUICK], ("baseline", "ours"), 1, Path(scratch)):
                cells.measure(name, make)
        show(cells.values, arguments.json)
        return
    if not arguments.page:
        cells = Cells(STORE, {}, fresh=arguments.fresh)
        for name, make in wanted(arguments.sets, arguments.who, arguments.seeds, arguments.workspace):
            if name not in cells.values:
                say(f"cell {name}")
                cells.measure(name, make)
    values = read_kept(RESULTS / STORE).get("cells", {})
    write_page(values)
    show(values, arguments.json)


def wanted(sets: list[str], who: Any, seeds: int | None, workspace: Path) -> Iterator[tuple[str, Any]]:
    """Names of cells and what makes them, the cheap ones first."""
    for part in (each for each in WHO if each in who):
        for name in sets:
            facts = SETS[name]
            if part == "baseline":
                for shown in facts.baselines:
                    yield f"{name}/{shown}/0", lambda n=name, s=shown: baseline_cell(n, s, workspace)
                continue
            count = facts.seeds if part == "ours" else facts.plain_seeds
            for seed in range(count if seeds is None else min(count, seeds)):
                make = ours_cell if part == "ours" else plain_cell
                yield f"{name}/{part}/{seed}", lambda n=name, k=seed, m=make: m(n, k, workspace)


def baseline_cell(name: str, shown: str, workspace: Path) -> dict[str, Any]:
    """A baseline's score on the sealed test."""
    facts = SETS[name]
    document = study(name, {shown: {"method": facts.baselines[shown]}}, 0, workspace)
    return _taken(document, shown, facts)


def ours_cell(name: str, seed: int, workspace: Path) -> dict[str, Any]:
    """One of our runs, judged on the sealed test."""
    facts = SETS[name]
    return _taken(study(name, {"ours": facts.candidate}, seed, workspace), "ours", facts)


def plain_cell(name: str, seed: int, workspace: Path) -> dict[str, Any]:
    """One run of the plain recipe, for as many epochs on the same rows."""
    from plain_recipes import train_plain

    return train_plain(name, SETS[name], seed, workspace)


def study(name: str, candidates: dict[str, Any], seed: int, workspace: Path) -> dict[str, Any]:
    """The document of a study of one seed; its seed moves nothing but the runs."""
    import provetune as pt

    facts = SETS[name]
    workspace.mkdir(parents=True, exist_ok=True)
    shown = next(iter(candidates))
    problem = problem_of(name, facts, candidates, seed)
    path = workspace / f"{name}-{shown}-{seed}.yaml"
    path.write_text(json.dumps(problem, indent=2, ensure_ascii=False), encoding="utf-8")
    return pt.run(path, workspace=workspace).document


def problem_of(name: str, facts: TaskSet, candidates: dict[str, Any], seed: int) -> dict[str, Any]:
    """The problem file of a cell."""
    folder = DATA / FOLDERS.get(name, name)
    data = {
        key: str(folder / value) if key in ("train", "validation", "test") else value
        for key, value in facts.data.items()
    }
    data["split"] = {"seed": 13 + seed} if "test" in data and "validation" in data else {"seed": 13}
    rest: dict[str, Any] = {}
    if facts.backbone != "auto":
        shared = DATA.parent / facts.backbone
        rest["backbone"] = str(shared) if shared.exists() else facts.backbone
    if facts.rows is not None:
        count = training_rows(name, facts)
        if count > facts.rows:
            rest["data"] = {"share": facts.rows / count}
    return {
        "name": f"{name}-{next(iter(candidates))}-{seed}",
        "task": facts.task,
        "language": facts.language,
        "options": facts.options,
        "data": data,
        "candidates": {
            key: {**one, **(rest if one["method"] not in ("tfidf", *_taggers(), "word_overlap") else {})}
            for key, one in candidates.items()
        },
        "study": {"seeds": 1},
    }


def training_rows(name: str, facts: TaskSet) -> int:
    """Rows of the training file."""
    from provetune.data.reading import read_table

    return read_table(str(DATA / FOLDERS.get(name, name) / facts.data["train"])).rows


def _taggers() -> tuple[str, ...]:
    return ("token_features", "most_frequent_tag")


def _taken(document: dict[str, Any], shown: str, facts: TaskSet) -> dict[str, Any]:
    found = document["candidates"][shown]
    return {
        "score": found["metrics"][facts.metric]["mean"],
        "metrics": {name: one["mean"] for name, one in found["metrics"].items()},
        "seconds": found["seconds"],
    }


def interval(scores: list[float]) -> tuple[float, float]:
    """95 % interval of the mean over runs (Student's t)."""
    if len(scores) < 2 or np.ptp(scores) == 0:
        return float(np.mean(scores)), float(np.mean(scores))
    half = stats.t.ppf(0.975, len(scores) - 1) * np.std(scores, ddof=1) / np.sqrt(len(scores))
    return float(np.mean(scores) - half), float(np.mean(scores) + half)


def lines_of(values: dict[str, Any]) -> list[dict[str, Any]]:
    """A line a set and column: scores of its runs, mean, interval, examples a second where they were measured."""
    grouped: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for name, cell in values.items():
        data, who, _ = name.split("/")
        grouped.setdefault((data, who), []).append(cell)
    lines = []
    for (data, who), cells in sorted(grouped.items(), key=lambda one: (list(SETS).index(one[0][0]), one[0][1])):
        scores = [cell["score"] for cell in cells]
        rates = [cell["examples_a_second"] for cell in cells if cell.get("examples_a_second")]
        lines.append(
            {
                "set": data,
                "task": SETS[data].task,
                "metric": SETS[data].metric,
                "who": who,
                "runs": len(scores),
                "mean": float(np.mean(scores)),
                "interval": interval(scores),
                "seconds": float(np.median([cell["seconds"] for cell in cells])),
                "examples_a_second": float(np.median(rates)) if rates else None,
            }
        )
    return lines


def show(values: dict[str, Any], as_json: bool) -> None:
    """The lines, for a person or as one document."""
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


def write_page(values: dict[str, Any]) -> None:
    """The table between the page's markers."""
    from provetune.core.files import write_text

    table = [
        "| set | task | metric | who | runs | mean | 95 % interval | seconds a run |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for line in lines_of(values):
        low, high = line["interval"]
        span = f"{low:.3f} to {high:.3f}" if line["runs"] > 1 and high > low else "–"
        table.append(
            f"| {line['set']} | {line['task']} | {line['metric']} | {line['who']} | {line['runs']} | "
            f"{line['mean']:.3f} | {span} | {line['seconds']:,.0f} |"
        )
    if not PAGE.exists():
        return
    text = PAGE.read_text(encoding="utf-8")
    if BEGIN not in text:
        text += f"\n## Every task\n\n{BEGIN}\n{END}\n"
    before, rest = text.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    source = "Written by `python benchmarks/task_results.py`; missing lines have not been measured yet."
    write_text(PAGE, f"{before}{BEGIN}\n{chr(10).join(table)}\n\n{source}\n{END}{after}")


if __name__ == "__main__":
    main()
