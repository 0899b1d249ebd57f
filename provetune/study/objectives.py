"""What a candidate minimises: its objectives with their settings, and what the model said before it learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provetune.core.protocols import Forwards, Metric, NeedsReference, Objective, Task
from provetune.study.trial_spec import TrialSpec

if TYPE_CHECKING:
    import torch
    from pydantic import BaseModel

    from provetune.problem.syntax import Candidate
    from provetune.training.features import FeatureStore


def objectives_of(spec: TrialSpec) -> list[tuple[Objective, BaseModel]]:
    """The objectives of a trial, each with the settings that its candidate has for it."""
    return objectives_with_settings(spec.settings.get("objective", "plain"), spec.settings)


def objectives_with_settings(names: str | Sequence[str], given: Mapping[str, Any]) -> list[tuple[Objective, BaseModel]]:
    """The objectives of these names, each with what `given` has of its settings."""
    return [(each, _own_settings(each, given)) for each in named(names)]


def settle_objectives(candidate: Candidate) -> dict[str, Any]:
    """The settings of a candidate's objectives, every default filled in."""
    settled: dict[str, Any] = {}
    for _, settings in objectives_with_settings(candidate.objective, candidate.extra):
        settled |= settings.model_dump()
    return settled


def objectives_named(candidate: Mapping[str, Any]) -> list[Objective]:
    """The objectives that a candidate names, as the file has it; those that are not there left out."""
    from provetune.training.objectives import OBJECTIVES

    written = candidate.get("objective", "plain")
    names = written if isinstance(written, list) else [written]
    return [OBJECTIVES.get(name) for name in names if isinstance(name, str) and name in OBJECTIVES]


def named(names: str | Sequence[str]) -> list[Objective]:
    """The objectives of these names."""
    from provetune.training.objectives import OBJECTIVES

    return [OBJECTIVES.get(name) for name in ([names] if isinstance(names, str) else names)]


def _own_settings(objective: Objective, given: Mapping[str, Any]) -> BaseModel:
    own = objective.settings.model_fields
    return objective.settings.model_validate({name: value for name, value in given.items() if name in own})


def checkpoint_metric(task: Task, objectives: Sequence[Objective]) -> Metric:
    """What checkpoints of a run are chosen by: the task's first metric, unless an objective is about another."""
    others = [objective.metric for objective in objectives if isinstance(objective, NeedsReference)]
    wanted = others[0] if others else task.metrics[0].name
    return next((metric for metric in task.metrics if metric.name == wanted), task.metrics[0])


def with_reference(
    spec: TrialSpec,
    task: Task,
    objectives: Sequence[Objective],
    model: torch.nn.Module,
    features: FeatureStore,
    pad_id: int,
) -> FeatureStore:
    """The training features with what the model as it is says of them, where an objective compares with that.

    Args:
        model: the backbone, ready to be trained but not yet trained.
    """
    if not any(isinstance(each, NeedsReference) for each in objectives) or not isinstance(task, Forwards):
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
