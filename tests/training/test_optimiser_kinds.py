"""Every kind of optimiser: against PyTorch or transformers written out, with factors, saved and taken up again."""

from __future__ import annotations

import copy
from typing import Any, get_args

import pytest
import torch
from torch import nn

from provetune.problem.syntax import Candidate
from provetune.training.optimisers import OPTIMISERS
from provetune.training.optimisers.adamw.fast import ROWS_ONLY_FROM

RATE, DECAY = 0.05, 0.1


class Net(nn.Module):
    """An embedding that is stepped by rows, matrices, biases and one frozen layer."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(ROWS_ONLY_FROM, 6)
        self.inner = nn.Linear(6, 5)
        self.frozen = nn.Linear(5, 5)
        self.frozen.requires_grad_(False)
        self.out = nn.Linear(5, 3)

    def get_input_embeddings(self) -> nn.Embedding:
        return self.embedding

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.out(torch.tanh(self.frozen(torch.tanh(self.inner(self.embedding(ids).mean(1))))))


ALL_ROWS = torch.arange(ROWS_ONLY_FROM).view(64, -1)


def push(model: nn.Module) -> None:
    """Gradients with a norm above 1, so that clipping at 1 or below does something."""
    (30 * nn.functional.cross_entropy(model(ALL_ROWS), torch.arange(64) % 3)).backward()


def learning(model: nn.Module) -> dict[str, nn.Parameter]:
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


def decay_of(name: str) -> float:
    return 0.0 if name.endswith("bias") else DECAY


@pytest.fixture
def net() -> Net:
    torch.manual_seed(0)
    return Net()


def test_a_problem_file_offers_them_all() -> None:
    assert sorted(get_args(Candidate.model_fields["optimiser"].annotation)) == OPTIMISERS.names()


def test_gradients_here_are_long_enough_to_be_clipped(net: Net) -> None:
    push(net)
    assert torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0) > 1.5


@pytest.mark.parametrize("name", OPTIMISERS.names())
def test_each_says_what_it_is(name: str) -> None:
    kind = OPTIMISERS.get(name)
    assert kind.name == name
    assert kind.summary.endswith(".")
    assert kind.rate > 0
    assert kind.sources.endswith(".")


def test_sgd_is_momentum_and_decay_written_out(net: Net) -> None:
    """v ← 0.9 v + g; w ← w (1 − rate · decay) − rate · v, the decay outside of the momentum."""
    twin = copy.deepcopy(net)
    ours = OPTIMISERS.get("sgd").make(net, weight_decay=DECAY)
    velocity = {name: torch.zeros_like(p) for name, p in learning(twin).items()}
    for _ in range(4):
        push(net)
        ours.step(RATE, None)
        push(twin)
        with torch.no_grad():
            for name, p in learning(twin).items():
                velocity[name] = 0.9 * velocity[name] + p.grad
                p.mul_(1 - RATE * decay_of(name)).sub_(RATE * velocity[name])
                p.grad = None
    same_weights(net, twin)


def test_sgd_without_decay_is_pytorch_s(net: Net) -> None:
    twin = copy.deepcopy(net)
    ours = OPTIMISERS.get("sgd").make(net, weight_decay=0.0)
    theirs = torch.optim.SGD(learning(twin).values(), lr=RATE, momentum=0.9)
    for _ in range(4):
        for model in (net, twin):
            push(model)
        ours.step(RATE, 1.0)
        torch.nn.utils.clip_grad_norm_(twin.parameters(), 1.0)
        theirs.step()
        theirs.zero_grad()
    same_weights(net, twin)


def test_adafactor_is_the_paper_s_written_out(net: Net) -> None:
    """Algorithms 4 (matrices) and 5 (vectors) without relative step sizes; decay is taken off beforehand."""
    twin = copy.deepcopy(net)
    ours = OPTIMISERS.get("adafactor").make(net, weight_decay=DECAY)
    rows: dict[str, Any] = {}
    columns: dict[str, Any] = {}
    for t in range(1, 5):
        push(net)
        ours.step(RATE, None)
        push(twin)
        beta = 1 - t**-0.8
        with torch.no_grad():
            for name, p in learning(twin).items():
                square = p.grad**2 + 1e-30
                if p.ndim == 2:
                    rows[name] = beta * rows.get(name, 0) + (1 - beta) * square.mean(1)
                    columns[name] = beta * columns.get(name, 0) + (1 - beta) * square.mean(0)
                    second = torch.outer(rows[name], columns[name]) / rows[name].mean()
                else:
                    rows[name] = second = beta * rows.get(name, 0) + (1 - beta) * square
                update = p.grad / second.sqrt()
                update /= max(1.0, float(update.pow(2).mean().sqrt()))
                p.sub_(RATE * decay_of(name) * p).sub_(RATE * update)
                p.grad = None
    same_weights(net, twin)


def test_adafactor_keeps_rows_and_columns_and_nothing_of_their_product(net: Net) -> None:
    ours = OPTIMISERS.get("adafactor").make(net, weight_decay=0.0)
    push(net)
    ours.step(RATE, None)
    held = {name: value.numel() for name, value in ours.state().items() if name.endswith(".embedding.weight")}
    assert sum(held.values()) == ROWS_ONLY_FROM + 6 + 1


@pytest.mark.parametrize("fast", [None, torch.float32])
@pytest.mark.parametrize("name", OPTIMISERS.names())
def test_factors_are_learning_rates_of_single_weights(net: Net, name: str, fast: torch.dtype | None) -> None:
    """One optimiser with factors equals two with a rate each, one for either half of the weights."""
    factors = {"embedding.weight": 0.25, "inner.weight": 0.5, "inner.bias": 0.5}
    found: dict[str, torch.Tensor] = {}
    for factor in (1.0, 0.5, 0.25):
        alone = copy.deepcopy(net)
        plain = OPTIMISERS.get(name).make(alone, weight_decay=DECAY, fast=fast)
        push(alone)
        plain.step(RATE * factor, 0.3)
        plain.release()
        found |= {n: p for n, p in alone.named_parameters() if factors.get(n, 1.0) == factor}
    ours = OPTIMISERS.get(name).make(net, weight_decay=DECAY, factors=factors, fast=fast)
    push(net)
    ours.step(RATE, 0.3)
    ours.release()
    for parameter_name, parameter in net.named_parameters():
        torch.testing.assert_close(parameter, found[parameter_name], msg=parameter_name)


def test_the_fast_way_with_factors_equals_the_plain_one(net: Net) -> None:
    twin = copy.deepcopy(net)
    factors = {"embedding.weight": 0.25, "inner.weight": 0.5, "inner.bias": 0.5}
    made = [
        (model, OPTIMISERS.get("adamw").make(model, weight_decay=DECAY, factors=factors, fast=fast))
        for model, fast in ((net, torch.float32), (twin, None))
    ]
    for _ in range(4):
        for model, optimiser in made:
            push(model)
            optimiser.step(0.01, 0.3)
    for _, optimiser in made:
        optimiser.release()
    same_weights(net, twin)


def test_without_factors_the_fast_way_steps_two_spans() -> None:
    optimiser: Any = OPTIMISERS.get("adamw").make(Net(), weight_decay=DECAY, fast=torch.bfloat16)
    assert [(decay, factor) for _, decay, factor in optimiser.spans] == [(DECAY, 1.0), (0.0, 1.0)]


@pytest.mark.parametrize("fast", [None, torch.float32])
@pytest.mark.parametrize("name", OPTIMISERS.names())
def test_state_taken_up_again_continues_bit_for_bit(net: Net, name: str, fast: torch.dtype | None) -> None:
    whole, first, second = (copy.deepcopy(net) for _ in range(3))
    straight, left, right = (
        OPTIMISERS.get(name).make(model, weight_decay=DECAY, factors={"out.weight": 0.5}, fast=fast)
        for model in (whole, first, second)
    )
    for model, optimiser, count in ((whole, straight, 5), (first, left, 2)):
        for _ in range(count):
            push(model)
            optimiser.step(RATE, 1.0)
    right.load_weights({key: value.clone() for key, value in left.weights().items()})
    right.load_state({key: value.clone().contiguous() for key, value in left.state().items()})
    for _ in range(3):
        push(second)
        right.step(RATE, 1.0)
    for key, value in straight.weights().items():
        assert torch.equal(value, right.weights()[key]), key
    assert straight.state().keys() == right.state().keys()


@pytest.mark.parametrize("name", OPTIMISERS.names())
def test_what_has_no_gradient_stays_bit_for_bit(net: Net, name: str) -> None:
    """Neither decay nor momentum: what has taken steps before and takes none now does not move either."""
    optimiser = OPTIMISERS.get(name).make(net, weight_decay=0.5)
    push(net)
    optimiser.step(RATE, None)
    before = net.inner.weight.detach().clone()
    net.inner.requires_grad_(False)
    push(net)
    optimiser.step(RATE, None)
    moved = net.out.weight.detach().clone()
    push(net)
    optimiser.step(RATE, None)
    assert torch.equal(net.inner.weight, before)
    assert not torch.equal(net.out.weight, moved)


@pytest.mark.parametrize("fast", [None, torch.float32, torch.bfloat16])
def test_masters_are_the_weights_themselves(net: Net, fast: torch.dtype | None) -> None:
    optimiser = OPTIMISERS.get("adamw").make(net, weight_decay=DECAY, fast=fast)
    masters = optimiser.masters()
    assert masters.keys() == optimiser.weights().keys()
    optimiser.load_weights({name: torch.full_like(value, 0.25) for name, value in masters.items()})
    assert all((value == 0.25).all() for value in masters.values())
    assert {value.dtype for value in masters.values()} == {torch.float32}
    optimiser.release()
    assert all((parameter == 0.25).all() for parameter in learning(net).values())


def same_weights(left: nn.Module, right: nn.Module) -> None:
    for (name, one), other in zip(left.named_parameters(), right.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=2e-6, msg=name)
