"""R-Drop against the paper's sum, and what distance means for every kind of answer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from objective_runs import BATCH, SINGLE, Toy, inner_of, step_of, toy_run
from scipy.stats import entropy
from torch.nn import functional

from provetune.core.errors import UsageError
from provetune.core.minimised import Situation
from provetune.core.protocols import Targets
from provetune.training.answer_kinds import divergence
from provetune.training.objectives.rdrop import OBJECTIVE, RdropSettings

DRAW = torch.Generator().manual_seed(3)


def both_kl(one: torch.Tensor, other: torch.Tensor) -> float:
    """½ (KL(P‖Q) + KL(Q‖P)) of one pair of logits, by scipy."""
    first, second = (np.asarray(each.double().softmax(-1)) for each in (one, other))
    return float(entropy(first, second) + entropy(second, first)) / 2


def test_the_loss_is_the_paper_s_sum_of_two_passes() -> None:
    model = Toy(dropout=0.4).train()
    run = toy_run(model)
    torch.manual_seed(1)
    found = OBJECTIVE.begin(run, RdropSettings(rdrop_weight=3.0)).loss(BATCH, inner_of(run), step_of())
    torch.manual_seed(1)
    one, other = run.forward(BATCH), run.forward(BATCH)
    assert not torch.equal(one, other)
    apart = np.mean([both_kl(a.detach(), b.detach()) for a, b in zip(one, other, strict=True)])
    costs = [functional.cross_entropy(each, BATCH["labels"]).item() for each in (one, other)]
    assert found.loss.item() == pytest.approx(sum(costs) / 2 + 3.0 * apart, abs=1e-6)
    # As the paper writes it: L₁ + L₂ + α ½ (KL + KL), with α twice our weight.
    assert 2 * found.loss.item() == pytest.approx(sum(costs) + 6.0 * apart, abs=1e-6)
    assert found.outputs.requires_grad


def test_no_weight_is_one_plain_pass() -> None:
    model = Toy(dropout=0.4).train()
    run = toy_run(model)
    torch.manual_seed(1)
    found = OBJECTIVE.begin(run, RdropSettings(rdrop_weight=0)).loss(BATCH, inner_of(run), step_of())
    torch.manual_seed(1)
    assert torch.equal(found.loss, functional.cross_entropy(run.forward(BATCH), BATCH["labels"]))
    assert len(model.seen) == 2


def test_a_model_without_dropout_is_refused() -> None:
    run = toy_run(Toy(dropout=0.0))
    with pytest.raises(UsageError, match="Toy has none"):
        OBJECTIVE.begin(run, RdropSettings())
    OBJECTIVE.begin(run, RdropSettings(rdrop_weight=0))


def test_kinds_that_no_distance_is_known_for_are_refused() -> None:
    situation = Situation("theirs", "brand_new", 0, (), "full", "weights", ("rdrop",), "bert")
    with pytest.raises(UsageError, match="labels of the kind 'brand_new'"):
        OBJECTIVE.check(situation)


def pair(*shape: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(shape, generator=DRAW) * 2, torch.randn(shape, generator=DRAW) * 2


@pytest.mark.parametrize("kind", ["single_label", "ordinal"])
def test_labels(kind: str) -> None:
    one, other = pair(4, 3)
    labels = torch.tensor([0, 1, -100, 2])
    expected = np.mean([both_kl(one[k], other[k]) for k in (0, 1, 3)])
    found = divergence(one, other, labels, replace(SINGLE, kind=kind))
    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_several_labels_are_choices_of_two() -> None:
    one, other = pair(4, 3)
    each = [
        both_kl(torch.stack([a, -a]) / 2, torch.stack([b, -b]) / 2)
        for a, b in zip(one.flatten(), other.flatten(), strict=True)
    ]
    found = divergence(one, other, torch.zeros(4, 3), replace(SINGLE, kind="multi_label"))
    assert found.item() == pytest.approx(np.mean(each), rel=1e-5)


def test_words_of_a_text() -> None:
    one, other = pair(2, 4, 5)
    labels = torch.tensor([[-100, 0, 3, -100], [-100, 1, -100, -100]])
    expected = np.mean([both_kl(one[place], other[place]) for place in ((0, 1), (0, 2), (1, 1))])
    assert divergence(one, other, labels, Targets("spans", ("a", "b"))).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kind", ["text", "conversation", "preference"])
def test_learned_tokens(kind: str) -> None:
    one, other = pair(3, 9)
    labels = torch.tensor([[-100, 4, -100, 0, 6]])
    expected = np.mean([both_kl(a, b) for a, b in zip(one, other, strict=True)])
    assert divergence(one, other, labels, Targets(kind, ())).item() == pytest.approx(expected, rel=1e-5)


def test_beginnings_and_ends_of_answers() -> None:
    one, other = pair(3, 6, 2)
    least = torch.finfo(torch.float32).min
    for each in (one, other):
        each[:, :2] = least  # places that no answer can be at
    one.requires_grad_()
    labels = torch.tensor([[2, 3], [-100, -100], [4, 4]])
    expected = np.mean(
        [both_kl(one[row, 2:, part].detach(), other[row, 2:, part]) for row in (0, 2) for part in (0, 1)]
    )
    found = divergence(one, other, labels, Targets("answered", ()))
    assert found.item() == pytest.approx(expected, rel=1e-5)
    found.backward()
    assert one.grad is not None
    assert torch.isfinite(one.grad).all()


def test_numbers_are_apart_by_their_squared_distance_in_their_spread() -> None:
    one, other = torch.tensor([[1.0, 10.0], [2.0, 30.0]]), torch.tensor([[3.0, 10.0], [2.0, 20.0]])
    labels = torch.tensor([[0.0, 0.0], [0.0, float("nan")]])
    targets = Targets("regression", ("x", "y"), tuned={"scale": [2.0, 5.0], "mean": [0.0, 0.0]})
    # (1 - 3)² / 2² and 0; 0; the last has no label.
    assert divergence(one, other, labels, targets).item() == pytest.approx((1.0 + 0.0 + 0.0) / 3)


def test_vectors_are_apart_by_their_squared_distance() -> None:
    one, other = (functional.normalize(each, dim=-1) for each in pair(2, 3, 4))
    labels = torch.tensor([[0, 1, -1], [2, 3, 4]])
    cosines = functional.cosine_similarity(one, other, dim=-1)
    expected = (2 - 2 * cosines)[labels >= 0].mean()
    torch.testing.assert_close(divergence(one, other, labels, Targets("documents", ())), expected)


@pytest.mark.parametrize("kind", ["single_label", "multi_label", "regression", "documents", "answered"])
def test_equal_answers_are_not_apart(kind: str) -> None:
    shape = {"documents": (2, 3, 4), "answered": (2, 3, 2)}.get(kind, (2, 3))
    labels: Any = {"documents": torch.zeros(2, 3).long(), "answered": torch.zeros(2, 2).long()}.get(
        kind, torch.zeros(2).long() if kind == "single_label" else torch.zeros(2, 3)
    )
    one, _ = pair(*shape)
    targets = Targets(kind, ("a", "b", "c"), tuned={"scale": [1.0, 1.0, 1.0]})
    assert divergence(one, one.clone(), labels, targets).item() == 0
