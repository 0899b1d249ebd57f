"""The task's own loss and nothing else."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import BaseModel, ConfigDict

from provetune.core.minimised import Batch, LossRun, LossStep, Pass, Stage


class PlainSettings(BaseModel):
    """The plain objective has no settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Plain:
    """Mean task loss of the batch."""

    name = "plain"
    summary = "The task's own loss: cross-entropy for one label a row, binary cross-entropy for several."
    settings: type[BaseModel] = PlainSettings
    stage: Stage = "base"
    takes_rows_apart = True

    def begin(self, run: LossRun, settings: BaseModel) -> Plain:
        """Itself: it keeps nothing."""
        return self

    def loss(self, batch: Batch, inner: Callable[[Batch], Pass], step: LossStep) -> Pass:
        """What is inside, as it is."""
        return inner(batch)


OBJECTIVE = Plain()
