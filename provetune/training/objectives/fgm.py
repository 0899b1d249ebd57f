"""Adversarial training by one step: the fast gradient method on embeddings (Miyato et al. 2016, arXiv:1605.07725).

The loss of a batch is followed by that of the batch moved by r = ε g / ‖g‖, g the gradient of the first loss for the
embeddings of each text; both are summed. Departure: the paper normalises the embeddings, so that a model cannot escape
by making them longer; a pretrained model would not know them any more, so ε is a share of their length instead
(`provetune.training.disturbance`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, cast

from pydantic import BaseModel, ConfigDict, Field

from provetune.core.minimised import Batch, LossRun, LossStep, Pass, Situation, Stage
from provetune.training.disturbance import DEFAULT_SIZE, Disturbance, refuse_two_attacks
from provetune.training.embeddings import input_embeddings


class FgmSettings(BaseModel):
    """What `fgm` adds to a candidate; the defaults are the paper's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fgm_epsilon: Annotated[float, Field(ge=0)] = Field(
        DEFAULT_SIZE, description="Length of the step, as a share of the length of a text's embeddings; 0 is plain."
    )
    fgm_weight: Annotated[float, Field(ge=0)] = Field(
        1.0, description="Weight of the disturbed loss beside the plain one; 0 is plain."
    )


class Fgm:
    """`fgm`: the batch, and the batch moved where it hurts."""

    name = "fgm"
    summary = "Adversarial: adds the loss after one step of the embeddings along its gradient (FGM)."
    settings: type[BaseModel] = FgmSettings
    stage: Stage = "around"

    def check(self, situation: Situation) -> None:
        """Refuse another attack beside it.

        Raises:
            UsageError: there is one.
        """
        refuse_two_attacks(self.name, situation)

    def begin(self, run: LossRun, settings: BaseModel) -> OneStepAttack:
        """The attack on this model.

        Raises:
            UsageError: the model has no token embeddings.
        """
        input_embeddings(run.model)
        return OneStepAttack(run, cast(FgmSettings, settings))


class OneStepAttack:
    """Two passes forward and two back."""

    def __init__(self, run: LossRun, given: FgmSettings) -> None:
        self.run, self.given = run, given

    def loss(self, batch: Batch, inner: Callable[[Batch], Pass], step: LossStep) -> Pass:
        """The disturbed loss with its graph; the plain one, whose gradient is there already, is in its value."""
        if self.given.fgm_epsilon == 0 or self.given.fgm_weight == 0:
            return inner(batch)
        disturbance = Disturbance(self.run.model, self.run.pad_id)
        with disturbance.felt(learned=True):
            plain = inner(batch)
        step.backward(plain.loss)
        disturbance.climb([offset.grad for offset in disturbance.offsets], self.given.fgm_epsilon)
        with disturbance.felt():
            hurt = inner(batch)
        return Pass(plain.loss.detach() + self.given.fgm_weight * hurt.loss, hurt.outputs)


OBJECTIVE = Fgm()
