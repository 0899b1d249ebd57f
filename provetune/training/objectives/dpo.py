"""Direct preference optimisation: the chosen answer is to gain on the rejected one, as `training.preference` says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, cast

from pydantic import BaseModel, ConfigDict, Field

from provetune.core.errors import UsageError
from provetune.core.minimised import Batch, LossRun, LossStep, Pass, Situation, Stage
from provetune.training.preference import CHOSEN, PREFIX, REJECTED, both_log_probabilities, dpo_loss

PAIRS = "preference"
"""`Targets.kind` of rows with a chosen and a rejected answer."""


class DpoSettings(BaseModel):
    """What `dpo` adds to a candidate."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    beta: Annotated[float, Field(gt=0)] = Field(
        0.1, description="How much a departure from the model before training counts: the greater, the less it departs."
    )
    doubt: Annotated[float, Field(ge=0, lt=0.5)] = Field(
        0.0, description="Share of the pairs that may have been labelled the wrong way round."
    )
    likelihood: Annotated[float, Field(ge=0)] = Field(
        0.0, description="Weight of the plain loss of the chosen answer, added so that it does not lose likelihood."
    )


class Dpo:
    """`dpo`: which of two answers is better, in place of what is said."""

    name = "dpo"
    summary = "Preference pairs: the chosen answer gains likelihood against the rejected one (DPO)."
    settings: type[BaseModel] = DpoSettings
    stage: Stage = "base"
    reference = (CHOSEN, REJECTED)
    metric = "preference_accuracy"

    def check(self, situation: Situation) -> None:
        """Refuse rows that are no pairs.

        Raises:
            UsageError: they are not.
        """
        if situation.kind != PAIRS:
            raise UsageError(
                "The objective 'dpo' learns from pairs of a chosen and a rejected answer. The rows have one answer.",
                hint="Name the column with data.columns.rejected, or take objective: plain.",
            )

    def begin(self, run: LossRun, settings: BaseModel) -> PairLoss:
        """The loss with these settings."""
        return PairLoss(run, cast(DpoSettings, settings))


class PairLoss:
    """Mean DPO loss of the batch's pairs."""

    def __init__(self, run: LossRun, given: DpoSettings) -> None:
        self.run, self.given = run, given

    def loss(self, batch: Batch, inner: Callable[[Batch], Pass], step: LossStep) -> Pass:
        """The pairs' loss, and the plain loss of the chosen answers where it has a weight.

        Raises:
            UsageError: the batch has no pairs, or no reference for them.
        """
        if f"{PREFIX}input_ids" not in batch or CHOSEN not in batch:
            raise UsageError("The objective 'dpo' needs pairs of answers and what the reference says of them.")
        chosen, rejected, outputs = both_log_probabilities(self.run.forward, batch)
        loss = dpo_loss(chosen, rejected, batch[CHOSEN], batch[REJECTED], beta=self.given.beta, doubt=self.given.doubt)
        if self.given.likelihood:
            loss = loss + self.given.likelihood * self.run.task_loss(outputs, batch["labels"])
        return Pass(loss, outputs)


OBJECTIVE = Dpo()
