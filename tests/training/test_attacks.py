"""FGM, PGD and FreeLB against their equations, written out again on a model of one layer."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from objective_runs import BATCH, IDS, Toy, gradients, inner_of, step_of, toy_run
from torch.nn import functional

from provetune.core.errors import UsageError
from provetune.core.minimised import Situation
from provetune.core.seeds import derive
from provetune.training.objectives import OBJECTIVES
from provetune.training.objectives.freelb import start_uniform
from provetune.training.objectives.pgd import start_in_ball

LABELS, MASK = BATCH["labels"], BATCH["attention_mask"]
REAL = MASK.unsqueeze(-1).float()


def begin(name: str, run: Any, **fields: Any) -> Any:
    objective = OBJECTIVES.get(name)
    return objective.begin(run, objective.settings(**fields))


def loss_at(model: Toy, embedded: torch.Tensor) -> torch.Tensor:
    """The mean loss of the batch if these were its embeddings."""
    return functional.cross_entropy(model.classifier(model.drop(model.pooled(embedded, MASK))), LABELS)


def row_lengths(values: torch.Tensor) -> torch.Tensor:
    return values.flatten(1).norm(dim=1)[:, None, None]


def differences(model: Toy, embedded: torch.Tensor, size: float = 1e-6) -> torch.Tensor:
    """The gradient of the loss for the embeddings, by central differences."""
    found = torch.zeros_like(embedded)
    for place in torch.cartesian_prod(*(torch.arange(n) for n in embedded.shape)).tolist():
        moved = [embedded.detach().clone(), embedded.detach().clone()]
        for each, sign in zip(moved, (1, -1), strict=True):
            each[tuple(place)] += sign * size
        with torch.no_grad():
            found[tuple(place)] = (loss_at(model, moved[0]) - loss_at(model, moved[1])) / (2 * size)
    return found


def test_fgm_moves_along_the_gradient_and_adds_the_loss_there() -> None:
    """Miyato et al.: L(s) + L(s + ε g / ‖g‖), with g by finite differences."""
    model = Toy()
    run = toy_run(model)
    found = begin("fgm", run, fgm_epsilon=0.3, fgm_weight=0.5).loss(BATCH, inner_of(run), step_of())
    found.loss.backward()
    ours = gradients(model)

    plain = model.words(IDS)
    slope = differences(model, plain.detach())
    moved = 0.3 * row_lengths(plain.detach() * REAL) * slope / row_lengths(slope)
    assert torch.allclose(model.seen[1], plain.detach() + moved, atol=1e-6)
    model.zero_grad()
    expected = loss_at(model, plain) + 0.5 * loss_at(model, plain + moved)
    expected.backward()
    assert found.loss.item() == pytest.approx(expected.item(), abs=1e-6)
    for name, gradient in gradients(model).items():
        assert torch.allclose(ours[name], gradient, atol=1e-6), name


def test_fgm_raises_the_loss_more_than_a_random_step_of_its_length() -> None:
    model = Toy()
    run = toy_run(model)
    found = begin("fgm", run, fgm_epsilon=0.1).loss(BATCH, inner_of(run), step_of())
    plain = loss_at(model, model.words(IDS)).item()
    hurt = found.loss.item() - plain
    noise = torch.randn(50, *model.words(IDS).shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    for each in noise:
        step = 0.1 * row_lengths(model.words(IDS) * REAL) * each / row_lengths(each)
        assert loss_at(model, model.words(IDS) + step).item() < hurt


def test_pgd_is_the_loss_after_k_projected_steps() -> None:
    """Madry et al.: x ← Π(x + a g / ‖g‖) from a random start; the loss there is the only one."""
    model = Toy()
    run = toy_run(model)
    attack = begin("pgd", run, pgd_epsilon=0.2, pgd_steps=4, pgd_step=0.5)
    found = attack.loss(BATCH, inner_of(run), step_of(3, 1))
    found.loss.backward()
    ours = gradients(model)

    plain = model.words(IDS).detach()
    lengths = row_lengths(plain * REAL)
    offset = (start_in_ball(0.2, derive(77, "pgd", "3", "1"))(REAL, 5) * lengths.float()).double()
    for _ in range(4):
        embedded = (plain + offset).requires_grad_()
        (slope,) = torch.autograd.grad(loss_at(model, embedded), embedded)
        offset = offset + 0.5 * 0.2 * lengths * slope / row_lengths(slope)
        over = (row_lengths(offset) / (0.2 * lengths)).clamp(min=1)
        offset = offset / over
    model.zero_grad()
    expected = loss_at(model, model.words(IDS) + offset)
    expected.backward()
    assert found.loss.item() == pytest.approx(expected.item(), abs=1e-6)
    assert (row_lengths(offset) <= 0.2 * lengths + 1e-9).all()
    for name, gradient in gradients(model).items():
        assert torch.allclose(ours[name], gradient, atol=1e-6), name
    assert len(model.seen) == 5


def test_freelb_averages_the_gradients_of_its_steps_under_one_dropout_mask() -> None:
    """Zhu et al., algorithm 1, with the mask of the first pass written down and used in every one."""
    model = Toy(dropout=0.4).train()
    run = toy_run(model)
    torch.manual_seed(9)
    attack = begin("freelb", run, freelb_epsilon=0.2, freelb_steps=3, freelb_step=0.6, freelb_start=0.7)
    found = attack.loss(BATCH, inner_of(run), step_of(2))
    after = torch.rand(1)
    found.loss.backward()
    ours = gradients(model)

    torch.manual_seed(9)
    kept = functional.dropout(torch.ones(3, 5, dtype=torch.float64), 0.4)
    assert torch.equal(after, torch.rand(1)), "as many numbers are drawn as in one pass"

    def masked(embedded: torch.Tensor) -> torch.Tensor:
        return functional.cross_entropy(model.classifier(model.pooled(embedded, MASK) * kept), LABELS)

    plain = model.words(IDS).detach()
    lengths = row_lengths(plain * REAL)
    offset = (start_uniform(0.7 * 0.2, derive(77, "freelb", "2", "0"))(REAL, 5) * lengths.float()).double()
    model.zero_grad()
    total = 0.0
    for _ in range(3):
        leaf = offset.clone().requires_grad_()
        loss = masked(model.words(IDS) + leaf)
        (loss / 3).backward()
        total += loss.item() / 3
        slope = leaf.grad
        assert slope is not None
        offset = offset + 0.6 * 0.2 * lengths * slope / row_lengths(slope)
        offset = offset / (row_lengths(offset) / (0.2 * lengths)).clamp(min=1)
    assert found.loss.item() == pytest.approx(total, abs=1e-6)
    for name, gradient in gradients(model).items():
        assert torch.allclose(ours[name], gradient, atol=1e-6), name
    assert len(model.seen) == 3


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("fgm", {"fgm_epsilon": 0}),
        ("fgm", {"fgm_weight": 0}),
        ("pgd", {"pgd_epsilon": 0}),
        ("freelb", {"freelb_epsilon": 0}),
    ],
)
def test_of_no_size_it_is_the_plain_pass(name: str, fields: dict[str, float]) -> None:
    model = Toy()
    run = toy_run(model)
    found = begin(name, run, **fields).loss(BATCH, inner_of(run), step_of())
    assert torch.equal(found.loss, loss_at(model, model.words(IDS)))
    assert len(model.seen) == 1


def test_accumulated_batches_draw_starts_of_their_own_and_the_same_again() -> None:
    model = Toy()
    run = toy_run(model)
    losses = [
        begin("pgd", run, pgd_epsilon=0.2, pgd_steps=1).loss(BATCH, inner_of(run), step_of(*place)).loss.item()
        for place in ((0, 0), (0, 1), (1, 0), (0, 0))
    ]
    assert losses[0] == losses[3]
    assert len(set(losses)) == 3


def test_two_attacks_are_refused_in_a_line() -> None:
    situation = Situation(
        "classification", "single_label", 3, (), "full", "weights", ("freelb", "rdrop", "fgm"), "bert"
    )
    for name, other in (("freelb", "fgm"), ("fgm", "freelb")):
        with pytest.raises(UsageError, match=f"'{name}' and '{other}' both disturb"):
            OBJECTIVES.get(name).check(situation)  # type: ignore[attr-defined]
