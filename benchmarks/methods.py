"""Every method on real sets: quality with its interval, what it trains, what memory and time it takes, what it leaves.

    python benchmarks/methods.py                            # every cell that is not there yet, then the page
    python benchmarks/methods.py --sets clinc150 --methods lora ia3
    python benchmarks/methods.py --seeds 1                  # fewer runs than the table wants
    python benchmarks/methods.py --page                     # only write docs/concepts/methods.md again
    python benchmarks/methods.py --quick --json             # one method, one seed, a few steps, nothing kept

Quality is that of studies of one run through the same `provetune.run` that users call, with defaults, on the sealed
test. Cost is measured in a process of its own: the model loaded and prepared, then so many steps of training; memory is
the highest resident set of these steps above what was resident before them. Resumable: given the same line again, it
goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness import RESULTS, Cells, figures, machine, read_kept
from method_sets import BEST, EVERY, METHOD_SETS, all_methods, best_methods
from task_sets import SETS

STORE = "methods.json"
SEEDS, STEPS, WARM = 3, 60, 10
QUICK = (EVERY, "bitfit")


def main() -> None:
    arguments = parse()
    SETS.update(METHOD_SETS)
    if arguments.cost:
        print(json.dumps(cost(*arguments.cost, steps=arguments.steps)))
        return
    failed: list[str] = []
    if arguments.quick:
        with tempfile.TemporaryDirectory() as scratch:
            cells = Cells(None, {})
            failed = fill(cells, [QUICK], 1, 5, Path(scratch))
        values = cells.values
    else:
        cells = Cells(STORE, {}, fresh=arguments.fresh)
        if not arguments.page:
            failed = fill_sets(cells, arguments)
        from method_page import write_page

        values = cells.values
        write_page(values, read_kept(RESULTS / STORE).get("settings", {}))
    show(values, arguments.json)
    if failed:
        raise SystemExit(f"Failed: {', '.join(failed)}. Given the same line again, these are tried once more.")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [EVERY, *BEST]
    parser.add_argument("--sets", nargs="+", choices=names, default=names, metavar="SET")
    parser.add_argument("--methods", nargs="+", metavar="METHOD")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--workspace", type=Path, default=Path(".provetune") / "methods")
    parser.add_argument("--cost", nargs=2, metavar=("SET", "METHOD"), help=argparse.SUPPRESS)
    parser.add_argument("--steps", type=int, default=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--page", action="store_true", help="write the page from what is stored, run nothing")
    parser.add_argument("--quick", action="store_true", help="one method with one seed, kept nowhere")
    parser.add_argument("--fresh", action="store_true", help="run cells again that are kept")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    return parser.parse_args()


def fill_sets(cells: Cells, arguments: argparse.Namespace) -> list[str]:
    """Measure every method on `EVERY` first: what is measured on the other sets is chosen by that; failed cells."""
    failed: list[str] = []
    for names in ([EVERY], BEST):
        wanted = [
            (name, method)
            for name in names
            if name in arguments.sets
            for method in (all_methods() if name == EVERY else best_methods(name, cells.values))
            if arguments.methods is None or method in arguments.methods
        ]
        failed += fill(cells, wanted, arguments.seeds, STEPS, arguments.workspace)
    return failed


def fill(cells: Cells, wanted: list[tuple[str, str]], seeds: int, steps: int, workspace: Path) -> list[str]:
    """Measure the cells that are not there, run after run, so that every method has its first soon; failed ones."""
    makers = [(f"{name}/{method}/cost", lambda n=name, m=method: ask_cost(n, m, steps)) for name, method in wanted]
    makers += [
        (f"{name}/{method}/{seed}", lambda n=name, m=method, k=seed: quality(n, m, k, workspace))
        for seed in range(seeds)
        for name, method in wanted
    ]
    return cells.measure_all(makers)


def quality(name: str, method: str, seed: int, workspace: Path) -> dict[str, Any]:
    """One run's score on the sealed test, its seconds, and the size of its bundle."""
    from task_studies import candidate_name, write_problem

    import provetune as pt

    path = write_problem(name, method, {"method": method}, seed, workspace)
    document = pt.run(path, workspace=workspace, overrides=["study.keep=all"], listener=None).document
    candidate = candidate_name(method, seed)
    found = document["candidates"][candidate]
    bundle = next(iter(found["bundles"]), None)
    return {
        "score": found["metrics"][SETS[name].metric]["mean"],
        "seconds": found["seconds"],
        "bundle_bytes": None if bundle is None else folder_bytes(Path(bundle)),
        "study": document["study"],
    }


def folder_bytes(folder: Path) -> int:
    """Bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def ask_cost(name: str, method: str, steps: int) -> dict[str, Any]:
    """What `cost` finds, in a process of its own, so that nothing else has claimed memory."""
    line = [sys.executable, __file__, "--cost", name, method, "--steps", str(steps)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def cost(name: str, method: str, steps: int) -> dict[str, Any]:
    """Trainable share, highest memory above the loaded model (bytes) and examples a second of training steps."""
    from task_speed import our_run
    from task_studies import candidate_name, resolved_study, write_problem

    from provetune.core.events import Started, Step
    from provetune.models.methods import METHODS

    if METHODS.get(method).learns_from != "weights":
        return {}
    with tempfile.TemporaryDirectory() as scratch:
        study = resolved_study(write_problem(name, method, {"method": method}, 0, Path(scratch)))
        _, _, events, model = our_run(study, candidate_name(method, 0), steps + WARM, Path(scratch))
        weights = sum(parameter.numel() for parameter in model.parameters())
        before = forget_peak()
        began, counted, trainable = 0.0, 0, 0
        for event in events:
            if isinstance(event, Started):
                trainable = event.details["trainable_parameters"]
            if isinstance(event, Step) and event.step == WARM:
                began, counted = time.perf_counter(), event.examples
            if isinstance(event, Step) and event.step == WARM + steps:
                rate = (event.examples - counted) / (time.perf_counter() - began)
                break
        return {
            "trainable": trainable,
            "trainable_share": trainable / weights,
            "peak_bytes": peak_resident() - before,
            "examples_a_second": rate,
        }


def forget_peak() -> int:
    """Let the kernel count the highest resident set from now on; bytes that are resident now (Linux)."""
    import gc

    gc.collect()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return status_bytes("VmRSS")


def peak_resident() -> int:
    """Highest resident set since `forget_peak`, in bytes."""
    return status_bytes("VmHWM")


def status_bytes(field: str) -> int:
    """A line of /proc/self/status, which counts in KiB."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"the kernel does not tell {field}")


def show(values: dict[str, Any], as_json: bool) -> None:
    """Scores by set and method, for a person or as one document."""
    grouped: dict[str, list[float]] = {}
    for cell, value in values.items():
        if "score" in value:
            grouped.setdefault(cell.rsplit("/", 1)[0], []).append(value["score"])
    document = {"machine": machine(), "figures": figures(grouped), "ratios": {}, "peak_share": None}
    if as_json:
        print(json.dumps({**document, "cells": values}))
        return
    for name, figure in document["figures"].items():
        print(f"{name:<32} {figure['median']:.4f}   ({figure['min']:.4f} to {figure['max']:.4f})")


if __name__ == "__main__":
    main()
