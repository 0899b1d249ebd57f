"""Knowledge distillation from a bundle: a teacher's probabilities beside the gold labels (Hinton et al. 2015,
arXiv:1503.02531).

The loss of a batch is  g · L(gold) + (1 − g) · T² · KL(p_T ‖ q_T),  p and q the teacher's and the model's probabilities
at temperature T. Hinton writes cross-entropy in the place of KL, which has the same gradient. T² keeps the two parts'
gradients of one size whatever T is (section 2.1 there). Of several labels a row each is a choice of its own; numbers
are compared by squared distance in units of their spread, without a temperature.

What the teacher says is asked once, kept in the cache, and matched by label names; it may have another tokenizer,
another backbone, or none. Where words are labelled, those that both tokenizers begin a piece with are compared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, cast

from pydantic import BaseModel, ConfigDict, Field

from provetune.core.errors import UsageError
from provetune.core.minimised import Batch, LossRun, LossStep, Pass, Situation, Stage
from provetune.training.agreement import WITH_WORDS, Agreement, refuse_incomparable
from provetune.training.answer_kinds import VALUES
from provetune.training.teaching import teacher_of


class DistilSettings(BaseModel):
    """What `distil` adds to a candidate. The paper gives gold labels a "considerably lower weight" and finds
    temperatures between 1 and 20 best, the lower the smaller the student."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    distil_from: str = Field("", description="Folder of the bundle that teaches.")
    distil_temperature: Annotated[float, Field(gt=0)] = Field(
        2.0, description="Both sides' logits are divided by it: the higher, the more the unlikely labels count."
    )
    distil_gold: Annotated[float, Field(ge=0, le=1)] = Field(
        0.1, description="Weight of the gold labels; the teacher has the rest. 1 is plain."
    )


class Distil:
    """`distil`: a teacher's probabilities in place of most of the labels."""

    name = "distil"
    summary = "Knowledge distillation: learn a bundle's probabilities beside the gold labels (Hinton)."
    settings: type[BaseModel] = DistilSettings
    stage: Stage = "term"

    def check(self, situation: Situation) -> None:
        """Refuse a teacher that is not named, and rows without a vector of outputs.

        Raises:
            UsageError: it cannot work.
        """
        refuse_incomparable(self.name, situation, WITH_WORDS)
        if situation.folder is not None and not situation.settings.get("distil_from"):
            raise UsageError(
                "The objective 'distil' needs a teacher.", hint="Name a bundle's folder with distil_from: FOLDER."
            )

    def files(self, settings: BaseModel) -> Mapping[str, str]:
        """The teacher's folder."""
        return self.bundles(settings)

    def bundles(self, settings: BaseModel) -> Mapping[str, str]:
        """The teacher."""
        written = cast(DistilSettings, settings).distil_from
        return {"distil_from": written} if written else {}

    def begin(self, run: LossRun, settings: BaseModel) -> Taught:
        """Ask the teacher about the rows, or find what it said."""
        return Taught(run, cast(DistilSettings, settings))


class Taught:
    """The loss with a teacher in it."""

    def __init__(self, run: LossRun, given: DistilSettings) -> None:
        self.given, self.agreement = given, Agreement.of(run.targets)
        self.teacher = teacher_of(run, given.distil_from) if given.distil_gold < 1 else None

    def loss(self, batch: Batch, inner: Callable[[Batch], Pass], step: LossStep) -> Pass:
        """Gold and soft labels, weighted."""
        found = inner(batch)
        if self.teacher is None:
            return found
        gold, temperature = self.given.distil_gold, self.given.distil_temperature
        told, said = self.teacher.beside(found.outputs, batch, step.rows)
        apart = self.agreement.divergences(told, said, temperature=temperature).sum() / max(1, len(told))
        if self.agreement.kind != VALUES:
            apart = apart * temperature**2
        return Pass(gold * found.loss + (1 - gold) * apart, found.outputs)


OBJECTIVE = Distil()
