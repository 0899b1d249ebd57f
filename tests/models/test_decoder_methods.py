"""`lora` and `full` on decoders: what trains, and that the words' own layer is left as it was pretrained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from provetune.models.adapted_layers import find_targets
from provetune.models.loading import head_modules
from provetune.models.methods.full import Full, FullSettings
from provetune.models.methods.lora import Lora, LoraSettings

SMALL: dict[str, Any] = {
    "vocab_size": 60,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 40,
}
GROUPED = {**SMALL, "num_key_value_heads": 2}
# Family → configuration, linear layers of a decoder layer, those of its attention that LoRA knows by name.
FAMILIES: dict[str, tuple[Any, int, int]] = {
    "llama": (transformers.LlamaConfig(**GROUPED, tie_word_embeddings=True), 7, 3),
    "qwen2": (transformers.Qwen2Config(**GROUPED), 7, 3),
    "qwen3": (transformers.Qwen3Config(**GROUPED, head_dim=8), 7, 3),
    "mistral": (transformers.MistralConfig(**GROUPED), 7, 3),
    "gemma3": (transformers.Gemma3TextConfig(**GROUPED, head_dim=8), 7, 3),
    "phi3": (transformers.Phi3Config(**GROUPED, pad_token_id=0), 4, 1),
    "gpt2": (transformers.GPT2Config(vocab_size=60, n_embd=32, n_layer=2, n_head=4, n_positions=40), 4, 1),
    "gpt_neox": (transformers.GPTNeoXConfig(**SMALL), 4, 1),
    "opt": (
        transformers.OPTConfig(
            vocab_size=60,
            hidden_size=32,
            word_embed_proj_dim=32,
            num_hidden_layers=2,
            num_attention_heads=4,
            ffn_dim=48,
        ),
        6,
        3,
    ),
}
IDS = torch.tensor([[5, 9, 3, 17, 22, 8]])


def make(family: str) -> Any:
    torch.manual_seed(0)
    return transformers.AutoModelForCausalLM.from_config(FAMILIES[family][0]).eval()


@pytest.mark.parametrize("family", FAMILIES)
def test_lora_adapts_every_linear_layer_of_the_decoder_and_no_other(family: str) -> None:
    model, (_, every, attention) = make(family), FAMILIES[family]
    assert head_modules(model) == []
    assert len(find_targets(model, "all")) == 2 * every
    assert len(find_targets(model, "attention")) == 2 * attention
    wrapped: Any = Lora().prepare(model, LoraSettings(), None)  # type: ignore[arg-type]
    learning = [name for name, parameter in wrapped.named_parameters() if parameter.requires_grad]
    assert len(learning) == 2 * 2 * every
    assert all("lora_" in name for name in learning)


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_what_an_adapter_learned_survives_merging_saving_and_loading(family: str, tmp_path: Path) -> None:
    model = make(family)
    plain = model(IDS).logits.detach().clone()
    wrapped: Any = Lora().prepare(model, LoraSettings(dropout=0.0), None)  # type: ignore[arg-type]
    torch.testing.assert_close(wrapped(IDS).logits, plain)
    with torch.no_grad():
        for name, parameter in wrapped.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.1, generator=torch.Generator().manual_seed(1))
    said = wrapped(IDS).logits.detach()
    assert (said - plain).abs().max() > 0.01
    with wrapped.disable_adapter():
        torch.testing.assert_close(wrapped(IDS).logits, plain)
    merged: Any = Lora().merge(wrapped)
    torch.testing.assert_close(merged(IDS).logits, said, atol=1e-5, rtol=1e-4)
    merged.save_pretrained(tmp_path / "merged")
    found = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
    torch.testing.assert_close(found(IDS).logits, said, atol=1e-5, rtol=1e-4)
    (tmp_path / "adapter").mkdir()
    Lora().save_adapter(wrapped, tmp_path / "adapter")
    torch.testing.assert_close(Lora().attach(make(family), tmp_path / "adapter")(IDS).logits, said)


def test_full_trains_everything() -> None:
    model = Full().prepare(make("llama"), FullSettings(), None)  # type: ignore[arg-type]
    assert all(parameter.requires_grad for parameter in model.parameters())
