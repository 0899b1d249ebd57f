"""What a person is told: labels with their probabilities, or numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.protocols import Targets
from provetune.tasks._sequence.targets import MULTI

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import Array

THRESHOLD = 0.5


def label_thresholds(targets: Targets) -> Array:
    """The probability from which each of several labels is given, (C,): as tuned, else one half."""
    tuned = targets.tuned.get("thresholds")
    return np.full(len(targets.names), THRESHOLD) if tuned is None else np.asarray(tuned, dtype=np.float64)


def class_column(given: Array, targets: Targets) -> pa.Array:
    """Labels that are given (N, C): a string a row, or of several labels the list of them."""
    import pyarrow as pa

    names = pa.array(targets.names, type=pa.string())
    if targets.kind != MULTI:
        return names.take(pa.array(given.argmax(axis=1)))
    offsets = np.concatenate([[0], np.cumsum(given.sum(axis=1))]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), names.take(pa.array(np.nonzero(given)[1])))


def told_classes(
    answers: Array, given: Array, targets: Targets, *, top_k: int | None = None, proba: bool = False
) -> list[dict[str, Any]]:
    """``{"label", "score"}`` of each row, with ``"labels"`` on demand.

    Args:
        answers: probabilities (N, C).
        given: which labels each row gets, bool (N, C).
    """
    values = np.asarray(answers, dtype=np.float64)
    limit = len(targets.names) if top_k is None else min(top_k, len(targets.names))
    wanted = proba or top_k is not None
    order = np.argsort(-values, axis=1, kind="stable")[:, :limit] if wanted else None
    found: list[dict[str, Any]] = []
    for number, row in enumerate(values):
        chosen = np.flatnonzero(given[number])
        if targets.kind == MULTI:
            score = row[chosen].min() if len(chosen) else 1 - row.max()
            entry: dict[str, Any] = {"label": [targets.names[k] for k in chosen], "score": float(score)}
        else:
            entry = {"label": targets.names[chosen[0]], "score": float(row[chosen[0]])}
        if order is not None:
            entry["labels"] = {targets.names[k]: float(row[k]) for k in order[number]}
        found.append(entry)
    return found


def in_words(value: Any) -> str:
    """A label, several of them, a number or numbers by name."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {in_words(part)}" for name, part in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(in_words, value))
    return str(value)
