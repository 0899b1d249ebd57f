"""Distillation against its formula, and labels matched by their names."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional
from toy_runs import linear, plain_pass, some_features, step, toy_run

from provetune.core.errors import UsageError
from provetune.core.minimised import BundleAnswers, LossRun, Situation
from provetune.core.protocols import Targets
from provetune.training.objectives import OBJECTIVES

DISTIL = OBJECTIVES.get("distil")
# In another order than the run's labels, with one more.
TOLD = BundleAnswers(("c", "other", "a", "b"), np.log(np.random.default_rng(1).dirichlet(np.ones(4), size=6)))


def begin(run: LossRun, **settings: Any) -> Any:
    return DISTIL.begin(run, DISTIL.settings(distil_from="teacher", **settings))


def ask(path: str, examples: Any) -> BundleAnswers:
    assert path == "teacher"
    rows = [int(text.split()[1]) for text in examples.column("text").to_pylist()]
    return BundleAnswers(TOLD.names, TOLD.values[rows])


def test_loss_is_hintons_with_labels_matched_by_name() -> None:
    model, features = linear(), some_features()
    run = toy_run(model, features, ask_bundle=ask)
    rows = [4, 0, 5]
    batch = run.collate(features, rows)
    found = begin(run, distil_gold=0.25, distil_temperature=3.0).loss(batch, plain_pass(run, batch), step(rows))
    logits = model(batch["inputs"])
    teacher = torch.from_numpy(TOLD.values[rows][:, [2, 3, 0]]).float()
    p = (teacher / 3).softmax(1)
    soft = (p * (p.log() - (logits / 3).log_softmax(1))).sum(1).mean()
    gold = functional.cross_entropy(logits, batch["labels"])
    torch.testing.assert_close(found.loss, 0.25 * gold + 0.75 * 9 * soft)


def test_at_a_high_temperature_the_gradient_is_that_of_matching_logits() -> None:
    """Section 2.1: with zero-mean logits T² ∂C/∂z → (z − v) / N, whatever T is."""
    agreement_logits = torch.tensor([[1.0, -2.0, 1.0]], requires_grad=True)
    told = np.array([[0.5, 0.5, -1.0]])
    run = toy_run(
        torch.nn.Identity(),
        some_features(1),
        ask_bundle=lambda path, examples: BundleAnswers(("a", "b", "c"), told),
    )
    working = begin(run, distil_gold=0.0, distil_temperature=500.0)
    from provetune.core.minimised import Pass

    loss = working.loss({}, lambda batch: Pass(agreement_logits.sum() * 0, agreement_logits), step([0])).loss
    loss.backward()
    wanted = (agreement_logits.detach() - torch.from_numpy(told).float()) / 3
    torch.testing.assert_close(agreement_logits.grad, wanted, atol=5e-3, rtol=0)


def test_all_gold_is_plain_and_asks_nobody() -> None:
    model, features = linear(), some_features()
    run = toy_run(model, features)  # asking would fail
    batch = run.collate(features, [0, 1])
    inner = plain_pass(run, batch)
    assert begin(run, distil_gold=1.0).loss(batch, inner, step([0, 1])).loss.item() == inner(batch).loss.item()


def test_only_rows_that_are_learned_from_are_asked_about() -> None:
    asked: list[list[str]] = []

    def note(path: str, examples: Any) -> BundleAnswers:
        asked.append(examples.column("text").to_pylist())
        return ask(path, examples)

    features = some_features(3, rows=[1, 1, 4])
    import pyarrow as pa

    examples = pa.table({"text": [f"text {k}" for k in range(6)]})
    run = toy_run(linear(), features, ask_bundle=note, examples=examples)
    working = begin(run)
    assert asked == [["text 1", "text 4"]]
    torch.testing.assert_close(
        working.teacher.about(np.array([4, 1])), torch.from_numpy(TOLD.values[[4, 1]][:, [2, 3, 0]]).float()
    )


def test_numbers_are_matched_without_temperature() -> None:
    targets = Targets("regression", ("value",), (6,), tuned={"mean": [10.0], "scale": [4.0]})
    told = BundleAnswers(("value",), np.arange(6.0)[:, None])
    model = linear(outputs=1)
    features = some_features()
    features.labels = np.ones((6, 1), dtype=np.float32)
    run = toy_run(model, features, targets=targets, ask_bundle=lambda path, examples: told)
    batch = run.collate(features, [2, 3])
    found = begin(run, distil_gold=0.0, distil_temperature=5.0).loss(batch, plain_pass(run, batch), step([2, 3]))
    wanted = (((model(batch["inputs"]) - torch.tensor([[2.0], [3.0]])) / 4) ** 2).mean()
    torch.testing.assert_close(found.loss, wanted)


def test_without_a_teacher_it_is_refused(tmp_path: Any) -> None:
    situation = Situation("classification", "single_label", 2, (1, 1), "full", "weights", ("distil",), "bert")
    DISTIL.check(situation)
    from dataclasses import replace

    with pytest.raises(UsageError, match="needs a teacher"):
        DISTIL.check(replace(situation, folder=tmp_path, settings={"distil_from": ""}))
