"""Adversarial training whose every step up trains too: FreeLB (Zhu et al. 2019, arXiv:1909.11764).

Its algorithm 1: a random start δ₀, uniform between ± m and divided by the root of the number of disturbed numbers, then
K passes. Each gives a K-th of the gradient that the weights move by, and the gradient that moves δ within its ball. As
in the paper's section 3.4 the dropout mask is kept over the K passes, so that all of them attack one network.
Departure: sizes are shares of a text's own embeddings (`provetune.training.disturbance`), where the paper searches
absolute ones for each set.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, cast

from pydantic import BaseModel, ConfigDict, Field

from provetune.core.lazy import import_later
from provetune.core.minimised import Batch, LossRun, LossStep, Pass, Situation, Stage
from provetune.core.seeds import derive
from provetune.training.disturbance import DEFAULT_SIZE, Disturbance, Start, refuse_two_attacks
from provetune.training.draws import RepeatedDraws, generator
from provetune.training.embeddings import input_embeddings

if TYPE_CHECKING:
    import torch
else:
    torch = import_later("torch")


class FreelbSettings(BaseModel):
    """What `freelb` adds to a candidate: FGM's radius, the paper's number of steps, and a start and steps of half a
    radius, which reach its edge."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    freelb_epsilon: Annotated[float, Field(ge=0)] = Field(
        DEFAULT_SIZE, description="Radius of the ball, as a share of the length of a text's embeddings; 0 is plain."
    )
    freelb_steps: Annotated[int, Field(ge=1, le=50)] = Field(
        3, description="Passes; the weights move by the mean of their gradients."
    )
    freelb_step: Annotated[float, Field(gt=0)] = Field(0.5, description="Length of a step up, in radii.")
    freelb_start: Annotated[float, Field(ge=0, le=1)] = Field(
        0.5, description="Size of the random disturbance that the first pass has, in radii."
    )


class Freelb:
    """`freelb`: K passes, each where it hurts more, for the price of K."""

    name = "freelb"
    summary = "Adversarial: the mean gradient over several steps up of the embeddings, with one dropout mask (FreeLB)."
    settings: type[BaseModel] = FreelbSettings
    stage: Stage = "around"

    def check(self, situation: Situation) -> None:
        """Refuse another attack beside it.

        Raises:
            UsageError: there is one.
        """
        refuse_two_attacks(self.name, situation)

    def begin(self, run: LossRun, settings: BaseModel) -> FreeAttack:
        """The attack on this model.

        Raises:
            UsageError: the model has no token embeddings.
        """
        input_embeddings(run.model)
        return FreeAttack(run, cast(FreelbSettings, settings))


class FreeAttack:
    """K passes forward and back."""

    def __init__(self, run: LossRun, given: FreelbSettings) -> None:
        self.run, self.given = run, given

    def loss(self, batch: Batch, inner: Callable[[Batch], Pass], step: LossStep) -> Pass:
        """A K-th of the last pass's loss with its graph; the value is the mean over the passes."""
        given = self.given
        if given.freelb_epsilon == 0:
            return inner(batch)
        seed = derive(self.run.seed, "freelb", str(step.number), str(step.part))
        start = start_uniform(given.freelb_start * given.freelb_epsilon, seed)
        disturbance, draws = Disturbance(self.run.model, self.run.pad_id, start), RepeatedDraws(self.run.device)
        before = torch.zeros((), device=self.run.device)
        for _ in range(given.freelb_steps - 1):
            draws.rewind()
            with disturbance.felt(learned=True):
                found = inner(batch)
            share = found.loss / given.freelb_steps
            step.backward(share)
            before = before + share.detach()
            gradients = [offset.grad for offset in disturbance.offsets]
            disturbance.climb(gradients, given.freelb_step * given.freelb_epsilon, radius=given.freelb_epsilon)
        draws.rewind()
        with disturbance.felt():
            last = inner(batch)
        return Pass(before + last.loss / given.freelb_steps, last.outputs)


def start_uniform(size: float, seed: int) -> Start:
    """Draws every number of a real token's offset from ± `size` over the root of how many a row has."""
    drawn = generator(seed)

    def start(real: torch.Tensor, width: int) -> torch.Tensor:
        free = real.sum(dim=(1, 2), keepdim=True).clamp(min=1) * width
        numbers = torch.rand((*real.shape[:2], width), generator=drawn).to(real.device) * 2 - 1
        return size * numbers * real / free.sqrt()

    return start


OBJECTIVE = Freelb()
