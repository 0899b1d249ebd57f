"""Packed texts say what they say alone, in every family that is packed; where they would not, none is packed."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers

from provetune.models.methods.lora import Lora, LoraSettings
from provetune.models.packed_attention import IMPLEMENTATION, can_pack, packed_logits

SMALL = {
    "vocab_size": 120,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
}
FAMILIES = {
    "llama": transformers.LlamaConfig(**SMALL),
    "qwen2": transformers.Qwen2Config(**SMALL),
    "qwen3": transformers.Qwen3Config(**SMALL, head_dim=8),
    "smollm3": transformers.SmolLM3Config(**SMALL, pad_token_id=0),
    "mistral with a window": transformers.MistralConfig(**SMALL, sliding_window=4),
    "gemma3 with windows": transformers.Gemma3TextConfig(**SMALL, head_dim=8, sliding_window=4),
    "phi": transformers.PhiConfig(**SMALL),
    "gpt2": transformers.GPT2Config(vocab_size=120, n_embd=32, n_layer=2, n_head=4, n_positions=64),
    "gpt_neox": transformers.GPTNeoXConfig(
        **{name: value for name, value in SMALL.items() if name != "num_key_value_heads"}
    ),
}
UNPACKED = {
    "mamba": transformers.MambaConfig(vocab_size=120, hidden_size=32, num_hidden_layers=2, state_size=4),
    "bloom": transformers.BloomConfig(vocab_size=120, hidden_size=32, n_layer=2, n_head=4),
    "lfm2, which mixes neighbours": transformers.Lfm2Config(
        **SMALL, layer_types=["conv", "full_attention"], block_auto_adjust_ff_dim=False
    ),
}


def make(config: Any, seed: int = 0) -> Any:
    torch.manual_seed(seed)
    return transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()


def texts(*lengths: int) -> list[torch.Tensor]:
    draw = torch.Generator().manual_seed(1)
    return [torch.randint(120, (1, length), generator=draw) for length in lengths]


def alone(model: Any, given: list[torch.Tensor]) -> torch.Tensor:
    return torch.cat([model(input_ids=text, use_cache=False).logits[0] for text in given])


@pytest.mark.parametrize("family", FAMILIES)
def test_packed_equals_alone(family: str) -> None:
    model, given = make(FAMILIES[family]), texts(9, 1, 17, 6)
    assert can_pack(model)
    row = torch.cat(given, dim=1)
    wanted = torch.zeros(row.shape[1], dtype=torch.bool)
    wanted[[0, 3, 9, 10, 11, 26, 32]] = True
    with torch.inference_mode():
        found = packed_logits(model, row, [9, 1, 17, 6], wanted)
        torch.testing.assert_close(found, alone(model, given)[wanted], atol=2e-5, rtol=1e-4)
    assert model.config._attn_implementation == "eager"


@pytest.mark.parametrize("family", UNPACKED)
def test_what_cannot_be_packed_is_padded_and_says_the_same(family: str) -> None:
    model, given = make(UNPACKED[family]), texts(7, 12)
    assert not can_pack(model)
    row, wanted = torch.cat(given, dim=1), torch.ones(19, dtype=torch.bool)
    with torch.inference_mode():
        found = packed_logits(model, row, [7, 12], wanted)
        torch.testing.assert_close(found, alone(model, given), atol=2e-5, rtol=1e-4)


def test_gradients_are_those_of_the_texts_alone() -> None:
    model, given = make(FAMILIES["llama"]), texts(9, 5)
    labels = [torch.cat([text[0, 1:], torch.tensor([-100])]) for text in given]

    def gradients(logits: torch.Tensor) -> dict[str, torch.Tensor]:
        model.zero_grad()
        torch.nn.functional.cross_entropy(logits, torch.cat(labels)).backward()
        return {name: parameter.grad.clone() for name, parameter in model.named_parameters()}

    packed = gradients(packed_logits(model, torch.cat(given, dim=1), [9, 5], torch.ones(14, dtype=torch.bool)))
    apart = gradients(alone(model, given))
    for name, value in apart.items():
        torch.testing.assert_close(packed[name], value, atol=1e-6, rtol=1e-4)


def test_a_text_is_untouched_by_the_one_before_it() -> None:
    model = make(FAMILIES["qwen2"])
    first, second, other = texts(8, 8, 8)
    wanted = torch.arange(16) >= 8
    with torch.inference_mode():
        one = packed_logits(model, torch.cat([first, second], dim=1), [8, 8], wanted)
        two = packed_logits(model, torch.cat([other, second], dim=1), [8, 8], wanted)
    assert torch.equal(one, two)


def test_padding_after_the_last_text_changes_nothing() -> None:
    model, given = make(FAMILIES["llama"]), texts(6, 4)
    row = torch.cat(given, dim=1)
    wanted = torch.ones(10, dtype=torch.bool)
    wide = torch.nn.functional.pad(row, (0, 6))
    with torch.inference_mode():
        found = packed_logits(model, wide, [6, 4, 0], torch.nn.functional.pad(wanted, (0, 6)))
        torch.testing.assert_close(found, packed_logits(model, row, [6, 4], wanted))


def test_it_works_through_an_adapter_and_leaves_nothing_in_the_configuration(tmp_path: Any) -> None:
    plain = make(FAMILIES["llama"])
    given, wanted = texts(6, 4), torch.ones(10, dtype=torch.bool)
    before = packed_logits(plain, torch.cat(given, dim=1), [6, 4], wanted).detach()
    wrapped: Any = Lora().prepare(plain, LoraSettings(rank=2), None)  # type: ignore[arg-type]
    wrapped.eval()
    torch.testing.assert_close(packed_logits(wrapped, torch.cat(given, dim=1), [6, 4], wanted).detach(), before)
    plain.config.save_pretrained(tmp_path)
    assert IMPLEMENTATION not in (tmp_path / "config.json").read_text()
