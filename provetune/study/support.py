"""What goes together: method, objectives, task and family of backbone, known before any work is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provetune.core.errors import UsageError
from provetune.core.minimised import HasLimits, Situation
from provetune.study.families import refuse_family
from provetune.study.objectives import named

if TYPE_CHECKING:
    from provetune.core.protocols import Targets, Task
    from provetune.models.backbones import Backbone
    from provetune.problem.syntax import Candidate


def situation_of(
    candidate: Candidate,
    task: Task,
    targets: Targets,
    *,
    family: str,
    settings: Mapping[str, Any],
    columns: tuple[str, ...],
    rows: int,
    folder: Path | None,
    layers: int = 0,
) -> Situation:
    """What a candidate is about to be.

    Args:
        family: the backbone's ``model_type``, empty where there is none.
        settings: its fields, defaults filled in.
        layers: of the backbone; 0 where that is not known.
    """
    from provetune.models.methods import METHODS

    method = METHODS.get(candidate.method)
    return Situation(
        task=task.name,
        kind=targets.kind,
        classes=len(targets.names),
        counts=tuple(targets.counts),
        method=method.name,
        learns_from=method.learns_from,
        objectives=tuple(candidate.objectives),
        family=family,
        settings=settings,
        columns=columns,
        rows=rows,
        folder=folder,
        labels=tuple(targets.names),
        layers=layers,
    )


def refuse_unsupported(situation: Situation, where: Callable[..., str] = lambda *keys: ".".join(keys)) -> None:
    """Refuse a candidate whose method or objectives cannot work in its situation.

    Args:
        where: the place of a field of the candidate in the problem file.

    Raises:
        UsageError: one cannot; says which, and what would.
    """
    from provetune.models.methods import METHODS
    from provetune.tasks import TASKS

    method = METHODS.get(situation.method)
    try:
        refuse_family(method, TASKS.get(situation.task), situation.family)
    except UsageError as error:
        raise UsageError(error.message, where=where("backbone"), hint=error.hint) from error
    _ask("method", method, situation, where)
    for objective in named(situation.objectives):
        _ask("objective", objective, situation, where)


def refuse_unknown_dropouts(candidate: Candidate, backbone: Backbone | None, where: Callable[..., str]) -> None:
    """Refuse a dropout that a candidate's backbone does not know.

    Args:
        where: the place of a field of the candidate in the problem file.

    Raises:
        UsageError: it does not.
    """
    from provetune.models.dropouts import check_dropouts, named_dropouts

    for name, share in named_dropouts(candidate.model_dump()).items():
        if backbone is None:
            continue
        try:
            check_dropouts(backbone.path, {name: share})
        except UsageError as error:
            raise UsageError(error.message, where=where(name), hint=error.hint) from error


def _ask(field: str, plugin: object, situation: Situation, where: Callable[..., str]) -> None:
    if not isinstance(plugin, HasLimits):
        return
    try:
        plugin.check(situation)
    except UsageError as error:
        raise UsageError(error.message, where=error.where or where(field), hint=error.hint) from error
