"""Verdicts and acceptance as rows: what is judged again in the same way is stored once.

A run that was killed between judging and writing its document judges again when it is taken up. Every function
works inside its caller's transaction.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, insert, select

from provetune.core.errors import UsageError
from provetune.ledger.rows import now, without_keys
from provetune.ledger.tables import ACCEPTANCE, VERDICTS

ANSWERS = ("supported", "refuted", "inconclusive")
_MEASURES = ("effect", "p", "p_holm", "alpha")
_LEVEL = ("metric", "required", "value", "bound", "met")


def insert_verdicts(
    connection: Connection, study_key: int, judgements: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Write the verdicts that are not there yet; those of one claim, look and number of seeds are one.

    Returns:
        what is stored of these judgements, in their order.
    """
    rows = {_key(row): row for row in (verdict_row(study_key, *each) for each in enumerate(judgements))}
    stored = _stored(connection, study_key, rows)
    new = [row for key, row in rows.items() if key not in stored]
    if new:
        connection.execute(insert(VERDICTS), new)
        stored = _stored(connection, study_key, rows)
    return [stored[key] for key in rows]


def verdict_row(study_key: int, number: int, judgement: Mapping[str, Any]) -> dict[str, Any]:
    """A judged claim as a row.

    Args:
        number: the claim's place in the study's list, unless the judgement has a ``number`` of its own.
        judgement: ``claim``, ``verdict`` and ``look``; where known ``effect``, ``interval``, ``p``, ``p_holm``,
            ``alpha``, and under ``left`` and ``right`` the ``seeds`` of each candidate.

    Raises:
        UsageError: the verdict is none of the three, or the look is missing.
    """
    verdict, look = judgement.get("verdict"), judgement.get("look")
    if verdict not in ANSWERS:
        raise UsageError(f"verdict must be one of {', '.join(ANSWERS)}. Got {verdict!r} instead.")
    if not isinstance(look, int) or look < 1:
        raise UsageError(f"look must be a whole number of at least 1. Got {look!r} instead.")
    low, high = judgement.get("interval") or (None, None)
    return {
        "study_key": study_key,
        "number": judgement.get("number", number),
        "claim": judgement["claim"],
        "verdict": verdict,
        **{name: _finite(judgement.get(name)) for name in _MEASURES},
        "low": _finite(low),
        "high": _finite(high),
        "look": look,
        "seeds": _seeds(judgement),
        "at": now(),
        "details": _finite(dict(judgement)),
    }


def select_verdicts(connection: Connection, study_key: int) -> list[dict[str, Any]]:
    """A study's verdicts, in the order they were recorded."""
    query = select(VERDICTS).where(VERDICTS.c.study_key == study_key).order_by(VERDICTS.c.key)
    return [without_keys(row) for row in connection.execute(query).mappings()]


def _stored(
    connection: Connection, study_key: int, wanted: Collection[tuple[int, int, int]]
) -> dict[tuple[int, int, int], dict[str, Any]]:
    numbers = {number for number, _, _ in wanted}
    query = select(VERDICTS).where(VERDICTS.c.study_key == study_key, VERDICTS.c.number.in_(numbers))
    rows = (without_keys(row) for row in connection.execute(query).mappings())
    return {_key(row): row for row in rows if _key(row) in wanted}


def _key(row: Mapping[str, Any]) -> tuple[int, int, int]:
    return row["number"], row["look"], row["seeds"]


def insert_acceptance(
    connection: Connection, study_key: int, bundle: str, judgements: Sequence[Mapping[str, Any]]
) -> None:
    """Write how a bundle stands to each level, where that is not what was written last."""
    query = (
        select(*(ACCEPTANCE.c[name] for name in _LEVEL))
        .where(ACCEPTANCE.c.study_key == study_key, ACCEPTANCE.c.bundle == bundle)
        .order_by(ACCEPTANCE.c.key)
    )
    last = {(row["metric"], row["required"]): dict(row) for row in connection.execute(query).mappings()}
    levels = [{name: _finite(each[name]) for name in _LEVEL} for each in judgements]
    moment = now()
    rows = [
        {"study_key": study_key, "bundle": bundle, "at": moment, **level}
        for level in levels
        if last.get((level["metric"], level["required"])) != level
    ]
    if rows:
        connection.execute(insert(ACCEPTANCE), rows)


def _seeds(judgement: Mapping[str, Any]) -> int:
    """Seeds of the side that has most: planned looks at 3, 5 and 10 seeds share one number of look."""
    sides = (judgement.get(side) or {} for side in ("left", "right"))
    return max(len(side.get("seeds", ())) for side in sides)


def _finite(value: Any) -> Any:
    """The value with null for whatever number is infinite or none: JSON has no word for those."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(name): _finite(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(inner) for inner in value]
    return value
