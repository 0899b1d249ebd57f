"""Embeddings changed for the passes of a block, in whatever stands there, and given back."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from objective_runs import BATCH, IDS, Toy

from provetune.core.errors import UsageError
from provetune.training.disturbance import Disturbance
from provetune.training.draws import RepeatedDraws
from provetune.training.embeddings import changed_embeddings
from provetune.training.objectives.freelb import start_uniform
from provetune.training.objectives.pgd import start_in_ball
from provetune.training.optimisers.adamw.fast import FastAdamW
from provetune.training.optimisers.adamw.rows import EmbeddingRows

LAYERS = {"layers": 1, "attention_heads": 2, "ffn_dim": 8}
INPUTS = {name: BATCH[name] for name in ("input_ids", "attention_mask")}


def test_the_model_sees_what_the_change_makes_and_afterwards_its_own() -> None:
    model = Toy()
    with changed_embeddings(model, lambda ids, found: found * 2 + ids.unsqueeze(-1)):
        model(**INPUTS)
    model(**INPUTS)
    assert torch.equal(model.seen[0], model.words(IDS) * 2 + IDS.unsqueeze(-1))
    assert torch.equal(model.seen[1], model.words(IDS))


def test_the_inner_of_two_changes_gets_what_the_outer_made() -> None:
    model = Toy()
    with (
        changed_embeddings(model, lambda ids, found: found + 1),
        changed_embeddings(model, lambda ids, found: found * 3),
    ):
        model(**INPUTS)
    assert torch.equal(model.seen[0], (model.words(IDS) + 1) * 3)


def test_an_exception_gives_them_back_too() -> None:
    model = Toy()
    with pytest.raises(RuntimeError, match="out of memory"), changed_embeddings(model, lambda ids, found: found * 0):
        raise RuntimeError("out of memory")
    model(**INPUTS)
    assert torch.equal(model.seen[0], model.words(IDS))
    assert not model.words._forward_hooks


def test_passes_without_gradients_are_left_alone() -> None:
    model = Toy()
    with changed_embeddings(model, lambda ids, found: found * 0), torch.no_grad():
        model(**INPUTS)
    assert torch.equal(model.seen[0], model.words(IDS))


def test_a_model_without_embeddings_is_told_at_once() -> None:
    with (
        pytest.raises(UsageError, match="Linear has no token embeddings"),
        changed_embeddings(torch.nn.Linear(2, 2), max),
    ):
        pass


@pytest.mark.parametrize("number", [torch.float32, torch.bfloat16])
def test_the_fast_optimisers_stand_in_is_changed_and_learns(make_model: Any, number: torch.dtype) -> None:
    model = make_model(dropout=0.0).train()
    optimiser = FastAdamW(model, weight_decay=0.0, dtype=number)
    assert isinstance(model.get_input_embeddings(), EmbeddingRows)
    ids = torch.tensor([[2, 70, 80, 3, 0], [2, 90, 91, 92, 3]])
    disturbance = Disturbance(model, 0)
    with disturbance.felt(learned=True):
        model(input_ids=ids, attention_mask=(ids != 0).long()).logits.float().sum().backward()
    (offset,) = disturbance.offsets
    assert offset.grad is not None
    assert offset.grad.dtype is torch.float32
    assert offset.grad[0, :4].abs().amax(dim=1).min() > 0
    assert (offset.grad[0, 4] == 0).all(), "padding is not read"
    rows = optimiser.rows.take_gradient()
    assert rows is not None
    # A token that stands once has the gradient of its place.
    assert torch.allclose(rows[1][rows[0].tolist().index(80)], offset.grad[0, 2], atol=1e-6)
    optimiser.release()


def test_frozen_embeddings_can_be_disturbed(make_model: Any) -> None:
    model = make_model(dropout=0.0)
    model.get_input_embeddings().requires_grad_(False)
    ids = torch.tensor([[2, 70, 3]])
    disturbance = Disturbance(model, 0)
    with disturbance.felt(learned=True):
        loss = model(input_ids=ids).logits.sum()
    (gradient,) = torch.autograd.grad(loss, disturbance.offsets)
    assert gradient.abs().sum() > 0


def test_a_step_has_the_length_asked_for_and_stays_in_the_ball() -> None:
    model, disturbance = Toy(), None
    disturbance = Disturbance(model, 0)
    with disturbance.felt(learned=True):
        model(**INPUTS)
    lengths = torch.stack([model.words(row[row != 0]).norm() for row in IDS]).float()
    gradient = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(1))
    gradient[2] = 0
    disturbance.climb([gradient], 0.1)
    found = disturbance.offsets[0]
    assert torch.allclose(found.flatten(1).norm(dim=1), lengths * 0.1 * torch.tensor([1.0, 1.0, 0.0]))
    assert torch.allclose(found[0] / found[0].norm(), gradient[0] / gradient[0].norm())
    disturbance.climb([gradient], 0.1, radius=0.15)
    assert torch.allclose(disturbance.offsets[0].flatten(1).norm(dim=1)[:2], lengths[:2] * 0.15)
    disturbance.climb([None], 0.1, radius=0.15)
    assert torch.allclose(disturbance.offsets[0].flatten(1).norm(dim=1)[:2], lengths[:2] * 0.15)


def test_gradients_too_small_to_square_have_a_direction() -> None:
    disturbance = Disturbance(Toy(), 0)
    with disturbance.felt(learned=True):
        disturbance.model(**INPUTS)
    disturbance.climb([torch.full((3, 4, 5), 1e-30)], 1.0)
    assert (disturbance.offsets[0] > 0).all()


def test_the_same_ids_have_one_offset_and_other_ids_their_own() -> None:
    model = Toy()
    disturbance = Disturbance(model, 0)
    with disturbance.felt(learned=True):
        model(**INPUTS)
        model(IDS.clone(), BATCH["attention_mask"])
        model(IDS.flip(0), BATCH["attention_mask"].flip(0))
    assert len(disturbance.offsets) == 2


@pytest.mark.parametrize(("draw", "exact"), [(start_in_ball, False), (start_uniform, True)])
def test_starts_are_in_the_ball_on_real_tokens_and_come_of_the_seed(draw: Any, exact: bool) -> None:
    real = (IDS != 0).float().unsqueeze(-1)
    first, again, other = draw(0.2, 5)(real, 300), draw(0.2, 5)(real, 300), draw(0.2, 6)(real, 300)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert (first[0, 3] == 0).all()
    assert (first.flatten(1).norm(dim=1) <= 0.2).all()
    if exact:
        # Of n numbers uniform in ± m / √n the expected length is m / √3.
        assert torch.allclose(first.flatten(1).norm(dim=1), torch.full((3,), 0.2 / 3**0.5), rtol=0.1)


def test_what_is_drawn_can_be_drawn_again() -> None:
    draws = RepeatedDraws("cpu")
    first = torch.rand(3)
    draws.rewind()
    assert torch.equal(first, torch.rand(3))


def test_embeddings_that_two_parts_share_are_changed_wherever_they_are_read() -> None:
    """BART's encoder and decoder have a module each, with the weights of a third that is never asked."""
    from transformers import BartConfig, BartForConditionalGeneration

    sizes = {f"{side}_{part}": size for side in ("encoder", "decoder") for part, size in LAYERS.items()}
    torch.manual_seed(0)
    model = BartForConditionalGeneration(
        BartConfig(vocab_size=40, d_model=8, max_position_embeddings=16, **sizes)
    ).eval()
    ids, other = torch.tensor([[5, 6, 7]]), torch.tensor([[8, 9]])
    disturbance = Disturbance(model, 1)
    with disturbance.felt(learned=True):
        loss = model(input_ids=ids, decoder_input_ids=other).logits.sum()
    slopes = torch.autograd.grad(loss, disturbance.offsets)
    assert [tuple(slope.shape) for slope in slopes] == [(1, 3, 8), (1, 2, 8)]
    assert all(slope.abs().sum() > 0 for slope in slopes)


def test_a_block_in_which_nothing_is_read_is_told() -> None:
    with pytest.raises(UsageError, match="Toy read no token embeddings"), Disturbance(Toy(), 0).felt():
        pass
