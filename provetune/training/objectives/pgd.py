"""Adversarial training by several steps: projected gradient descent (Madry et al. 2017, arXiv:1706.06083).

The loss is that of the worst place that K steps up find within a ball around the embeddings of each text, begun at a
random place in it: the paper's min-max (its equation 2.1), in the Euclidean ball that suits embeddings. The plain loss
is no part of it. Sizes are shares of a text's own embeddings (`provetune.training.disturbance`); what is drawn comes of
the seed and the step alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, cast

from pydantic import BaseModel, ConfigDict, Field

from provetune.core.lazy import import_later
from provetune.core.minimised import Batch, LossRun, LossStep, Pass, Situation, Stage
from provetune.core.seeds import derive
from provetune.training.disturbance import DEFAULT_SIZE, Disturbance, Start, refuse_two_attacks
from provetune.training.draws import generator
from provetune.training.embeddings import input_embeddings

if TYPE_CHECKING:
    import torch
else:
    torch = import_later("torch")


class PgdSettings(BaseModel):
    """What `pgd` adds to a candidate: FGM's radius, and steps of about 2.5 radii in all, as the paper takes them
    in the Euclidean ball."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pgd_epsilon: Annotated[float, Field(ge=0)] = Field(
        DEFAULT_SIZE, description="Radius of the ball, as a share of the length of a text's embeddings; 0 is plain."
    )
    pgd_steps: Annotated[int, Field(ge=1, le=50)] = Field(
        3, description="Steps up; each is a pass forward and back for the embeddings alone."
    )
    pgd_step: Annotated[float, Field(gt=0)] = Field(0.8, description="Length of a step, in radii.")


class Pgd:
    """`pgd`: the batch where it hurts most."""

    name = "pgd"
    summary = "Adversarial: the loss at the worst embeddings that several projected steps find (PGD)."
    settings: type[BaseModel] = PgdSettings
    stage: Stage = "around"

    def check(self, situation: Situation) -> None:
        """Refuse another attack beside it.

        Raises:
            UsageError: there is one.
        """
        refuse_two_attacks(self.name, situation)

    def begin(self, run: LossRun, settings: BaseModel) -> ProjectedAttack:
        """The attack on this model.

        Raises:
            UsageError: the model has no token embeddings.
        """
        input_embeddings(run.model)
        return ProjectedAttack(run, cast(PgdSettings, settings))


class ProjectedAttack:
    """K + 1 passes."""

    def __init__(self, run: LossRun, given: PgdSettings) -> None:
        self.run, self.given = run, given

    def loss(self, batch: Batch, inner: Callable[[Batch], Pass], step: LossStep) -> Pass:
        """The loss at the place found."""
        given = self.given
        if given.pgd_epsilon == 0:
            return inner(batch)
        seed = derive(self.run.seed, "pgd", str(step.number), str(step.part))
        disturbance = Disturbance(self.run.model, self.run.pad_id, start_in_ball(given.pgd_epsilon, seed))
        for _ in range(given.pgd_steps):
            with disturbance.felt(learned=True):
                found = inner(batch)
            gradients = torch.autograd.grad(found.loss, disturbance.offsets, allow_unused=True)
            disturbance.climb(gradients, given.pgd_step * given.pgd_epsilon, radius=given.pgd_epsilon)
        with disturbance.felt():
            return inner(batch)


def start_in_ball(radius: float, seed: int) -> Start:
    """Draws a place in the ball around each row, all places alike."""
    drawn = generator(seed)

    def start(real: torch.Tensor, width: int) -> torch.Tensor:
        free = real.sum(dim=(1, 2), keepdim=True).clamp(min=1) * width
        directions = torch.randn((*real.shape[:2], width), generator=drawn).to(real.device) * real
        lengths = torch.linalg.vector_norm(directions, dim=(1, 2), keepdim=True).clamp(min=1e-30)
        outwards = torch.rand((len(real), 1, 1), generator=drawn).to(real.device) ** (1 / free)
        found: torch.Tensor = radius * outwards * directions / lengths
        return found

    return start


OBJECTIVE = Pgd()
