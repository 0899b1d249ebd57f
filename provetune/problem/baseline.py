"""The baseline that is there even when nobody named it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

BASELINE_METHOD = "tfidf"


BaselineOf: TypeAlias = Callable[[Any], str | None]
"""The baseline's method by a task's name, None where a task has none."""


def always_words(task: Any) -> str | None:
    """Word statistics, whatever the task."""
    return BASELINE_METHOD


def implied_baseline(candidates: Mapping[str, Any], method: str | None = BASELINE_METHOD) -> str | None:
    """Name of the baseline that is added to a problem, or None where one is named already.

    One with data of its own (half the rows, say) is no baseline for the others.

    Args:
        candidates: by name, each a `Candidate` or the mapping written in the file.
        method: the task's baseline; None where it has none.
    """
    if method is None:
        return None
    for candidate in candidates.values():
        own, data = (
            candidate.get(key) if isinstance(candidate, Mapping) else getattr(candidate, key, None)
            for key in ("method", "data")
        )
        if own == method and data is None:
            return None
    usual = "words" if method == BASELINE_METHOD else "baseline"
    free = (name for name in (usual, method, "baseline") if name not in candidates)
    number = 2
    fallback = next(free, None)
    while fallback is None:
        name = f"baseline_{number}"
        fallback = name if name not in candidates else None
        number += 1
    return fallback
