"""Label smoothing and focal loss against their formulas, for every form of labels."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from objective_runs import SINGLE, toy_run
from torch.nn import functional

from provetune.core.errors import UsageError
from provetune.core.minimised import Situation
from provetune.core.protocols import Targets
from provetune.tasks import TASKS
from provetune.training.objectives import OBJECTIVES

SEVERAL = replace(SINGLE, kind="multi_label")
TAGS = Targets("spans", ("a", "b"), (4, 2))
DRAW = torch.Generator().manual_seed(2)
WEIGHTS = torch.tensor([0.5, 1.0, 3.0])


def priced(name: str, targets: Targets, weights: torch.Tensor | None = None, **fields: Any) -> Any:
    objective = OBJECTIVES.get(name)
    run = toy_run(torch.nn.Linear(1, 1), targets, weights)
    working: Any = objective.begin(run, objective.settings(**fields))

    def plain(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        task = {"single_label": "classification", "multi_label": "classification", "spans": "tagging"}
        return TASKS.get(task[targets.kind]).loss(outputs, labels, targets, weights)

    return lambda outputs, labels: working.task_loss(outputs, labels, plain)


def single() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(6, 3, generator=DRAW) * 2, torch.tensor([0, 2, 1, -100, 2, 0])


def tags() -> tuple[torch.Tensor, torch.Tensor]:
    labels = torch.tensor([[-100, 0, 1, 2, -100], [-100, 3, 4, -100, -100]])
    return torch.randn(2, 5, 5, generator=DRAW) * 2, labels


def several() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(4, 3, generator=DRAW) * 2, torch.tensor([[1.0, 0, 1], [0, 0, 0], [0, 1, 0], [1, 1, 1]])


# -- label smoothing ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_smoothing_spreads_a_share_over_all_labels(weights: torch.Tensor | None) -> None:
    logits, labels = single()
    found = priced("label_smoothing", SINGLE, weights, label_smoothing=0.3)(logits, labels)
    weight = torch.ones(3) if weights is None else weights
    total = 0.0
    for row, label in zip(logits, labels, strict=True):
        if label >= 0:
            wanted = torch.full((3,), 0.3 / 3)
            wanted[label] += 0.7
            total += float((-wanted * weight * row.log_softmax(0)).sum())
    assert found.item() == pytest.approx(total / float(weight[labels[labels >= 0]].sum()), rel=1e-5)
    torch.testing.assert_close(
        found, functional.cross_entropy(logits, labels, weight=weights, label_smoothing=0.3, ignore_index=-100)
    )


def test_smoothing_of_several_labels_is_towards_one_half_each() -> None:
    logits, labels = several()
    found = priced("label_smoothing", SEVERAL, label_smoothing=0.2)(logits, labels)
    wanted = torch.where(labels > 0, 0.9, 0.1)
    share = logits.sigmoid()
    assert found.item() == pytest.approx(
        float(-(wanted * share.log() + (1 - wanted) * (1 - share).log()).mean()), rel=1e-5
    )


def test_smoothing_of_tags_leaves_out_what_is_no_word_and_weighs_entities() -> None:
    logits, labels = tags()
    weights = torch.tensor([2.0, 0.5])
    found = priced("label_smoothing", TAGS, weights, label_smoothing=0.1)(logits, labels)
    of_tag = torch.tensor([1.0, 2.0, 2.0, 0.5, 0.5])
    expected = functional.cross_entropy(
        logits.flatten(0, 1), labels.flatten(), weight=of_tag, label_smoothing=0.1, ignore_index=-100
    )
    torch.testing.assert_close(found, expected)


# -- focal --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_focal_weighs_rows_by_what_is_lacking(weights: torch.Tensor | None) -> None:
    logits, labels = single()
    found = priced("focal", SINGLE, weights, focal_gamma=1.5)(logits, labels)
    weight = torch.ones(3) if weights is None else weights
    total = whole = 0.0
    for row, label in zip(logits, labels, strict=True):
        if label >= 0:
            right = float(row.softmax(0)[label])
            total -= float(weight[label]) * (1 - right) ** 1.5 * float(torch.log(torch.tensor(right)))
            whole += float(weight[label])
    assert found.item() == pytest.approx(total / whole, rel=1e-5)


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_focal_of_several_labels_is_each_label_s(weights: torch.Tensor | None) -> None:
    logits, labels = several()
    found = priced("focal", SEVERAL, weights, focal_gamma=2.0)(logits, labels)
    share = logits.sigmoid()
    right = torch.where(labels > 0, share, 1 - share)
    alpha = torch.ones_like(labels) if weights is None else torch.where(labels > 0, weights, 1.0)
    assert found.item() == pytest.approx(float((-alpha * (1 - right) ** 2 * right.log()).mean()), rel=1e-5)


def test_focal_of_tags_is_the_mean_over_words() -> None:
    logits, labels = tags()
    found = priced("focal", TAGS, focal_gamma=2.0)(logits, labels)
    right = logits.softmax(-1).flatten(0, 1)[torch.arange(10), labels.flatten().clamp(min=0)][labels.flatten() >= 0]
    assert len(right) == 5
    assert found.item() == pytest.approx(float((-((1 - right) ** 2) * right.log()).mean()), rel=1e-5)


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_focal_has_a_slope_where_all_is_known(gamma: float) -> None:
    logits = torch.tensor([[60.0, 0.0, 0.0], [0.0, 90.0, 0.0]], requires_grad=True)
    priced("focal", SINGLE, focal_gamma=gamma)(logits, torch.tensor([0, 1])).backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    assert logits.grad.abs().max() < 1e-3


# -- both ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("targets", "make"), [(SINGLE, single), (SEVERAL, several), (TAGS, tags)])
@pytest.mark.parametrize(
    ("name", "fields"), [("label_smoothing", {"label_smoothing": 0}), ("focal", {"focal_gamma": 0})]
)
def test_nought_is_the_task_s_own_loss(name: str, fields: dict[str, float], targets: Targets, make: Any) -> None:
    outputs, labels = make()
    weights = torch.tensor([0.5, 1.0, 3.0][: len(targets.names)])
    task = TASKS.get("tagging" if targets is TAGS else "classification")
    found = priced(name, targets, weights, **fields)(outputs, labels)
    assert torch.equal(found, task.loss(outputs, labels, targets, weights))


@pytest.mark.parametrize(("targets", "make"), [(SINGLE, single), (SEVERAL, several), (TAGS, tags)])
@pytest.mark.parametrize(("name", "field"), [("label_smoothing", "label_smoothing"), ("focal", "focal_gamma")])
def test_near_nought_it_is_near_the_task_s_own_loss(name: str, field: str, targets: Targets, make: Any) -> None:
    """The formulas of ours and the task's meet: same mean, same weights, same rows."""
    outputs, labels = make()
    weights = torch.tensor([0.5, 1.0, 3.0][: len(targets.names)])
    task = TASKS.get("tagging" if targets is TAGS else "classification")
    found = priced(name, targets, weights, **{field: 1e-6})(outputs, labels)
    torch.testing.assert_close(found, task.loss(outputs, labels, targets, weights), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["label_smoothing", "focal"])
