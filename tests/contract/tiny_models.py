"""Models and a tokenizer of every class that tasks ask for: a few random weights, the words of the rows at hand."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
FAMILIES = ("t5", "mt5", "bart", "marian")
_LAYERS = {"layers": 2, "attention_heads": 4, "ffn_dim": 64}
TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|> {{ message['content'] }} [SEP] {% endfor %}"
    "{% if add_generation_prompt %}<|assistant|> {% endif %}"
)
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "<|user|>", "<|assistant|>", "<|system|>")


def tiny_tokenizer(texts: Iterable[str]) -> Any:
    """Words to numbers as BERT frames them, with a template for chats; for transformers."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    lower = normalizers.Lowercase()
    cut = pre_tokenizers.BertPreTokenizer()
    words = {word for text in texts for word, _ in cut.pre_tokenize_str(lower.normalize_str(text))}
    vocabulary = {word: number for number, word in enumerate([*SPECIAL, *sorted(words - set(SPECIAL))])}
    plain = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    plain.normalizer, plain.pre_tokenizer = lower, cut
    plain.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=plain,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        eos_token="[SEP]",
        additional_special_tokens=["<|user|>", "<|assistant|>", "<|system|>"],
        model_max_length=64,
    )
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def tiny_model(auto_class: str, head: dict[str, Any], vocabulary: int, seed: int = 0, family: str = "t5") -> Any:
    """A random model of one of transformers' classes; of encoder–decoders, of one of `FAMILIES`."""
    import torch
    import transformers

    torch.manual_seed(seed)
    if auto_class == "AutoModelForSeq2SeqLM":
        config: Any = _encoder_decoder(family, vocabulary, head)
    elif auto_class == "AutoModelForCausalLM":
        config = transformers.LlamaConfig(
            vocab_size=vocabulary,
            max_position_embeddings=128,
            num_key_value_heads=2,
            pad_token_id=0,
            bos_token_id=2,
            eos_token_id=3,
            **SIZES,
            **head,
        )
    else:
        config = transformers.BertConfig(vocab_size=vocabulary, max_position_embeddings=64, **SIZES, **head)
    return getattr(transformers, auto_class).from_config(config).eval()


def _encoder_decoder(family: str, vocabulary: int, head: dict[str, Any]) -> Any:
    """T5 and mT5 have relative positions, the latter a gated layer and a head of its own; BART begins with the end mark
    and Marian with the padding, both end by force."""
    import transformers

    common = {"vocab_size": vocabulary, "pad_token_id": 0, "eos_token_id": 3, "d_model": 32, **head}
    if family in ("t5", "mt5"):
        made = {"t5": transformers.T5Config, "mt5": transformers.MT5Config}[family]
        return made(d_kv=8, d_ff=64, num_layers=2, num_heads=4, decoder_start_token_id=0, **common)
    layers = {f"{side}_{part}": size for side in ("encoder", "decoder") for part, size in _LAYERS.items()}
    made = {"bart": transformers.BartConfig, "marian": transformers.MarianConfig}[family]
    start = {"bart": 3, "marian": 0}[family]
    return made(max_position_embeddings=128, decoder_start_token_id=start, forced_eos_token_id=3, **layers, **common)
