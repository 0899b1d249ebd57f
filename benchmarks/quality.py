"""Quality of the methods with their defaults on real sets: mean and interval over seeds, written for the docs.

    python benchmarks/quality.py                       # every cell that is not there yet, then the page
    python benchmarks/quality.py --cells sst2/full     # one cell
    python benchmarks/quality.py --page                # only write docs/concepts/results.md again
    python benchmarks/quality.py --baseline            # fit tfidf again; hold what the cells' runs said against it
    python benchmarks/quality.py --quick --json        # one cell, one seed, nothing kept: under five minutes

A cell is a study of one candidate (the tfidf baseline is added to each study by itself), run through the same
`provetune.run` that users call, five seeds, defaults. Cells and, inside a cell, trials are resumable: start the
command again and it goes on. Numbers are those of the sealed test, opened once a study.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np
from harness import DATA, RESULTS, figures, machine, read_kept, say
from scipy import stats
from task_page import PAGE, kept_section

from provetune.core.files import read_json, write_json, write_text
from provetune.statistics.crossed import estimate

STORE = RESULTS / "quality.json"
CONFIDENCE = 0.95
QUICK = ("clinc150", "head")

SETS: dict[str, dict[str, Any]] = {
    "clinc150": {
        "language": "en",
        "data": {
            "train": "train.csv",
            "validation": "val.csv",
            "test": "test.csv",
            "columns": {"text": "text", "label": "intent"},
            "out_of_scope": "oos",
        },
        "metric": "in_scope_accuracy",
        "candidates": {"full": 0.945, "head": 0.935, "lora": 0.935},
    },
    "sst2": {
        "language": "en",
        "data": {
            "train": "train.jsonl",
            "validation": "dev.jsonl",
            "test": "test.jsonl",
            "columns": {"text": "text", "label": "label"},
        },
        "metric": "accuracy",
        "candidates": {"full": 0.866, "head": None},
    },
    "hwu64": {
        "language": "en",
        "data": {"train": "train.csv", "test": "test.csv", "columns": {"text": "text", "label": "intent"}},
        "metric": "accuracy",
        "candidates": {"full": None, "head": None},
    },
    "waimai_zh": {
        "language": "zh",
        "data": {"train": "waimai_10k.csv", "columns": {"text": "review", "label": "label"}},
        "metric": "accuracy",
        "candidates": {"full": None, "head": None},
    },
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", nargs="+", help="SET/CANDIDATE …; all that are missing when left out")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--workspace", type=Path, default=Path(".provetune") / "quality")
    parser.add_argument("--baseline", action="store_true", help="fit the baseline again, train nothing else")
    parser.add_argument("--page", action="store_true", help="write the page from what is stored, run nothing")
    parser.add_argument("--quick", action="store_true", help="one cell with one seed, kept nowhere")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    arguments = parser.parse_args()
    if arguments.quick:
        with tempfile.TemporaryDirectory() as scratch:
            cells = {"/".join(QUICK): run_cell(*QUICK, 1, Path(scratch))}
        print_scores({"machine": machine(), "cells": cells}, arguments.json)
        return
    stored = read_kept(STORE) or {"machine": machine(), "cells": {}}
    wanted = arguments.cells or [f"{name}/{candidate}" for name in SETS for candidate in SETS[name]["candidates"]]
    if arguments.baseline:
        renew_baseline(stored, arguments.workspace)
        write_json(STORE, stored)
    for cell in [] if arguments.page or arguments.baseline else wanted:
        if cell in stored["cells"] and arguments.cells is None:
            continue
        say(f"cell {cell}")
        name, candidate = cell.split("/")
        stored["cells"][cell] = run_cell(name, candidate, arguments.seeds, arguments.workspace)
        write_json(STORE, stored)
    # The section on every task is another command's: it stays as it is.
    others = kept_section(PAGE.read_text(encoding="utf-8")) if PAGE.exists() else ""
    write_text(PAGE, page(stored) + (f"\n{others}\n" if others else ""))
    say(f"written: {PAGE}")
    print_scores(stored, arguments.json)


def print_scores(stored: dict[str, Any], as_json: bool) -> None:
    """What is stored in the form that all benchmarks have; scores have no ratios and no share of a peak."""
    found = figures({name: cell["seeds"] for name, cell in stored["cells"].items()})
    document = {"machine": stored["machine"], "figures": found, "ratios": {}, "peak_share": None}
    if as_json:
        print(json.dumps({**document, "cells": stored["cells"]}))
        return
    for name, figure in found.items():
        print(f"{name:<24} {figure['median']:.4f}   ({figure['min']:.4f} to {figure['max']:.4f})")


def run_cell(name: str, candidate: str, seeds: int, workspace: Path) -> dict[str, Any]:
    """Run one study and take from it what the page shows."""
    facts = SETS[name]
    document = run_study(name, candidate, seeds, workspace)
    found = document["candidates"]
    ours = found[candidate]["metrics"][facts["metric"]]["seeds"]
    outcomes = {key: outcome_matrix(workspace / "studies" / document["study"], key) for key in found}
    return {
        "metric": facts["metric"],
        "required": facts["candidates"][candidate],
        "seeds": ours,
        "words": found["words"]["metrics"][facts["metric"]]["seeds"],
        "interval": seed_interval(ours),
        "over_words": difference(outcomes[candidate], outcomes["words"]),
        "seconds": found[candidate]["seconds"],
    }


def renew_baseline(stored: dict[str, Any], workspace: Path) -> None:
    """Fit the baseline of every set again and compare the stored outcomes of the cells' runs with it."""
    for name in {cell.split("/")[0] for cell in stored["cells"]}:
        document = run_study(name, "words", 1, workspace)
        words = outcome_matrix(workspace / "studies" / document["study"], "words")
        for cell in [each for each in stored["cells"] if each.startswith(f"{name}/")]:
            candidate = cell.split("/")[1]
            study = newest_study(workspace, f"{name}-{candidate}")
            if study is None:
                say(f"{cell}: its outcomes are not in {workspace}, so it is left as it is")
                continue
            metrics = document["candidates"]["words"]["metrics"]
            stored["cells"][cell]["words"] = metrics[SETS[name]["metric"]]["seeds"]
            stored["cells"][cell]["over_words"] = difference(outcome_matrix(study, candidate), words)


