"""What the events of a study add up to: its phase, its trials, and how long the rest will take."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class TrialState:
    """What is known of one trial.

    Attributes:
        done: share of its planned work, 0 to 1.
        began: moment it started here, and the share it already had then (a resumed trial).
        score: best validation score so far.
    """

    id: str
    candidate: str
    state: str = "waiting"
    done: float = 0.0
    began: float = 0.0
    began_at: float = 0.0
    seconds: float = 0.0
    steps: int = 0
    step: int = 0
    loss: float | None = None
    score: float | None = None
    message: str = ""

    def projected(self, now: float) -> float | None:
        """Seconds the whole trial takes, or None while that cannot be said."""
        if self.state == "done":
            return self.seconds or None
        gained = self.done - self.began_at
        if self.state != "running" or gained <= 0.02:
            return None
        return (now - self.began) / gained


@dataclass
class StudyState:
    """What is known of a study: its phase and its trials, brought up to date by one event after another."""

    study: str = ""
    phase: str = ""
    workers: int = 1
    primary: str = ""
    trials: dict[str, TrialState] = field(default_factory=dict)
    planned: dict[str, int] = field(default_factory=dict)
    ended: dict[str, int] = field(default_factory=dict)

    def take(self, event: dict[str, Any], now: float) -> None:
        """Learn from one event; kinds that say nothing about progress are passed over."""
        kind = event["event"]
        if kind == "phase":
            self.phase = event["message"]
            self.study = event.get("study", self.study)
        elif kind == "batch":
            self.planned, self.ended = dict(event["counts"]), {}
        elif kind == "trials":
            self.workers, self.primary = event["workers"], event["primary"]
            self.trials = {
                trial["id"]: TrialState(trial["id"], trial["candidate"], trial["state"]) for trial in event["trials"]
            }
        elif (trial := self.trials.get(event.get("id", ""))) is not None:
            self._take_trial(trial, event, now)
        elif kind == "job" and event["state"] in ("done", "failed"):
            self.ended[event["job"]] = self.ended.get(event["job"], 0) + 1

    def _take_trial(self, trial: TrialState, event: dict[str, Any], now: float) -> None:
        kind = event["event"]
        if kind == "job":
            if event["job"] != "train":
                return
            if event["state"] == "retried":
                trial.state, trial.message = "waiting", "its worker died; once more"
                return
            trial.state = event["state"]
            trial.message = event.get("message", "")
            if event["state"] == "running":
                trial.began, trial.began_at = now, trial.done
            else:
                trial.seconds, trial.done = now - trial.began, 1.0
            if (score := event.get("result", {}).get("scores", {}).get(self.primary)) is not None:
                trial.score = score
        elif kind == "started":
            trial.steps, trial.step = event["steps"], event["step"]
            trial.done = trial.step / max(1, trial.steps)
            trial.began, trial.began_at = now, trial.done
        elif kind == "step":
            trial.step, trial.loss = event["step"], event["loss"]
            trial.done = trial.step / max(1, trial.steps)
        elif kind == "evaluated" and event.get("best"):
            trial.score = event["scores"].get(self.primary, trial.score)

    def side_work(self) -> str:
        """What is done besides training, while it is: ``"features 3 of 10"``; empty when nothing is."""
        words = {
            "features": "features",
            "member": "models that runs are made of",
            "judge": "test predictions",
            "latency": "latency",
        }
        return ", ".join(
            f"{words[kind]} {self.ended.get(kind, 0)} of {count}"
            for kind, count in self.planned.items()
            if kind in words and self.ended.get(kind, 0) < count
        )

    def seconds_left(self, now: float) -> float | None:
        """Time until the last trial ends, from how long others of the same candidate take; None when unknown."""
        known: dict[str, list[float]] = {}
        for trial in self.trials.values():
            if (whole := trial.projected(now)) is not None:
                known.setdefault(trial.candidate, []).append(whole)
        left = 0.0
        for trial in self.trials.values():
            if trial.state not in ("waiting", "running"):
                continue
            if trial.candidate not in known:
                return None
            left += sum(known[trial.candidate]) / len(known[trial.candidate]) * (1.0 - trial.done)
        return left / max(1, self.workers)
