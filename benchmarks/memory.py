"""Memory of a run on many short rows: a million read, split, tokenised, and 200 steps trained on them.

    python benchmarks/memory.py            # a million rows; the limit is 3 GiB on top of the model
    python benchmarks/memory.py --quick    # a hundred thousand

The whole of `provetune run` is watched from outside: the proportional set size (each shared page counted once)
of the command and its workers together, sampled every tenth of a second, at its highest.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import psutil
from harness import Cells, add_usual_arguments, figures, machine, say, show

WORDS = [
    "where",
    "is",
    "my",
    "parcel",
    "refund",
    "order",
    "late",
    "card",
    "please",
    "cancel",
    "change",
    "help",
    "the",
    "a",
]
STEPS, BATCH = 200, 32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_usual_arguments(parser)
    parser.add_argument("--rows", type=int)
    arguments = parser.parse_args()
    rows = arguments.rows or (100_000 if arguments.quick else 1_000_000)
    cells = Cells(arguments.save, {"rows": rows}, fresh=arguments.fresh)
    peak, seconds = cells.measure("run", lambda: run_watched(rows))
    document: dict[str, Any] = {
        "machine": machine(),
        "rows": rows,
        "unit": "GiB",
        "seconds": seconds,
        "figures": figures({"peak_of_all_processes": [peak / 2**30]}),
        "ratios": {},
        "peak_share": None,
    }
    show(document, arguments.json, cells)


def run_watched(rows: int) -> tuple[float, float]:
    """Highest memory of a run on so many rows in bytes, and its seconds."""
    with tempfile.TemporaryDirectory() as scratch:
        problem = write_problem(Path(scratch), rows)
        say(f"{rows} rows written")
        return watch([sys.executable, "-m", "provetune.cli.main", "run", str(problem), "--quiet"])


def write_problem(folder: Path, rows: int) -> Path:
    """Files of short random texts, and a problem that trains 200 steps on the large one."""
    draw = random.Random(1)
    for name, count in (("train", rows), ("validation", 300), ("test", 300)):
        with (folder / f"{name}.csv").open("w", encoding="utf-8") as stream:
            stream.write("text,label\n")
            for number in range(count):
                stream.write(f"{' '.join(draw.choices(WORDS, k=draw.randint(4, 14)))} {number},{number % 5}\n")
    problem = folder / "problem.yaml"
    problem.write_text(
        f"""name: memory
language: en
data: {{train: train.csv, validation: validation.csv, test: test.csv, columns: {{text: text, label: label}}}}
candidates:
  full: {{method: full, epochs: {STEPS * BATCH / rows}, max_length: 32, evaluations: 1}}
study: {{seeds: 1, parallel: 1}}
""",
        encoding="utf-8",
    )
    return problem


def watch(command: list[str]) -> tuple[float, float]:
    """Highest total of proportional set sizes of a command and its children in bytes, and its seconds."""
    began, peak = time.perf_counter(), 0.0
    process = psutil.Popen(command, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        total = 0
        for one in [process, *process.children(recursive=True)]:
            try:
                total += one.memory_full_info().pss
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        peak = max(peak, total)
        time.sleep(0.1)
    if process.returncode != 0:
        raise SystemExit(f"the run failed with exit code {process.returncode}")
    return peak, time.perf_counter() - began


if __name__ == "__main__":
    main()
