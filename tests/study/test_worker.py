"""The worker: its protocol, its clean output, and that it never outlives the process that started it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from provetune.core.errors import DataError
from provetune.study.worker import JOBS, describe_error, do_job, environment

JOBS_FILE = """
import os, sys, time

def add(spec):
    print("a stray line")
    os.write(1, b"a stray line from below\\n")
    yield {"event": "step", "step": 1, "threads": spec["threads"]}
    return {"sum": spec["a"] + spec["b"]}

def fail(spec):
    from provetune.core.errors import DataError
    yield {"event": "step", "step": 1}
    raise DataError("No rows.", where="a.csv", hint="Add some.")

def sleep(spec):
    yield {"event": "asleep"}
    time.sleep(spec["seconds"])
    return {}
"""


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "test_jobs.py").write_text(JOBS_FILE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


def start() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "provetune.study.worker", "--threads", "3"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def ask(worker: subprocess.Popen[str], **request: Any) -> None:
    assert worker.stdin is not None
    worker.stdin.write(json.dumps(request) + "\n")
    worker.stdin.flush()


def hear(worker: subprocess.Popen[str]) -> dict[str, Any]:
    assert worker.stdout is not None
    line = worker.stdout.readline()
    assert line, "the worker said nothing more"
    return dict(json.loads(line))


def leave(worker: subprocess.Popen[str]) -> int:
    assert worker.stdin is not None
    assert worker.stdout is not None
    worker.stdin.close()
    code = worker.wait(10)
    worker.stdout.close()
    return code


@pytest.mark.usefixtures("jobs")
def test_protocol_is_alone_on_standard_output() -> None:
    worker = start()
    assert hear(worker) == {"kind": "ready", "pid": worker.pid}
    ask(worker, id="one", job="test_jobs:add", spec={"a": 2, "b": 3})
    assert hear(worker) == {"kind": "event", "id": "one", "event": {"event": "step", "step": 1, "threads": 3}}
    assert hear(worker) == {"kind": "done", "id": "one", "result": {"sum": 5}}
    ask(worker, id="two", job="test_jobs:fail", spec={})
    hear(worker)
    failed = hear(worker)
    assert failed["kind"] == "failed"
    assert {name: failed["error"][name] for name in ("type", "message", "where", "hint", "expected")} == {
        "type": "DataError",
        "message": "No rows.",
        "where": "a.csv",
        "hint": "Add some.",
        "expected": True,
    }
    ask(worker, id="three", job="test_jobs:add", spec={"a": 1, "b": 1})
    hear(worker)
    assert hear(worker)["result"] == {"sum": 2}
    assert leave(worker) == 0


@pytest.mark.usefixtures("jobs")
def test_closing_the_input_ends_a_busy_worker_at_once() -> None:
    worker = start()
    hear(worker)
    ask(worker, id="long", job="test_jobs:sleep", spec={"seconds": 60})
    hear(worker)
    start_of_wait = time.monotonic()
    leave(worker)
    assert time.monotonic() - start_of_wait < 5


@pytest.mark.usefixtures("jobs")
def test_worker_dies_with_the_process_that_started_it(tmp_path: Path) -> None:
    starter = (
        "import subprocess, sys, time\n"
        "w = subprocess.Popen([sys.executable, '-m', 'provetune.study.worker', '--threads', '1'],"
        " stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n"
        'w.stdin.write(b\'{"id": "x", "job": "test_jobs:sleep", "spec": {"seconds": 60}}\\n\'); w.stdin.flush()\n'
        "w.stdout.readline(); w.stdout.readline(); print(w.pid, flush=True); time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", starter], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and _alive(pid):
        time.sleep(0.05)
    assert not _alive(pid)


def test_every_kind_of_job_leads_to_a_function() -> None:
    import importlib

    for target in JOBS.values():
        module, _, function = target.partition(":")
        assert callable(getattr(importlib.import_module(module), function))


def test_unexpected_errors_keep_their_traceback() -> None:
    message = do_job({"id": "a", "job": "provetune.no_such_room:x", "spec": {}}, lambda _: None, 1)
    assert message["kind"] == "failed"
    assert message["error"]["type"] == "ModuleNotFoundError"
    assert message["error"]["expected"] is False
    assert "Traceback" in message["error"]["traceback"]


def test_own_errors_are_told_apart() -> None:
    told = describe_error(DataError("No rows.", where="x.csv"))
    assert (told["expected"], told["message"], told["where"], told["hint"]) == (True, "No rows.", "x.csv", None)


def test_threads_wait_passively() -> None:
    variables = environment(2)
    assert variables["OMP_WAIT_POLICY"] == "PASSIVE"
    assert {variables[name] for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")} == {"2"}


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
