"""A tokenizer that knows the words of the rows at hand, framed as BERT frames them, with a template for chats."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|> {{ message['content'] }} [SEP] {% endfor %}"
    "{% if add_generation_prompt %}<|assistant|> {% endif %}"
)
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "<|user|>", "<|assistant|>", "<|system|>")


def tiny_words(texts: Iterable[str]) -> Any:
    """Padding is token 0, the start of a text 2, its end 3."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    lower, cut = normalizers.Lowercase(), pre_tokenizers.BertPreTokenizer()
    words = {word for text in texts for word, _ in cut.pre_tokenize_str(lower.normalize_str(text))}
    vocabulary = {word: number for number, word in enumerate([*SPECIAL, *sorted(words - set(SPECIAL))])}
    plain = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    plain.normalizer, plain.pre_tokenizer = lower, cut
    plain.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    found = PreTrainedTokenizerFast(
        tokenizer_object=plain,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        eos_token="[SEP]",
        additional_special_tokens=list(SPECIAL[4:]),
        model_max_length=64,
    )
    found.chat_template = TEMPLATE
    return found
