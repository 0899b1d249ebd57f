"""Learning without Forgetting: what the model said about the new rows before it learned them is kept (Li & Hoiem 2016,
arXiv:1606.09282).

The bundle that the run begins with is asked about the training rows; its probabilities of the labels that it knew are
the targets of a second loss,  λ · −Σ y′ log ŷ′,  where y′ and ŷ′ are probabilities to the power 1/T, normalised
(equations 2 and 3). No row of earlier data is needed. Departure: the paper has an output layer for each task; here old
and new labels stand in one, and the second loss looks at the old ones alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, cast

from pydantic import BaseModel, ConfigDict, Field

from provetune.core.errors import UsageError
from provetune.core.minimised import Batch, LossRun, LossStep, Pass, Situation, Stage
from provetune.training.agreement import WITH_WORDS, Agreement, refuse_incomparable
from provetune.training.answer_kinds import VALUES
from provetune.training.teaching import Teaches, teacher_of


class LwfSettings(BaseModel):
    """What `lwf` adds to a candidate; the defaults are the paper's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lwf_strength: Annotated[float, Field(ge=0)] = Field(
        1.0, description="Weight of what the model said before it learned; 0 is plain."
    )
    lwf_temperature: Annotated[float, Field(gt=0)] = Field(
        2.0, description="Both sides' logits are divided by it: above 1 the unlikely labels count more."
    )


class Lwf:
    """`lwf`: keep the old labels' probabilities, by the new rows alone."""

    name = "lwf"
    summary = "Continual learning without old rows: keep what the model said of its old labels (LwF)."
    settings: type[BaseModel] = LwfSettings
    stage: Stage = "term"

    def check(self, situation: Situation) -> None:
        """Refuse a run that does not go on from a bundle.

        Raises:
            UsageError: it cannot work.
        """
        refuse_incomparable(self.name, situation, WITH_WORDS)
        if situation.folder is not None and not situation.settings.get("keep_head"):
            raise UsageError(
                "The objective 'lwf' keeps what an earlier model knew, and the candidate begins with a new head.",
                hint="Name the earlier bundle: backbone: FOLDER, keep_head: true.",
            )

    def begin(self, run: LossRun, settings: BaseModel) -> Kept:
        """Ask the bundle that the run begins with.

        Raises:
            UsageError: there is none.
        """
        return Kept(run, cast(LwfSettings, settings))


class Kept:
    """The loss with the earlier model in it."""

    def __init__(self, run: LossRun, given: LwfSettings) -> None:
        self.given, self.agreement = given, Agreement.of(run.targets)
        self.teacher: Teaches | None = None
        if given.lwf_strength > 0:
            if run.start is None:
                raise UsageError("The objective 'lwf' needs a run that begins with a bundle and its head.")
            self.teacher = teacher_of(run, run.start)

    def loss(self, batch: Batch, inner: Callable[[Batch], Pass], step: LossStep) -> Pass:
        """The new rows' loss and that of the old labels."""
        found = inner(batch)
        if self.teacher is None:
            return found
        temperature = self.given.lwf_temperature
        told, said = self.teacher.beside(found.outputs, batch, step.rows)
        each = self.agreement.divergences(told, said, temperature=temperature)
        if self.agreement.kind != VALUES:
            # The cross-entropy of the paper: the entropy of its targets is a constant beside the divergence.
            each = each + self.agreement.entropies(told / temperature)
        return Pass(found.loss + self.given.lwf_strength * each.sum() / max(1, len(told)), found.outputs)


OBJECTIVE = Lwf()
