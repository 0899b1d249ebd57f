"""Supervised contrastive learning beside the plain loss (Gunel et al. 2020, arXiv:2011.01403).

(1 − λ) L + λ S: S draws texts of one label together among all texts of the batch (Khosla et al. 2020, arXiv:2004.11362,
the sum outside of the logarithm), on the vector that the head decides by, brought to length one. S is the mean over
texts that another one of their label stands beside; of passes that differ by dropout (`rdrop` inside) all vectors are
views of their text. Departure: Gunel et al. take the encoder's vector, which is the same one where the head is one
layer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, cast

from pydantic import BaseModel, ConfigDict, Field

from provetune.core.errors import UsageError
from provetune.core.lazy import import_later
from provetune.core.minimised import Batch, LossRun, LossStep, Pass, Situation, Stage
from provetune.training.answer_kinds import CLASSES, ORDERED, refuse_other_kinds
from provetune.training.pooled import PooledVectors

if TYPE_CHECKING:
    import torch
    from torch.nn import functional
else:
    torch = import_later("torch")
    functional = import_later("torch.nn.functional")


class SupconSettings(BaseModel):
    """What `supcon` adds to a candidate; the defaults are what Gunel et al. find best with few rows."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    supcon_weight: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.9, description="Share λ of the contrastive loss in the sum; the plain one has the rest. 0 is plain."
    )
    supcon_temperature: Annotated[float, Field(gt=0)] = Field(
        0.3, description="Cosines are divided by it: the lower, the more the nearest texts of other labels count."
    )


class Supcon:
    """`supcon`: texts of one label stand together."""

    name = "supcon"
    summary = "Draws the vectors of texts with one label together, beside the plain loss (supervised contrastive)."
    settings: type[BaseModel] = SupconSettings
    stage: Stage = "term"

    def check(self, situation: Situation) -> None:
        """Refuse rows that have no label in common, or no label of their own.

        Raises:
            UsageError: there is nothing to draw together.
        """
        refuse_other_kinds(self.name, situation, (CLASSES, ORDERED), "Leave it out.")
        if "mixup" in situation.objectives:
            raise UsageError(
                "The objective 'supcon' draws texts of one label together, and 'mixup' leaves none with one label.",
                hint="Keep one of them.",
            )
        if situation.counts and max(situation.counts) < 2:
            raise UsageError(
                "The objective 'supcon' needs two training rows of a label, and every label has one.",
                hint="Add rows, or take objective: plain.",
            )

    def begin(self, run: LossRun, settings: BaseModel) -> ContrastedLabels:
        """The term on this model."""
        return ContrastedLabels(run, cast(SupconSettings, settings))


class ContrastedLabels:
    """What stands inside, and the contrastive loss of its own vectors: no pass more."""

    def __init__(self, run: LossRun, given: SupconSettings) -> None:
        self.given, self.vectors = given, PooledVectors(run.model)

    def loss(self, batch: Batch, inner: Callable[[Batch], Pass], step: LossStep) -> Pass:
        """Both, each with its share."""
        share = self.given.supcon_weight
        if share == 0:
            return inner(batch)
        with self.vectors.caught(batch) as views:
            found = inner(batch)
        labels = batch["labels"].repeat(len(views))
        contrast = contrastive_loss(torch.cat(views), labels, self.given.supcon_temperature)
        return Pass((1 - share) * found.loss + share * contrast, found.outputs)


def contrastive_loss(vectors: torch.Tensor, labels: torch.Tensor, temperature: float) -> torch.Tensor:
    """Equation 2 of Khosla et al., the mean over rows that another row has the label of; nought where there is none.

    Args:
        vectors: (N, D), of any length.
        labels: (N,); rows below 0 are left out.
        temperature: divides the cosines.
    """
    known = labels >= 0
    if known.sum() < 2:
        return vectors.sum() * 0.0
    # Never in bf16: near cosines divided by a temperature could not be told apart.
    with torch.autocast(vectors.device.type, enabled=False):
        units = functional.normalize(vectors[known].float(), dim=1)
        cosines = units @ units.T / temperature
    itself = torch.eye(len(cosines), dtype=torch.bool, device=cosines.device)
    logs = functional.log_softmax(cosines.masked_fill(itself, -torch.inf), dim=1).masked_fill(itself, 0.0)
    alike = (labels[known][:, None] == labels[known][None, :]) & ~itself
    friends = alike.sum(dim=1)
    losses = -(logs * alike).sum(dim=1) / friends.clamp(min=1)
    return losses[friends > 0].sum() / (friends > 0).sum().clamp(min=1)


OBJECTIVE = Supcon()
