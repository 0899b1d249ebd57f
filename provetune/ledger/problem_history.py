"""What was supposed, looked at and found about a problem, over all of its studies.

Looks belong to test rows, not to studies: a look that another problem's study took at the same rows is told too,
because it is counted too. Every function works inside its caller's transaction.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, or_, select, true
from sqlalchemy.engine import RowMapping

from provetune.ledger.entries import StudyRecord
from provetune.ledger.rows import study_of, without_keys
from provetune.ledger.tables import ACCEPTANCE, CLAIMS, LOOKS, STUDIES, VERDICTS

_ORDER = ("hypotheses", "look", "verdict", "acceptance")


def problem_history(connection: Connection, name: str | None) -> list[dict[str, Any]]:
    """Hypotheses, looks, verdicts and acceptance in time order, each a mapping with ``at`` and ``what``.

    Args:
        name: of the problem; None for every problem in the ledger.
    """
    ours: ColumnElement[bool] = true() if name is None else STUDIES.c.name == name
    studies = connection.execute(select(STUDIES).where(ours).order_by(STUDIES.c.key)).mappings().all()
    found = [_hypotheses(connection, study_of(connection, row)) for row in studies]
    keys, hashes = select(STUDIES.c.key).where(ours), select(STUDIES.c.test_hash).where(ours)
    at_our_rows = true() if name is None else or_(LOOKS.c.study_key.in_(keys), LOOKS.c.test_hash.in_(hashes))
    found += [_told("look", row) for row in _with_study(connection, select(LOOKS).where(at_our_rows), LOOKS)]
    for what, table in (("verdict", VERDICTS), ("acceptance", ACCEPTANCE)):
        found += [_told(what, row) for row in _with_study(connection, select(table).where(_of(table, keys)), table)]
    return sorted(found, key=lambda item: (item["at"], _ORDER.index(item["what"])))


def claims_before(connection: Connection, test_hash: str) -> set[str]:
    """Claims of the studies that were registered before the first charged look at these rows."""
    query = select(LOOKS.c.at, LOOKS.c.study_key).where(LOOKS.c.test_hash == test_hash, LOOKS.c.charged.is_(True))
    first = connection.execute(query.order_by(LOOKS.c.key).limit(1)).first()
    claims = select(CLAIMS.c.text).join(STUDIES, STUDIES.c.key == CLAIMS.c.study_key)
    claims = claims.where(STUDIES.c.test_hash == test_hash)
    if first is not None:
        # The study that looked first was registered before, whatever the clocks of two machines say.
        claims = claims.where(or_(STUDIES.c.registered_at < first.at, STUDIES.c.key == first.study_key))
    return set(connection.execute(claims).scalars())


def _hypotheses(connection: Connection, record: StudyRecord) -> dict[str, Any]:
    """What a study froze: its claims and everything that fixes what they mean."""
    entry = record.entry
    seeds: dict[str, list[int]] = {}
    for run in sorted(entry.runs, key=lambda run: (run.candidate, run.k)):
        seeds.setdefault(run.candidate, []).append(run.seed)
    looks = select(func.count()).where(
        LOOKS.c.test_hash == entry.test_hash, LOOKS.c.charged.is_(True), LOOKS.c.at < record.registered_at
    )
    return {
        "at": record.registered_at,
        "what": "hypotheses",
        "study": entry.study_id,
        "problem": entry.name,
        "attempt": record.attempt,
        "claims": list(entry.claims),
        "looks_before": connection.execute(looks).scalar_one(),
        "accept": dict(entry.problem.get("accept") or {}),
        "task": entry.task,
        "metric": entry.metric,
        "confidence": entry.confidence,
        "seeds": seeds,
        "splits": {name: {"rows": split.rows, "hash": split.hash} for name, split in entry.splits.items()},
        "test_hash": entry.test_hash,
        "data_hash": entry.data_hash,
        "code_hash": entry.code_hash,
        "code_version": entry.code_version,
        "packages": dict(entry.packages),
    }


def _of(table: Any, keys: Select[tuple[int]]) -> ColumnElement[bool]:
    condition: ColumnElement[bool] = table.c.study_key.in_(keys)
    return condition


def _with_study(connection: Connection, query: Select[Any], table: Any) -> list[RowMapping]:
    """Rows of a table with the id, problem and confidence of the study that each belongs to, if any."""
    named = query.add_columns(STUDIES.c.study_id.label("study"), STUDIES.c.name.label("problem"), STUDIES.c.confidence)
    named = named.outerjoin_from(table, STUDIES, STUDIES.c.key == table.c.study_key).order_by(table.c.key)
    return list(connection.execute(named).mappings())


def _told(what: str, row: RowMapping) -> dict[str, Any]:
    return {"at": row["at"], "what": what, "study": row["study"], "problem": row["problem"], **without_keys(row)}
