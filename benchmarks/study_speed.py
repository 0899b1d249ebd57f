"""A whole study against the expert's script run as many times: two methods × five seeds on clinc150, three epochs.

    python benchmarks/study_speed.py             # the study whole; the script's one run times ten
    python benchmarks/study_speed.py --quick     # 600 rows, two seeds
    python benchmarks/study_speed.py --rows 5000 # a third of the rows, for both
    python benchmarks/study_speed.py --head      # ten trials of `head`: in under a minute

The study is `provetune run` from start to the judged test, processes started and texts tokenised included. The
script is recipe (c) of `train_speed.py`: its training alone, without start, scoring or saving, run once and
counted ten times, which favours it.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness import DATA, Cells, add_usual_arguments, figures, labelled_rows, machine, say, show
from recipes import Labelled, trainer_tuned


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_usual_arguments(parser)
    parser.add_argument("--head", action="store_true", help="the ten-trial study of the frozen encoder")
    parser.add_argument("--rows", type=int, help="training rows of the study and of the script; all by default")
    arguments = parser.parse_args()
    rows = arguments.rows or (600 if arguments.quick else None)
    settings = {"quick": arguments.quick, "head": arguments.head, "rows": rows}
    cells = Cells(arguments.save, settings, fresh=arguments.fresh)
    document = head_study(arguments.quick, rows, cells) if arguments.head else full_study(arguments.quick, rows, cells)
    show({**document, "rows": rows}, arguments.json, cells)


def run_study(candidates: dict[str, Any], seeds: int, rows: int | None) -> tuple[float, dict[str, Any]]:
    """Seconds of a whole study, and its document."""
    import provetune as pt

    folder = DATA / "clinc150"
    with tempfile.TemporaryDirectory() as scratch:
        train = folder / "train.csv"
        if rows is not None:
            train = Path(scratch) / "train.csv"
            lines = (folder / "train.csv").read_text(encoding="utf-8").splitlines()
            step = max(1, len(lines) // rows)
            train.write_text("\n".join([lines[0], *lines[1::step]]) + "\n", encoding="utf-8")
        problem = {
            "name": "study-speed",
            "language": "en",
            "data": {
                "train": str(train),
                "validation": str(folder / "val.csv"),
                "test": str(folder / "test.csv"),
                "columns": {"text": "text", "label": "intent"},
            },
            "candidates": {"words": {"method": "tfidf"}, **candidates},
            "study": {"seeds": seeds},
        }
        path = Path(scratch) / "problem.yaml"
        path.write_text(json.dumps(problem), encoding="utf-8")
        began = time.perf_counter()
        study = pt.run(path)
        return time.perf_counter() - began, study.document


def full_study(quick: bool, rows: int | None, cells: Cells) -> dict[str, Any]:
    from train_speed import backbone

    seeds = 2 if quick else 5
    candidates = {"full": {"method": "full", "epochs": 3}, "lora": {"method": "lora", "epochs": 3}}
    say("the study")
    seconds = cells.measure("study", lambda: run_study(candidates, seeds, rows)[0])
    say(f"the study took {seconds:.0f} s; now the script, once")
    texts, labels = labelled_rows("clinc150", rows)
    names = sorted(set(labels))
    data = Labelled(texts, [names.index(label) for label in labels], names)
    script = partial(trainer_tuned, backbone(), data, epochs=3, learning_rate=1e-4, seed=1)
    once = cells.measure("script", lambda: script().seconds)
    found = figures({"study": [seconds], "script_times_runs": [once * 2 * seeds]})
    ratio = seconds / found["script_times_runs"]["median"]
    return {
        "machine": machine(),
        "unit": "seconds",
        "runs": 2 * seeds,
        "figures": found,
        "ratios": {"study_over_c": ratio},
        "peak_share": None,
    }


def head_study(quick: bool, rows: int | None, cells: Cells) -> dict[str, Any]:
    candidates = {"head": {"method": "head"}}
    seconds = cells.measure("study", lambda: run_study(candidates, 4 if quick else 10, rows)[0])
    return {
        "machine": machine(),
        "unit": "seconds",
        "runs": 4 if quick else 10,
        "figures": figures({"head_study": [seconds]}),
        "ratios": {},
        "peak_share": None,
    }


if __name__ == "__main__":
    main()
