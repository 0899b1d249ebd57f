"""The local engine: order, dependencies, deaths and the end of all workers."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from provetune.core.errors import EnvironmentFault
from provetune.study.engines import ENGINES, Job
from provetune.study.engines.local import LocalEngine

pytestmark = pytest.mark.real_workers

JOBS_FILE = '''
import os, signal, time
from pathlib import Path

def write(spec):
    with open(spec["file"], "a") as stream:
        stream.write(spec["name"] + "\\n")
    yield {"event": "written"}
    time.sleep(spec.get("seconds", 0))
    return {"pid": os.getpid()}

def die(spec):
    """Kills its own process as often as `times` says, then returns."""
    marks = Path(spec["folder"])
    yield {"event": "begun"}
    before = len(list(marks.glob("mark-*")))
    if before < spec["times"]:
        (marks / f"mark-{before}").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return {"before": before}
'''


@pytest.fixture(autouse=True)
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "engine_jobs.py").write_text(JOBS_FILE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


def quiet(event: dict[str, Any]) -> None:
    pass


def test_longest_first_and_after(tmp_path: Path) -> None:
    order = tmp_path / "order.txt"
    jobs = [
        Job(name, "engine_jobs:write", {"file": str(order), "name": name}, cost=cost, after=after)
        for name, cost, after in (("short", 1, ()), ("long", 9, ()), ("last", 99, ("short", "long")))
    ]
    events: list[dict[str, Any]] = []
    with LocalEngine().open(1, 1, tmp_path / "logs") as pool:
        outcomes = pool.run(jobs, events.append)
    assert order.read_text().split() == ["long", "short", "last"]
    assert all(outcome.error is None for outcome in outcomes.values())
    assert [event["id"] for event in events if event["event"] == "written"] == ["long", "short", "last"]
    assert [event["state"] for event in events if event["event"] == "job"] == ["running", "done"] * 3


def test_workers_are_kept_and_shared(tmp_path: Path) -> None:
    spec = {"file": str(tmp_path / "order.txt"), "name": "x", "seconds": 0.2}
    jobs = [Job(f"job-{number}", "engine_jobs:write", spec) for number in range(6)]
    with LocalEngine().open(2, 1, tmp_path / "logs") as pool:
        first = {str(outcome.result) for outcome in pool.run(jobs, quiet).values()}
        second = {str(outcome.result) for outcome in pool.run(jobs[:1], quiet).values()}
    assert len(first) == 2
    assert second <= first


def test_job_is_tried_again_once_when_its_worker_dies(tmp_path: Path) -> None:
    events: list[dict[str, Any]] = []
    with LocalEngine().open(1, 1, tmp_path / "logs") as pool:
        job = Job("a", "engine_jobs:die", {"folder": str(tmp_path), "times": 1})
        outcome = pool.run([job], events.append)["a"]
    assert (outcome.result, outcome.error, outcome.deaths) == ({"before": 1}, None, 1)
    assert [event["state"] for event in events if event["event"] == "job"] == ["running", "retried", "running", "done"]


def test_job_is_given_up_after_the_second_death_and_others_go_on(tmp_path: Path) -> None:
    jobs = [
        Job("a", "engine_jobs:die", {"folder": str(tmp_path), "times": 9}, cost=2),
        Job("b", "engine_jobs:write", {"file": str(tmp_path / "x"), "name": "b"}, cost=1),
    ]
    with LocalEngine().open(1, 1, tmp_path / "logs") as pool:
        outcomes = pool.run(jobs, quiet)
    assert outcomes["a"].error is not None
    assert "died 2 times (last exit code -9)" in outcomes["a"].error["message"]
    assert outcomes["a"].deaths == 2
    assert outcomes["b"].error is None


def test_killed_idle_worker_is_replaced(tmp_path: Path) -> None:
    job = Job("a", "engine_jobs:write", {"file": str(tmp_path / "x"), "name": "a"})
    with LocalEngine().open(1, 1, tmp_path / "logs") as pool:
        pool.run([job], quiet)
        os.kill(pool.pids()[0], signal.SIGKILL)
        assert pool.run([job], quiet)["a"].error is None


def test_no_worker_is_left_when_the_block_is_left_by_an_error(tmp_path: Path) -> None:
    seconds = {"file": str(tmp_path / "x"), "name": "a", "seconds": 60}
    pids: list[int] = []

    def interrupt(event: dict[str, Any]) -> None:
        if event["event"] == "written":
            pids.extend(pool.pids())
            raise KeyboardInterrupt

    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt), LocalEngine().open(2, 1, tmp_path / "logs") as pool:
        pool.run([Job("a", "engine_jobs:write", seconds)], interrupt)
    assert pids
    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert time.monotonic() - begun < 20


def test_worker_that_cannot_start_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sitecustomize.py").write_text("raise SystemExit('no worker today')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    job = Job("a", "engine_jobs:write", {"file": str(tmp_path / "x"), "name": "a"})
    with (
        pytest.raises(EnvironmentFault, match="cannot be started"),
        LocalEngine().open(1, 1, tmp_path / "logs") as pool,
    ):
        pool.run([job], quiet)


def test_registry_knows_the_engine() -> None:
    assert ENGINES.get("local").name == "local"
