"""A tokenizer of a few words, made on the spot, so that tests of texts need no weights."""

from __future__ import annotations

from functools import cache
from typing import Any

WORDS = "the card was charged twice for same order parcel says delivered but nothing arrived a b c d e f g"
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
VOCABULARY = {word: number for number, word in enumerate([*SPECIAL, *dict.fromkeys(WORDS.split())])}


def make_tokenizer(*, types: bool = True) -> Any:
    """Words to numbers as BERT frames them; without `types` the second text of a pair has type 0, as in RoBERTa."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    tokenizer = Tokenizer(models.WordLevel(VOCABULARY, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    second = "1" if types else "0"
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair=f"[CLS] $A [SEP] $B:{second} [SEP]:{second}",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    return tokenizer


@cache
def wrapped_tokenizer() -> Any:
    """The same for transformers."""
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(
        tokenizer_object=make_tokenizer(), pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )
