"""What every method that stays apart must do on every task: learn its rows, be kept, and come back the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from test_tasks import TRIED, Trial

from provetune.core.errors import UsageError
from provetune.core.minimised import HasLimits, Situation
from provetune.core.protocols import FinishesModel, StaysApart
from provetune.models.forward import predict_outputs
from provetune.models.methods import METHODS

APART = [name for name in METHODS.names() if isinstance(METHODS.get(name), StaysApart)]
REFUSED = {("prompt", "seq2seq"), ("prompt", "chat")}


def suits(method: Any, trial: Trial) -> bool:
    """Whether the method says that it serves the task with the family of its tiny model."""
    if "weights" not in trial.task.learns_from or trial.task.name not in (method.tasks or (trial.task.name,)):
        return False
    if not isinstance(method, HasLimits):
        return True
    family = str(trial.model().config.model_type)
    targets = trial.targets
    situation = Situation(
        trial.task.name, targets.kind, len(targets.names), (), method.name, "weights", ("plain",), family
    )
    try:
        method.check(situation)
    except UsageError:
        return False
    return True


def answered(trial: Trial, model: Any) -> list[str]:
    """What the task asks of the model for every row, to the last bit."""
    features = trial.features(trial.rows)
    found = predict_outputs(model, trial.task, features, 0, targets=trial.targets, tokenizer=trial.tokenizer)
    return [repr(each.tolist()) for each in found]


@pytest.mark.parametrize("name", APART)
@pytest.mark.parametrize("tried", TRIED)
def test_it_learns_is_kept_and_comes_back(name: str, tried: str, tmp_path: Path) -> None:
    trial, method = Trial(tried), METHODS.get(name)
    assert isinstance(method, StaysApart)
    handled: Any = method
    served = suits(method, trial)
    assert served == ((name, trial.task.name) not in REFUSED)
    if not served:
        return
    torch.manual_seed(1)
    model = handled.prepare(trial.model(), handled.settings(), trial.task).train()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    features = trial.features(trial.rows, labelled=True)
    batch = trial.task.collate(features.take(range(len(features))), 0)
    learning = [each for each in model.parameters() if each.requires_grad]
    optimiser = torch.optim.Adam(learning, lr=2e-3)
    first = trial.loss(model, batch).item()
    for _ in range(20):
        loss = trial.loss(model, batch)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert all(each.grad is None for each in model.parameters() if not each.requires_grad)
    assert trial.loss(model, batch).item() < first
    if isinstance(trial.task, FinishesModel):
        model = trial.task.finish_model(model, trial.targets)
    kept = handled.merge(model).eval()
    expected = answered(trial, kept)
    handled.save_adapter(kept, tmp_path)
    fresh = trial.model()
    assert type(handled.plain(kept)) is type(fresh)
    if isinstance(trial.task, FinishesModel):
        fresh = trial.task.finish_model(fresh, trial.targets)
    assert answered(trial, handled.attach(fresh, tmp_path)) == expected
