"""The ledger: what was frozen before a study began, what its runs did, who looked at the sealed test.

Each method is one transaction; when it returns, what it wrote survives a kill and a power cut. Rows are
added and states move forward; nothing is ever deleted.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, insert, select, text, update

from provetune.core.errors import UsageError
from provetune.ledger.connection import WRITES, database_errors, open_engine
from provetune.ledger.entries import Look, StudyEntry, StudyRecord, TrialEntry
from provetune.ledger.problem_history import claims_before, problem_history
from provetune.ledger.rows import (
    insert_note,
    insert_study,
    latest_study,
    look_of,
    now,
    study_of,
    trial_moments,
    trial_of,
    without_keys,
)
from provetune.ledger.tables import ACCEPTANCE, LOOKS, NOTES, STUDIES, TRIALS, VERDICTS
from provetune.ledger.verdict_rows import insert_acceptance, insert_verdicts, select_verdicts


class Ledger:
    """An open ledger. Safe to use from several processes and threads at once.

    Args:
        location: a file, or a SQLAlchemy URL (``sqlite:////…``, ``postgresql+psycopg://…``).
        create: False refuses a ledger that is not there, for work that only reads.

    Raises:
        UsageError, EnvironmentFault, CorruptError: see `provetune.ledger.connection.open_engine`.
    """

    def __init__(self, location: str | Path, *, create: bool = True) -> None:
        self.url = location if isinstance(location, str) and "://" in location else file_url(Path(location))
        self._engine = open_engine(self.url, create=create)

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database's connections."""
        self._engine.dispose()

    # -- studies ------------------------------------------------------------------------------------------

    def register_study(self, entry: StudyEntry, *, fresh: bool = False) -> StudyRecord:
        """Freeze a study: its claims, metric, seeds, hashes and machine, before the first step.

        Registering the same study in the same workspace again returns what was frozen the first time;
        `fresh` begins a new attempt beside it, and looks at its test rows go on counting.
        """
        with self._write() as connection:
            self._queue(connection, entry.study_id)
            latest = latest_study(connection, entry.study_id, entry.workspace)
            if latest is not None and not fresh:
                return study_of(connection, latest)
            attempt = 1 if latest is None else latest["attempt"] + 1
            key = insert_study(connection, entry, attempt)
            row = connection.execute(select(STUDIES).where(STUDIES.c.key == key)).mappings().one()
            return study_of(connection, row)

    def find_study(self, study_id: str, workspace: str | None = None) -> StudyRecord | None:
        """The latest attempt at a study, or None when it was never registered."""
        with self._read() as connection:
            row = latest_study(connection, study_id, workspace)
            return None if row is None else study_of(connection, row)

    def studies(self) -> list[StudyRecord]:
        """Every registered study, oldest first."""
        with self._read() as connection:
            rows = connection.execute(select(STUDIES).order_by(STUDIES.c.key)).mappings().all()
            return [study_of(connection, row) for row in rows]

    def change_machine(self, study_key: int, machine: Mapping[str, Any], reason: str) -> None:
        """Fix another machine for a study; the old one stays readable in its history."""
        with self._write() as connection:
            old = connection.execute(select(STUDIES.c.machine).where(STUDIES.c.key == study_key)).scalar_one()
            connection.execute(update(STUDIES).where(STUDIES.c.key == study_key).values(machine=dict(machine)))
            details = {"before": old, "after": dict(machine)}
            insert_note(connection, "machine_changed", reason, study_key, details)

    # -- trials -------------------------------------------------------------------------------------------

    def start_trial(self, study_key: int, candidate: str, k: int, *, folder: str = "") -> TrialEntry:
        """Mark a run as begun, or begun again after an interruption.

        Raises:
            UsageError: the study did not plan this run.
        """
        started = TRIALS.c.starts + 1
        values = {"status": "running", "starts": started, "started_at": now(), "folder": folder, "error": None}
        return self._move_trial(study_key, candidate, k, values)

    def finish_trial(
        self,
        study_key: int,
        candidate: str,
        k: int,
        *,
        scores: Mapping[str, float],
        seconds: float,
        details: Mapping[str, Any] | None = None,
    ) -> TrialEntry:
        """Record a run that ended well: its validation scores and wall-clock seconds."""
        finite = {name: value if math.isfinite(value) else None for name, value in scores.items()}
        values = {
            "status": "finished",
            "finished_at": now(),
            "scores": finite,
            "seconds": seconds,
            "details": dict(details or {}),
        }
        return self._move_trial(study_key, candidate, k, values)

    def fail_trial(self, study_key: int, candidate: str, k: int, *, error: str, seconds: float = 0.0) -> TrialEntry:
        """Record a run that ended badly. It is kept and shown; it can be started again."""
        values = {"status": "failed", "finished_at": now(), "error": error, "seconds": seconds}
        return self._move_trial(study_key, candidate, k, values)

    def trials(self, study_key: int) -> list[TrialEntry]:
        """Every planned run of a study, by candidate and number."""
        query = select(TRIALS).where(TRIALS.c.study_key == study_key).order_by(TRIALS.c.candidate, TRIALS.c.k)
        with self._read() as connection:
            return [trial_of(row) for row in connection.execute(query).mappings()]

    # -- the sealed test ----------------------------------------------------------------------------------

    def record_look(
        self,
        test_hash: str,
        purpose: str,
        *,
        study_key: int | None = None,
        judged: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> Look:
        """Write down that test rows are about to be read. Call it before reading.

        Args:
            judged: hash of what is judged (claims, candidates, seeds, derivatives). The first look with a
                new hash is charged; the same hash again, or None for reading without judging, is free.
        """
        with self._write() as connection:
            self._queue(connection, test_hash)
            charged = select(LOOKS.c.number).where(LOOKS.c.test_hash == test_hash, LOOKS.c.charged.is_(True))
            before = connection.execute(select(func.count()).select_from(charged.subquery())).scalar_one()
            known = None if judged is None else connection.execute(charged.where(LOOKS.c.judged == judged)).scalar()
            first = judged is not None and known is None
            look = Look(
                test_hash=test_hash,
                purpose=purpose,
                judged=judged,
                charged=first,
                # Judging again, after other looks or not, has the level that was paid for the first time.
                number=before + int(first) if known is None else known,
                at=now(),
                study_key=study_key,
                details=dict(details or {}),
            )
            connection.execute(insert(LOOKS).values(**asdict(look)))
            return look

    def looks(self, test_hash: str) -> list[Look]:
        """Every look at these test rows, oldest first, whichever study made it."""
        query = select(LOOKS).where(LOOKS.c.test_hash == test_hash).order_by(LOOKS.c.key)
        with self._read() as connection:
            return [look_of(row) for row in connection.execute(query).mappings()]

    # -- verdicts, acceptance and notes -------------------------------------------------------------------

    def record_verdicts(self, study_key: int, judgements: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Record what became of a study's claims at a look; returns these verdicts as they are stored.

        The same claim at the same look with as many seeds is stored once: what was recorded first stays.

        Args:
            judgements: in the claims' order, mappings with ``claim``, ``verdict``, ``look`` and, where known,
                ``effect``, ``interval``, ``p``, ``p_holm``, ``alpha``; the whole mapping is kept as ``details``.

        Raises:
            UsageError: a verdict is none of supported, refuted and inconclusive, or has no look.
        """
        with self._write() as connection:
            self._queue(connection, f"verdicts of {study_key}")
            return insert_verdicts(connection, study_key, judgements)

    def verdicts(self, study_key: int) -> list[dict[str, Any]]:
        """Every recorded verdict of a study, oldest first: ``number``, ``claim``, ``verdict``, …, ``details``."""
        with self._read() as connection:
            return select_verdicts(connection, study_key)

    def claims_before(self, test_hash: str) -> set[str]:
        """Claims, as written, that were registered before the first charged look at these rows.

        Any other claim was added after somebody had seen how candidates do on them.
        """
        with self._read() as connection:
            return claims_before(connection, test_hash)

    def record_acceptance(self, study_key: int, bundle: str, judgements: Sequence[Mapping[str, Any]]) -> None:
        """Record how a bundle stands to each level of ``accept``. Saying the same again adds nothing.

        Args:
            judgements: mappings with ``metric``, ``required``, ``value``, ``bound`` and ``met``.
        """
        if judgements:
            with self._write() as connection:
                self._queue(connection, f"acceptance of {study_key}")
                insert_acceptance(connection, study_key, bundle, judgements)

    def acceptance(self, study_key: int) -> list[dict[str, Any]]:
        """Every recorded judgement of a study's bundles, oldest first."""
        query = select(ACCEPTANCE).where(ACCEPTANCE.c.study_key == study_key).order_by(ACCEPTANCE.c.key)
        with self._read() as connection:
            return [without_keys(row) for row in connection.execute(query).mappings()]

    def note(
        self, kind: str, message: str, *, study_key: int | None = None, details: Mapping[str, Any] | None = None
    ) -> None:
        """Record an event worth keeping: an interruption, a resume, something a person decided."""
        with self._write() as connection:
            insert_note(connection, kind, message, study_key, dict(details or {}))

    def history(self, study_key: int) -> list[dict[str, Any]]:
        """What happened to a study, in time order: mappings with ``at``, ``what`` and what belongs to it."""
        with self._read() as connection:
            study = connection.execute(select(STUDIES).where(STUDIES.c.key == study_key)).mappings().one()
            found = [{"at": study["registered_at"], "what": "registered", "attempt": study["attempt"]}]
            for what, table in (("look", LOOKS), ("verdict", VERDICTS), ("acceptance", ACCEPTANCE), ("note", NOTES)):
                query = select(table).where(table.c.study_key == study_key).order_by(table.c.key)
                found += [{"what": what, **without_keys(row)} for row in connection.execute(query).mappings()]
            query = select(TRIALS).where(TRIALS.c.study_key == study_key).order_by(TRIALS.c.candidate, TRIALS.c.k)
            for trial in map(trial_of, connection.execute(query).mappings()):
                found += trial_moments(trial)
        return sorted(found, key=lambda item: item["at"])

    def problem_history(self, name: str | None = None) -> list[dict[str, Any]]:
        """What was supposed, looked at and found about a problem, over all of its studies, in time order.

        Args:
            name: of the problem; None for every problem in the ledger.

        Returns:
            mappings with ``at``, ``what`` (``hypotheses``, ``look``, ``verdict`` or ``acceptance``), ``study``,
            ``problem`` and what belongs to each.
        """
        with self._read() as connection:
            return problem_history(connection, name)

    # -- transactions -------------------------------------------------------------------------------------

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with database_errors(self._engine), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        with database_errors(self._engine), self._engine.connect() as connection:
            connection = connection.execution_options(**{WRITES: True})
            with connection.begin():
                yield connection

    def _queue(self, connection: Connection, name: str) -> None:
        """Let transactions about one name wait for each other; in SQLite all writers do so anyway."""
        if self._engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": name})

    def _move_trial(self, study_key: int, candidate: str, k: int, values: Mapping[str, Any]) -> TrialEntry:
        this = (TRIALS.c.study_key == study_key, TRIALS.c.candidate == candidate, TRIALS.c.k == k)
        with self._write() as connection:
            changed = connection.execute(update(TRIALS).where(*this).values(**values))
            if changed.rowcount != 1:
                raise UsageError(
                    f"The study did not plan run {k} of '{candidate}'.",
                    hint="Runs are fixed when the study is registered; change the problem file and run it again.",
                )
            return trial_of(connection.execute(select(TRIALS).where(*this)).mappings().one())


def file_url(path: Path) -> str:
    """The URL of a SQLite ledger in a file."""
    return f"sqlite:///{path.expanduser().absolute()}"
