"""What is shown while a study runs: states, time left, plain lines, the live table."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from provetune.study.progress import Progress, duration
from provetune.study.progress_state import StudyState


def opening(*names: str, workers: int = 1) -> dict[str, Any]:
    trials = [{"id": f"{name}-{k}", "candidate": name, "k": k, "state": "waiting"} for name in names for k in range(2)]
    return {"event": "trials", "primary": "accuracy", "workers": workers, "trials": trials}


def job(name: str, state: str, **more: Any) -> dict[str, Any]:
    return {"event": "job", "job": "train", "id": name, "state": state, **more}


def test_time_left_comes_from_trials_of_the_same_candidate() -> None:
    state = StudyState()
    state.take(opening("full"), 0.0)
    assert state.seconds_left(0.0) is None
    state.take(job("full-0", "running"), 0.0)
    state.take({"id": "full-0", "event": "started", "steps": 100, "step": 0}, 10.0)
    state.take({"id": "full-0", "event": "step", "step": 25, "loss": 0.5}, 15.0)
    # A quarter took 5 s, so a trial takes 20 s: 15 s for this one, 20 s for the next.
    assert state.seconds_left(15.0) == pytest.approx(35.0)
    state.take(job("full-0", "done", result={"scores": {"accuracy": 0.75}}), 32.0)
    assert state.seconds_left(32.0) == pytest.approx(22.0)
    assert state.trials["full-0"].score == 0.75


def test_workers_share_what_is_left() -> None:
    state = StudyState()
    state.take(opening("full", workers=2), 0.0)
    state.take(job("full-0", "running"), 0.0)
    state.take({"id": "full-0", "event": "started", "steps": 10, "step": 0}, 0.0)
    state.take({"id": "full-0", "event": "step", "step": 5, "loss": 0.5}, 10.0)
    assert state.seconds_left(10.0) == pytest.approx((10.0 + 20.0) / 2)


def test_resumed_trial_counts_only_what_it_did_here() -> None:
    state = StudyState()
    state.take(opening("full"), 0.0)
    state.take(job("full-0", "running"), 0.0)
    state.take({"id": "full-0", "event": "started", "steps": 100, "step": 50}, 0.0)
    state.take({"id": "full-0", "event": "step", "step": 75, "loss": 0.5}, 5.0)
    assert state.trials["full-0"].projected(5.0) == pytest.approx(20.0)


def test_side_work_is_counted_until_it_is_done() -> None:
    state = StudyState()
    state.take(opening("head"), 0.0)
    state.take({"event": "batch", "counts": {"features": 2, "train": 2}}, 0.0)
    assert state.side_work() == "features 0 of 2"
    for name in ("head:train:0", "head:train:2048"):
        state.take({"event": "job", "job": "features", "id": name, "state": "running"}, 1.0)
        state.take({"event": "job", "job": "features", "id": name, "state": "done", "result": {}}, 2.0)
    assert state.side_work() == ""
    state.take({"event": "batch", "counts": {"judge": 2}}, 3.0)
    assert state.side_work() == "test predictions 0 of 2"


def test_retried_trial_waits_again() -> None:
    state = StudyState()
    state.take(opening("full"), 0.0)
    state.take(job("full-0", "running"), 0.0)
    state.take(job("full-0", "retried"), 1.0)
    assert state.trials["full-0"].state == "waiting"


def test_plain_lines_where_there_is_no_terminal() -> None:
    stream = io.StringIO()
    with Progress(Console(file=stream)) as progress:
        progress({"event": "phase", "phase": "train", "message": "Training 2 of 2 trials"})
        progress(opening("full"))
        progress(job("full-0", "running"))
        progress({"id": "full-0", "event": "evaluated", "step": 1, "best": True, "scores": {"accuracy": 0.5}})
        progress(job("full-0", "done", result={"scores": {"accuracy": 0.5}}))
        progress(job("full-1", "failed", message="Its worker died."))
    assert stream.getvalue().splitlines() == [
        "Training 2 of 2 trials",
        "full-0: running",
        "full-0: done · accuracy 0.5000",
        "full-1: failed · Its worker died.",
    ]


def test_live_table_has_every_trial() -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=100, height=40, color_system=None)
    with Progress(console) as progress:
        progress({"event": "phase", "phase": "train", "message": "Training", "study": "demo-1"})
        progress(opening("full", "lora"))
        progress(job("full-0", "running"))
        progress({"id": "full-0", "event": "started", "steps": 100, "step": 0})
        progress({"id": "full-0", "event": "step", "step": 50, "loss": 0.1234})
    shown = stream.getvalue()
    for text in ("demo-1", "full-0", "full-1", "lora-0", "lora-1", "50/100", "0.1234", "0 of 4 trials"):
        assert text in shown


@pytest.mark.parametrize(("seconds", "text"), [(8.2, "8s"), (200, "3m 20s"), (7500, "2h 05m"), (59.7, "1m 00s")])
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text
