"""GGUF files crafted with the reference writer: what comes out is the model that went in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from provetune.core.errors import CorruptError, EnvironmentFault
from provetune.models.gguf_weights import convert_gguf, require_packages

gguf = pytest.importorskip("gguf")

HIDDEN, HEADS, LAYERS, INNER = 32, 4, 2, 64
LETTERS = [chr(code) for code in range(33, 127)]
TOKENS = ["<|end|>", "<|start|>", *LETTERS, "Ġ", "ĠĠ", "Ċ"]
TEMPLATE = "{% for m in messages %}{{ '<|start|>' + m['role'] + ' ' + m['content'] + '<|end|>' }}{% endfor %}"


def tiny_llama(seed: int = 0) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(TOKENS),
        hidden_size=HIDDEN,
        intermediate_size=INNER,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=HEADS,
        max_position_embeddings=64,
        rms_norm_eps=1e-5,
        tie_word_embeddings=True,
    )
    return LlamaForCausalLM(config).eval()


def interleaved(weight: np.ndarray) -> np.ndarray:
    """Rows of a query or key projection in GGUF's order: rotary halves of each head interleaved."""
    halves = weight.reshape(HEADS, 2, weight.shape[0] // HEADS // 2, weight.shape[1])
    return np.ascontiguousarray(halves.swapaxes(1, 2).reshape(weight.shape))


def named_weights(model: Any) -> dict[str, np.ndarray]:
    state = {name: value.numpy() for name, value in model.state_dict().items()}
    found = {"token_embd.weight": state["model.embed_tokens.weight"], "output_norm.weight": state["model.norm.weight"]}
    parts = {
        "attn_norm": "input_layernorm",
        "attn_q": "self_attn.q_proj",
        "attn_k": "self_attn.k_proj",
        "attn_v": "self_attn.v_proj",
        "attn_output": "self_attn.o_proj",
        "ffn_norm": "post_attention_layernorm",
        "ffn_gate": "mlp.gate_proj",
        "ffn_up": "mlp.up_proj",
        "ffn_down": "mlp.down_proj",
    }
    for layer in range(LAYERS):
        for short, long in parts.items():
            value = state[f"model.layers.{layer}.{long}.weight"]
            found[f"blk.{layer}.{short}.weight"] = interleaved(value) if short in ("attn_q", "attn_k") else value
    return found


def write_gguf(path: Path, model: Any, *, quantised: bool = False) -> None:
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_context_length(64)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(len(TOKENS))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(TOKENS)
    writer.add_token_types([3, 3] + [1] * (len(TOKENS) - 2))
    writer.add_token_merges(["Ġ Ġ"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(0)
    writer.add_pad_token_id(0)
    writer.add_unk_token_id(0)
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)
    for name, value in named_weights(model).items():
        if quantised and value.ndim == 2:
            kind = gguf.GGMLQuantizationType.Q4_1
            writer.add_tensor(name, gguf.quants.quantize(value, kind), raw_dtype=kind)
        else:
            writer.add_tensor(name, value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def test_weights_and_tokenizer_come_out_as_they_went_in(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = tiny_llama()
    write_gguf(tmp_path / "tiny.gguf", model)
    convert_gguf(tmp_path)
    assert capfd.readouterr().err == ""
    assert not list(tmp_path.glob("*.gguf"))
    found = AutoModelForCausalLM.from_pretrained(str(tmp_path), local_files_only=True)
    for name, value in model.state_dict().items():
        assert torch.equal(found.state_dict()[name], value), name
    ids = torch.tensor([[1, 40, 50, 60, 0]])
    with torch.inference_mode():
        assert torch.allclose(found(ids).logits, model(ids).logits, atol=1e-6)
    assert not hasattr(found.config, "quantization_config")
    tokenizer = AutoTokenizer.from_pretrained(str(tmp_path), local_files_only=True)
    assert (tokenizer.bos_token, tokenizer.eos_token, tokenizer.model_max_length) == ("<|start|>", "<|end|>", 64)
    text = tokenizer.apply_chat_template([{"role": "user", "content": "hi"}], tokenize=False)
    assert text == "<|start|>user hi<|end|>"
    # As the family's own tokenizer has it: digits alone, so that both spaces before one are one token.
    assert tokenizer.convert_ids_to_tokens(tokenizer("a  12")["input_ids"]) == ["a", "ĠĠ", "1", "2"]


def test_quantised_weights_become_what_they_stand_for(tmp_path: Path) -> None:
    from safetensors.torch import load_file

    model = tiny_llama(1)
    write_gguf(tmp_path / "tiny.gguf", model, quantised=True)
    convert_gguf(tmp_path)
    found = load_file(tmp_path / "model.safetensors")
    kind = gguf.GGMLQuantizationType.Q4_1
    for name in ("mlp.gate_proj", "self_attn.o_proj"):
        value = model.state_dict()[f"model.layers.0.{name}.weight"].numpy()
        wanted = gguf.quants.dequantize(gguf.quants.quantize(value, kind), kind)
        assert not np.array_equal(wanted, value)
        np.testing.assert_array_equal(found[f"model.layers.0.{name}.weight"].numpy(), wanted)
    assert "lm_head.weight" not in found  # tied


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "half.gguf").write_bytes(b"GGUF" + b"\0" * 40)
    with pytest.raises(CorruptError, match=r"half\.gguf: The GGUF file cannot be read"):
        convert_gguf(tmp_path)
    (tmp_path / "half.gguf").rename(tmp_path / "other.txt")
    with pytest.raises(CorruptError, match=r"must be one GGUF file\. There are 0"):
        convert_gguf(tmp_path)


def test_a_missing_package_is_said_before_anything_is_fetched() -> None:
    require_packages("some", ["gguf"])
    with pytest.raises(EnvironmentFault, match=r"'some' needs the package 'nowhere_to_be'.*provetune\[nowhere_to_be\]"):
        require_packages("some", ["nowhere_to_be"])