def newest_study(workspace: Path, problem: str) -> Path | None:
    """The folder of the study of that name that ended last."""
    ended = [path for path in workspace.glob("studies/*/study.json") if read_json(path)["problem"] == problem]
    return max(ended, key=lambda path: path.stat().st_mtime).parent if ended else None


def run_study(name: str, candidate: str, seeds: int, workspace: Path) -> dict[str, Any]:
    """The document of a study of one candidate and the baseline."""
    import provetune as pt

    facts = SETS[name]
    folder = DATA / name
    data = {
        key: str(folder / value) if key in ("train", "validation", "test") else value
        for key, value in facts["data"].items()
    }
    methods = {"words": "tfidf", **({} if candidate == "words" else {candidate: candidate})}
    problem = {
        "name": f"{name}-{candidate}",
        "task": "classification",
        "language": facts["language"],
        "data": data,
        "candidates": {key: {"method": method} for key, method in methods.items()},
        "study": {"seeds": seeds},
    }
    workspace.mkdir(parents=True, exist_ok=True)
    path = workspace / f"{name}-{candidate}.yaml"
    path.write_text(json.dumps(problem, indent=2, ensure_ascii=False), encoding="utf-8")
    return pt.run(path, workspace=workspace, listener=None).document


def outcome_matrix(study: Path, candidate: str) -> np.ndarray[Any, Any]:
    """Right (1) or wrong (0) of every seed and test row, (seeds, rows)."""
    import pyarrow.parquet as pq

    rows = []
    for path in sorted((study / "trials").glob(f"{candidate}-*/test.parquet")):
        table = pq.read_table(path).sort_by("row_id")
        rows.append(np.array(table["label"].to_pylist()) == np.array(table["prediction"].to_pylist()))
    return np.array(rows, dtype=float)


def seed_interval(scores: list[float]) -> list[float]:
    """Interval of the mean over training runs on these test rows (t, seeds only)."""
    if len(scores) < 2 or np.ptp(scores) == 0:
        return [float(np.mean(scores))] * 2
    half = stats.t.ppf((1 + CONFIDENCE) / 2, len(scores) - 1) * np.std(scores, ddof=1) / np.sqrt(len(scores))
    return [float(np.mean(scores) - half), float(np.mean(scores) + half)]


def difference(left: np.ndarray[Any, Any], right: np.ndarray[Any, Any]) -> dict[str, float]:
    """Accuracy of `left` minus `right`, and its interval over seeds and test rows, crossed, as claims are judged."""
    if np.ptp(right, axis=0).max() == 0:
        right = right[:1]  # a deterministic candidate has one run
    found = estimate(left, right)
    low, high = found.interval(CONFIDENCE)
    return {"effect": found.effect, "low": low, "high": high}


def page(stored: dict[str, Any]) -> str:
    """The results page, from what is stored and nothing else."""
    about = stored["machine"]
    lines = [
        "# Results on real sets",
        "",
        "Written by `python benchmarks/quality.py`, which runs every cell as a study with default settings and goes",
        "on where it was interrupted. Scores are those of the sealed test, opened once a study. The interval of a",
        "mean is over training runs; the gain over `words` (TF-IDF with logistic regression) has its interval over",
        "training runs and test rows together, on the accuracy of all test rows. Training seconds hold whatever else",
        "the machine did meanwhile; speed is measured on the [performance](performance.md) page.",
        "",
        f"Machine: {about['processor']}, {about['cores']} cores, torch {about['torch']}, "
        f"transformers {about['transformers']}, {about['date']}.",
        "",
        "| set | method | metric | asked for | mean | 95 % interval | seeds | words | gain over words (accuracy) "
        "| training, s a run |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, cell in sorted(stored["cells"].items()):
        data, method = name.split("/")
        low, high = cell["interval"]
        gain = cell["over_words"]
        asked = f"≥ {cell['required']:.3f}" if cell["required"] is not None else "–"
        lines.append(
            f"| {data} | {method} | {cell['metric']} | {asked} "
            f"| {np.mean(cell['seeds']):.4f} | {low:.4f} to {high:.4f} "
            f"| {len(cell['seeds'])} | {np.mean(cell['words']):.4f} "
            f"| {gain['effect']:+.4f} ({gain['low']:+.4f} to {gain['high']:+.4f}) | {seconds_a_run(cell):.0f} |"
        )
    missing = [
        f"{name}/{candidate}"
        for name in SETS
        for candidate in SETS[name]["candidates"]
        if f"{name}/{candidate}" not in stored["cells"]
    ]
    if missing:
        lines += ["", "Not measured yet: " + ", ".join(f"`{cell}`" for cell in missing) + "."]
    return "\n".join(lines) + "\n"


def seconds_a_run(cell: dict[str, Any]) -> float:
    seconds = cell["seconds"]
    return float(np.mean(seconds)) if isinstance(seconds, list) else float(seconds) / len(cell["seeds"])


if __name__ == "__main__":
    main()
