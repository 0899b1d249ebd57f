"""The fast optimiser against PyTorch's AdamW, and its departures from it stated as tests."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from provetune.training.optimisers._parameters import spared_from_decay
from provetune.training.optimisers.adamw.fast import ROWS_ONLY_FROM, FastAdamW
from provetune.training.optimisers.adamw.plain import PlainAdamW


class Bag(nn.Module):
    """Embedding, matrix, bias and a frozen matrix: every kind of parameter the optimiser treats differently."""

    def __init__(self, vocabulary: int = ROWS_ONLY_FROM, padding: int | None = 0) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, 6, padding_idx=padding)
        self.frozen = nn.Linear(6, 6)
        self.frozen.requires_grad_(False)
        self.out = nn.Linear(6, 3)

    def get_input_embeddings(self) -> nn.Embedding:
        return self.embedding

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.out(torch.tanh(self.frozen(self.embedding(ids).mean(1))))


def gradients(model: nn.Module, ids: torch.Tensor) -> None:
    loss = nn.functional.cross_entropy(model(ids).float(), torch.arange(len(ids)) % 3)
    loss.backward()


def reference(model: Bag, weight_decay: float) -> torch.optim.AdamW:
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    groups = [
        {"params": [p for n, p in named if not spared_from_decay(n, p)], "weight_decay": weight_decay},
        {"params": [p for n, p in named if spared_from_decay(n, p)], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=0.01, betas=(0.9, 0.999), eps=1e-8)


@pytest.mark.parametrize("kind", [PlainAdamW, FastAdamW])
def test_equals_pytorch_where_every_row_is_used(kind) -> None:
    torch.manual_seed(0)
    model = Bag()
    twin = copy.deepcopy(model)
    adam = reference(twin, 0.1)
    ours = kind(model, weight_decay=0.1) if kind is PlainAdamW else kind(model, weight_decay=0.1, dtype=torch.float32)
    ids = torch.arange(ROWS_ONLY_FROM).view(64, -1)
    for _ in range(5):
        gradients(model, ids)
        gradients(twin, ids)
        expected = torch.nn.utils.clip_grad_norm_([p for p in twin.parameters() if p.requires_grad], 0.05)
        assert ours.step(0.01, 0.05) == pytest.approx(float(expected), rel=1e-5)
        adam.step()
        adam.zero_grad()
    ours.release()
    for (name, left), right in zip(model.named_parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(left, right, rtol=1e-4, atol=2e-6, msg=name)


def test_rows_that_no_batch_used_stay_as_they_are() -> None:
    model = Bag()
    nn.init.ones_(model.embedding.weight.data[0])
    before = model.embedding.weight.detach().clone()
    optimiser = FastAdamW(model, weight_decay=0.5, dtype=torch.float32)
    for _ in range(3):
        gradients(model, torch.tensor([[5, 7, 0], [9, 5, 0]]))
        optimiser.step(0.1, None)
    optimiser.release()
    changed = (model.embedding.weight != before).any(dim=1).nonzero().flatten().tolist()
    assert changed == [0, 5, 7, 9]  # padding was looked up: it decays, as under AdamW, but gets no gradient
    torch.testing.assert_close(model.embedding.weight[0], before[0] * (1 - 0.1 * 0.5) ** 3)


def test_accumulated_passes_sum_the_rows_they_share() -> None:
    torch.manual_seed(1)
    model = Bag(padding=None)
    twin = copy.deepcopy(model)
    optimiser = FastAdamW(model, weight_decay=0.0, dtype=torch.float32)
    plain = PlainAdamW(twin, weight_decay=0.0)
    for ids in (torch.tensor([[1, 2]]), torch.tensor([[2, 3]])):
        gradients(model, ids)
        gradients(twin, ids)
    assert optimiser.step(0.1, None) == pytest.approx(plain.step(0.1, None), rel=1e-6)
    optimiser.release()
    torch.testing.assert_close(model.embedding.weight[1:4], twin.embedding.weight[1:4])


def test_small_steps_are_not_lost_under_bf16() -> None:
    """1,000 steps of 1e-5 move a weight of 1 by 0.01; in bf16 alone 1 - 1e-5 rounds back to 1 each time."""
    model = nn.Linear(1, 1, bias=False)
    nn.init.ones_(model.weight)
    optimiser = FastAdamW(model, weight_decay=0.0, dtype=torch.bfloat16)
    for _ in range(1000):
        model(torch.ones(1, 1, dtype=torch.bfloat16)).sum().backward()
        optimiser.step(1e-5, None)
    optimiser.release()
    assert model.weight.dtype is torch.float32
    assert model.weight.item() == pytest.approx(0.99, abs=1e-4)


def test_release_gives_back_fp32_weights_frozen_ones_unrounded_and_own_modules() -> None:
    torch.manual_seed(2)
    model = Bag()
    before = copy.deepcopy(model.state_dict())
    optimiser = FastAdamW(model, weight_decay=0.0)
    assert model.out.weight.dtype is torch.bfloat16
    assert optimiser.frozen.keys() == {"frozen.weight", "frozen.bias"}
    optimiser.release()
    assert isinstance(model.embedding, nn.Embedding)
    after = model.state_dict()
    assert after.keys() == before.keys()
    for name, values in before.items():
        assert torch.equal(after[name], values), name


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_state_taken_up_again_continues_bit_for_bit(dtype: torch.dtype) -> None:
    torch.manual_seed(3)
    batches = [torch.randint(0, ROWS_ONLY_FROM, (4, 5)) for _ in range(6)]

    def run(model: Bag, optimiser: FastAdamW, part: slice) -> None:
        for ids in batches[part]:
            gradients_in(model, ids, dtype)
            optimiser.step(0.01, 1.0)

    start = Bag()
    whole, first, second = (copy.deepcopy(start) for _ in range(3))
    straight = FastAdamW(whole, weight_decay=0.1, dtype=dtype)
    run(whole, straight, slice(0, 6))
    left = FastAdamW(first, weight_decay=0.1, dtype=dtype)
    run(first, left, slice(0, 3))
    right = FastAdamW(second, weight_decay=0.1, dtype=dtype)
    right.load_weights({name: value.clone() for name, value in left.weights().items()})
    right.load_state({name: value.clone() for name, value in left.state().items()})
    run(second, right, slice(3, 6))
    for name, value in straight.weights().items():
        assert torch.equal(value, right.weights()[name]), name


def gradients_in(model: Bag, ids: torch.Tensor, dtype: torch.dtype) -> None:
    hidden = model.embedding(ids).mean(1)
    logits = model.out(torch.tanh(model.frozen(hidden.to(dtype))))
    nn.functional.cross_entropy(logits.float(), torch.arange(len(ids)) % 3).backward()


def test_a_shared_embedding_is_stepped_whole() -> None:
    model = Bag()
    model.tied = nn.Linear(6, ROWS_ONLY_FROM, bias=False)
    model.tied.weight = model.embedding.weight
    assert FastAdamW(model, weight_decay=0.0, dtype=torch.float32).rows is None
