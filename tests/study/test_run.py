"""A whole study through `run`: what comes out, what stays on the disk, what the ledger knows."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from sklearn.metrics import accuracy_score, f1_score

from provetune.core.errors import ProblemFileError, ProvetuneError, Refused, UsageError
from provetune.core.files import read_json
from provetune.core.seeds import run_seed
from provetune.evaluation.outcomes import read_outcomes
from provetune.ledger.records import Ledger
from provetune.models.bundle import open_bundle
from provetune.study.clean import survey
from provetune.study.event_log import read_events
from provetune.study.run import Study, load_study, run
from provetune.study.workspace import open_workspace

WriteProblem = Callable[..., Path]

CANDIDATES: dict[str, Any] = {
    "words": {"method": "tfidf"},
    "head": {"method": "head", "precision": "fp32"},
    "full": {"method": "full", "epochs": 2, "batch_rows": 8, "precision": "fp32"},
    "lora": {"method": "lora", "epochs": 1, "batch_rows": 8, "rank": 2, "precision": "fp32"},
}
ACCEPT = {"accuracy": ">= 0.30", "recall:login@channel=mail": ">= 0.10", "latency_p95_ms": "<= 60000"}
CLAIMS = ["full > words - 0.9", "lora >= 0.1"]


@dataclass
class Finished:
    """A study of every method, run once for all tests that only look at it."""

    problem: Path
    study: Study
    events: list[dict[str, Any]]

    @property
    def folder(self) -> Path:
        return self.study.folder

    def states(self, job: str) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for event in self.events:
            if event["event"] == "job" and event["job"] == job:
                found.setdefault(event["id"], []).append(event["state"])
        return found


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, write_problem: WriteProblem) -> Finished:
    folder = tmp_path_factory.mktemp("finished")
    problem = write_problem(folder, candidates=CANDIDATES, accept=ACCEPT, claims=CLAIMS)
    events: list[dict[str, Any]] = []
    return Finished(problem, run(problem, listener=events.append), events)


def test_document_has_the_names_that_programs_rely_on(finished: Finished) -> None:
    document = finished.study.document
    assert {"study", "workspace", "candidates", "best", "claims", "accept"} <= set(document)
    assert list(document["candidates"]) == ["words", "head", "full", "lora"]
    for entry in document["candidates"].values():
        assert {"metrics", "bundles", "seconds"} <= set(entry)
        assert len(entry["metrics"]["accuracy"]["seeds"]) == 2
    assert [(claim["claim"], claim["verdict"]) for claim in document["claims"]] == [
        (text, "inconclusive") for text in CLAIMS
    ]
    assert [one["metric"] for one in document["accept"]] == list(ACCEPT)
    assert {"metric", "required", "value", "bound", "met"} <= set(document["accept"][0])
    assert all(one["met"] is True for one in document["accept"])
    assert json.loads(json.dumps(document)) == document


def test_scores_are_those_of_the_kept_outcomes(finished: Finished) -> None:
    for name, entry in finished.study.candidates.items():
        for k in range(2):
            outcomes = read_outcomes(finished.folder / f"trials/{name}-{k}/test.parquet")
            gold, said = outcomes["label"].to_pylist(), outcomes["prediction"].to_pylist()
            assert outcomes.num_rows == 24
            assert entry["metrics"]["accuracy"]["seeds"][k] == pytest.approx(accuracy_score(gold, said))
            macro = f1_score(gold, said, average="macro", zero_division=0)
            assert entry["metrics"]["macro_f1"]["seeds"][k] == pytest.approx(macro)


def test_best_is_chosen_by_validation_ties_to_the_cheaper(finished: Finished) -> None:
    means = {name: entry["validation"]["accuracy"]["mean"] for name, entry in finished.study.candidates.items()}
    top = [name for name, mean in means.items() if mean == max(means.values())]
    # Every method that reaches the top ties; the file's order here is that of their cost.
    assert finished.study.document["best"]["candidate"] == top[0]
    assert Path(finished.study.best).is_dir()


def test_only_the_best_bundle_stays_but_all_evidence_does(finished: Finished) -> None:
    bundles = [path for entry in finished.study.candidates.values() for path in entry["bundles"]]
    assert bundles == [finished.study.best]
    assert len(list(finished.folder.glob("trials/*/bundle"))) == 1
    assert len(list(finished.folder.glob("trials/*/validation.parquet"))) == 8
    assert len(list(finished.folder.glob("trials/*/test.parquet"))) == 8
    assert not list(finished.folder.glob("trials/*/checkpoint"))


def test_bundle_knows_what_was_found(finished: Finished) -> None:
    record = open_bundle(finished.study.best).record
    assert record["acceptance"] == finished.study.accept
    assert record["metrics"]["test"]["accuracy"] == pytest.approx(
        finished.study.candidates["words"]["metrics"]["accuracy"]["seeds"][0]
    )
    assert record["problem"]["name"] == "support"
    assert record["columns"]["text"] == "message"
    assert record["seed"] == run_seed(13, record["candidate"]["name"], record["k"])


def test_bundle_answers_through_the_public_door(finished: Finished) -> None:
    import provetune as pt

    model = pt.load(finished.study.best)
    assert model.predict(["please refund the invoice"])[0]["label"] == "billing"


def test_rows_of_the_splits_do_not_overlap(finished: Finished) -> None:
    tables = {
        name: pa.ipc.open_file(pa.memory_map(str(finished.folder / f"splits/{name}.arrow"))).read_all()
        for name in ("train", "validation", "test")
    }
    ids = [set(table["row_id"].to_pylist()) for table in tables.values()]
    assert [len(each) for each in ids] == [84, 12, 24]
    assert len(set.union(*ids)) == 120


def test_ledger_froze_the_study_and_counted_one_look(finished: Finished) -> None:
    place = open_workspace(finished.problem, create=False)
    with Ledger(place.ledger_url) as ledger:
        record = ledger.find_study(finished.study.id, place.identity)
        assert record is not None
        assert record.attempt == 1
        assert record.entry.claims == tuple(CLAIMS)
        assert record.entry.machine["threads_per_trial"] == 1
        trials = ledger.trials(record.key)
        looks = ledger.looks(record.entry.test_hash)
        accept = ledger.acceptance(record.key)
    assert {(trial.candidate, trial.k): trial.status for trial in trials} == {
        (name, k): "finished" for name in CANDIDATES for k in range(2)
    }
    assert sum(look.charged for look in looks) == 1
    assert {look.judged for look in looks} == {looks[0].judged}
    # Words and head draw no number, so their runs are judged once; one level of acceptance asks for columns.
    assert len(looks) == 1 + 1 + 2 + 2 + 1
    assert [one["metric"] for one in accept] == list(ACCEPT)
    # Everything was registered before the first run began.
    assert record.registered_at < min(trial.started_at or "" for trial in trials)


def test_longest_trials_start_first_and_features_come_before_heads(finished: Finished) -> None:
    order = [event["id"] for event in finished.events if event["event"] == "job" and event["state"] == "running"]
    assert {order[0], order[1]} == {"full-0", "full-1"}
    features = [name for name in order if name.startswith("head:")]
    assert len(features) == 2  # one piece of 84 rows, one of 12
    assert all(order.index(name) < order.index(head) for name in features for head in ("head-0", "head-1"))
    assert finished.states("features") == {name: ["running", "done"] for name in features}


def test_runs_that_draw_no_number_are_trained_once_but_all_are_there(finished: Finished) -> None:
    for name in ("words", "head"):
        first, second = (read_json(finished.folder / f"trials/{name}-{k}/result.json") for k in range(2))
        assert second["details"]["same_as"] == f"{name}-0"
        assert "same_as" not in first["details"]
        assert second["scores"] == first["scores"]
        assert second["seed"] == run_seed(13, name, 1) != first["seed"]
    order = [(event["id"], event["state"]) for event in finished.events if event["event"] == "job"]
    assert order.index(("words-0", "done")) < order.index(("words-1", "running"))


def test_event_log_holds_every_step_once(finished: Finished) -> None:
    for name, steps in (("full", 22), ("lora", 11)):
        events = list(read_events(finished.folder / f"trials/{name}-0/events.jsonl"))
        assert [event["step"] for event in events if event["event"] == "step"] == list(range(1, steps + 1))
        assert [event["event"] for event in events if event["event"] in ("started", "finished")] == [
            "started",
            "finished",
        ]


def test_second_run_returns_what_is_stored(finished: Finished) -> None:
    events: list[dict[str, Any]] = []
    again = run(finished.problem, listener=events.append)
    assert again.document == finished.study.document
    assert not [event for event in events if event["event"] == "job"]
    assert run(finished.problem, resume=True).document == finished.study.document


def test_study_is_found_by_problem_by_folder_and_by_its_own_place(finished: Finished) -> None:
    for place in (finished.problem, finished.problem.parent, finished.folder):
        assert load_study(place) == finished.study
    assert load_study(finished.problem).best == finished.study.best


def test_html_names_the_candidates(finished: Finished) -> None:
    shown = finished.study._repr_html_()
    assert all(name in shown for name in CANDIDATES)


def test_nothing_pickled_lies_in_the_workspace(finished: Finished) -> None:
    endings = {path.suffix for path in Path(finished.study.workspace).rglob("*") if path.is_file()}
    assert not endings & {".pkl", ".pt", ".bin", ".joblib", ".npy"}


def test_keep_all_keeps_every_bundle(tmp_path: Path, write_problem: WriteProblem) -> None:
    words = {"words": {"method": "tfidf"}}
    study = run(write_problem(tmp_path, candidates=words, study={"seeds": 3, "parallel": 1, "keep": "all"}))
    assert len(study.candidates["words"]["bundles"]) == 3
    assert study.document["best"]["seed"] == 1  # three equal scores: the middle one


def test_overrides_make_another_study(tmp_path: Path, write_problem: WriteProblem) -> None:
    problem = write_problem(tmp_path, candidates={"words": {"method": "tfidf"}})
    first = run(problem, overrides=["study.seeds=1"])
    assert len(first.candidates["words"]["metrics"]["accuracy"]["seeds"]) == 1
    second = run(problem, overrides=["study.seeds=2"], workspace=tmp_path / "elsewhere")
    assert second.id != first.id
    assert Path(second.workspace) == tmp_path / "elsewhere"


def test_fresh_starts_anew_and_puts_the_old_aside(tmp_path: Path, write_problem: WriteProblem) -> None:
    problem = write_problem(tmp_path, candidates={"words": {"method": "tfidf"}})
    first = run(problem)
    again = run(problem, fresh=True)
    assert again.id == first.id
    aside = list((Path(first.workspace) / "studies/.before").iterdir())
    assert [path.name for path in aside] == [f"{first.id}-1"]
    assert (aside[0] / "study.json").exists()
    place = open_workspace(problem, create=False)
    with Ledger(place.ledger_url) as ledger:
        record = ledger.find_study(first.id, place.identity)
        assert record is not None
        assert record.attempt == 2
        # The same claims, candidates and seeds on the same rows are no new look.
        assert sum(look.charged for look in ledger.looks(record.entry.test_hash)) == 1
    assert place.study_ids() == [first.id]
    assert [item["path"] for item in survey(place)["items"] if item["kind"] == "put_aside"] == [str(aside[0])]


def test_changed_claims_are_a_new_look_at_the_same_rows(tmp_path: Path, write_problem: WriteProblem) -> None:
    words = {"words": {"method": "tfidf"}}
    first = run(write_problem(tmp_path, candidates=words))
    second = run(write_problem(tmp_path, candidates=words, claims=["words >= 0.5"]))
    assert second.id != first.id
    assert (first.document["looks"], second.document["looks"]) == (1, 2)


def test_other_machine_is_refused_unless_allowed(
    tmp_path: Path, write_problem: WriteProblem, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = write_problem(tmp_path, candidates={"words": {"method": "tfidf"}})

    def stop(event: dict[str, Any]) -> None:
        if event["event"] == "job":
            raise RuntimeError("stopped by the test")

    with pytest.raises(RuntimeError, match="stopped by the test"):
        run(problem, listener=stop)
    monkeypatch.setattr("provetune.study.machine.instruction_sets", lambda: ("neon",))
    with pytest.raises(Refused, match="another machine") as caught:
        run(problem)
    assert "--allow-machine-change" in str(caught.value)
    study = run(problem, allow_machine_change=True)
    place = open_workspace(problem, create=False)
    with Ledger(place.ledger_url) as ledger:
        record = ledger.find_study(study.id, place.identity)
        assert record is not None
        assert record.entry.machine["instruction_sets"] == ["neon"]
        assert "machine_changed" in [item.get("kind") for item in ledger.history(record.key)]


def test_threads_are_those_the_study_began_with(
    tmp_path: Path, write_problem: WriteProblem, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = write_problem(tmp_path, candidates={"words": {"method": "tfidf"}}, study={"seeds": 1, "parallel": 1})

    def stop(event: dict[str, Any]) -> None:
        if event["event"] == "job":
            raise RuntimeError("stopped by the test")

    monkeypatch.setattr("provetune.study.parallelism.usable_cores", lambda: 3)
    with pytest.raises(RuntimeError, match="stopped by the test"):
        run(problem, listener=stop)
    monkeypatch.setattr("provetune.study.parallelism.usable_cores", lambda: 2)
    started: list[dict[str, Any]] = []
    run(problem, listener=lambda event: started.append(event) if event["event"] == "started" else None)
    assert started[0]["details"]["threads"] == 3


def test_resume_needs_something_to_resume(tmp_path: Path, write_problem: WriteProblem) -> None:
    problem = write_problem(tmp_path)
    with pytest.raises(UsageError, match="no study of this problem to resume"):
        run(problem, resume=True)
    assert not (tmp_path / ".provetune").exists()
    with pytest.raises(UsageError, match="exclude each other"):
        run(problem, resume=True, fresh=True)
    with pytest.raises(UsageError, match="Nothing was run here yet"):
        load_study(problem)


def test_wrong_problem_leaves_nothing_behind(tmp_path: Path, write_problem: WriteProblem) -> None:
    problem = write_problem(tmp_path, candidates={"full": {"method": "fully"}})
    with pytest.raises(ProblemFileError, match="fully"):
        run(problem)
    assert not (tmp_path / ".provetune").exists()


@pytest.mark.parametrize("content", ["", "message,intent\n", "text,intent\na,b\n", "message,intent\na,b\nc,b\n"])
def test_data_that_cannot_be_used_leave_no_workspace_behind(
    tmp_path: Path, write_problem: WriteProblem, content: str
) -> None:
    problem = write_problem(tmp_path)
    (tmp_path / "messages.csv").write_text(content)
    with pytest.raises(ProvetuneError):
        run(problem)
    assert not (tmp_path / ".provetune").exists()
    with pytest.raises(ProvetuneError):
        run(problem, workspace=tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere").exists()


def test_document_on_the_disk_has_relative_paths(finished: Finished) -> None:
    kept = read_json(finished.folder / "study.json")
    assert kept["best"]["bundle"] == "trials/words-0/bundle"
    assert str(finished.problem.parent) not in json.dumps({**kept, "notes": []})


def test_a_stored_study_that_is_run_again_becomes_the_latest(tmp_path: Path, write_problem: WriteProblem) -> None:
    problem = write_problem(tmp_path, candidates={"words": {"method": "tfidf"}}, study={"seeds": 1})
    first = run(problem)
    second = run(problem, overrides=["data.split.seed=99"])
    assert load_study(problem).id == second.id != first.id
    assert run(problem).id == first.id
    assert load_study(problem).id == first.id
