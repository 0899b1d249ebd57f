"""What training says while it runs. Progress bar, log file, trackers and pages only consume these.

Every event is a small frozen record that becomes one JSON object with its kind under ``"event"``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, TypeAlias


@dataclass(frozen=True)
class Started:
    """Training begins, or goes on after an interruption.

    Attributes:
        steps: optimiser steps in all, if nothing stops it early.
        step: the step it goes on from; 0 for a fresh start.
        details: what was chosen: precision, threads, batches, truncation, trainable share.
    """

    steps: int
    step: int = 0
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """One optimiser step: its mean loss, learning rate and gradient norm, and examples seen so far."""

    step: int
    loss: float
    learning_rate: float
    gradient_norm: float
    examples: int
    seconds: float


@dataclass(frozen=True)
class Evaluated:
    """The validation rows were scored; `best` says whether this is the best state so far."""

    step: int
    scores: Mapping[str, float]
    best: bool


@dataclass(frozen=True)
class Saved:
    """A checkpoint is on the disk: work up to `step` survives anything from here on."""

    step: int
    path: str


@dataclass(frozen=True)
class Stopped:
    """Training ended before its last planned step."""

    step: int
    reason: str


@dataclass(frozen=True)
class Finished:
    """Training is over and the model holds its best state."""

    step: int
    best_step: int
    scores: Mapping[str, float]
    seconds: float
    examples: int


Event: TypeAlias = Started | Step | Evaluated | Saved | Stopped | Finished


def to_json(event: Event) -> dict[str, Any]:
    """The event as a JSON-ready mapping, its kind in lower case under ``"event"``."""
    return {"event": type(event).__name__.lower(), **asdict(event)}
