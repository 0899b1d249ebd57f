"""Backbones of methods that work with other models than their task's methods do."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from provetune.core.errors import UsageError
from provetune.core.little_data import ChoosesBackbone

if TYPE_CHECKING:
    from provetune.core.protocols import Task
    from provetune.models.backbones import Backbone
    from provetune.models.catalogue import Kind
    from provetune.problem.syntax import Candidate


def with_named_backbone(candidate: Candidate) -> Candidate:
    """The candidate with the backbone that its method's own settings name, if they do."""
    method, settings = _method_of(candidate)
    named = method.named_backbone(settings) if isinstance(method, ChoosesBackbone) else None
    return candidate if named is None else candidate.model_copy(update={"backbone": named})


def kind_of_backbone(candidate: Candidate, task: Task) -> Kind:
    """The kind of architecture to look for."""
    from provetune.models import catalogue, own

    method, settings = _method_of(candidate)
    if not isinstance(method, ChoosesBackbone):
        return catalogue.kind_for(task.auto_class)
    kinds = method.backbone_kinds(settings)
    if candidate.backbone in catalogue.names():
        entry = catalogue.find_entry(candidate.backbone)
        return entry.kind if entry.kind in kinds else kinds[0]
    if candidate.backbone in own.names():
        made: Kind = own.read_origin(candidate.backbone)["model"]["kind"]
        return made if made in kinds else kinds[0]
    return kinds[0]


def refuse_unfit_backbone(candidate: Candidate, backbone: Backbone, where: Callable[[str], str]) -> None:
    """Refuse a backbone that lacks what the candidate's method needs.

    Args:
        where: the place of a field of the candidate in the problem file.

    Raises:
        UsageError: it does.
    """
    method, settings = _method_of(candidate)
    if not isinstance(method, ChoosesBackbone):
        return
    try:
        method.check_backbone(backbone.path, backbone.name, settings)
    except UsageError as error:
        raise UsageError(error.message, where=where("backbone"), hint=error.hint) from error


def _method_of(candidate: Candidate) -> tuple[object, Any]:
    from provetune.models.methods import METHODS

    method = METHODS.get(candidate.method)
    if not isinstance(method, ChoosesBackbone):
        return method, None
    own = {name: value for name, value in candidate.extra.items() if name in method.settings.model_fields}
    return method, method.settings.model_validate(own)
