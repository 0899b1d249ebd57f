"""Logits of some positions are those that the whole projection gives there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from tiny_seq2seq import VOCABULARY, tiny_bart, tiny_marian, tiny_t5

from provetune.models.label_positions import logits_only_at

MAKERS: dict[str, Callable[[], Any]] = {
    "t5": tiny_t5,
    "t5 untied": lambda: tiny_t5(tie_word_embeddings=False),
    "bart": tiny_bart,
    "marian": lambda: tiny_marian(len(VOCABULARY), 0),
}


@pytest.mark.parametrize("name", MAKERS)
def test_logits_and_gradients_are_those_of_the_whole(name: str) -> None:
    torch.manual_seed(0)
    model = MAKERS[name]().eval()
    inputs = {"input_ids": torch.randint(4, 90, (3, 7)), "decoder_input_ids": torch.randint(4, 90, (3, 5))}
    positions = torch.tensor([[1, 1, 1, 0, 0], [1, 0, 0, 0, 0], [1, 1, 1, 1, 1]]).bool()
    whole = model(**inputs).logits[positions]
    whole.square().sum().backward()
    wanted = {
        name: parameter.grad.clone() for name, parameter in model.named_parameters() if parameter.grad is not None
    }
    model.zero_grad()
    with logits_only_at(model, positions):
        found = model(**inputs).logits
    assert found.shape == (9, len(VOCABULARY))
    torch.testing.assert_close(found, whole)
    found.square().sum().backward()
    for key, gradient in wanted.items():
        torch.testing.assert_close(model.get_parameter(key).grad, gradient, rtol=1e-3, atol=1e-4)


def test_the_model_is_as_before_afterwards_also_when_something_went_wrong() -> None:
    model = tiny_bart()
    with pytest.raises(KeyError), logits_only_at(model, torch.ones(1, 2).bool()):
        raise KeyError
    assert model(input_ids=torch.tensor([[5, 6]]), decoder_input_ids=torch.tensor([[1, 5]])).logits.ndim == 3