def test_a_batch_without_a_word_costs_nothing(name: str) -> None:
    outputs = torch.randn(1, 3, 5, requires_grad=True)
    found = priced(name, TAGS)(outputs, torch.full((1, 3), -100))
    found.backward()
    assert found.item() == 0


@pytest.mark.parametrize("name", ["label_smoothing", "focal"])
def test_tokens_of_a_conversation_are_choices_too(name: str) -> None:
    outputs = torch.randn(3, 7, generator=DRAW)
    labels = torch.tensor([[-100, 4, -100, 0, 6]])
    found = priced(name, Targets("conversation", ()))(outputs, labels)
    alone = priced(name, SINGLE)(outputs, torch.tensor([4, 0, 6]))
    torch.testing.assert_close(found, alone)


@pytest.mark.parametrize(
    ("name", "kind", "task", "others", "said"),
    [
        ("label_smoothing", "text", "seq2seq", (), "smoothed by an option of the task"),
        ("label_smoothing", "regression", "regression", (), "no meaning for numbers"),
        ("label_smoothing", "ordinal", "ordinal", (), "no meaning for ordered labels"),
        ("focal", "answered", "span_qa", (), "no meaning for places in a passage"),
        ("focal", "documents", "retrieval", (), "no meaning for texts to be found"),
        ("focal", "single_label", "classification", ("label_smoothing",), "both say what one answer costs"),
        ("label_smoothing", "single_label", "classification", ("focal",), "both say what one answer costs"),
        ("focal", "brand_new", "theirs", (), "labels of the kind 'brand_new'"),
    ],
)
def test_what_has_no_classes_is_refused_in_a_line(
    name: str, kind: str, task: str, others: tuple[str, ...], said: str
) -> None:
    situation = Situation(task, kind, 3, (), "full", "weights", (name, *others), "bert")
    with pytest.raises(UsageError, match=said) as caught:
        OBJECTIVES.get(name).check(situation)  # type: ignore[attr-defined]
    assert caught.value.hint
    assert "\n" not in caught.value.message
