"""Nothing is chosen with a view of the test: nobody opens it early, and other test rows change no choice."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from file_opens import FileOpens

import provetune.study.session as session
from provetune.core.files import read_json, sha256_file
from provetune.evaluation.outcomes import read_outcomes
from provetune.study.run import Study, run

WriteProblem = Callable[..., Path]

TURNED = {"billing": "delivery", "delivery": "login", "login": "billing"}
CANDIDATES: dict[str, Any] = {
    "words": {"method": "tfidf"},
    "head": {"method": "head", "precision": "fp32"},
    "full": {"method": "full", "epochs": 3, "batch_rows": 8, "precision": "fp32"},
}
CLOCK = {"seconds", "at", "time", "rows_per_second", "tokens_per_second", "eta", "eta_seconds"}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@dataclass
class Watched:
    """A study, and which watched files were opened before and after its test was opened."""

    study: Study
    before: list[Path]
    after: list[Path]


@pytest.fixture(scope="module")
def as_it_is(tmp_path_factory: pytest.TempPathFactory, write_problem: WriteProblem) -> Watched:
    """A study on the true test rows, watched from the moment they are stored."""
    problem = make_problem(tmp_path_factory.mktemp("true"), write_problem, lambda text, label: (text, label))
    if not sys.platform.startswith("linux"):
        return Watched(run(problem), [], [])
    opens = FileOpens()
    before: list[Path] = []
    store = session.save_splits

    def store_and_watch(folder: Path, splits: Any) -> None:
        store(folder, splits)
        opens.watch(folder / "splits")
        opens.watch(problem.parent)

    def listener(event: dict[str, Any]) -> None:
        if event["event"] == "phase" and event["phase"] == "judge":
            before.extend(opens.take())
            assert not list(problem.parent.rglob("test.parquet"))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "save_splits", store_and_watch)
        study = run(problem, listener=listener)
    watched = Watched(study, before, opens.take())
    opens.close()
    return watched


@pytest.fixture(scope="module")
def garbled(tmp_path_factory: pytest.TempPathFactory, write_problem: WriteProblem) -> Study:
    """The same study with every test label wrong and every test text another."""
    folder = tmp_path_factory.mktemp("garbled")
    return run(make_problem(folder, write_problem, lambda text, label: (f"{text} " * 9, TURNED[label])))


def make_problem(folder: Path, write_problem: WriteProblem, change: Callable[[str, str], tuple[str, str]]) -> Path:
    """A problem whose test rows lie in a file of their own, each as `change` makes it."""
    columns = {"text": "message", "label": "intent"}
    data = {"train": "messages.csv", "test": "held_out.csv", "columns": columns}
    study = {"seeds": 2, "parallel": 2, "keep": "all"}
    problem = write_problem(folder, data=data, candidates=CANDIDATES, claims=["full > words - 0.5"], study=study)
    said = {"billing": "why a refund", "delivery": "the courier is late", "login": "my code is locked"}
    lines = ["message,intent,channel"]
    for number in range(30):
        label = list(said)[number % 3]
        text, label = change(f"{said[label]} {number}", label)
        lines.append(f"{text},{label},mail")
    (folder / "held_out.csv").write_text("\n".join(lines) + "\n")
    return problem


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux which files are opened")
def test_no_process_opens_test_rows_before_the_seal_is_broken(as_it_is: Watched) -> None:
    names = {path.name for path in as_it_is.before}
    # The watch sees workers: they read the other splits from the same folder.
    assert {"train.arrow", "validation.arrow"} <= names
    assert names.isdisjoint({"test.arrow", "held_out.csv", "messages.csv"})
    assert "test.arrow" in {path.name for path in as_it_is.after}


def test_other_test_rows_change_no_choice(as_it_is: Watched, garbled: Study) -> None:
    assert chosen(as_it_is.study) == chosen(garbled)
    # The rows did matter where they may: in what was found.
    scores = [
        [study.candidates[name]["metrics"]["accuracy"]["mean"] for name in CANDIDATES]
        for study in (as_it_is.study, garbled)
    ]
    assert scores[0] != scores[1]


def test_other_test_rows_change_no_weight(as_it_is: Watched, garbled: Study) -> None:
    weights = [
        {
            f"{path.parent.parent.name}/{path.name}": sha256_file(path)
            for path in sorted(study.folder.glob("trials/*/bundle/*"))
            if path.suffix in (".safetensors", ".parquet") or path.name == "config.json"
        }
        for study in (as_it_is.study, garbled)
    ]
    assert {name.partition("/")[0] for name in weights[0]} == {f"{name}-{k}" for name in CANDIDATES for k in range(2)}
    assert weights[0] == weights[1]


def chosen(study: Study) -> dict[str, Any]:
    """Every choice of a study: settings, steps, stops, temperatures, validation outcomes, the best."""
    found: dict[str, Any] = {"settings": read_json(study.folder / "resolved.json")["settings"]}
    found["best"] = (study.document["best"]["candidate"], study.document["best"]["seed"])
    for trial in sorted(study.folder.glob("trials/*")):
        events = [json.loads(line) for line in (trial / "events.jsonl").read_text().splitlines()]
        found[trial.name] = {
            "result": without_clock(read_json(trial / "result.json")),
            "events": [without_clock(event) for event in events],
            "validation": read_outcomes(trial / "validation.parquet").to_pylist(),
        }
    return found


def without_clock(value: Any) -> Any:
    """A document without what differs from one moment to the next."""
    if isinstance(value, dict):
        return {name: without_clock(inner) for name, inner in value.items() if name not in CLOCK}
    return value
