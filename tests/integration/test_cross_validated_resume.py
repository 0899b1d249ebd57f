"""A cross-validated study that is killed goes on with the folds that are missing, and ends as one that was not.

The studies that are killed run in processes of their own, with workers as users have them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from provetune.core.files import sha256_file
from provetune.evaluation.outcomes import read_outcomes
from provetune.study.run import Study, run

pytestmark = pytest.mark.slow

WriteProblem = Callable[..., Path]
TELLER = """
import json, sys
from provetune.study.run import run

run(sys.argv[1], listener=lambda event: print(json.dumps(event, default=str), flush=True))
"""
SECTIONS: dict[str, Any] = {
    "data": {"train": "messages.csv", "columns": {"text": "message", "label": "intent"}, "split": {"folds": 3}},
    "candidates": {"words": {"method": "tfidf"}, "few": {"method": "tfidf", "data": {"share": 0.5}}},
    "claims": ["words > few", "words >= 0.2"],
    "study": {"seeds": 3, "parallel": 1, "keep": "all"},
}


def kill_after(path: Path, done: int, kind: str) -> None:
    """Run the study in a process of its own and kill it with ``kill -9`` when so many jobs of a kind have ended."""
    with subprocess.Popen([sys.executable, "-c", TELLER, str(path)], stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            event = json.loads(line)
            done -= event["event"] == "job" and event["job"] == kind and event["state"] == "done"
            if done <= 0:
                process.kill()
                break
    assert done <= 0


def plain(study: Study) -> dict[str, Any]:
    """The document without times and places."""
    kept = {key: study.document[key] for key in ("claims", "best", "accept", "looks", "rows", "folds")}
    kept["best"] = {key: value for key, value in kept["best"].items() if key != "bundle"}
    scores = {name: one["metrics"] for name, one in study.candidates.items()}
    return {**kept, "scores": scores}


def test_killed_while_training_and_while_judging_it_ends_as_the_whole_one(
    tmp_path: Path, write_problem: WriteProblem
) -> None:
    whole = run(write_problem(tmp_path / "whole", **SECTIONS))
    path = write_problem(tmp_path / "cut", **SECTIONS)
    kill_after(path, 4, "member")
    kill_after(path, 7, "member")
    kill_after(path, 5, "judge")
    again = run(path)
    assert plain(again) == plain(whole)
    weights = sorted(each.relative_to(whole.folder) for each in whole.folder.glob("trials/**/*.safetensors"))
    assert len(weights) >= 18
    for place in weights:
        assert sha256_file(again.folder / place) == sha256_file(whole.folder / place)
    for place in sorted(each.relative_to(whole.folder) for each in whole.folder.glob("trials/*/test.parquet")):
        assert read_outcomes(again.folder / place).equals(read_outcomes(whole.folder / place))
