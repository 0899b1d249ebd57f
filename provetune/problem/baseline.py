"""The baseline that is there even when nobody named it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

BASELINE_METHOD = "tfidf"


def implied_baseline(candidates: Mapping[str, Any]) -> str | None:
    """Name of the tf-idf candidate that is added to a problem, or None where one is named already.

    One with data of its own (half the rows, say) is no baseline for the others.

    Args:
        candidates: by name, each a `Candidate` or the mapping written in the file.
    """
    for candidate in candidates.values():
        method, data = (
            candidate.get(key) if isinstance(candidate, Mapping) else getattr(candidate, key, None)
            for key in ("method", "data")
        )
        if method == BASELINE_METHOD and data is None:
            return None
    free = (name for name in ("words", BASELINE_METHOD, "baseline") if name not in candidates)
    number = 2
    fallback = next(free, None)
    while fallback is None:
        name = f"baseline_{number}"
        fallback = name if name not in candidates else None
        number += 1
    return fallback
