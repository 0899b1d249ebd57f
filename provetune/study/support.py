"""What goes together: method, objectives, task and family of backbone, known before any work is done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provetune.core.errors import UsageError
from provetune.core.minimised import ChecksRows, ComparesPasses, HasLimits, Situation
from provetune.study.families import refuse_family
from provetune.study.objectives import named, objectives_with_settings

if TYPE_CHECKING:
    import pyarrow as pa
    from pydantic import BaseModel

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


def refuse_unfit_parts(
    candidate: Candidate, settings: BaseModel, backbone: Backbone | None, task: Task, where: Callable[..., str]
) -> None:
    """Refuse what a candidate names inside of its backbone and the backbone does not have.

    Dropouts by name; layers by name; and, for objectives that compare passes, any dropout at all. The backbone's
    configuration is asked, its weights are not read; nothing is loaded where nothing is named.

    Args:
        settings: of the method.
        where: the place of a field of the candidate in the problem file.

    Raises:
        UsageError: it does not have one.
    """
    from provetune.models.adapted_layers import check_targets
    from provetune.models.dropouts import check_dropouts, drops_anything, named_dropouts

    if backbone is None:
        return
    written = named_dropouts(candidate.model_dump())
    for name, share in written.items():
        _told_at(where(name), partial(check_dropouts, backbone.path, {name: share}))
    targets = getattr(settings, "targets", "all")
    if not isinstance(targets, str):
        _told_at(where("targets"), partial(check_targets, backbone.path, task.auto_class, targets))
    if getattr(settings, "dropout", 0.0) > 0:
        return  # what the method adds drops something
    for objective, given in objectives_with_settings(candidate.objective, candidate.extra):
        if not isinstance(objective, ComparesPasses) or not objective.compares(given):
            continue
        if not drops_anything(backbone.path, written):
            raise UsageError(
                f"The objective '{objective.name}' compares passes that differ by dropout, and '{backbone.name}' "
                "drops nothing.",
                where=where("objective"),
                hint="Set hidden_dropout or attention_dropout above 0 where the backbone knows one, or leave it out.",
            )


def refuse_unfit_rows(
    plugins: Iterable[tuple[object, Any]], examples: pa.Table, folder: Path, where: Callable[[str], str]
) -> None:
    """Refuse training rows in which an objective would find nothing to do.

    Args:
        plugins: method and objectives, each with its settings.
        examples: the training rows (N).
        folder: the problem file's.
        where: the place of a field of the candidate in the problem file.

    Raises:
        UsageError: it would not.
    """
    for plugin, settings in plugins:
        if isinstance(plugin, ChecksRows):
            _told_at(where("objective"), partial(plugin.check_rows, settings, examples, folder))


def _told_at(where: str, check: Callable[[], None]) -> None:
    try:
        check()
    except UsageError as error:
        raise UsageError(error.message, where=where, hint=error.hint) from error


def _ask(field: str, plugin: object, situation: Situation, where: Callable[..., str]) -> None:
    if not isinstance(plugin, HasLimits):
        return
    try:
        plugin.check(situation)
    except UsageError as error:
        raise UsageError(error.message, where=error.where or where(field), hint=error.hint) from error
