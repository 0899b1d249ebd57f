"""Objectives one inside the other: order of the stages, repeated passes, what they remember."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import BaseModel

from provetune.core.minimised import LossStep, Pass
from provetune.models.methods import METHODS
from provetune.training.minimisation import STAGES, Minimisation
from provetune.training.objectives import OBJECTIVES

STEP = LossStep(3, 0, np.arange(2), lambda loss: None)


class Empty(BaseModel):
    pass


class Recorded:
    """An objective that writes down when it is asked, and changes the loss by a formula of its own."""

    settings = Empty
    summary = ""

    def __init__(self, name: str, stage: str, log: list[str], change: Any) -> None:
        self.name, self.stage, self.log, self.change = name, stage, log, change

    def begin(self, run: Any, settings: BaseModel) -> Any:
        return self if self.stage != "labels" else Priced(self)

    def loss(self, batch: Any, inner: Any, step: LossStep) -> Pass:
        self.log.append(self.name)
        found = inner(batch)
        return Pass(self.change(found.loss), found.outputs)

    def state(self) -> dict[str, torch.Tensor]:
        return {"seen": torch.tensor(len(self.log))}

    def load_state(self, state: dict[str, torch.Tensor]) -> None:
        self.log.append(f"{self.name} had seen {int(state['seen'])}")


class Priced:
    def __init__(self, of: Recorded) -> None:
        self.of = of

    def task_loss(self, outputs: torch.Tensor, labels: torch.Tensor, inner: Any) -> torch.Tensor:
        self.of.log.append(self.of.name)
        return self.of.change(inner(outputs, labels))


def make_run() -> Any:
    return SimpleNamespace(
        forward=lambda batch: batch["input"] * 2,
        task_loss=lambda outputs, labels: (outputs - labels).sum(),
    )


BATCH = {"input": torch.tensor([1.0, 2.0]), "labels": torch.tensor([0.5, 0.5])}


def test_without_an_objective_it_is_the_tasks_loss() -> None:
    found = Minimisation([], make_run()).loss(BATCH, STEP)
    assert found.loss.item() == 5.0
    assert found.outputs.tolist() == [2.0, 4.0]


def test_stages_stand_in_their_order_whatever_order_they_are_named_in() -> None:
    log: list[str] = []
    around = Recorded("attack", "around", log, lambda loss: loss * 10)
    term = Recorded("term", "term", log, lambda loss: loss + 1)
    base = Recorded("base", "base", log, lambda loss: loss - 2)
    labels = Recorded("labels", "labels", log, lambda loss: loss * 3)
    for order in ([around, term, base, labels], [labels, base, term, around], [term, labels, around, base]):
        log.clear()
        found = Minimisation([(each, Empty()) for each in order], make_run()).loss(BATCH, STEP)
        assert found.loss.item() == (5.0 * 3 - 2 + 1) * 10
        assert log == ["attack", "term", "base", "labels"]


def test_within_a_stage_the_first_named_stands_inside() -> None:
    log: list[str] = []
    double = Recorded("double", "term", log, lambda loss: loss * 2)
    more = Recorded("more", "term", log, lambda loss: loss + 1)
    for order, wanted in (([double, more], 11.0), ([more, double], 12.0)):
        assert Minimisation([(each, Empty()) for each in order], make_run()).loss(BATCH, STEP).loss.item() == wanted


def test_what_objectives_remember_goes_through_a_checkpoint_by_name() -> None:
    log: list[str] = []
    first, second = (Recorded(name, "term", log, lambda loss: loss) for name in ("first", "second"))
    minimisation = Minimisation([(first, Empty()), (second, Empty())], make_run())
    minimisation.loss(BATCH, STEP)
    state = minimisation.state()
    assert {name: int(value) for name, value in state.items()} == {"first.seen": 2, "second.seen": 2}
    minimisation.load_state(state)
    assert log[-2:] == ["first had seen 2", "second had seen 2"]


@pytest.mark.parametrize("name", OBJECTIVES.names())
def test_every_objective_keeps_the_rules_of_the_seam(name: str) -> None:
    objective = OBJECTIVES.get(name)
    assert objective.name == name
    assert objective.summary.endswith(".")
    assert objective.stage in STAGES
    fields = objective.settings.model_fields
    assert all(field.description for field in fields.values())
    objective.settings()
    taken = {
        field: plugin.name
        for registry in (OBJECTIVES, METHODS)
        for plugin in (registry.get(other) for other in registry.names())
        for field in plugin.settings.model_fields
        if plugin is not objective
    }
    assert not {field: taken[field] for field in fields if field in taken}, "fields are flat in a candidate"
