"""Focal loss: what is known already counts less (Lin et al. 2017, arXiv:1708.02002).

Equation 5: −α (1 − p)^γ log p, p the probability of the right answer. α is the candidate's `label_weights`. Where a row
may have several labels each is a choice of its own, as in the paper. Departure: the mean is over rows (words, tokens),
weighted like the plain loss, where the paper divides by the number of its anchors that hold an object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, cast

from pydantic import BaseModel, ConfigDict, Field

from provetune.core.errors import UsageError
from provetune.core.lazy import import_later
from provetune.core.minimised import LossRun, Situation, Stage, TaskLoss
from provetune.training.answer_kinds import CLASSES, CONVERSATION, SEVERAL, TAGS, class_rows, refuse_other_kinds

if TYPE_CHECKING:
    import torch
    from torch.nn import functional
else:
    torch = import_later("torch")
    functional = import_later("torch.nn.functional")


class FocalSettings(BaseModel):
    """What `focal` adds to a candidate; the default is the paper's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    focal_gamma: Annotated[float, Field(ge=0, le=20)] = Field(
        2.0, description="The greater, the less a row counts that is answered rightly already; 0 is plain."
    )


class Focal:
    """`focal`: hard rows first."""

    name = "focal"
    summary = "Rows that are answered rightly already count less, so that rare and hard ones count more (focal loss)."
    settings: type[BaseModel] = FocalSettings
    stage: Stage = "labels"

    def check(self, situation: Situation) -> None:
        """Refuse what has no classes, or another price of an answer.

        Raises:
            UsageError: it has.
        """
        refuse_other_kinds(self.name, situation, (CLASSES, SEVERAL, TAGS, CONVERSATION), "Leave it out.")
        if "label_smoothing" in situation.objectives:
            raise UsageError(
                "The objectives 'focal' and 'label_smoothing' both say what one answer costs.", hint="Keep one of them."
            )

    def begin(self, run: LossRun, settings: BaseModel) -> FocalLoss:
        """The focal loss of this task."""
        return FocalLoss(run, cast(FocalSettings, settings).focal_gamma)


class FocalLoss:
    """In place of the task's cross-entropy."""

    def __init__(self, run: LossRun, gamma: float) -> None:
        self.run, self.gamma = run, gamma

    def task_loss(self, outputs: torch.Tensor, labels: torch.Tensor, inner: TaskLoss) -> torch.Tensor:
        """The mean over what the plain loss is a mean of."""
        if self.gamma == 0:
            return inner(outputs, labels)
        targets, weights = self.run.targets, self.run.label_weights
        if targets.kind == SEVERAL:
            return self._several(outputs.float(), labels.float(), weights)
        rows = class_rows(outputs, labels, targets, weights)
        logs = functional.log_softmax(rows.logits, dim=-1).gather(1, rows.labels[:, None])[:, 0]
        losses = -self._doubt(logs) * logs * rows.importance
        return losses.sum() / rows.importance.sum().clamp(min=1e-6)

    def _several(self, logits: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor | None) -> torch.Tensor:
        right = functional.logsigmoid(torch.where(labels > 0.5, logits, -logits))
        weighed = torch.ones_like(right) if weights is None else torch.where(labels > 0.5, weights, 1.0)
        return -(self._doubt(right) * right * weighed).mean()

    def _doubt(self, logs: torch.Tensor) -> torch.Tensor:
        """(1 − p)^γ of log p; where p is 1 to the last digit the root's slope would be endless."""
        return (-torch.expm1(logs)).clamp(min=1e-12) ** self.gamma


OBJECTIVE = Focal()
