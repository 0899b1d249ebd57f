"""Elastic weight consolidation: weights that earlier rows depended on stay near where they were (Kirkpatrick et al.
2017, arXiv:1612.00796).

The penalty is  λ/2 · Σᵢ Fᵢ (θᵢ − θ*ᵢ)²  (equation 3), θ* the weights that the run begins with and F the diagonal of the
Fisher information there: the mean over earlier rows of the squared gradient of each one's log-likelihood. Departure: it
is taken at the rows' own labels (the "empirical" Fisher), not at labels drawn from the model; so it needs no draw and
works for every task.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, cast

from pydantic import BaseModel, ConfigDict, Field

from provetune.core.errors import UsageError
from provetune.core.minimised import Batch, LossRun, LossStep, Pass, RowUse, Situation, Stage
from provetune.training.fisher import fisher_diagonal
from provetune.training.other_batches import OtherBatches


class EwcSettings(BaseModel):
    """What `ewc` adds to a candidate. The paper searches λ for each sequence of tasks; `benchmarks/continual.py` shows
    what the default does on one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ewc_memory: str = Field("", description="File with earlier rows, read like the training file.")
    ewc_strength: Annotated[float, Field(ge=0)] = Field(
        1000.0, description="How firmly weights that mattered are held (λ); 0 is plain."
    )
    ewc_rows: Annotated[int, Field(ge=1)] = Field(
        500, description="Earlier rows at most that tell which weights mattered, drawn by the run's seed."
    )


class Ewc:
    """`ewc`: hold the weights that mattered."""

    name = "ewc"
    summary = "Continual learning: weights that earlier rows depended on are held where they were (EWC)."
    settings: type[BaseModel] = EwcSettings
    stage: Stage = "term"
    kept_weights = 2  # where they began, and how much each matters

    def check(self, situation: Situation) -> None:
        """Refuse a run without earlier rows, or without the head that learned from them.

        Raises:
            UsageError: it cannot work.
        """
        if situation.folder is None:
            return
        if not situation.settings.get("ewc_memory"):
            raise UsageError(
                "The objective 'ewc' needs earlier rows.", hint="Name a file of them with ewc_memory: FILE."
            )
        if not situation.settings.get("keep_head"):
            raise UsageError(
                "The objective 'ewc' holds what an earlier model learned, and the candidate begins with a new head.",
                hint="Name the earlier bundle: backbone: FOLDER, keep_head: true.",
            )

    def files(self, settings: BaseModel) -> Mapping[str, str]:
        """The file with earlier rows."""
        written = cast(EwcSettings, settings).ewc_memory
        return {"ewc_memory": written} if written else {}

    def row_files(self, settings: BaseModel) -> Mapping[str, RowUse]:
        """Earlier rows, with their labels."""
        return dict.fromkeys(self.files(settings), "labelled")

    def begin(self, run: LossRun, settings: BaseModel) -> Held | Free:
        """Find out which weights matter, at those that the run begins with."""
        given = cast(EwcSettings, settings)
        return Held(run, given) if given.ewc_strength > 0 else Free()


class Free:
    """Nothing is held, so that weights need not be read: the fast optimisers may be taken."""

    def loss(self, batch: Batch, inner: Callable[[Batch], Pass], step: LossStep) -> Pass:
        """What is inside, as it is."""
        return inner(batch)


class Held:
    """The loss with the penalty."""

    touches_weights = True

    def __init__(self, run: LossRun, given: EwcSettings) -> None:
        self.strength = given.ewc_strength
        self.parameters = {name: each for name, each in run.model.named_parameters() if each.requires_grad}
        earlier = OtherBatches.of(run, given.ewc_memory, "labelled", "ewc")
        chosen = sorted(earlier.numbers(0, 0, given.ewc_rows).tolist())
        self.importance = fisher_diagonal(run, earlier.features, chosen)
        self.start = {name: each.detach().clone() for name, each in self.parameters.items()}

    def loss(self, batch: Batch, inner: Callable[[Batch], Pass], step: LossStep) -> Pass:
        """The batch's loss and λ/2 of the weighted squared way from the start."""
        found = inner(batch)
        parts = [
            (self.importance[name] * (each.float() - self.start[name].float()) ** 2).sum()
            for name, each in self.parameters.items()
        ]
        return Pass(found.loss + self.strength / 2 * sum(parts[1:], parts[0]), found.outputs)


OBJECTIVE = Ewc()
