"""Whether a bounded score reaches a level: met, not met, or undecided."""

from __future__ import annotations

from provetune.core.errors import UsageError
from provetune.statistics.rows import RowsBound

COMPARATORS = (">", ">=", "<", "<=")


def judge_level(bound: RowsBound, comparator: str, level: float) -> bool | None:
    """Three answers: True when the one-sided bound reaches the level, False when the mirrored bound excludes
    it, None between.

    ``>`` and ``>=`` test the same thing. Where the bounds leave no room at all, the value's side of the level decides,
    and a value that equals the level decides nothing.

    Raises:
        UsageError: the comparator is none of ``>``, ``>=``, ``<``, ``<=``.
    """
    if comparator not in COMPARATORS:
        raise UsageError(f"The comparator must be >, >=, < or <=. Got '{comparator}' instead.")
    upwards = comparator.startswith(">")
    if bound.lower == bound.upper:
        if bound.value == level:
            return None
        return (bound.value > level) is upwards
    met, excluded = bound.lower >= level, bound.upper < level
    if not upwards:
        met, excluded = bound.upper <= level, bound.lower > level
    if met:
        return True
    return False if excluded else None
