"""R-Drop: two passes that differ by their dropout are to say the same (Liang et al. 2021, arXiv:2106.14448).

The loss is ½ (L₁ + L₂) + w · ½ (KL(P₁‖P₂) + KL(P₂‖P₁)), L₁ and L₂ what the passes cost by all that stands inside. The
paper adds L₁ and L₂ without halving them: that is twice this loss with α = 2 w. Of numbers the distance is squared, as
in the paper's experiments on them; `provetune.training.answer_kinds` has the other kinds of answers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, cast

from pydantic import BaseModel, ConfigDict, Field

from provetune.core.errors import UsageError
from provetune.core.lazy import import_later
from provetune.core.minimised import Batch, LossRun, LossStep, Pass, Situation, Stage
from provetune.training.answer_kinds import EVERY, divergence, refuse_other_kinds

if TYPE_CHECKING:
    import torch
else:
    torch = import_later("torch")


class RdropSettings(BaseModel):
    """What `rdrop` adds to a candidate; the default is the authors' for GLUE."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rdrop_weight: Annotated[float, Field(ge=0)] = Field(
        1.0, description="Weight of the distance between the two passes; 0 is plain, with one pass."
    )


class Rdrop:
    """`rdrop`: agree with yourself."""

    name = "rdrop"
    summary = "Two passes with different dropout; their answers are drawn together (R-Drop)."
    settings: type[BaseModel] = RdropSettings
    stage: Stage = "term"

    def check(self, situation: Situation) -> None:
        """Refuse kinds of answers between which no distance is known.

        Raises:
            UsageError: the task's is such a kind.
        """
        refuse_other_kinds(self.name, situation, EVERY, "Leave it out.")

    def compares(self, settings: BaseModel) -> bool:
        """Always, but at weight 0."""
        return cast(RdropSettings, settings).rdrop_weight > 0

    def begin(self, run: LossRun, settings: BaseModel) -> TwoPasses:
        """The term on this model.

        Raises:
            UsageError: the model drops nothing, so that both passes are equal.
        """
        given = cast(RdropSettings, settings)
        if given.rdrop_weight and not drops_anything(run.model):
            name = type(run.model).__name__
            raise UsageError(
                f"The objective 'rdrop' compares passes that differ by dropout, and {name} has none.",
                hint="Set hidden_dropout or attention_dropout above 0 where the backbone knows one, or leave it out.",
            )
        return TwoPasses(run, given.rdrop_weight)


class TwoPasses:
    """Two passes forward, one back through both."""

    def __init__(self, run: LossRun, weight: float) -> None:
        self.run, self.weight = run, weight

    def loss(self, batch: Batch, inner: Callable[[Batch], Pass], step: LossStep) -> Pass:
        """Mean loss of the two passes, and their distance."""
        if self.weight == 0:
            return inner(batch)
        first, second = inner(batch), inner(batch)
        apart = divergence(first.outputs, second.outputs, batch["labels"], self.run.targets)
        return Pass((first.loss + second.loss) / 2 + self.weight * apart, first.outputs)


def drops_anything(model: torch.nn.Module) -> bool:
    """Whether a model has dropout: modules of it, or a share in its configuration."""
    if any(isinstance(module, torch.nn.Dropout) and module.p > 0 for module in model.modules()):
        return True
    config: Any = getattr(model, "config", None)
    shares = config.to_dict() if hasattr(config, "to_dict") else {}
    return any("drop" in name and isinstance(value, float) and value > 0 for name, value in shares.items())


OBJECTIVE = Rdrop()
