"""A study that is killed, interrupted or run twice ends as the study that never was: the same bits, the same document.

``PROVETUNE_KILLS`` sets how often a study is killed with ``kill -9`` (2 by default; the requirement is 30).

A study that is killed runs in a process of its own, whose workers are as users have them, and so are those that are
killed or made to fail; the whole study, and what goes on after a kill, have forked ones (see `forked_workers`), so
equal bits say that it does not matter how a worker was started.
"""

from __future__ import annotations

import copy
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from provetune.core.errors import EnvironmentFault, Interrupted, Refused
from provetune.core.files import sha256_file
from provetune.evaluation.outcomes import read_outcomes
from provetune.ledger.records import Ledger
from provetune.study.event_log import read_events
from provetune.study.parallelism import Plan
from provetune.study.run import Study, run
from provetune.study.workspace import open_workspace

pytestmark = pytest.mark.slow

WriteProblem = Callable[..., Path]

KILLS = int(os.environ.get("PROVETUNE_KILLS", "2"))
CANDIDATES: dict[str, Any] = {
    "words": {"method": "tfidf"},
    "head": {"method": "head", "precision": "fp32"},
    "full": {"method": "full", "epochs": 2, "batch_rows": 8, "learning_rate": 1e-3, "precision": "fp32"},
    "lora": {"method": "lora", "epochs": 2, "batch_rows": 8, "rank": 2, "learning_rate": 1e-2, "precision": "fp32"},
}
STUDY = {"seeds": 2, "parallel": 2, "keep": "all", "checkpoint_steps": 3}

# Runs a study and says every event on its standard output, so that a test can kill it at a known moment.
TELLER = """
import json, sys
from provetune.core.errors import ProvetuneError
from provetune.study.run import run

def tell(event):
    print(json.dumps(event, default=str), flush=True)

try:
    run(sys.argv[1], listener=tell)
except ProvetuneError as error:
    print(error, file=sys.stderr)
    sys.exit(error.exit_code)
"""


@dataclass
class Whole:
    """The study that nothing happened to."""

    study: Study

    @property
    def folder(self) -> Path:
        return self.study.folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, write_problem: WriteProblem) -> Whole:
    folder = tmp_path_factory.mktemp("whole")
    return Whole(run(write_problem(folder, candidates=CANDIDATES, study=STUDY, claims=["full >= 0.1"])))


def problem_like(whole: Whole, folder: Path, write_problem: WriteProblem) -> Path:
    return write_problem(folder, candidates=CANDIDATES, study=STUDY, claims=["full >= 0.1"])


def assert_equal(study: Study, whole: Whole) -> None:
    """Same document but for times and places; same weights bit for bit; same rows; same steps."""
    assert plain(study.document) == plain(whole.study.document)
    weights = sorted(path.relative_to(whole.folder) for path in whole.folder.glob("trials/*/bundle/**/*.safetensors"))
    assert len(weights) >= 2 * len(CANDIDATES)
    for path in weights:
        assert sha256_file(study.folder / path) == sha256_file(whole.folder / path), path
    for path in whole.folder.glob("trials/*/*.parquet"):
        relative = path.relative_to(whole.folder)
        assert read_outcomes(study.folder / relative).equals(read_outcomes(path)), relative
    for path in whole.folder.glob("trials/*/events.jsonl"):
        relative = path.relative_to(whole.folder)
        assert timeless(study.folder / relative) == timeless(path), relative
    assert not list(study.folder.glob("trials/*/checkpoint"))
    assert not list(study.folder.rglob("*.part"))


def plain(document: dict[str, Any]) -> dict[str, Any]:
    kept = copy.deepcopy(document)
    kept["workspace"] = ""
    kept["best"]["bundle"] = Path(kept["best"]["bundle"]).parent.name
    for entry in kept["candidates"].values():
        entry["seconds"] = 0
        entry["bundles"] = [Path(path).parent.name for path in entry["bundles"]]
    return kept


def timeless(path: Path) -> list[dict[str, Any]]:
    """Events without times and paths. A resumed run saves at other steps, so checkpoints are left out."""
    passed = ("seconds", "path")
    return [
        {key: value for key, value in event.items() if key not in passed}
        for event in read_events(path)
        if event["event"] != "saved"
    ]


