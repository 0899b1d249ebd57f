"""How a candidate is trained where its file leaves that open: from its task, its method, else for all methods alike."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from provetune.core.protocols import Method, Task
from provetune.problem.syntax import AUTO, Candidate
from provetune.training.optimisers import OPTIMISERS
from provetune.training.schedule import USUAL_WARMUP

FALLBACKS: Mapping[str, Any] = {
    "epochs": 3.0,
    "learning_rate": 1e-4,
    "batch_rows": 32,
    "batch_tokens": 4096,
    "weight_decay": 0.01,
    "warmup": 0.1,
    "patience": 3,
}
_LEAST_EVALUATIONS = 3
_MOST_EVALUATIONS = 6
LEAST_STEPS = 250
"""Optimiser steps that a small set is passed over for: fewer leave even a warmed-up head untrained."""
MOST_EPOCHS = 12


def with_task_defaults(candidate: Candidate, task: Task) -> Candidate:
    """The candidate with what its task wants where the file leaves a choice."""
    wanted = {**task.defaults.get("*", {}), **task.defaults.get(candidate.method, {})}
    open_ones = {field: value for field, value in wanted.items() if getattr(candidate, field) == AUTO}
    if "learning_rate" in open_ones:
        open_ones["learning_rate"] = _rate_for(candidate.optimiser, open_ones["learning_rate"])
    if candidate.schedule in USUAL_WARMUP:
        open_ones.pop("warmup", None)
    return candidate.model_copy(update=open_ones)


def training_choices(
    candidate: Candidate, method: Method, max_length: int, *, rows: int, size: int | None
) -> dict[str, Any]:
    """What gradient descent needs, from the candidate, else from its method, else for all methods alike.

    Args:
        rows: training rows; few of them are passed over more often, up to `MOST_EPOCHS` times, until they make
            `LEAST_STEPS` steps.
        size: layers times hidden size of the backbone; a method that names the size its learning rate was found at
            (``reference_size``) gets a smaller one for larger models, as its inverse.
    """
    chosen: dict[str, Any] = {}
    for name, fallback in FALLBACKS.items():
        written = getattr(candidate, name)
        chosen[name] = method.defaults.get(name, fallback) if written == AUTO else written
    # One text of full length must fit into a batch.
    chosen["batch_tokens"] = max(chosen["batch_tokens"], max_length)
    if candidate.epochs == AUTO and method.learns_from == "weights":
        steps = -(-rows // (chosen["batch_rows"] * candidate.accumulate))
        chosen["epochs"] = max(chosen["epochs"], min(MOST_EPOCHS, -(-LEAST_STEPS // max(1, steps))))
    reference = method.defaults.get("reference_size")
    if candidate.learning_rate == AUTO and reference is not None and size is not None and size > reference:
        chosen["learning_rate"] = float(f"{chosen['learning_rate'] * reference / size:.2g}")
    if candidate.learning_rate == AUTO:
        chosen["learning_rate"] = _rate_for(candidate.optimiser, chosen["learning_rate"])
    if candidate.warmup == AUTO:
        chosen["warmup"] = USUAL_WARMUP.get(candidate.schedule, chosen["warmup"])
    evaluations = candidate.evaluations
    if evaluations == AUTO:
        once_an_epoch = max(_LEAST_EVALUATIONS, min(_MOST_EVALUATIONS, round(chosen["epochs"])))
        evaluations = method.defaults.get("evaluations", once_an_epoch)
    chosen["evaluations"] = evaluations
    return chosen


def size_of(width: int | None, folder: Path) -> int | None:
    """Layers times hidden size of a backbone; None where its configuration does not say."""
    from provetune.models.backbones import layer_count

    return None if width is None else width * layer_count(folder) or None


def _rate_for(optimiser: str, adamw_rate: float) -> float:
    """A usual learning rate, which is AdamW's, as another optimiser needs it."""
    return float(f"{adamw_rate * OPTIMISERS.get(optimiser).rate:.3g}")
