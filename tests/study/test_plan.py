"""A plan of a problem: its document, its pilot from an earlier study, its cache, and what `run` says of it first."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from provetune.evaluation.outcomes import read_outcomes
from provetune.statistics.crossed import estimate
from provetune.statistics.power import detectable_after
from provetune.study import plan_measured
from provetune.study.plan import plan_study
from provetune.study.run import Study, run

WriteProblem = Callable[..., Path]

CLAIMS = ["half >= all - 0.02", "half ~ all ± 0.1 [recall:login]"]
CLAIM_KEYS = {
    "claim",
    "metric",
    "detectable",
    "power_if_equal",
    "power_at_smallest_effect",
    "aim",
    "aim_from",
    "underpowered",
    "basis",
    "seed_sd",
    "row_sd",
    "rows",
    "seeds",
    "alpha",
    "effect_on_validation",
    "needs",
    "price",
    "words",
}
TRIAL_KEYS = {"seconds", "once_seconds", "memory_bytes", "bundle_bytes", "basis", "seeds", "left"}
WORDS = {"billing": "invoice charged refund", "delivery": "parcel late courier", "login": "password locked code"}


def write_rows(folder: Path) -> Path:
    """Six hundred rows, a quarter of them labelled by chance, and two quick candidates: one draws half the rows."""
    draw = random.Random(3)
    lines = ["message,intent"]
    for number in range(600):
        label = list(WORDS)[number % 3]
        about = label if draw.random() < 0.75 else draw.choice(list(WORDS))
        said = " ".join(draw.choices((*WORDS[about].split(), "my", "please", "again", "today"), k=4))
        lines.append(f"{said} {number},{label}")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "messages.csv").write_text("\n".join(lines) + "\n")
    problem = {
        "name": "support",
        "language": "en",
        "data": {"train": "messages.csv", "columns": {"text": "message", "label": "intent"}},
        "candidates": {
            "all": {"method": "tfidf", "C": 4.0, "characters": "none"},
            "half": {"method": "tfidf", "C": 4.0, "characters": "none", "data": {"share": 0.5}},
        },
        "claims": CLAIMS,
        "study": {"seeds": 3, "parallel": 2},
    }
    path = folder / "problem.yaml"
    path.write_text(yaml.safe_dump(problem, sort_keys=False))
    return path


@dataclass
class Planned:
    """A problem planned, planned again, run, and planned for more seeds."""

    problem: Path
    first: dict[str, Any]
    said: list[str]
    again: dict[str, Any]
    study: Study
    notes: list[str]
    pilot: dict[str, Any]


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Planned:
    problem = write_rows(tmp_path_factory.mktemp("planned"))
    said: list[str] = []
    first = plan_study(problem, on_note=said.append)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan_measured, "ENGINES", None)  # whoever measured again would fall over this
        again = plan_study(problem)
    events: list[dict[str, Any]] = []
    study = run(problem, listener=events.append)
    notes = [event["message"] for event in events if event["event"] == "note"]
    pilot = plan_study(problem, overrides=["study.seeds=6"], measure=False)
    return Planned(problem, first, said, again, study, notes, pilot)


def test_document_has_the_names_that_programs_rely_on(planned: Planned) -> None:
    document = planned.first
    assert json.loads(json.dumps(document)) == document
    assert {"problem", "study", "rows", "alpha", "look", "claims", "trials", "total", "warnings"} == set(document)
    assert document["rows"] == {"train": 420, "validation": 60, "test": 120}
    assert (document["alpha"], document["look"]) == (0.05, 1)
    assert [claim["claim"] for claim in document["claims"]] == CLAIMS
    assert all(set(claim) == CLAIM_KEYS for claim in document["claims"])
    assert all(set(trial) == TRIAL_KEYS for trial in document["trials"].values())
    assert {"seconds", "processes", "threads", "disk_bytes", "kept_bytes"} == set(document["total"])


def test_before_any_run_priors_are_taken_and_said(planned: Planned) -> None:
    first = planned.first["claims"][0]
    assert first["basis"] == "prior"
    assert "prior" in first["words"]
    assert first["alpha"] == pytest.approx(0.025)
    assert first["rows"] == 120
    assert planned.first["claims"][1]["rows"] == 40
    assert any(CLAIMS[0] in warning for warning in planned.first["warnings"])


def test_each_candidate_is_measured_once(planned: Planned) -> None:
    assert [line for line in planned.said if "few rows" in line] == [
        "Measuring 'all' on a few rows"  # which holds for the other, too: it differs in its share of the rows
    ]
    assert planned.again == planned.first
    for trial in planned.first["trials"].values():
        assert trial["basis"] == "measured"
        assert 0.001 < trial["seconds"] < 60
        assert 30e6 < trial["memory_bytes"] < 4e9
        assert 1e3 < trial["bundle_bytes"] < 1e7
    # Equal runs are trained once; drawing half the rows makes them differ.
    assert {name: trial["left"] for name, trial in planned.first["trials"].items()} == {"all": 1, "half": 3}
    cache = planned.problem.parent / ".provetune" / "cache"
    assert len(list(cache.glob("plan-*.json"))) == 1
    assert not [path for path in cache.iterdir() if path.is_dir()]


def test_total_is_no_less_than_the_work_shared_out(planned: Planned) -> None:
    trials, total = planned.first["trials"], planned.first["total"]
    work = sum(trial["seconds"] * trial["left"] for trial in trials.values())
    assert work / 2 - 0.1 <= total["seconds"] <= work + 0.1
    assert total["disk_bytes"] == trials["all"]["bundle_bytes"] + 3 * trials["half"]["bundle_bytes"]
    assert total["kept_bytes"] == max(trial["bundle_bytes"] for trial in trials.values())


def test_run_says_the_plan_first(planned: Planned) -> None:
    lines = [note for note in planned.notes if note.startswith("Plan:")]
    assert lines[0].startswith("Plan: about ")
    assert "for 4 runs, 2 at a time" in lines[0]
    assert "underpowered" in lines[1]
    assert CLAIMS[0] in lines[1]


def test_finished_runs_are_a_pilot(planned: Planned) -> None:
    entry = planned.pilot["claims"][0]
    right = {}
    for name, runs in (("half", 3), ("all", 1)):
        tables = [
            read_outcomes(planned.study.folder / f"trials/{name}-{k}/validation.parquet").to_pydict()
            for k in range(runs)
        ]
        right[name] = np.array([np.array(one["label"]) == np.array(one["prediction"]) for one in tables], dtype=float)
    found = estimate(right["half"], right["all"], unit=1.0)
    assert entry["basis"] == "pilot"
    assert entry["effect_on_validation"] == pytest.approx(found.effect)
    # The second look has half the level, and two claims share it.
    assert planned.pilot["look"] == 2
    assert entry["alpha"] == pytest.approx(0.025 / 2)
    assert entry["detectable"] == pytest.approx(detectable_after(found, 6, 120, entry["alpha"]), rel=1e-6)
    assert "rests on 3 runs" in entry["words"]
    assert planned.pilot["trials"]["half"]["basis"] == "finished runs"
    assert planned.pilot["trials"]["half"]["left"] == 6


def test_a_study_that_has_ended_costs_nothing_more_and_keeps_its_look(planned: Planned) -> None:
    document = plan_study(planned.problem, measure=False)
    assert document["look"] == 1
    assert document["total"]["seconds"] < 5
    assert all(trial["left"] == 0 for trial in document["trials"].values())


def test_nothing_is_measured_when_asked_not_to(tmp_path: Path) -> None:
    problem = write_rows(tmp_path)
    document = plan_study(problem, overrides=["claims=[]", "study.seeds=1"], measure=False)
    assert document["claims"] == []
    assert "no claims" in document["warnings"][0]
    assert document["total"]["seconds"] is None
    assert {trial["basis"] for trial in document["trials"].values()} == {"unknown"}


@pytest.mark.slow
def test_a_network_is_measured_on_a_few_real_steps(tmp_path: Path, write_problem: WriteProblem) -> None:
    candidates: dict[str, dict[str, Any]] = {
        "words": {"method": "tfidf"},
        "head": {"method": "head", "precision": "fp32"},
        "full": {"method": "full", "epochs": 2, "batch_rows": 8, "precision": "fp32"},
    }
    problem = write_problem(tmp_path, candidates=candidates, claims=["full > words"], study={"seeds": 3, "parallel": 1})
    document = plan_study(problem)
    trials = document["trials"]
    assert {name: trial["basis"] for name, trial in trials.items()} == dict.fromkeys(candidates, "measured")
    assert 0.01 < trials["full"]["seconds"] < 120
    assert trials["head"]["once_seconds"] < 60
    assert trials["full"]["memory_bytes"] > trials["words"]["memory_bytes"]
    # A tiny network's bundle: its weights, in fp32, and little else.
    weights = (Path(candidates["full"]["backbone"]) / "model.safetensors").stat().st_size
    assert weights < trials["full"]["bundle_bytes"] < 3 * weights
    more = plan_study(problem, overrides=["candidates.full.epochs=20"], measure=False)
    assert more["trials"]["full"]["basis"] == "measured"
    assert more["trials"]["full"]["seconds"] > trials["full"]["seconds"]
