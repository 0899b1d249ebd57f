"""Zeros that stay while a model learns."""

from __future__ import annotations

import pytest
import torch

from provetune.models.held_zeros import hold_zeros


@pytest.mark.parametrize("make", [torch.optim.SGD, torch.optim.AdamW])
def test_zeros_stay_under_momentum_and_decay_and_the_others_learn(make: type) -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.Tanh(), torch.nn.Linear(5, 2))
    with torch.no_grad():
        model[0].weight[:, :3] = 0.0
    before = model[0].weight.detach().clone()
    assert hold_zeros(model) == 15
    options = {"momentum": 0.9} if make is torch.optim.SGD else {}
    optimiser = make(model.parameters(), lr=0.1, weight_decay=0.1, **options)
    for _ in range(5):
        optimiser.zero_grad()
        model(torch.randn(8, 6)).pow(2).sum().backward()
        optimiser.step()
    after = model[0].weight.detach()
    assert (after[:, :3] == 0).all()
    assert (after[:, 3:] != before[:, 3:]).all()


def test_a_gradient_that_is_no_number_brings_no_weight_back() -> None:
    model = torch.nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        model.weight[0, 0] = 0.0
    hold_zeros(model)
    (model.weight * torch.tensor([float("inf"), 1.0])).sum().backward()
    assert model.weight.grad is not None
    assert model.weight.grad.tolist() == [[0.0, 1.0]]


def test_what_does_not_learn_is_left_alone() -> None:
    model = torch.nn.Linear(2, 2).requires_grad_(False)
    with torch.no_grad():
        model.weight.zero_()
    assert hold_zeros(model) == 0
