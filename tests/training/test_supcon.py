"""Supervised contrastive learning against a double loop over Khosla et al.'s equation 2."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from objective_runs import BATCH, Toy, inner_of, step_of, toy_run
from transformers import GPT2Config, GPT2ForSequenceClassification

from provetune.core.errors import UsageError
from provetune.core.minimised import Pass, Situation
from provetune.models.methods.lora import Lora, LoraSettings
from provetune.tasks import TASKS
from provetune.training.objectives.supcon import OBJECTIVE, SupconSettings, contrastive_loss
from provetune.training.pooled import PooledVectors


def by_loops(vectors: list[list[float]], labels: list[int], temperature: float) -> float:
    """L_out: for each anchor the mean over its friends of −log(e^{z·z_p/τ} / Σ_{a≠i} e^{z·z_a/τ}), averaged."""
    units = [[x / math.sqrt(sum(y * y for y in row)) for x in row] for row in vectors]
    known = [k for k, label in enumerate(labels) if label >= 0]

    def near(i: int, j: int) -> float:
        return math.exp(sum(x * y for x, y in zip(units[i], units[j], strict=True)) / temperature)

    anchors = []
    for i in known:
        friends = [p for p in known if p != i and labels[p] == labels[i]]
        if friends:
            below = sum(near(i, a) for a in known if a != i)
            anchors.append(sum(-math.log(near(i, p) / below) for p in friends) / len(friends))
    return sum(anchors) / len(anchors) if anchors else 0.0


@pytest.mark.parametrize("labels", [[0, 1, 0, 2, 1, 0], [0, 1, -100, 2, 1, -100], [0, 1, 2, 3, 4, 5], [0] * 6])
def test_the_loss_is_the_double_loop_s(labels: list[int]) -> None:
    vectors = torch.randn(6, 4, generator=torch.Generator().manual_seed(8)).double().requires_grad_()
    found = contrastive_loss(vectors.float(), torch.tensor(labels), 0.3)
    assert found.item() == pytest.approx(by_loops(vectors.tolist(), labels, 0.3), rel=1e-5, abs=1e-7)
    found.backward()
    assert vectors.grad is not None
    assert torch.isfinite(vectors.grad).all()


@pytest.mark.parametrize("labels", [[], [1], [-100, -100]])
def test_too_few_rows_cost_nothing(labels: list[int]) -> None:
    vectors = torch.randn(len(labels), 4, requires_grad=True)
    found = contrastive_loss(vectors, torch.tensor(labels, dtype=torch.long), 0.3)
    assert found.item() == 0
    found.backward()
    assert (vectors.grad == 0).all()


def test_both_losses_have_their_share_and_the_vectors_are_the_head_s() -> None:
    model = Toy()
    run = toy_run(model)
    batch = {**BATCH, "labels": torch.tensor([0, 2, 0])}
    term = OBJECTIVE.begin(run, SupconSettings(supcon_weight=0.4, supcon_temperature=0.5))
    found = term.loss(batch, inner_of(run), step_of())
    with torch.no_grad():
        pooled = model.pooled(model.words(batch["input_ids"]), batch["attention_mask"])
        plain = run.task_loss(model.classifier(pooled), batch["labels"]).item()
    expected = 0.6 * plain + 0.4 * by_loops(pooled.tolist(), [0, 2, 0], 0.5)
    assert found.loss.item() == pytest.approx(expected, rel=1e-6)


def test_passes_of_one_batch_are_views_and_passes_of_others_are_not() -> None:
    model = Toy(dropout=0.3).train()
    run = toy_run(model)
    other = {**BATCH, "input_ids": BATCH["input_ids"].clone()}
    seen: list[torch.Tensor] = []

    def twice(batch: Any) -> Pass:
        hook = model.classifier.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].detach()))
        first, second = inner_of(run)(batch), inner_of(run)(batch)
        hook.remove()
        inner_of(run)(other)
        return Pass(first.loss + second.loss, first.outputs)

    found = OBJECTIVE.begin(run, SupconSettings(supcon_weight=0.5)).loss(BATCH, twice, step_of())
    contrast = by_loops(torch.cat(seen).tolist(), BATCH["labels"].tolist() * 2, 0.3)
    torch.manual_seed(0)
    assert len(seen) == 2
    assert contrast > 0, "two views of a text are friends"
    plain = [run.task_loss(model.classifier(each), BATCH["labels"]).item() for each in seen]
    assert found.loss.item() == pytest.approx(0.5 * sum(plain) + 0.5 * contrast, rel=1e-5)


def test_no_weight_is_plain() -> None:
    run = toy_run(Toy())
    found = OBJECTIVE.begin(run, SupconSettings(supcon_weight=0)).loss(BATCH, inner_of(run), step_of())
    assert torch.equal(found.loss, inner_of(run)(BATCH).loss)


def test_hooks_go_whatever_happens() -> None:
    model = Toy()
    run = toy_run(model)

    def broken(batch: Any) -> Pass:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        OBJECTIVE.begin(run, SupconSettings()).loss(BATCH, broken, step_of())
    assert not model._forward_pre_hooks
    assert not model.classifier._forward_pre_hooks


def test_the_head_of_a_wrapped_model_is_the_one_that_learns(make_model: Any) -> None:
    # As many labels as the rank: the small matrices are linear layers with as many outputs.
    wrapped = Lora().prepare(make_model(), LoraSettings(rank=3), TASKS.get("classification"))
    layer = PooledVectors(wrapped).layer
    assert layer.weight.requires_grad
    assert layer is wrapped.get_base_model().classifier.modules_to_save["default"]


def test_a_decoder_s_vector_is_that_of_its_last_token() -> None:
    config = GPT2Config(vocab_size=40, n_positions=16, n_embd=8, n_layer=1, n_head=2, num_labels=3, pad_token_id=0)
    torch.manual_seed(0)
    model = GPT2ForSequenceClassification(config).eval()
    ids = torch.tensor([[5, 6, 7, 0, 0], [5, 6, 7, 8, 9]])
    batch = {"input_ids": ids, "attention_mask": (ids != 0).long()}
    vectors = PooledVectors(model)
    with vectors.caught(batch) as found:
        logits = model(**batch).logits
    assert torch.allclose(model.score(found[0]), logits)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind": "multi_label"}, "no meaning for several labels"),
        ({"kind": "spans"}, "no meaning for entities"),
        ({"objectives": ("supcon", "mixup")}, "'mixup' leaves none"),
        ({"counts": (1, 1, 1)}, "needs two training rows of a label"),
    ],
)
def test_what_cannot_be_drawn_together_is_refused(changes: dict[str, Any], said: str) -> None:
    fields: dict[str, Any] = {"kind": "single_label", "counts": (2, 1), "objectives": ("supcon",), **changes}
    with pytest.raises(UsageError, match=said):
        OBJECTIVE.check(
            Situation("classification", classes=3, method="full", learns_from="weights", family="bert", **fields)
        )
