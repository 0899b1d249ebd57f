"""Experience replay: every step sees some earlier rows beside its own (Rolnick et al. 2018, arXiv:1811.11682; for
texts de Masson d'Autume et al. 2019, arXiv:1906.01076).

Which ones follows from the run's seed and the step, so that a resumed run sees the same. The loss is the mean over all
rows of the step, new and earlier alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, cast

from pydantic import BaseModel, ConfigDict, Field

from provetune.core.errors import UsageError
from provetune.core.minimised import Batch, LossRun, LossStep, Pass, RowUse, Situation, Stage
from provetune.training.other_batches import OtherBatches, count_beside


class ReplaySettings(BaseModel):
    """What `replay` adds to a candidate; half of each step is the paper's choice for rows old and new."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    replay_memory: str = Field("", description="File with earlier rows, read like the training file.")
    replay_share: Annotated[float, Field(ge=0, le=0.9)] = Field(
        0.5, description="Share of a step's rows that are earlier ones; 0 is plain."
    )


class Replay:
    """`replay`: old rows among the new ones."""

    name = "replay"
    summary = "Continual learning: earlier rows are mixed into every step (experience replay)."
    settings: type[BaseModel] = ReplaySettings
    stage: Stage = "term"

    def check(self, situation: Situation) -> None:
        """Refuse a run without earlier rows, and pairs of answers, which want to be compared with what was before.

        Raises:
            UsageError: it cannot work.
        """
        if "dpo" in situation.objectives:
            raise UsageError(
                "The objectives 'replay' and 'dpo' do not go together: earlier answers are not compared.",
                hint="Put the earlier pairs into the training file.",
            )
        if situation.folder is not None and not situation.settings.get("replay_memory"):
            raise UsageError(
                "The objective 'replay' needs a memory.", hint="Name a file of earlier rows with replay_memory: FILE."
            )

    def files(self, settings: BaseModel) -> Mapping[str, str]:
        """The memory."""
        written = cast(ReplaySettings, settings).replay_memory
        return {"replay_memory": written} if written else {}

    def row_files(self, settings: BaseModel) -> Mapping[str, RowUse]:
        """Earlier rows, with their labels."""
        return dict.fromkeys(self.files(settings), "labelled")

    def begin(self, run: LossRun, settings: BaseModel) -> Replayed:
        """Read the memory."""
        return Replayed(run, cast(ReplaySettings, settings))


class Replayed:
    """The loss over new and earlier rows."""

    def __init__(self, run: LossRun, given: ReplaySettings) -> None:
        self.run, self.share = run, given.replay_share
        self.memory: OtherBatches | None = None
        if self.share > 0:
            self.memory = OtherBatches.of(run, given.replay_memory, "labelled", "replay")

    def loss(self, batch: Batch, inner: Callable[[Batch], Pass], step: LossStep) -> Pass:
        """The mean over the batch's rows and those drawn from the memory."""
        found = inner(batch)
        rows = len(step.rows)
        count = count_beside(rows, self.share / (1 - self.share))
        if self.memory is None or count == 0:
            return found
        numbers = self.memory.numbers(step.number, step.part, count)
        earlier = self.memory.collate(numbers)
        again = self.run.task_loss(self.run.forward(earlier), earlier["labels"])
        total = rows + len(numbers)
        return Pass((rows * found.loss + len(numbers) * again) / total, found.outputs)


OBJECTIVE = Replay()
