"""A random model of two layers of each family that the support table names, with any of transformers' heads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import transformers

_SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 80,
}
_PAIRED: dict[str, Any] = {
    "d_model": 32,
    **{f"{side}_{what}": count for side in ("encoder", "decoder") for what, count in (("layers", 2), ("ffn_dim", 48))},
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "max_position_embeddings": 80,
    "decoder_start_token_id": 0,
}
_CONFIGS: dict[str, tuple[str, dict[str, Any]]] = {
    "bert": ("Bert", _SIZES),
    "roberta": ("Roberta", _SIZES),
    "electra": ("Electra", {**_SIZES, "embedding_size": 16}),
    "albert": ("Albert", {**_SIZES, "embedding_size": 16}),
    "mpnet": ("MPNet", _SIZES),
    "deberta-v2": ("DebertaV2", {**_SIZES, "relative_attention": True, "pos_att_type": ["p2c", "c2p"]}),
    "distilbert": (
        "DistilBert",
        {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 48, "max_position_embeddings": 80},
    ),
    "modernbert": ("ModernBert", {**_SIZES, "cls_token_id": 2, "sep_token_id": 3}),
    "llama": ("Llama", {**_SIZES, "num_key_value_heads": 2}),
    "gpt2": ("GPT2", {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 80}),
    "t5": (
        "T5",
        {"d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4, "decoder_start_token_id": 0},
    ),
    "bart": ("Bart", _PAIRED),
    "marian": ("Marian", _PAIRED),
}
FAMILIES = tuple(_CONFIGS)
SENTENCE, WRITER, SPEAKER = "AutoModelForSequenceClassification", "AutoModelForSeq2SeqLM", "AutoModelForCausalLM"


def family_model(
    family: str, auto_class: str, head: Mapping[str, Any] | None = None, vocabulary: int = 60, seed: int = 0
) -> Any:
    """A model in evaluation mode; padding is token 0, the end of a text token 3."""
    name, sizes = _CONFIGS[family]
    config = getattr(transformers, f"{name}Config")(
        vocab_size=vocabulary, pad_token_id=0, bos_token_id=2, eos_token_id=3, **sizes, **(head or {})
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        maker = getattr(transformers, auto_class)
        return maker.from_config(config, attn_implementation="eager").eval()


def usual_head(family: str) -> str:
    """The head that a family is tried with where any will do."""
    if family in ("t5", "bart", "marian"):
        return WRITER
    return SPEAKER if family in ("llama", "gpt2") else SENTENCE


def small_batch(auto_class: str) -> dict[str, torch.Tensor]:
    """Two texts, and for a model that writes what it has written so far."""
    ids = torch.tensor([[2, 5, 6, 7, 3], [2, 9, 3, 0, 0]])
    batch = {"input_ids": ids, "attention_mask": (ids != 0).long()}
    if auto_class == WRITER:
        batch["decoder_input_ids"] = torch.tensor([[0, 11, 12], [0, 13, 14]])
    return batch
