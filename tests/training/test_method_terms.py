"""What a method adds to the loss: once a batch, outermost; and a run of `adalora` that is killed goes on as it was."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from objective_runs import BATCH, Toy, step_of, toy_run

from provetune.core.events import Saved, Step
from provetune.core.minimised import Pass
from provetune.core.protocols import AddsToLoss, FollowsSteps, Metric, Remembers, Targets
from provetune.models.methods import METHODS
from provetune.models.methods.adalora import METHOD, AdaloraSettings
from provetune.models.rank_budget import orthogonality
from provetune.study.objectives import objectives_with_settings
from provetune.tasks import TASKS
from provetune.training.features import FeatureStore
from provetune.training.loop import train
from provetune.training.method_terms import own_terms
from provetune.training.minimisation import Minimisation
from provetune.training.settings import TrainSettings


class Costly:
    """A method whose penalty is the square of its model's bias, and that counts how often it is asked."""

    name, summary, learns_from = "costly", "", "weights"

    def __init__(self) -> None:
        self.asked = 0

    def penalty(self, model: Any) -> torch.Tensor:
        self.asked += 1
        return 10 * (model.classifier.bias**2).sum()


class Twice:
    """An objective that asks for the loss twice."""

    name, summary, stage = "twice", "", "around"

    def begin(self, run: Any, settings: Any) -> Any:
        return self

    def loss(self, batch: Any, inner: Any, step: Any) -> Pass:
        inner(batch)
        return inner(batch)


def test_it_counts_once_however_often_the_model_is_asked() -> None:
    model, method = Toy(), Costly()
    plain = Minimisation([], toy_run(model)).loss(BATCH, step_of()).loss
    around: Any = Twice()
    found = Minimisation([(around, None), *own_terms(method)], toy_run(model)).loss(BATCH, step_of()).loss  # type: ignore[arg-type,list-item]
    assert method.asked == 1
    assert found.item() == pytest.approx(plain.item() + 10 * (model.classifier.bias**2).sum().item())
    found.backward()
    with_penalty = model.classifier.bias.grad.clone()
    model.zero_grad()
    Minimisation([], toy_run(model)).loss(BATCH, step_of()).loss.backward()
    torch.testing.assert_close(with_penalty, model.classifier.bias.grad + 20 * model.classifier.bias.detach())


def test_most_methods_add_nothing() -> None:
    assert [name for name in METHODS.names() if own_terms(METHODS.get(name))] == ["adalora"]
    assert isinstance(METHOD, AddsToLoss)
    assert isinstance(METHOD, Remembers)
    assert isinstance(METHOD, FollowsSteps)


def start(make_model: Callable[..., Any], **fields: Any) -> Any:
    torch.manual_seed(9)
    settings = AdaloraSettings(**{"rank": 2, "budget_every": 2, **fields})
    return METHOD.prepare(make_model(), settings, None)  # type: ignore[arg-type]


def events(model: Any, store: FeatureStore, targets: Targets, folder: Path, **options: Any) -> Any:
    task = TASKS.get("classification")
    given = {name: options.pop(name) for name in ("should_stop",) if name in options}
    return train(
        model,
        task,
        store,
        targets,
        TrainSettings(epochs=2, learning_rate=1e-2, batch_rows=16, evaluations=1, **options),
        minimise=partial(Minimisation, [*objectives_with_settings("plain", {}), *own_terms(METHOD)]),
        score=lambda _: {"accuracy": 0.0},
        primary=Metric("accuracy", "share right"),
        checkpoint=folder,
        seed=5,
        pad_id=0,
        follow=partial(METHOD.after_step, model),
        **given,
    )


def test_the_penalty_is_in_the_loss_of_every_step(
    make_model: Callable[..., Any], store: FeatureStore, targets: Targets, tmp_path: Path
) -> None:
    losses: dict[Any, list[float]] = {}
    for weight in (0.0, 5.0):
        model = start(make_model, orthogonality=weight)
        gap = orthogonality(model).item()
        losses[weight] = [e.loss for e in events(model, store, targets, tmp_path / str(weight)) if isinstance(e, Step)]
        losses[f"gap {weight}"] = [gap, orthogonality(model).item()]
    assert losses[5.0][0] - losses[0.0][0] == pytest.approx(5.0 * losses["gap 5.0"][0], rel=1e-3)
    assert losses["gap 5.0"][1] < losses["gap 0.0"][1]


@pytest.mark.parametrize("stop", [3, 8])
def test_stopped_and_gone_on_it_is_the_run_that_never_stopped(
    stop: int, make_model: Callable[..., Any], store: FeatureStore, targets: Targets, tmp_path: Path
) -> None:
    whole = start(make_model)
    losses = [e.loss for e in events(whole, store, targets, tmp_path / "whole") if isinstance(e, Step)]
    assert len(losses) == 12
    first = start(make_model)
    seen: list[float] = []
    for event in events(first, store, targets, tmp_path / "cut", should_stop=lambda: len(seen) == stop - 1):
        if isinstance(event, Step):
            seen.append(event.loss)
        if isinstance(event, Saved):
            break
    again = start(make_model)
    seen += [e.loss for e in events(again, store, targets, tmp_path / "cut") if isinstance(e, Step)]
    np.testing.assert_array_equal(seen, losses)
    for (name, one), other in zip(whole.named_parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other), name
    left = sum(int((p != 0).sum()) for name, p in again.named_parameters() if "lora_E" in name)
    assert left == 2 * 12
