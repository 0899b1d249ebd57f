"""A candidate that begins where a bundle ended, head and all (``keep_head``): refused where their labels differ."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from provetune.core.errors import UsageError

if TYPE_CHECKING:
    import torch

    from provetune.core.protocols import Method, Targets, Task
    from provetune.models.backbones import Backbone

MERGED = "transformers"
NUMBERS = "regression"


def refuse_unfit_start(backbone: Backbone | None, method: Method, task: Task, targets: Targets) -> None:
    """Refuse ``keep_head`` where there is no head to keep.

    Raises:
        UsageError: the method trains none, the backbone is no bundle of this task, or it has labels that the rows lack.
    """
    from provetune.models.bundle import open_bundle
    from provetune.models.bundle.record import RECORD

    if backbone is None or method.learns_from != "weights":
        raise UsageError(
            f"The method '{method.name}' trains no output layer that could be kept.",
            hint="Take method: full or lora, or leave keep_head out.",
        )
    if not (backbone.path / RECORD).is_file():
        raise UsageError(
            f"keep_head goes on with the output layer of a bundle, and '{backbone.name}' is none.",
            hint="Name a bundle's folder as backbone.",
        )
    bundle = open_bundle(backbone.path, verify=False)
    if bundle.kind != MERGED:
        raise UsageError(
            f"The bundle '{backbone.name}' is of the kind '{bundle.kind}', whose output layer stands apart.",
            hint="Take one of a method that merges: full, lora.",
        )
    if bundle.task != task.name or bundle.targets.kind != targets.kind:
        raise UsageError(
            f"The bundle '{backbone.name}' answers '{bundle.task}' ({bundle.targets.kind}); "
            f"the rows are '{task.name}' ({targets.kind}).",
            hint="Without keep_head its output layer is made anew.",
        )
    if "id2label" not in task.head(targets):
        raise UsageError(
            f"Models of the task '{task.name}' have no output layer of their own.",
            hint="Leave keep_head out: a bundle as backbone goes on with all of its weights.",
        )
    lost = [name for name in bundle.targets.names if name not in targets.names]
    if lost:
        more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
        raise UsageError(
            f"The bundle '{backbone.name}' knows the label '{lost[0]}'{more}, which the training rows do not have.",
            hint="Name such labels in options.labels, or leave keep_head out.",
        )


def keep_head(model: torch.nn.Module, path: Path, targets: Targets) -> None:
    """Give the model the bundle's rows of its output layer, before the task prepares it.

    Args:
        path: the bundle's folder.
    """
    from provetune.models.kept_head import keep_output_rows

    numbers = targets.kind == NUMBERS
    keep_output_rows(
        model,
        path,
        scale=targets.tuned["scale"] if numbers else None,
        shift=targets.tuned["mean"] if numbers else None,
    )
