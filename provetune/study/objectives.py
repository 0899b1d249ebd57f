"""What a candidate minimises: its objective with its settings, and what the model said before it learned."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provetune.core.errors import UsageError
from provetune.core.protocols import Adjustable, Forwards, Metric, NeedsReference, Objective, Targets, Task
from provetune.study.trial_spec import TrialSpec

if TYPE_CHECKING:
    import torch
    from pydantic import BaseModel

    from provetune.problem.syntax import Candidate
    from provetune.training.features import FeatureStore


def objective_of(spec: TrialSpec) -> Objective:
    """The objective of a trial, with the settings that its candidate has for it."""
    objective = _named(spec.settings.get("objective", "plain"))
    own = objective.settings.model_fields
    given = {name: value for name, value in spec.settings.items() if name in own}
    if not isinstance(objective, Adjustable):
        return objective
    settled: Objective = objective.with_settings(objective.settings.model_validate(given))
    return settled


def settle_objective(candidate: Candidate, targets: Targets, where: str | None = None) -> BaseModel:
    """The settings of a candidate's objective, every default filled in.

    Args:
        where: the candidate's place in the problem file, for errors.

    Raises:
        UsageError: it cannot learn from these rows.
    """
    objective = _named(candidate.objective)
    if isinstance(objective, NeedsReference):
        try:
            objective.check(targets)
        except UsageError as error:
            raise UsageError(error.message, where=where, hint=error.hint) from error
    own = objective.settings.model_fields
    return objective.settings.model_validate({name: value for name, value in candidate.extra.items() if name in own})


def objective_fields(candidate: Mapping[str, Any]) -> type[BaseModel] | None:
    """What the objective that a candidate names adds to it; None where there is no such objective."""
    from provetune.training.objectives import OBJECTIVES

    name = candidate.get("objective", "plain")
    name = name[0] if isinstance(name, list) and len(name) == 1 else name
    if not isinstance(name, str) or name not in OBJECTIVES:
        return None
    settings: type[BaseModel] = OBJECTIVES.get(name).settings
    return settings


def checkpoint_metric(task: Task, objective: Objective) -> Metric:
    """What checkpoints of a run are chosen by: the task's first metric, unless the objective is about another."""
    wanted = objective.metric if isinstance(objective, NeedsReference) else task.metrics[0].name
    return next((metric for metric in task.metrics if metric.name == wanted), task.metrics[0])


def with_reference(
    spec: TrialSpec, task: Task, objective: Objective, model: torch.nn.Module, features: FeatureStore, pad_id: int
) -> FeatureStore:
    """The training features with what the model as it is says of them, where the objective compares with that.

    Args:
        model: the backbone, ready to be trained but not yet trained.
    """
    if not isinstance(objective, NeedsReference) or not isinstance(task, Forwards):
        return features
    from provetune.models.forward import number_format
    from provetune.training.preference import reference_columns

    precision = str(spec.settings["precision"])
    backbone: Mapping[str, Any] = spec.backbone or {}
    model.eval()
    with number_format(model, precision, spec.device):
        columns = reference_columns(
            lambda batch: task.forward(model, batch),
            task,
            features,
            pad_id,
            device=spec.device,
            batch_tokens=int(spec.settings["batch_tokens"]),
            cache=Path(spec.cache),
            weights=f"{backbone.get('content_hash', backbone.get('path'))} {precision}",
        )
    return features.with_columns(columns)


def _named(name: str | list[str]) -> Objective:
    from provetune.training.objectives import OBJECTIVES

    names = [name] if isinstance(name, str) else list(name)
    if len(names) != 1:
        raise UsageError(f"One objective at a time is known so far. Got {', '.join(names)}.")
    return OBJECTIVES.get(names[0])
