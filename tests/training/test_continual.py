"""EWC, replay and LwF, each against its equation worked out another way."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional
from toy_runs import ToyFeatures, linear, plain_pass, some_features, step, toy_run

from provetune.core.errors import UsageError
from provetune.core.minimised import BundleAnswers, LossRun, Situation
from provetune.training.fisher import fisher_diagonal
from provetune.training.objectives import OBJECTIVES
from provetune.training.other_batches import count_beside

EWC, REPLAY, LWF = (OBJECTIVES.get(name) for name in ("ewc", "replay", "lwf"))
EARLIER = some_features(8, seed=9)


def run_with_memory(model: torch.nn.Module, features: ToyFeatures, **changes: Any) -> LossRun:
    return toy_run(model, features, read_rows=lambda path, use: (path, use), encode=lambda rows: EARLIER, **changes)


def by_hand(model: torch.nn.Linear, features: ToyFeatures, numbers: list[int]) -> dict[str, np.ndarray]:
    """Fisher diagonal of a softmax regression: the gradient of −log p is (p − y) xᵀ."""
    weight, bias = model.weight.detach().numpy(), model.bias.detach().numpy()
    sums = {"weight": np.zeros_like(weight), "bias": np.zeros_like(bias)}
    for number in numbers:
        x, label = features.inputs[number], features.labels[number]
        scores = np.exp(weight @ x + bias)
        off = scores / scores.sum() - np.eye(3)[label]
        sums["weight"] += np.outer(off, x) ** 2
        sums["bias"] += off**2
    return {name: total / len(numbers) for name, total in sums.items()}


def test_fisher_diagonal_is_the_mean_squared_gradient_of_single_rows() -> None:
    model = linear()
    run = toy_run(model, some_features())
    model.train()
    found = fisher_diagonal(run, EARLIER, list(range(8)))
    wanted = by_hand(model, EARLIER, list(range(8)))
    for name, values in wanted.items():
        np.testing.assert_allclose(found[name].numpy(), values, rtol=1e-4)
    assert model.training
    assert model.weight.grad is None


def test_fisher_diagonal_of_an_encoder_without_dropout(make_model: Any, store: Any, targets: Any) -> None:
    from provetune.tasks import TASKS

    task = TASKS.get("classification")
    model = make_model(dropout=0.3)
    run = toy_run(model, store, targets=targets, task=task)
    run.forward = lambda batch: model(**{name: each for name, each in batch.items() if name != "labels"}).logits
    found = fisher_diagonal(run, store, [3, 5])
    model.eval()
    wanted = torch.zeros(3, 32)
    for number in (3, 5):
        model.zero_grad()
        batch = run.collate(store, [number])
        functional.cross_entropy(run.forward(batch), batch["labels"]).backward()
        wanted += model.classifier.weight.grad**2 / 2
    torch.testing.assert_close(found["classifier.weight"], wanted)


def test_ewc_pulls_each_weight_back_by_its_importance() -> None:
    model, features = linear(), some_features()
    run = run_with_memory(model, features)
    working = EWC.begin(run, EWC.settings(ewc_memory="old.csv", ewc_strength=50.0))
    fisher = by_hand(model, EARLIER, list(range(8)))
    start = model.weight.detach().clone()
    batch = run.collate(features, [0, 1])
    inner = plain_pass(run, batch)
    assert working.loss(batch, inner, step([0, 1])).loss.item() == pytest.approx(inner(batch).loss.item())
    with torch.no_grad():
        model.weight += 0.3
    found = working.loss(batch, inner, step([0, 1]))
    penalty = found.loss - inner(batch).loss
    assert penalty.item() == pytest.approx(50 / 2 * fisher["weight"].sum() * 0.09, rel=1e-4)
    (pull,) = torch.autograd.grad(penalty, [model.weight])
    wanted = 50 * torch.from_numpy(fisher["weight"]) * (model.weight.detach() - start)
    torch.testing.assert_close(pull, wanted.float(), rtol=1e-3, atol=1e-5)
    assert working.touches_weights


def test_ewc_draws_the_rows_that_it_looks_at_by_the_seed() -> None:
    model = linear()
    few = [EWC.begin(run_with_memory(model, some_features(), seed=seed), EWC.settings(ewc_memory="m", ewc_rows=2))
           for seed in (1, 1, 2)]  # fmt: skip
    assert torch.equal(few[0].importance["weight"], few[1].importance["weight"])
    assert not torch.equal(few[0].importance["weight"], few[2].importance["weight"])


def test_replay_is_the_mean_over_new_and_earlier_rows() -> None:
    model, features = linear(), some_features()
    run = run_with_memory(model, features)
    working = REPLAY.begin(run, REPLAY.settings(replay_memory="old.csv", replay_share=0.6))
    batch = run.collate(features, [0, 1])
    found = working.loss(batch, plain_pass(run, batch), step([0, 1], number=4))
    drawn = working.memory.numbers(4, 0, 3).tolist()
    inputs = np.concatenate([features.inputs[:2], EARLIER.inputs[drawn]])
    labels = np.concatenate([features.labels[:2], EARLIER.labels[drawn]])
    logits = model(torch.from_numpy(inputs))
    torch.testing.assert_close(found.loss, functional.cross_entropy(logits, torch.from_numpy(labels)))


def test_what_is_replayed_follows_from_seed_and_step_alone() -> None:
    def draws(seed: int) -> list[list[int]]:
        run = run_with_memory(linear(), some_features(), seed=seed)
        working = REPLAY.begin(run, REPLAY.settings(replay_memory="old.csv"))
        return [sorted(working.memory.numbers(number, part, 3).tolist()) for number in range(4) for part in range(2)]

    first = draws(1)
    torch.rand(3), np.random.default_rng().random()
    assert draws(1) == first
    assert draws(2) != first
    assert all(len(set(each)) == 3 for each in first), "each row at most once in a step"
    assert len({tuple(each) for each in first}) > 4


@pytest.mark.parametrize(("rows", "share", "count"), [(32, 0.5, 32), (32, 0.2, 8), (10, 0.3, 4), (2, 0.1, 0)])
def test_how_many_rows_are_replayed(rows: int, share: float, count: int) -> None:
    assert count_beside(rows, share / (1 - share)) == count


def test_lwf_is_the_papers_second_loss_over_the_old_labels() -> None:
    model, features = linear(), some_features()
    old = BundleAnswers(("c", "a"), np.log(np.random.default_rng(1).dirichlet(np.ones(2), size=6)))
    run = toy_run(model, features, start="before", ask_bundle=lambda path, examples: old if path == "before" else None)
    working = LWF.begin(run, LWF.settings(lwf_strength=0.7, lwf_temperature=2.0))
    batch = run.collate(features, [1, 3])
    found = working.loss(batch, plain_pass(run, batch), step([1, 3]))
    logits = model(batch["inputs"])
    # Equations 2 and 3: probabilities to the power 1/T, normalised; −Σ y′ log ŷ′.
    y = torch.from_numpy(np.exp(old.values[[1, 3]][:, [1, 0]])).float() ** 0.5
    y = y / y.sum(1, keepdim=True)
    said = logits[:, [0, 2]].softmax(1) ** 0.5
    said = said / said.sum(1, keepdim=True)
    wanted = functional.cross_entropy(logits, batch["labels"]) + 0.7 * -(y * said.log()).sum(1).mean()
    torch.testing.assert_close(found.loss, wanted)


def test_zero_strength_is_plain_and_reads_nothing() -> None:
    model, features = linear(), some_features()
    run = toy_run(model, features)  # reading or asking would fail
    batch = run.collate(features, [0, 1])
    inner = plain_pass(run, batch)
    for objective, settings in ((EWC, {"ewc_strength": 0}), (REPLAY, {"replay_share": 0}), (LWF, {"lwf_strength": 0})):
        working = objective.begin(run, objective.settings(**settings))
        assert working.loss(batch, inner, step([0, 1])).loss.item() == inner(batch).loss.item()


def test_what_is_missing_is_said(tmp_path: Any) -> None:
    empty = Situation("classification", "single_label", 2, (1, 1), "full", "weights", (), "bert")
    full = replace(empty, folder=tmp_path)
    for objective in (EWC, REPLAY, LWF):
        objective.check(empty)
    with pytest.raises(UsageError, match="'replay' needs a memory"):
        REPLAY.check(full)
    with pytest.raises(UsageError, match="'ewc' needs earlier rows"):
        EWC.check(full)
    with pytest.raises(UsageError, match="begins with a new head"):
        EWC.check(replace(full, settings={"ewc_memory": "old.csv"}))
    with pytest.raises(UsageError, match="begins with a new head"):
        LWF.check(full)
    with pytest.raises(UsageError, match="'replay' and 'dpo' do not go together"):
        REPLAY.check(replace(empty, objectives=("replay", "dpo")))
