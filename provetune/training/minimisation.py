"""The loss of a run: the objectives of a candidate, one inside the other.

Whatever order they are named in, labels come first, then the base, then what is added, then what goes around it; within
a stage the order of naming holds, the first inside.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from provetune.core.minimised import (
    HasState,
    LossRun,
    LossStep,
    Pass,
    PricesAnswers,
    SeesSteps,
    TakesRowsApart,
    TouchesWeights,
)

if TYPE_CHECKING:
    import torch
    from pydantic import BaseModel

    from provetune.core.minimised import Batch, Forward, Minimised, TaskLoss
    from provetune.core.protocols import Objective

STAGES = ("labels", "base", "term", "around")


class Minimisation:
    """Objectives at work.

    Args:
        objectives: each with its settings.
        run: what they see of the run. Its `task_loss` becomes what the stage ``labels`` makes of it.
    """

    def __init__(self, objectives: Sequence[tuple[Objective, BaseModel]], run: LossRun) -> None:
        ordered = sorted(objectives, key=lambda pair: STAGES.index(pair[0].stage))
        self.forward: Forward = run.forward
        self.at_work: dict[str, Any] = {}
        for objective, settings in ordered:
            working = objective.begin(run, settings)
            self.at_work[objective.name] = working
            if isinstance(working, PricesAnswers):
                run.task_loss = _priced(working, run.task_loss)
        self.task_loss: TaskLoss = run.task_loss
        self.layers: list[Minimised] = [
            cast("Minimised", each) for each in self.at_work.values() if not isinstance(each, PricesAnswers)
        ]

    @property
    def touches_weights(self) -> bool:
        """Whether one of them reads the weights themselves."""
        return any(isinstance(working, TouchesWeights) for working in self.at_work.values())

    @property
    def takes_rows_apart(self) -> bool:
        """Whether a batch may come in parts: none of them counts a batch's rows or compares them."""
        return all(isinstance(working, TakesRowsApart) for working in self.at_work.values())

    def loss(self, batch: Batch, step: LossStep) -> Pass:
        """Loss of one batch, with its graph."""
        return self._through(len(self.layers), batch, step)

    def after_step(self, number: int) -> None:
        """The weights have moved."""
        for working in self.at_work.values():
            if isinstance(working, SeesSteps):
                working.after_step(number)

    def state(self) -> dict[str, torch.Tensor]:
        """What the objectives remember, by ``objective.name``."""
        return {
            f"{name}.{key}": value
            for name, working in self.at_work.items()
            if isinstance(working, HasState)
            for key, value in working.state().items()
        }

    def load_state(self, state: Mapping[str, torch.Tensor]) -> None:
        """Go on from what `state` gave."""
        for name, working in self.at_work.items():
            if isinstance(working, HasState):
                start = f"{name}."
                own = {key.removeprefix(start): value for key, value in state.items() if key.startswith(start)}
                working.load_state(own)

    def _through(self, depth: int, batch: Batch, step: LossStep) -> Pass:
        if depth == 0:
            outputs = self.forward(batch)
            return Pass(self.task_loss(outputs, batch["labels"]), outputs)
        return self.layers[depth - 1].loss(batch, lambda inside: self._through(depth - 1, inside, step), step)


def _priced(working: PricesAnswers, inner: TaskLoss) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    return lambda outputs, labels: working.task_loss(outputs, labels, inner)