def start(problem: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", TELLER, str(problem)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def events_of(process: subprocess.Popen[str]) -> Iterator[dict[str, Any]]:
    assert process.stdout is not None
    for line in process.stdout:
        if line.endswith("\n"):
            yield json.loads(line)


def kill(process: subprocess.Popen[str], *, with_workers: bool) -> None:
    """SIGKILL to a running study; its workers must not outlive it."""
    if process.poll() is None:
        workers = workers_of(psutil.Process(process.pid))
        process.kill()
        if with_workers:
            for worker in workers:
                worker.kill()
        alive = psutil.wait_procs(workers, timeout=20)[1]
        assert not alive
    process.communicate()


WORKER = "provetune.study.worker"
FORKING = "multiprocessing.forkserver"
"""What a worker's command line holds; what that of the process holds that forks workers off itself."""


def workers_of(process: psutil.Process) -> list[psutil.Process]:
    """The workers below a process, real and forked ones."""
    return [child for child in process.children(recursive=True) if WORKER in command_of(child) or is_forked(child)]


def is_forked(process: psutil.Process) -> bool:
    parent = process.parent()
    return parent is not None and any(FORKING in word for word in command_of(parent))


def command_of(process: psutil.Process) -> list[str]:
    """The words of its command line; one that has ended has none."""
    try:
        return list(process.cmdline())
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return []


@pytest.mark.timeout(900)
def test_killed_study_ends_as_the_one_that_was_not(tmp_path: Path, whole: Whole, write_problem: WriteProblem) -> None:
    """Killed at random moments, with its workers or alone; alone, it takes them along."""
    problem = problem_like(whole, tmp_path, write_problem)
    draw = random.Random(KILLS)
    for sitting in range(KILLS):
        process = start(problem)
        moment = draw.randrange(12, 110)
        for number, _ in enumerate(events_of(process)):
            if number >= moment:
                time.sleep(draw.random() * 0.05)
                break
        kill(process, with_workers=sitting % 2 == 0)
    assert_equal(run(problem), whole)


@pytest.mark.real_workers
def test_killed_worker_is_replaced_and_its_trial_goes_on(
    tmp_path: Path, whole: Whole, write_problem: WriteProblem
) -> None:
    killed: list[int] = []
    resumed: list[int] = []

    def kill_once(event: dict[str, Any]) -> None:
        if event["event"] == "step" and event["step"] == 8 and not killed:
            for child in workers_of(psutil.Process()):
                killed.append(child.pid)
                child.kill()
        if event["event"] == "started" and event["step"] > 0:
            resumed.append(event["step"])

    candidates = {name: CANDIDATES[name] for name in ("words", "full")}
    study = run(
        write_problem(tmp_path, candidates=candidates, study={**STUDY, "seeds": 1}),
        listener=kill_once,
    )
    assert killed
    assert resumed
    assert all(step % 3 == 0 for step in resumed)
    # A run's seed depends on its candidate and number alone, so it equals that of the larger study.
    weights = "trials/full-0/bundle/model.safetensors"
    assert sha256_file(study.folder / weights) == sha256_file(whole.folder / weights)
    events = "trials/full-0/events.jsonl"
    assert timeless(study.folder / events) == timeless(whole.folder / events)
    # What three epochs of a tiny network do not learn is no crash: the check of runs says the same of both.
    assert all("is no better than" in each["message"] for each in study.candidates["full"]["failed"])


@pytest.mark.timeout(900)
def test_interrupted_in_every_phase(
    tmp_path: Path, whole: Whole, write_problem: WriteProblem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while reading, preparing, training, judging; each time one line, no worker left, work goes on."""
    problem = problem_like(whole, tmp_path, write_problem)
    working: list[bool] = []
    # One worker of one thread instead of two: a study's threads are fixed, its workers are not.
    monkeypatch.setattr("provetune.study.session.plan_workers", lambda *_, **__: Plan(1, 1, "the test says so"))

    def at(kind: str, **wanted: Any) -> Callable[[dict[str, Any]], None]:
        def listener(event: dict[str, Any]) -> None:
            if event["event"] == kind and all(event.get(key) == value for key, value in wanted.items()):
                working.append(bool(workers_of(psutil.Process())))
                signal.raise_signal(signal.SIGINT)

        return listener

    moments = [
        at("phase", phase="resolve"),
        at("phase", phase="prepare"),
        at("phase", phase="train"),
        at("step", step=7),
        at("job", id="head:train:0", state="done"),
        at("phase", phase="judge"),
        at("judging"),
    ]
    for listener in moments:
        with pytest.raises(Interrupted, match="provetune run") as caught:
            run(problem, listener=listener)
        assert caught.value.exit_code == 130
        assert len(caught.value.lines()) == 1
        assert not workers_of(psutil.Process())
    # A worker that is there is seen: at the step, the job's end and the judging one was at work.
    assert working == [False, False, False, True, True, working[5], True]
    assert_equal(run(problem), whole)


def test_termination_signal_ends_with_130_and_can_be_resumed(tmp_path: Path, write_problem: WriteProblem) -> None:
    problem = write_problem(tmp_path, candidates={"words": {"method": "tfidf"}}, study={"seeds": 2, "parallel": 1})
    process = start(problem)
    for event in events_of(process):
        if event["event"] == "trials":
            process.send_signal(signal.SIGTERM)
            break
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.strip().splitlines()[-1].startswith("Interrupted; finished work is kept.")
    assert "Traceback" not in errors
    assert run(problem).document["best"]["candidate"] == "words"


def test_checkpoint_that_outlived_its_run_goes_when_the_study_goes_on(
    tmp_path: Path, write_problem: WriteProblem
) -> None:
    """A kill between a run's result and its tidying up leaves its checkpoint; nobody would start it again."""
    problem = write_problem(tmp_path, candidates={"words": {"method": "tfidf"}}, study={"seeds": 2, "parallel": 1})

    def stop_before_judging(event: dict[str, Any]) -> None:
        if event.get("phase") == "judge":
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(Interrupted):
        run(problem, listener=stop_before_judging)
    (ended,) = tmp_path.rglob("trials/words-0/result.json")
    left = ended.parent / "checkpoint" / "step-00000003"
    left.mkdir(parents=True)
    (left / "weights.safetensors").write_bytes(b"weights")
    run(problem)
    assert not left.parent.exists()


def test_two_runs_at_once_the_second_waits_and_finds_the_result(tmp_path: Path, write_problem: WriteProblem) -> None:
    problem = write_problem(tmp_path, candidates={"words": {"method": "tfidf"}}, study={"seeds": 3, "parallel": 1})
    first = start(problem)
    heard: list[dict[str, Any]] = []
    for event in events_of(first):
        if event["event"] == "trials":
            break
    # The other process does not read its events away, so the pipe is emptied beside.
    reader = threading.Thread(target=first.communicate)
    reader.start()
    study = run(problem, listener=heard.append)
    reader.join(60)
    waiting = [event["message"] for event in heard if event["event"] == "note"]
    assert any(f"process {first.pid}" in message for message in waiting), waiting
    assert not [event for event in heard if event["event"] == "job"]
    assert first.returncode == 0
    with Ledger(open_workspace(problem, create=False).ledger_url) as ledger:
        assert len(ledger.studies()) == 1
    assert len(study.candidates["words"]["metrics"]["accuracy"]["seeds"]) == 3


@pytest.mark.real_workers
def test_failed_runs_are_counted_and_the_others_go_on(
    tmp_path: Path, write_problem: WriteProblem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One run of three dies twice: the candidate is judged by the two that are left, and says so."""
    problem = write_problem(tmp_path, candidates={"words": {"method": "tfidf"}}, study={"seeds": 3, "parallel": 1})
    sabotage(tmp_path, monkeypatch, fails="k == 1")
    study = run(problem)
    entry = study.candidates["words"]
    assert [failure["k"] for failure in entry["failed"]] == [1]
    assert "died 2 times" in entry["failed"][0]["message"]
    assert len(entry["metrics"]["accuracy"]["seeds"]) == 2


@pytest.mark.real_workers
def test_candidate_without_any_run_ends_the_study_before_the_test_is_opened(
    tmp_path: Path, write_problem: WriteProblem, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = write_problem(tmp_path, candidates={"words": {"method": "tfidf"}}, study={"seeds": 1, "parallel": 1})
    sabotage(tmp_path, monkeypatch, fails="True")
    with pytest.raises(Refused, match="Every run of 'words' failed"):
        run(problem)
    place = open_workspace(problem, create=False)
    with Ledger(place.ledger_url) as ledger:
        assert ledger.looks(ledger.studies()[0].entry.test_hash) == []
    monkeypatch.undo()
    assert run(problem).document["looks"] == 1


@pytest.mark.real_workers
def test_full_disk_in_a_worker_is_one_clear_error(
    tmp_path: Path, write_problem: WriteProblem, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = write_problem(tmp_path, candidates={"words": {"method": "tfidf"}}, study={"seeds": 2, "parallel": 1})
    sabotage(tmp_path, monkeypatch, fails="True", how="raise OSError(errno.ENOSPC, 'No space left on device')")
    with pytest.raises(EnvironmentFault, match="No space is left on the disk"):
        run(problem)
    monkeypatch.undo()
    assert run(problem).document["best"]["candidate"] == "words"


def sabotage(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, fails: str, how: str = "os.kill(os.getpid(), signal.SIGKILL)"
) -> None:
    """Make workers, and nothing else, fail where they write validation outcomes of certain runs."""
    hook = f"""
import errno, os, signal, sys

if "provetune.study.worker" in sys.orig_argv:
    import provetune.evaluation.outcomes as outcomes

    write = outcomes.write_outcomes

    def failing(path, table):
        k = int(path.parent.name.rpartition("-")[2])
        if path.name == "validation.parquet" and ({fails}):
            from provetune.core.files import disk_errors

            with disk_errors(path):
                {how}
        write(path, table)

    outcomes.write_outcomes = failing
"""
    place = folder / "sabotage"
    place.mkdir()
    (place / "sitecustomize.py").write_text(hook)
    monkeypatch.setenv("PYTHONPATH", str(place))
