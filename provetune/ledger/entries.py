"""What the ledger holds, as records. JSON-ready fields only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

TrialStatus = Literal["planned", "running", "finished", "failed"]


@dataclass(frozen=True)
class SplitEntry:
    """Rows of one split, and the content hash of their ids and labels."""

    rows: int
    hash: str


@dataclass(frozen=True)
class PlannedRun:
    """One run that a study will make: candidate, number of the seed from 0, the seed itself."""

    candidate: str
    k: int
    seed: int


@dataclass(frozen=True)
class StudyEntry:
    """Everything that is frozen before a study's first step.

    Attributes:
        study_id: name and hash of the resolved problem and its data.
        workspace: identity of the workspace the study runs in, the same after the folder is moved.
        metric: the task's primary metric.
        problem: the problem as resolved.
        claims: the claims, in the file's order.
        runs: every run that is planned, with its seed.
        machine: what decides the bits: threads per trial, precision, instruction set (`study.machine`).
    """

    study_id: str
    workspace: str
    name: str
    task: str
    metric: str
    confidence: float
    problem: Mapping[str, Any]
    splits: Mapping[str, SplitEntry]
    claims: tuple[str, ...]
    runs: tuple[PlannedRun, ...]
    data_hash: str
    test_hash: str
    code_hash: str
    code_version: str
    packages: Mapping[str, str]
    machine: Mapping[str, Any]


@dataclass(frozen=True)
class StudyRecord:
    """A registered study. `attempt` counts from 1; a fresh start of the same study is the next attempt."""

    key: int
    attempt: int
    registered_at: str
    entry: StudyEntry


@dataclass(frozen=True)
class TrialEntry:
    """State of one run. `starts` counts how often it was begun: more than one means it was resumed."""

    candidate: str
    k: int
    seed: int
    status: TrialStatus
    starts: int = 0
    started_at: str | None = None
    finished_at: str | None = None
    seconds: float = 0.0
    scores: Mapping[str, float] = field(default_factory=dict)
    folder: str = ""
    error: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Look:
    """One reading of sealed test rows.

    Attributes:
        judged: hash of what was judged (claims, candidates, seeds, derivatives); None when nothing was.
        charged: whether this was the first judging of that hash against these rows.
        number: which charged look at these rows this is, counted from 1; of a free one that judges again what
            was charged before, the number it was charged under; of one that judges nothing, how many were before.
    """

    test_hash: str
    purpose: str
    judged: str | None
    charged: bool
    number: int
    at: str
    study_key: int | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
