"""Self-training on rows without labels: what the model is sure of becomes their label (Lee 2013, "Pseudo-Label: the
simple and efficient semi-supervised learning method").

The loss is  L + α(t) · L′,  L′ that of unlabelled rows whose labels are the model's own most probable ones in the same
pass (equations 15 and 16): nought before T₁, rising in a straight line to α at T₂. Departures: only answers of at least
the threshold count, as in FixMatch (Sohn et al. 2020, arXiv:2001.07685), L′ being the mean over all unlabelled rows of
the step; and the labels may come from a bundle instead, asked once before training.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, cast

from pydantic import BaseModel, ConfigDict, Field, model_validator

from provetune.core.errors import UsageError
from provetune.core.lazy import import_later
from provetune.core.minimised import Batch, LossRun, LossStep, Pass, RowUse, Situation, Stage
from provetune.training.agreement import Agreement, refuse_incomparable
from provetune.training.answer_kinds import CLASSES, ORDERED, SEVERAL
from provetune.training.other_batches import OtherBatches, count_beside

if TYPE_CHECKING:
    import torch
    from torch.nn import functional
else:
    torch = import_later("torch")
    functional = import_later("torch.nn.functional")


class PseudoLabelsSettings(BaseModel):
    """What `pseudo_labels` adds to a candidate. Lee ends at a weight of 3 without a threshold; FixMatch has 1 with
    0.95, which is taken here."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pseudo_labels_rows: str = Field("", description="File with rows without labels, read like the training file.")
    pseudo_labels_from: str = Field(
        "", description="Folder of a bundle that labels them; left out, the model does so itself while it learns."
    )
    pseudo_labels_threshold: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.95, description="Least probability of an answer that is taken for a label."
    )
    pseudo_labels_weight: Annotated[float, Field(ge=0)] = Field(
        1.0, description="Weight of the unlabelled rows' loss once the ramp is over; 0 is plain."
    )
    pseudo_labels_begin: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.1, description="Share of the steps after which the weight begins to rise."
    )
    pseudo_labels_full: Annotated[float, Field(gt=0, le=1)] = Field(
        0.6, description="Share of the steps after which the weight is whole."
    )
    pseudo_labels_ratio: Annotated[float, Field(gt=0, le=20)] = Field(
        1.0, description="Unlabelled rows in a step for each labelled one."
    )

    @model_validator(mode="after")
    def _rises(self) -> PseudoLabelsSettings:
        if self.pseudo_labels_full < self.pseudo_labels_begin:
            raise ValueError("must have pseudo_labels_full at or after pseudo_labels_begin.")
        return self


class PseudoLabels:
    """`pseudo_labels`: sure answers become labels."""

    name = "pseudo_labels"
    summary = "Self-training: sure answers to unlabelled rows become their labels (Pseudo-Label)."
    settings: type[BaseModel] = PseudoLabelsSettings
    stage: Stage = "term"

    def check(self, situation: Situation) -> None:
        """Refuse a run without unlabelled rows, and labels without probabilities.

        Raises:
            UsageError: it cannot work.
        """
        refuse_incomparable(self.name, situation, (CLASSES, ORDERED, SEVERAL))
        if situation.folder is not None and not situation.settings.get("pseudo_labels_rows"):
            raise UsageError(
                "The objective 'pseudo_labels' needs rows without labels.",
                hint="Name a file of them with pseudo_labels_rows: FILE.",
            )

    def files(self, settings: BaseModel) -> Mapping[str, str]:
        """The unlabelled rows, and the bundle that labels them where one is named."""
        written = cast(PseudoLabelsSettings, settings).pseudo_labels_rows
        return {**({"pseudo_labels_rows": written} if written else {}), **self.bundles(settings)}

    def row_files(self, settings: BaseModel) -> Mapping[str, RowUse]:
        """Texts alone."""
        return {field: "texts" for field in self.files(settings) if field == "pseudo_labels_rows"}

    def bundles(self, settings: BaseModel) -> Mapping[str, str]:
        """The bundle that labels them, where one is named."""
        written = cast(PseudoLabelsSettings, settings).pseudo_labels_from
        return {"pseudo_labels_from": written} if written else {}

    def begin(self, run: LossRun, settings: BaseModel) -> SelfTaught:
        """Read the unlabelled rows."""
        return SelfTaught(run, cast(PseudoLabelsSettings, settings))


class SelfTaught:
    """The loss of labelled and of unlabelled rows."""

    def __init__(self, run: LossRun, given: PseudoLabelsSettings) -> None:
        self.run, self.given, self.agreement = run, given, Agreement.of(run.targets)
        self.told: torch.Tensor | None = None
        if given.pseudo_labels_weight == 0:
            return
        self.unlabelled = OtherBatches.of(run, given.pseudo_labels_rows, "texts", "pseudo_labels")
        if given.pseudo_labels_from:
            self.told = self._ask(given.pseudo_labels_from)

    def loss(self, batch: Batch, inner: Callable[[Batch], Pass], step: LossStep) -> Pass:
        """The labelled rows' loss and, as the ramp has it, that of the unlabelled ones."""
        found = inner(batch)
        weight = self.given.pseudo_labels_weight * ramp(
            step.number / self.run.steps, self.given.pseudo_labels_begin, self.given.pseudo_labels_full
        )
        if weight == 0:
            return found
        count = max(1, count_beside(len(step.rows), self.given.pseudo_labels_ratio))
        numbers = self.unlabelled.numbers(step.number, step.part, count)
        outputs = self.run.forward(self.unlabelled.collate(numbers))
        teacher = outputs.detach() if self.told is None else self.told[torch.from_numpy(numbers).to(self.told.device)]
        return Pass(found.loss + weight * self._unlabelled_loss(outputs.float(), teacher), found.outputs)

    def _unlabelled_loss(self, outputs: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
        """Mean over all of the step's unlabelled rows; those of unsure answers have none.

        Args:
            outputs: logits of the model, (U, C).
            teacher: logits or log-probabilities that the labels are made of, (U, C).
        """
        sure = self.agreement.certainties(teacher) >= self.given.pseudo_labels_threshold
        if self.agreement.kind == SEVERAL:
            each = functional.binary_cross_entropy_with_logits(outputs, (teacher > 0).float(), reduction="none")
            return (each * sure).mean()
        if not bool(sure.any()):
            return outputs.sum() * 0
        return self.run.task_loss(outputs[sure], teacher[sure].argmax(dim=-1)) * sure.float().mean()

    def _ask(self, bundle: str) -> torch.Tensor:
        """What a bundle says about every unlabelled feature's row, in the order of the run's labels, (G, C)."""
        examples = self.run.read_rows(self.given.pseudo_labels_rows, "texts")
        answers = self.run.ask_bundle(bundle, examples)
        columns = [answers.names.index(name) for name in self.run.targets.names]
        told = torch.from_numpy(answers.values[self.unlabelled.features.rows][:, columns])
        return told.float().to(self.run.device)


def ramp(progress: float, begin: float, full: float) -> float:
    """From 0 at `begin` to 1 at `full` in a straight line; all are shares of a run's steps."""
    if progress < begin:
        return 0.0
    if progress >= full:
        return 1.0
    return (progress - begin) / (full - begin)


OBJECTIVE = PseudoLabels()
