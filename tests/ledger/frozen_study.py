"""A study to register, made by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from provetune.ledger.entries import PlannedRun, SplitEntry, StudyEntry


def entry(**changes: Any) -> StudyEntry:
    """The study, with some of its fields replaced."""
    base = StudyEntry(
        study_id="intents-0a1b2c3d",
        workspace="w1",
        name="intents",
        task="classification",
        metric="accuracy",
        confidence=0.95,
        problem={"name": "intents", "label": "größer"},
        splits={"train": SplitEntry(80, "a" * 64), "test": SplitEntry(20, "b" * 64)},
        claims=("full > words", "lora >= full - 0.01"),
        runs=(PlannedRun("words", 0, 2**62 + 1), PlannedRun("full", 0, 7), PlannedRun("full", 1, 8)),
        data_hash="d" * 64,
        test_hash="b" * 64,
        code_hash="c" * 64,
        code_version="0.1.0",
        packages={"torch": "2.9"},
        machine={"threads_per_trial": 1, "precision": {"full": "fp32"}},
    )
    return replace(base, **changes)
