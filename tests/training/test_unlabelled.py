"""Self-training and consistency on unlabelled rows, against their formulas."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch.nn import functional
from toy_runs import ToyFeatures, linear, plain_pass, some_features, step, toy_run

from provetune.core.errors import UsageError
from provetune.core.minimised import BundleAnswers, LossRun, Situation
from provetune.core.protocols import Targets
from provetune.training.disturbed_tokens import TokenNoise
from provetune.training.objectives import OBJECTIVES
from provetune.training.objectives.pseudo_labels import ramp

PSEUDO, ALIKE = OBJECTIVES.get("pseudo_labels"), OBJECTIVES.get("consistency")
UNLABELLED = ToyFeatures(np.random.default_rng(4).normal(size=(8, 4)) * 3)
AT_ONCE = {"pseudo_labels_rows": "more.csv", "pseudo_labels_begin": 0.0, "pseudo_labels_full": 0.1}


def run_with_more(model: torch.nn.Module, features: ToyFeatures, **changes: Any) -> LossRun:
    return toy_run(model, features, read_rows=lambda path, use: (path, use), encode=lambda rows: UNLABELLED, **changes)


@pytest.mark.parametrize(
    ("progress", "wanted"), [(0.0, 0.0), (0.09, 0.0), (0.1, 0.0), (0.35, 0.5), (0.6, 1.0), (0.9, 1.0)]
)
def test_the_ramp_is_equation_16(progress: float, wanted: float) -> None:
    assert ramp(progress, 0.1, 0.6) == pytest.approx(wanted)


def test_a_ramp_that_begins_at_once_or_has_no_length() -> None:
    assert ramp(0.0, 0.0, 0.5) == 0.0
    assert ramp(0.3, 0.3, 0.3) == 1.0


def test_sure_answers_are_learned_and_unsure_ones_count_as_nought() -> None:
    model, features = linear(), some_features()
    run = run_with_more(model, features)
    working = PSEUDO.begin(run, PSEUDO.settings(**AT_ONCE, pseudo_labels_threshold=0.6, pseudo_labels_weight=2.0))
    batch = run.collate(features, [0, 1, 2, 3])
    inner = plain_pass(run, batch)
    found = working.loss(batch, inner, step([0, 1, 2, 3], number=5)).loss - inner(batch).loss
    drawn = working.unlabelled.numbers(5, 0, 4)
    logs = model(torch.from_numpy(UNLABELLED.inputs[drawn])).log_softmax(1)
    best, labels = logs.exp().max(1)
    sure = best >= 0.6
    assert 0 < int(sure.sum()) < 4
    wanted = 2 * -(logs.gather(1, labels[:, None]).squeeze(1) * sure).sum() / 4
    torch.testing.assert_close(found, wanted, atol=1e-6, rtol=1e-5)


def test_before_the_ramp_no_unlabelled_row_is_looked_at() -> None:
    model, features = linear(), some_features()
    run = run_with_more(model, features)
    working = PSEUDO.begin(run, PSEUDO.settings(pseudo_labels_rows="m", pseudo_labels_begin=0.5))
    working.unlabelled = None
    batch = run.collate(features, [0])
    inner = plain_pass(run, batch)
    assert working.loss(batch, inner, step([0], number=4)).loss.item() == inner(batch).loss.item()


def test_a_bundle_labels_in_its_own_words() -> None:
    told = BundleAnswers(("c", "a", "b"), np.log(np.random.default_rng(2).dirichlet(np.ones(3) * 0.2, size=8)))
    model, features = linear(), some_features()
    asked: list[Any] = []

    def ask(path: str, rows: Any) -> BundleAnswers:
        asked.append((path, rows))
        return told

    run = run_with_more(model, features, ask_bundle=ask)
    settings = PSEUDO.settings(**AT_ONCE, pseudo_labels_from="teacher", pseudo_labels_threshold=0.0)
    working = PSEUDO.begin(run, settings)
    assert asked == [("teacher", ("more.csv", "texts"))]
    batch = run.collate(features, [0, 1])
    inner = plain_pass(run, batch)
    found = working.loss(batch, inner, step([0, 1], number=9)).loss - inner(batch).loss
    drawn = working.unlabelled.numbers(9, 0, 2)
    labels = torch.from_numpy(told.values[drawn][:, [1, 2, 0]].argmax(1))
    wanted = functional.cross_entropy(model(torch.from_numpy(UNLABELLED.inputs[drawn])), labels)
    torch.testing.assert_close(found, wanted)


def test_of_several_labels_each_is_taken_by_itself() -> None:
    targets = Targets("multi_label", ("a", "b", "c"), (1, 1, 1))
    model, features = linear(), some_features()
    features.labels = np.eye(3, dtype=np.float32)[features.labels]
    run = run_with_more(model, features, targets=targets)
    working = PSEUDO.begin(run, PSEUDO.settings(**AT_ONCE, pseudo_labels_threshold=0.8))
    batch = run.collate(features, [0, 1])
    inner = plain_pass(run, batch)
    found = working.loss(batch, inner, step([0, 1], number=9)).loss - inner(batch).loss
    probabilities = model(torch.from_numpy(UNLABELLED.inputs[working.unlabelled.numbers(9, 0, 2)])).sigmoid()
    wanted = 0.0
    for value in probabilities.flatten().tolist():
        wanted += -np.log(max(value, 1 - value)) if max(value, 1 - value) >= 0.8 else 0.0
    assert found.item() == pytest.approx(wanted / 6, rel=1e-4)


class EchoNoise:
    """Disturbs nothing but adds one, so that what is asked can be told apart."""

    def disturb(self, ids: torch.Tensor, seed: int) -> torch.Tensor:
        self.seed = seed
        return ids + 1


def test_consistency_is_udas_loss_with_mask_and_sharpening() -> None:
    model, features = linear(), some_features()
    run = run_with_more(model, features)
    original = run.forward

    def forward(batch: Any) -> torch.Tensor:
        return model(batch["input_ids"]) if "input_ids" in batch else original(batch)

    run.forward = forward
    settings = ALIKE.settings(
        consistency_rows="m", consistency_threshold=0.6, consistency_temperature=0.5, consistency_weight=3.0
    )
    run.tokenizer = SimpleNamespace(all_special_ids=[0], mask_token_id=1)
    working = ALIKE.begin(run, settings)
    working.noise = EchoNoise()
    collate = working.unlabelled.collate
    working.unlabelled = SimpleNamespace(
        numbers=working.unlabelled.numbers, collate=lambda numbers: {"input_ids": collate(numbers)["inputs"]}
    )
    batch = run.collate(features, [0, 1, 2, 3, 4])
    inner = plain_pass(run, batch)
    found = working.loss(batch, inner, step(range(5), number=2)).loss - inner(batch).loss
    x = torch.from_numpy(UNLABELLED.inputs[working.unlabelled.numbers(2, 0, 5)])
    p, q = model(x).detach(), model(x + 1)
    sharp = (p / 0.5).softmax(1)
    each = (sharp * (sharp.log() - q.log_softmax(1))).sum(1)
    mask = (p.softmax(1).max(1).values > 0.6).float()
    assert 0 < mask.sum() < 5
    torch.testing.assert_close(found, 3 * (each * mask).sum() / 5, atol=1e-6, rtol=1e-5)
    gradient = torch.autograd.grad(found, model.bias, retain_graph=True)[0]
    wanted = torch.autograd.grad(3 * (each * mask).sum() / 5, model.bias)[0]
    torch.testing.assert_close(gradient, wanted)


def test_noise_changes_the_share_it_should_and_spares_special_tokens() -> None:
    ids = torch.randint(10, 500, (200, 50), generator=torch.Generator().manual_seed(0))
    ids[:, 0], ids[:, -1] = 2, 3
    noise = TokenNoise(0.2, (0, 2, 3), 4)
    found = noise.disturb(ids, 5)
    assert torch.equal(found[:, [0, -1]], ids[:, [0, -1]])
    changed = (found != ids)[:, 1:-1].float().mean().item()
    assert changed == pytest.approx(0.2, abs=0.02)
    masked = (found == 4)[:, 1:-1].float().mean().item()
    assert masked == pytest.approx(0.1, abs=0.01)
    assert torch.equal(found, noise.disturb(ids, 5))
    assert not torch.equal(found, noise.disturb(ids, 6))


def test_without_a_mask_token_others_of_the_batch_take_the_place() -> None:
    ids = torch.arange(10, 60).reshape(5, 10)
    noise = TokenNoise.of(SimpleNamespace(all_special_ids=[1], mask_token_id=None, unk_token_id=None), 0, 0.9)
    found = noise.disturb(ids, 1)
    assert set(found.flatten().tolist()) <= set(ids.flatten().tolist())
    assert not torch.equal(found, ids)
    only_special = torch.ones((2, 3), dtype=torch.long)
    assert torch.equal(noise.disturb(only_special, 1), only_special)


def test_zero_weight_is_plain_and_reads_nothing() -> None:
    model, features = linear(), some_features()
    run = toy_run(model, features)  # reading would fail
    batch = run.collate(features, [0, 1])
    inner = plain_pass(run, batch)
    for objective, settings in ((PSEUDO, {"pseudo_labels_weight": 0}), (ALIKE, {"consistency_weight": 0})):
        working = objective.begin(run, objective.settings(**settings))
        assert working.loss(batch, inner, step([0, 1], number=9)).loss.item() == inner(batch).loss.item()


def test_what_is_missing_is_said(tmp_path: Any) -> None:
    empty = Situation("classification", "single_label", 2, (1, 1), "full", "weights", (), "bert")
    for objective in (PSEUDO, ALIKE):
        objective.check(empty)
        with pytest.raises(UsageError, match="needs rows without labels"):
            objective.check(replace(empty, folder=tmp_path))
    with pytest.raises(UsageError, match=r"no meaning for numbers \(task 'regression'\)"):
        PSEUDO.check(replace(empty, task="regression", kind="regression"))
    with pytest.raises(ValidationError, match="pseudo_labels_full at or after pseudo_labels_begin"):
        PSEUDO.settings(pseudo_labels_begin=0.5, pseudo_labels_full=0.2)
