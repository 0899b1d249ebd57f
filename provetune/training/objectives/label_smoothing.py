"""Label smoothing: no label is quite certain (Szegedy et al. 2016, arXiv:1512.00567, section 7).

The right class keeps 1 − ε of the probability, ε is spread over all classes alike; where a row may have several labels,
each is a choice of two, so a label that is there counts 1 − ε/2 and one that is not ε/2. Weights of labels weigh their
term of the sum, as in torch. Texts to be written are smoothed by their task's own option, which this leaves alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, cast

from pydantic import BaseModel, ConfigDict, Field

from provetune.core.errors import UsageError
from provetune.core.lazy import import_later
from provetune.core.minimised import LossRun, Situation, Stage, TaskLoss
from provetune.training.answer_kinds import (
    CLASSES,
    CONVERSATION,
    SEVERAL,
    TAGS,
    TRANSLATED,
    class_rows,
    refuse_other_kinds,
)

if TYPE_CHECKING:
    import torch
    from torch.nn import functional
else:
    torch = import_later("torch")
    functional = import_later("torch.nn.functional")


class LabelSmoothingSettings(BaseModel):
    """What `label_smoothing` adds to a candidate; the default is the paper's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.1, description="Share of a label's probability that is spread over all labels; 0 is plain."
    )


class LabelSmoothing:
    """`label_smoothing`: softer targets."""

    name = "label_smoothing"
    summary = "Spreads a share of each label's probability over all labels, against overconfidence."
    settings: type[BaseModel] = LabelSmoothingSettings
    stage: Stage = "labels"

    def check(self, situation: Situation) -> None:
        """Refuse what has no classes, or is smoothed already.

        Raises:
            UsageError: it cannot be smoothed.
        """
        if situation.kind == TRANSLATED:
            raise UsageError(
                f"Texts of the task '{situation.task}' are smoothed by an option of the task, not by an objective.",
                hint="Set options: {label_smoothing: 0.1}, which is its default, and leave the objective out.",
            )
        refuse_other_kinds(self.name, situation, (CLASSES, SEVERAL, TAGS, CONVERSATION), "Leave it out.")
        if "focal" in situation.objectives:
            raise UsageError(
                "The objectives 'label_smoothing' and 'focal' both say what one answer costs.", hint="Keep one of them."
            )

    def begin(self, run: LossRun, settings: BaseModel) -> SmoothedLoss:
        """The smoothed loss of this task."""
        return SmoothedLoss(run, cast(LabelSmoothingSettings, settings).label_smoothing)


class SmoothedLoss:
    """In place of the task's cross-entropy."""

    def __init__(self, run: LossRun, share: float) -> None:
        self.run, self.share = run, share

    def task_loss(self, outputs: torch.Tensor, labels: torch.Tensor, inner: TaskLoss) -> torch.Tensor:
        """The mean over what the plain loss is a mean of."""
        if self.share == 0:
            return inner(outputs, labels)
        targets, weights = self.run.targets, self.run.label_weights
        if targets.kind == SEVERAL:
            wanted = labels.float() * (1 - self.share) + self.share / 2
            return functional.binary_cross_entropy_with_logits(outputs.float(), wanted, pos_weight=weights)
        rows = class_rows(outputs, labels, targets, weights)
        summed = functional.cross_entropy(
            rows.logits, rows.labels, weight=rows.weights, label_smoothing=self.share, reduction="sum"
        )
        return summed / rows.importance.sum().clamp(min=1e-6)


OBJECTIVE = LabelSmoothing()
