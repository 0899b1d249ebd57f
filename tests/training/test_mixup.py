"""Mixup against Zhang et al.'s formula, written out on a model of one layer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from objective_runs import BATCH, IDS, SINGLE, Toy, gradients, inner_of, step_of, toy_run
from torch.nn import functional

from provetune.core.errors import UsageError
from provetune.core.minimised import Situation
from provetune.core.protocols import Targets
from provetune.core.seeds import derive
from provetune.training.objectives.mixup import OBJECTIVE, MixupSettings

LABELS, MASK = BATCH["labels"], BATCH["attention_mask"]


def drawn(number: int = 0, part: int = 0, alpha: float = 0.8) -> tuple[float, Any]:
    draw = np.random.default_rng(derive(77, "mixup", str(number), str(part)))
    return float(draw.beta(alpha, alpha)), torch.from_numpy(draw.permutation(3))


def test_texts_and_what_they_cost_are_mixed_in_one_proportion() -> None:
    model = Toy()
    run = toy_run(model)
    found = OBJECTIVE.begin(run, MixupSettings(mixup_alpha=0.8)).loss(BATCH, inner_of(run), step_of(4))
    found.loss.backward()
    ours = gradients(model)
    share, partners = drawn(4)
    assert 0 < share < 1
    assert partners.tolist() != [0, 1, 2]
    model.zero_grad()
    real = model.words(IDS) * MASK.unsqueeze(-1)
    mixed = share * real + (1 - share) * real[partners]
    longest = torch.maximum(MASK, MASK[partners])
    logs = model.classifier(model.pooled(mixed, longest)).log_softmax(-1)
    wanted = share * functional.one_hot(LABELS, 3) + (1 - share) * functional.one_hot(LABELS[partners], 3)
    expected = -(wanted * logs).sum(-1).mean()
    expected.backward()
    assert found.loss.item() == pytest.approx(expected.item(), abs=1e-9)
    for name, gradient in gradients(model).items():
        assert torch.allclose(ours[name], gradient), name


def test_numbers_are_mixed_themselves() -> None:
    model = Toy(classes=1)
    run = toy_run(model, Targets("regression", ("x",), tuned={"scale": [1.0], "mean": [0.0]}))
    run.task_loss = lambda outputs, labels: ((outputs - labels) ** 2).mean()
    values = torch.tensor([[1.0], [5.0], [-2.0]], dtype=torch.float64)
    found = OBJECTIVE.begin(run, MixupSettings(mixup_alpha=0.8)).loss(
        {**BATCH, "labels": values}, inner_of(run), step_of()
    )
    share, partners = drawn()
    assert found.loss.item() == pytest.approx(
        float(((found.outputs.detach() - (share * values + (1 - share) * values[partners])) ** 2).mean())
    )


def test_steps_draw_anew_and_again_the_same() -> None:
    model = Toy()
    run = toy_run(model)
    mixing = OBJECTIVE.begin(run, MixupSettings(mixup_alpha=0.8))
    losses = [
        mixing.loss(BATCH, inner_of(run), step_of(*place)).loss.item() for place in ((0, 0), (1, 0), (0, 1), (0, 0))
    ]
    assert losses[0] == losses[3]
    assert len(set(losses)) == 3


def test_nought_and_a_batch_of_one_are_plain() -> None:
    model = Toy()
    run = toy_run(model)
    plain = inner_of(run)(BATCH).loss
    assert torch.equal(
        OBJECTIVE.begin(run, MixupSettings(mixup_alpha=0)).loss(BATCH, inner_of(run), step_of()).loss, plain
    )
    one = {name: value[:1] for name, value in BATCH.items()}
    found = OBJECTIVE.begin(run, MixupSettings()).loss(one, inner_of(run), step_of()).loss
    assert torch.equal(found, inner_of(run)(one).loss)


@pytest.mark.parametrize("kind", ["spans", "answered", "text", "documents", "conversation"])
def test_labels_that_do_not_mix_are_refused(kind: str) -> None:
    with pytest.raises(UsageError, match="'mixup' has no meaning for") as caught:
        OBJECTIVE.check(Situation("any", kind, 3, (), "full", "weights", ("mixup",), "bert"))
    assert "one label a row" in str(caught.value.hint)
    OBJECTIVE.check(Situation("any", replace(SINGLE).kind, 3, (), "full", "weights", ("mixup",), "bert"))
