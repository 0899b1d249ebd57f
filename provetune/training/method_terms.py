"""What a method itself adds to the loss, and what it must remember, as an objective around all others.

Standing outermost it counts once a batch, however often the objectives inside ask the model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from provetune.core.minimised import LossRun, LossStep, Pass, Stage
from provetune.core.protocols import AddsToLoss, Method, Objective, Remembers

if TYPE_CHECKING:
    import torch

    from provetune.core.minimised import Batch, Minimised


class NoSettings(BaseModel):
    """The method's settings are its own business."""


class MethodTerm:
    """A method's own part of what is minimised."""

    stage: Stage = "around"
    settings: type[BaseModel] = NoSettings

    def __init__(self, method: Method) -> None:
        self.method, self.name, self.summary = method, method.name, method.summary

    def begin(self, run: LossRun, settings: BaseModel) -> Minimised:
        return _AtWork(self.method, run.model)


class _AtWork:
    """`MethodTerm` in one run."""

    def __init__(self, method: Method, model: torch.nn.Module) -> None:
        self.method, self.model = method, model

    def loss(self, batch: Batch, inner: Callable[[Batch], Pass], step: LossStep) -> Pass:
        found = inner(batch)
        if not isinstance(self.method, AddsToLoss):
            return found
        return Pass(found.loss + self.method.penalty(self.model), found.outputs)

    def state(self) -> Mapping[str, torch.Tensor]:
        return self.method.state(self.model) if isinstance(self.method, Remembers) else {}

    def load_state(self, state: Mapping[str, Any]) -> None:
        if isinstance(self.method, Remembers):
            self.method.load_state(self.model, state)


def own_terms(method: Method) -> list[tuple[Objective, BaseModel]]:
    """What `Minimisation` takes besides the candidate's objectives, to be named last."""
    if not isinstance(method, AddsToLoss | Remembers):
        return []
    return [(MethodTerm(method), NoSettings())]
