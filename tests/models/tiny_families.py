"""A random model of each family that something can be added to: 2 layers × 32, a hundred words."""

from __future__ import annotations

from typing import Any

import torch

SIZES: dict[str, Any] = {
    "vocab_size": 100,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
}
_DECODER = {**SIZES, "num_key_value_heads": 2, "pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3}
_T5 = {
    "vocab_size": 100,
    "d_model": 32,
    "d_kv": 8,
    "d_ff": 64,
    "num_layers": 2,
    "num_heads": 4,
    "decoder_start_token_id": 0,
    "pad_token_id": 0,
}
_BART = {
    "vocab_size": 100,
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "max_position_embeddings": 64,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
    "pad_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 1,
    "forced_eos_token_id": 2,
}
_OFFSET = {**SIZES, "pad_token_id": 1}
_RELATIVE = {**SIZES, "relative_attention": True, "pos_att_type": ["p2c", "c2p"]}

CONFIGS: dict[str, tuple[str, dict[str, Any]]] = {
    "bert": ("BertConfig", SIZES),
    "roberta": ("RobertaConfig", _OFFSET),
    "xlm-roberta": ("XLMRobertaConfig", _OFFSET),
    "camembert": ("CamembertConfig", _OFFSET),
    "electra": ("ElectraConfig", {**SIZES, "embedding_size": 16}),
    "albert": ("AlbertConfig", {**SIZES, "embedding_size": 16}),
    "distilbert": ("DistilBertConfig", {"vocab_size": 100, "dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64}),
    "mpnet": ("MPNetConfig", SIZES),
    "deberta": ("DebertaConfig", _RELATIVE),
    "deberta-v2": ("DebertaV2Config", {**_RELATIVE, "position_biased_input": False}),
    "modernbert": (
        "ModernBertConfig",
        {
            **SIZES,
            "global_attn_every_n_layers": 2,
            "pad_token_id": 0,
            "cls_token_id": 2,
            "sep_token_id": 3,
            "bos_token_id": 2,
            "eos_token_id": 3,
        },
    ),
    "llama": ("LlamaConfig", _DECODER),
    "mistral": ("MistralConfig", _DECODER),
    "qwen2": ("Qwen2Config", _DECODER),
    "qwen3": ("Qwen3Config", {**_DECODER, "head_dim": 8}),
    "t5": ("T5Config", _T5),
    "mt5": ("MT5Config", _T5),
    "bart": ("BartConfig", _BART),
    "marian": ("MarianConfig", _BART),
}


def make(family: str, auto_class: str | None = None, seed: int = 0, **changes: Any) -> Any:
    """A random model with a head of three outputs, or one that turns texts into texts, its attention eager."""
    import transformers

    name, fields = CONFIGS[family]
    config = getattr(transformers, name)(**{**fields, "num_labels": 3, **changes})
    usual = "AutoModelForSeq2SeqLM" if config.is_encoder_decoder else "AutoModelForSequenceClassification"
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        maker = getattr(transformers, auto_class or usual)
        model = maker.from_config(config, attn_implementation="eager")
    # Small random weights say nearly the same of every text; larger ones tell what reaches the outputs.
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(4.0 if family not in ("t5", "mt5") else 1.0)
    return model.eval()


def batch(model: Any) -> dict[str, torch.Tensor]:
    """Two texts, the first of them shorter."""
    pad = int(model.config.pad_token_id)
    ids = torch.tensor([[2, 20, 30, 40, 3, pad, pad, pad], [2, 25, 35, 45, 55, 65, 75, 3]])
    found = {"input_ids": ids, "attention_mask": (ids != pad).long()}
    if model.config.is_encoder_decoder:
        found["decoder_input_ids"] = torch.tensor([[pad, 5, 6], [pad, 7, 8]])
    return found


def logits(model: Any, **inputs: torch.Tensor) -> torch.Tensor:
    """What a model says, without a graph; of its own batch where none is given."""
    with torch.no_grad():
        found: torch.Tensor = model(**(inputs or batch(model))).logits
    return found


def learn_a_little(model: Any, steps: int = 2) -> None:
    """A few plain steps, so that nothing is at its start any more."""
    model.train()
    optimiser = torch.optim.SGD([each for each in model.parameters() if each.requires_grad], lr=0.1)
    for _ in range(steps):
        found = model(**batch(model)).logits
        (found.logsumexp(dim=-1) - found[..., 0]).mean().backward()
        optimiser.step()
        optimiser.zero_grad()
    model.eval()
