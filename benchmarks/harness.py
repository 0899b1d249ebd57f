"""How the benchmarks measure: variants in turn, medians, one JSON document, the machine described beside it."""

from __future__ import annotations

import argparse
import csv
import json
import platform
import random
import statistics
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
RESULTS = Path(__file__).resolve().parent / "results"


class Cells:
    """Measurements that are kept as soon as each is made: given the same line again, a benchmark goes on.

    Args:
        save: name of a JSON file below ``benchmarks/results``; None keeps nothing, and all is measured.
        settings: what the measurements depend on. Cells of other settings or another machine do not count.
        fresh: measure all of it again.
    """

    def __init__(self, save: str | None, settings: dict[str, Any], *, fresh: bool = False) -> None:
        self.path = None if save is None else RESULTS / save
        self.fresh = fresh
        self.settings = {**settings, **{name: value for name, value in machine().items() if name != "date"}}
        kept = read_kept(self.path) if not fresh else {}
        self.values: dict[str, Any] = kept.get("cells", {}) if kept.get("settings") == self.settings else {}

    def measure(self, name: str, make: Callable[[], Any]) -> Any:
        """What `make` returns, or what it returned in an earlier sitting."""
        if name not in self.values:
            self.values[name] = make()
            self.keep({})
        return self.values[name]

    def measure_all(self, makers: Iterable[tuple[str, Callable[[], Any]]], *, again: bool = False) -> list[str]:
        """Measure what is not there yet, and tell which of it failed: one bad cell must not cost a night of others.

        Args:
            makers: cells' names and what makes them.
            again: measure what is there too.
        """
        from provetune.core.errors import Interrupted

        failed = []
        for name, make in makers:
            if name in self.values and not again:
                continue
            say(f"cell {name}")
            self.values.pop(name, None)
            try:
                self.measure(name, make)
            except Interrupted:
                raise
            except Exception:  # noqa: BLE001  whatever it is, it is told
                say(traceback.format_exc())
                failed.append(name)
        return failed

    def keep(self, document: dict[str, Any]) -> None:
        """Write the cells, and the document that came of them once it is there.

        Cells that another process has written meanwhile stay, so that two may fill one file.
        """
        from filelock import FileLock

        from provetune.core.files import write_json

        if self.path is None:
            return
        with FileLock(f"{self.path}.lock"):
            there = read_kept(self.path)
            others = there.get("cells", {}) if there.get("settings") == self.settings and not self.fresh else {}
            write_json(self.path, {**document, "settings": self.settings, "cells": {**others, **self.values}})


def read_kept(path: Path | None) -> dict[str, Any]:
    """A benchmark's file, or nothing."""
    if path is None or not path.exists():
        return {}
    kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return kept


def add_usual_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments that every benchmark has."""
    parser.add_argument("--quick", action="store_true", help="little of everything: under five minutes")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.add_argument("--save", help="file name below benchmarks/results; each cell is kept there and not run again")
    parser.add_argument("--fresh", action="store_true", help="run cells again that are kept")


def interleave(
    variants: dict[str, Callable[[], float]],
    rounds: int,
    say: Callable[[str], None] | None = None,
    *,
    cells: Cells,
    name_as: str = "",
) -> dict[str, list[float]]:
    """Call every variant once a round, in turn, and collect what each returns (a rate or a time).

    Args:
        cells: where each is kept; its name is that of the variant behind `name_as`, with the round.
    """
    found: dict[str, list[float]] = {name: [] for name in variants}
    for number in range(rounds):
        for name, variant in variants.items():
            found[name].append(cells.measure(f"{name_as}{name}/round {number + 1}", variant))
            if say is not None:
                say(f"round {number + 1}/{rounds}  {name:<28} {found[name][-1]:.4g}")
    return found


def figures(found: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    """Median, least and most of each variant."""
    return {
        name: {"median": statistics.median(values), "min": min(values), "max": max(values)}
        for name, values in found.items()
    }


def machine() -> dict[str, Any]:
    """The processor, its arithmetic, and the versions that decide speed."""
    import torch
    import transformers

    from provetune.core.processor import instruction_sets, processor_name, usable_cores

    return {
        "processor": processor_name(),
        "instruction_sets": list(instruction_sets()),
        "cores": usable_cores(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "date": time.strftime("%Y-%m-%d"),
    }


def gemm_peak(precision: str, device: str = "cpu", size: int = 2048, seconds: float = 2.0) -> float:
    """FLOP/s of a square matrix product, the best of several batches of calls."""
    import torch

    number = torch.bfloat16 if precision == "bf16" else torch.float32
    left = torch.randn(size, size, device=device).to(number)
    right = torch.randn(size, size, device=device).to(number)
    best, until = 0.0, time.perf_counter() + seconds
    while time.perf_counter() < until:
        began = time.perf_counter()
        for _ in range(3):
            left @ right
        if device != "cpu":
            torch.cuda.synchronize()
        best = max(best, 3 * 2 * size**3 / (time.perf_counter() - began))
    return best


def say(line: str) -> None:
    """A line of progress, kept apart from the document on stdout."""
    print(line, file=sys.stderr, flush=True)


def show(document: dict[str, Any], as_json: bool, cells: Cells) -> None:
    """Print the document, as JSON or for reading, and keep it beside its cells."""
    cells.keep(document)
    if as_json:
        print(json.dumps(document))
        return
    for name, figure in document["figures"].items():
        print(f"{name:<32} {figure['median']:>10.4g}   ({figure['min']:.4g} to {figure['max']:.4g})")
    for name, ratio in document["ratios"].items():
        print(f"ratio to {name:<23} {ratio:>10.3g}")
    if document.get("peak_share") is not None:
        print(f"share of the GEMM peak reached   {document['peak_share']:>10.3g}")


def labelled_rows(name: str, limit: int | None = None, split: str = "train") -> tuple[list[str], list[str]]:
    """Texts and labels of a shared data set, the first `limit` in a seeded order.

    Raises:
        SystemExit: the shared data is not there.
    """
    folder = DATA / name
    if not folder.is_dir():
        raise SystemExit(f"{folder} is not there: this benchmark needs the shared data sets.")
    if name == "sst2":
        lines = (folder / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
        rows: Sequence[dict[str, str]] = [json.loads(line) for line in lines]
        pairs = [(row["text"], row["label"]) for row in rows]
    else:
        with (folder / f"{split}.csv").open(encoding="utf-8", newline="") as stream:
            pairs = [(row["text"], row["intent"]) for row in csv.DictReader(stream)]
    random.Random(0).shuffle(pairs)
    pairs = pairs[:limit]
    return [text for text, _ in pairs], [label for _, label in pairs]
