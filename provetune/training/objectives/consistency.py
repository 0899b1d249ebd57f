"""Consistency training on rows without labels: a text and the same text disturbed are to be answered alike (UDA: Xie et
al. 2019, arXiv:1904.12848).

The loss is  L + λ · mean 1[max p > β] · KL(p_τ ‖ q),  p what the model says of an unlabelled text, without a gradient
and sharpened by τ, q what it says of the disturbed one (section 2.3 and appendix there). Departures: the paper disturbs
by translating there and back, or by words of low TF-IDF; here some tokens are masked or replaced by tokens of the batch
(`provetune.training.disturbed_tokens`), which costs nothing; and labels are not held back while the model is sure of
them (TSA). Of several labels a row each is a choice of its own; numbers are compared by squared distance, all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, cast

from pydantic import BaseModel, ConfigDict, Field

from provetune.core.errors import UsageError
from provetune.core.lazy import import_later
from provetune.core.minimised import Batch, LossRun, LossStep, Pass, RowUse, Situation, Stage
from provetune.core.seeds import derive
from provetune.training.agreement import Agreement, refuse_incomparable
from provetune.training.answer_kinds import SEVERAL, VALUES
from provetune.training.disturbed_tokens import TokenNoise
from provetune.training.other_batches import OtherBatches, count_beside

if TYPE_CHECKING:
    import torch
else:
    torch = import_later("torch")


class ConsistencySettings(BaseModel):
    """What `consistency` adds to a candidate; weight, threshold and sharpening are the paper's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    consistency_rows: str = Field("", description="File with rows without labels, read like the training file.")
    consistency_weight: Annotated[float, Field(ge=0)] = Field(
        1.0, description="Weight of the unlabelled rows' loss; 0 is plain."
    )
    consistency_threshold: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.8, description="Least probability of an answer that the disturbed text is to be answered alike."
    )
    consistency_temperature: Annotated[float, Field(gt=0, le=1)] = Field(
        0.4, description="Logits of the undisturbed text are divided by it: below 1 its answer is sharpened."
    )
    consistency_noise: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.15, description="Share of the tokens that are masked or replaced."
    )
    consistency_ratio: Annotated[float, Field(gt=0, le=20)] = Field(
        1.0, description="Unlabelled rows in a step for each labelled one."
    )


class Consistency:
    """`consistency`: the same answer to a disturbed text."""

    name = "consistency"
    summary = "Unlabelled rows: a disturbed text is to be answered like the text itself (UDA)."
    settings: type[BaseModel] = ConsistencySettings
    stage: Stage = "term"

    def check(self, situation: Situation) -> None:
        """Refuse a run without unlabelled rows, and rows without a vector of outputs.

        Raises:
            UsageError: it cannot work.
        """
        refuse_incomparable(self.name, situation)
        if situation.folder is not None and not situation.settings.get("consistency_rows"):
            raise UsageError(
                "The objective 'consistency' needs rows without labels.",
                hint="Name a file of them with consistency_rows: FILE; the training file itself will do.",
            )

    def files(self, settings: BaseModel) -> Mapping[str, str]:
        """The unlabelled rows."""
        written = cast(ConsistencySettings, settings).consistency_rows
        return {"consistency_rows": written} if written else {}

    def row_files(self, settings: BaseModel) -> Mapping[str, RowUse]:
        """Texts alone."""
        return dict.fromkeys(self.files(settings), "texts")

    def begin(self, run: LossRun, settings: BaseModel) -> Consistent:
        """Read the unlabelled rows."""
        return Consistent(run, cast(ConsistencySettings, settings))


class Consistent:
    """The loss of labelled rows, and of disturbed ones."""

    def __init__(self, run: LossRun, given: ConsistencySettings) -> None:
        self.run, self.given, self.agreement = run, given, Agreement.of(run.targets)
        if given.consistency_weight == 0:
            return
        self.unlabelled = OtherBatches.of(run, given.consistency_rows, "texts", "consistency")
        self.noise = TokenNoise.of(run.tokenizer, run.pad_id, given.consistency_noise)

    def loss(self, batch: Batch, inner: Callable[[Batch], Pass], step: LossStep) -> Pass:
        """The labelled rows' loss and how far answers to disturbed texts are from those to the texts."""
        found = inner(batch)
        given = self.given
        if given.consistency_weight == 0:
            return found
        count = max(1, count_beside(len(step.rows), given.consistency_ratio))
        plain = self.unlabelled.collate(self.unlabelled.numbers(step.number, step.part, count))
        with torch.no_grad():
            target = self.run.forward(plain)
        seed = derive(self.run.seed, "consistency noise", str(step.number), str(step.part))
        disturbed = {**plain, "input_ids": self.noise.disturb(plain["input_ids"], seed)}
        apart = self._apart(target, self.run.forward(disturbed))
        return Pass(found.loss + given.consistency_weight * apart, found.outputs)

    def _apart(self, target: torch.Tensor, outputs: torch.Tensor) -> torch.Tensor:
        """Mean over all unlabelled rows; those of unsure answers have none."""
        soft = self.given.consistency_temperature
        each = self.agreement.divergences(target, outputs, soft=soft)
        if self.agreement.kind == VALUES:
            return each.mean()
        certain = self.agreement.certainties(target)
        if self.agreement.kind == SEVERAL:
            certain = certain.amin(dim=-1)
        return (each * (certain > self.given.consistency_threshold)).mean()


OBJECTIVE = Consistency()
