"""A worker's job: one candidate tried on a few rows, for its time and memory; nothing of it is kept.

The trial's own code runs, with its own settings, batch and threads: some optimiser steps and one scoring of validation
rows, or one fit of a method that has no steps.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provetune.core.protocols import BY_STEPS
from provetune.study.trial import fix_arithmetic
from provetune.study.trial_plan import learns_from
from provetune.study.trial_spec import TrialSpec

if TYPE_CHECKING:
    from provetune.study.learned import Learned
    from provetune.study.worker import Work

JOB = "provetune.study.plan_rehearsal:rehearse_job"
BUDGET_SECONDS = 12.0
LEAST_STEPS, WARM_STEPS = 3, 2
FORWARD_SHARE = 1 / 3
"""A forward pass is about a third of a training step."""


def rehearse_job(spec: Mapping[str, Any]) -> Work:
    """Try a candidate on the rows of a small study folder.

    Args:
        spec: ``trial`` (a `TrialSpec` on those rows) and ``threads``.

    Returns:
        What `_rehearse_steps` or `_rehearse_fit` found, and ``memory_bytes``: the most that the process (or, on CUDA,
        the device) held.
    """
    trial = TrialSpec.from_json({**spec["trial"], "threads": spec["threads"]})
    yield {"event": "rehearsal", "candidate": trial.candidate}
    fix_arithmetic(trial)
    rehearse = _rehearse_steps if learns_from(trial.settings["method"]) in BY_STEPS else _rehearse_fit
    return {**rehearse(trial), "memory_bytes": _peak_memory(trial.device)}


def _rehearse_steps(trial: TrialSpec) -> dict[str, Any]:
    """Seconds of a training row and of a scored row, and what a trial costs before and after its steps."""
    from provetune.study.trial import learn

    _warm_up(trial)
    began = time.monotonic()
    heard: list[tuple[float, dict[str, Any]]] = []
    learned: Learned | None = None
    work = learn(trial)
    try:
        while not _is_enough(heard):
            event = next(work)
            heard.append((time.monotonic(), event))
    except StopIteration as end:
        learned = end.value
    finally:
        work.close()
    started = next(at for at, event in heard if event["event"] == "started")
    rows, validation = _row_counts(trial)
    a_feature = _seconds_of_a_feature([event for _, event in heard if event["event"] == "step"])
    features = next(event["details"]["features"] for _, event in heard if event["event"] == "started")
    row_seconds = a_feature * features / max(1, rows)
    found = {"setup_seconds": started - began, "row_seconds": row_seconds, "bundle_bytes": None, "finish_seconds": 0.0}
    scoring = _scoring_seconds(heard)
    found["score_seconds"] = row_seconds * FORWARD_SHARE if scoring is None else scoring / max(1, validation)
    if learned is not None:
        found |= _write(trial, learned)
    return found


def _rehearse_fit(trial: TrialSpec) -> dict[str, Any]:
    """Seconds of one fit on these rows, and of the features that all runs of a candidate share."""
    _fit(replace(trial, cache=f"{trial.cache}-warm")).write(trial.place / "warm")
    whole, learned = _timed(lambda: _fit(trial))
    again, _ = _timed(lambda: _fit(trial)) if trial.backbone is not None else (whole, learned)
    rows, validation = _row_counts(trial)
    shared = max(0.0, whole - again)
    return {
        "rows": rows,
        "fit_seconds": again,
        "feature_seconds": shared / max(1, rows + validation),
        **_write(trial, learned),
    }


def _fit(trial: TrialSpec) -> Learned:
    from provetune.study.trial import learn

    work = learn(trial)
    while True:
        try:
            next(work)
        except StopIteration as end:
            learned: Learned = end.value
            return learned


def _is_enough(heard: list[tuple[float, dict[str, Any]]]) -> bool:
    """Whether a slow candidate has taken steps for long enough."""
    steps = [at for at, event in heard if event["event"] == "step"]
    return len(steps) >= LEAST_STEPS and steps[-1] - heard[0][0] > BUDGET_SECONDS


def _seconds_of_a_feature(steps: list[dict[str, Any]]) -> float:
    """Of the steps after the first, which also prepare."""
    first = min(WARM_STEPS, len(steps) - 2)
    if first < 0:
        return float(steps[0]["seconds"] / steps[0]["examples"]) if steps else 0.0
    seconds = steps[-1]["seconds"] - steps[first]["seconds"]
    return float(seconds / (steps[-1]["examples"] - steps[first]["examples"]))


def _scoring_seconds(heard: list[tuple[float, dict[str, Any]]]) -> float | None:
    for (before, _), (at, event) in pairwise(heard):
        if event["event"] == "evaluated":
            return at - before
    return None


def _write(trial: TrialSpec, learned: Learned) -> dict[str, Any]:
    folder = trial.place / "bundle"
    seconds, _ = _timed(lambda: learned.write(folder))
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return {"finish_seconds": seconds, "bundle_bytes": size}


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.monotonic()
    found = work()
    return time.monotonic() - began, found


def _row_counts(trial: TrialSpec) -> tuple[int, int]:
    from provetune.study.splits_store import split_summary

    summary = split_summary(Path(trial.study_folder))
    return summary["train"]["rows"], summary["validation"]["rows"]


def _warm_up(trial: TrialSpec) -> None:
    """Begin once in vain: libraries are loaded on the way, which a worker does once for all of its trials."""
    from provetune.study.trial import learn

    work = learn(replace(trial, folder=f"{trial.folder}-warm", cache=f"{trial.cache}-warm"))
    next(work)
    work.close()


def _peak_memory(device: str) -> int:
    """The most bytes held so far. Linux counts for this program alone; `getrusage` would count who started it too."""
    if device.startswith("cuda"):
        import torch

        return int(torch.cuda.max_memory_reserved())
    status = Path("/proc/self/status")
    if status.exists():
        line = next((line for line in status.read_text().splitlines() if line.startswith("VmHWM:")), "VmHWM: 0 kB")
        return int(line.split()[1]) << 10
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process(os.getpid()).memory_info().peak_wset)
    import resource

    return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
