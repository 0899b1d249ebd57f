"""Objectives that need nothing but the batch, on every task: either they give a loss that can be learned from, or they
say in one line why not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_tasks import TRIED, Trial

from provetune.core.errors import UsageError
from provetune.core.minimised import HasLimits, LossRun, LossStep, Situation
from provetune.core.protocols import Forwards, WeightMethod
from provetune.models.methods import METHODS
from provetune.study.objectives import objectives_with_settings
from provetune.training.disturbance import Disturbance
from provetune.training.minimisation import Minimisation
from provetune.training.objectives import OBJECTIVES

ALONE = ("label_smoothing", "focal", "fgm", "pgd", "freelb", "rdrop", "mixup", "supcon")
TOGETHER = (("rdrop", "fgm"), ("focal", "freelb", "supcon"), ("mixup", "rdrop", "pgd"))
SUITED = {
    "label_smoothing": {"classification", "pair", "relation", "tagging", "chat"},
    "focal": {"classification", "pair", "relation", "tagging", "chat"},
    "mixup": {"classification", "pair", "relation", "ordinal", "regression", "similarity"},
    "supcon": {"classification", "pair", "relation", "ordinal"},
}
NO_DROPOUT = "chat"  # a Llama, whose passes are all equal


def run_of(trial: Trial, model: Any, features: Any) -> LossRun:
    def forward(batch: Any) -> torch.Tensor:
        if isinstance(trial.task, Forwards):
            return trial.task.forward(model, batch)
        found: torch.Tensor = model(**{name: value for name, value in batch.items() if name != "labels"}).logits
        return found

    return LossRun(
        model=model,
        task=trial.task,
        features=features,
        targets=trial.targets,
        examples=trial.rows,
        tokenizer=trial.tokenizer,
        pad_id=0,
        settings=None,
        steps=10,
        seed=3,
        device="cpu",
        encode=lambda examples: trial.features(examples, labelled=True),
        forward=forward,
        task_loss=lambda outputs, labels: trial.task.loss(outputs, labels, trial.targets, None),
        folder=Path(),
    )


def situation_of(trial: Trial, names: tuple[str, ...]) -> Situation:
    targets = trial.targets
    kind, counts = targets.kind, tuple(targets.counts)
    return Situation(trial.task.name, kind, len(targets.names), counts, "full", "weights", names, "bert")


def pass_of(run: LossRun, batch: Any) -> float:
    return float(run.task_loss(run.forward(batch), batch["labels"]).detach())


def refusal(names: tuple[str, ...], situation: Situation) -> UsageError | None:
    for name in names:
        objective = OBJECTIVES.get(name)
        if isinstance(objective, HasLimits):
            try:
                objective.check(situation)
            except UsageError as error:
                return error
    return None


@pytest.mark.parametrize("tried", TRIED)
@pytest.mark.parametrize("names", [*((name,) for name in ALONE), *TOGETHER], ids="+".join)
def test_it_learns_or_says_why_not(names: tuple[str, ...], tried: str) -> None:
    trial = Trial(tried)
    task = trial.task.name
    said = refusal(names, situation_of(trial, names))
    assert (said is None) == all(task in SUITED.get(name, {task}) for name in names)
    if said is not None:
        assert "\n" not in said.message
        assert said.hint
        return
    torch.manual_seed(1)
    model = trial.model().train()
    features = trial.features(trial.rows, labelled=True)
    run = run_of(trial, model, features)
    if "rdrop" in names and task == NO_DROPOUT:
        with pytest.raises(UsageError, match="differ by dropout"):
            Minimisation(objectives_with_settings(names, {}), run)
        return
    minimisation = Minimisation(objectives_with_settings(names, {}), run)
    batch = run.collate(features, range(len(features)))
    step = LossStep(0, 0, np.arange(len(features)), lambda loss: loss.backward())
    found = minimisation.loss(batch, step)
    found.loss.backward()
    assert torch.isfinite(found.loss)
    slopes = [p.grad for p in model.parameters() if p.grad is not None]
    assert all(torch.isfinite(slope).all() for slope in slopes)
    assert any((slope != 0).any() for slope in slopes)
    assert not any(module._forward_hooks for module in model.modules() if isinstance(module, torch.nn.Embedding))
    if set(names) & {"fgm", "pgd", "freelb"}:
        with Disturbance(model, 0).felt():
            pass_of(run, batch)  # says so where nothing can be disturbed


LEARNING = [name for name in METHODS.names() if isinstance(METHODS.get(name), WeightMethod)]


@pytest.mark.parametrize("method", [name for name in LEARNING if METHODS.get(name).tasks is None])
@pytest.mark.parametrize("names", [("rdrop", "fgm"), ("mixup", "pgd"), ("focal", "freelb", "supcon")], ids="+".join)
def test_every_method_that_learns_takes_them(names: tuple[str, ...], method: str) -> None:
    trial = Trial("classification")
    plugin: Any = METHODS.get(method)
    torch.manual_seed(1)
    model = plugin.prepare(trial.model(), plugin.settings(), trial.task).train()
    features = trial.features(trial.rows, labelled=True)
    run = run_of(trial, model, features)
    batch = run.collate(features, range(len(features)))
    step = LossStep(0, 0, np.arange(len(features)), lambda loss: loss.backward())
    plain = pass_of(run, batch)
    found = Minimisation(objectives_with_settings(names, {}), run).loss(batch, step)
    found.loss.backward()
    assert torch.isfinite(found.loss)
    assert found.loss.item() != plain
    learned = [p.grad for p in model.parameters() if p.requires_grad and p.grad is not None]
    assert any((slope != 0).any() for slope in learned)
    assert all(p.grad is None for p in model.parameters() if not p.requires_grad)
