"""Between rows of the tables and the ledger's records. Every function works inside its caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, insert, select
from sqlalchemy.engine import RowMapping

from provetune.ledger.entries import Look, PlannedRun, SplitEntry, StudyEntry, StudyRecord, TrialEntry
from provetune.ledger.tables import CLAIMS, NOTES, SPLITS, STUDIES, TRIALS


def now() -> str:
    """This moment in UTC, as the tables keep it."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def latest_study(connection: Connection, study_id: str, workspace: str | None) -> RowMapping | None:
    """The row of the latest attempt at a study."""
    query = select(STUDIES).where(STUDIES.c.study_id == study_id).order_by(STUDIES.c.key.desc()).limit(1)
    if workspace is not None:
        query = query.where(STUDIES.c.workspace == workspace)
    return connection.execute(query).mappings().first()


_STUDY_FIELDS = (
    "study_id",
    "workspace",
    "name",
    "task",
    "metric",
    "confidence",
    "problem",
    "data_hash",
    "test_hash",
    "code_hash",
    "code_version",
    "packages",
    "machine",
)


def insert_study(connection: Connection, entry: StudyEntry, attempt: int) -> int:
    """Write a study with its splits, claims and planned runs; returns its key."""
    values = {name: getattr(entry, name) for name in _STUDY_FIELDS}
    result = connection.execute(insert(STUDIES).values(**values, attempt=attempt, registered_at=now()))
    key: int = result.inserted_primary_key[0]  # type: ignore[index]
    for name, split in entry.splits.items():
        connection.execute(insert(SPLITS).values(study_key=key, name=name, rows=split.rows, hash=split.hash))
    for number, claim in enumerate(entry.claims):
        connection.execute(insert(CLAIMS).values(study_key=key, number=number, text=claim))
    planned = {"study_key": key, "status": "planned", "starts": 0, "seconds": 0.0, "folder": ""}
    rows = [{**planned, "scores": {}, "details": {}, **asdict(run)} for run in entry.runs]
    if rows:
        connection.execute(insert(TRIALS), rows)
    return key


def study_of(connection: Connection, row: RowMapping) -> StudyRecord:
    """The record of a row of `studies`."""
    key = row["key"]
    splits = connection.execute(select(SPLITS).where(SPLITS.c.study_key == key)).mappings()
    claims = connection.execute(select(CLAIMS.c.text).where(CLAIMS.c.study_key == key).order_by(CLAIMS.c.number))
    query = select(TRIALS).where(TRIALS.c.study_key == key).order_by(TRIALS.c.candidate, TRIALS.c.k)
    runs = connection.execute(query).mappings()
    entry = StudyEntry(
        **{name: row[name] for name in _STUDY_FIELDS},
        splits={split["name"]: SplitEntry(split["rows"], split["hash"]) for split in splits},
        claims=tuple(claims.scalars()),
        runs=tuple(PlannedRun(run["candidate"], run["k"], run["seed"]) for run in runs),
    )
    return StudyRecord(key, row["attempt"], row["registered_at"], entry)


def trial_of(row: RowMapping) -> TrialEntry:
    """The record of a row of `trials`."""
    return TrialEntry(**{name: value for name, value in row.items() if name != "study_key"})


def look_of(row: RowMapping) -> Look:
    """The record of a row of `looks`."""
    return Look(**{name: value for name, value in row.items() if name != "key"})


def without_keys(row: RowMapping) -> dict[str, Any]:
    """A row without the numbers that only the database needs."""
    return {name: value for name, value in row.items() if name not in ("key", "study_key")}


def insert_note(
    connection: Connection, kind: str, message: str, study_key: int | None, details: Mapping[str, Any]
) -> None:
    """Write one event of note."""
    values = {"kind": kind, "message": message, "study_key": study_key, "details": dict(details), "at": now()}
    connection.execute(insert(NOTES).values(**values))


def trial_moments(trial: TrialEntry) -> list[dict[str, Any]]:
    """When a run began and how it ended, for a history."""
    base = {"candidate": trial.candidate, "k": trial.k}
    moments: list[dict[str, Any]] = []
    if trial.started_at is not None:
        moments.append({"at": trial.started_at, "what": "started", **base, "starts": trial.starts})
    if trial.finished_at is not None and trial.status in ("finished", "failed"):
        moments.append({"at": trial.finished_at, "what": trial.status, **base, "error": trial.error})
    return moments
