"""A run's learning curve, from what training said."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Any

from provetune.study.event_log import read_events

MOST_POINTS = 200


def learning_curve(events: Path) -> dict[str, Any]:
    """Loss by steps and scores by evaluations, from an ``events.jsonl``.

    Returns:
        ``steps``: at most 200 of ``{"step", "loss", "learning_rate"}``, losses averaged over the steps since the
        point before; ``evaluations``: ``{"step", "scores", "best"}``; ``stopped``: why it ended early, or None.
    """
    steps: list[dict[str, Any]] = []
    evaluations: list[dict[str, Any]] = []
    stopped = None
    for event in read_events(events):
        if event["event"] == "step":
            steps.append(event)
        elif event["event"] == "evaluated":
            evaluations.append({"step": event["step"], "scores": event["scores"], "best": event["best"]})
        elif event["event"] == "stopped":
            stopped = event["reason"]
    return {"steps": _thin(steps), "evaluations": evaluations, "stopped": stopped}


def _thin(steps: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    count = min(MOST_POINTS, len(steps))
    edges = [round(number * len(steps) / count) for number in range(count + 1)] if count else []
    points = []
    for start, end in pairwise(edges):
        last = steps[end - 1]
        loss = fmean(step["loss"] for step in steps[start:end])
        points.append({"step": last["step"], "loss": loss, "learning_rate": last["learning_rate"]})
    return points
