"""Trimmed tokenizers cut kept texts as before, whatever kind they are."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from provetune.compression.smaller_vocabulary import kept_tokens, trimmed
from provetune.core.errors import UsageError

LEARNED = [
    "where is my parcel", "the parcel was late again", "please refund the late parcel", "refunds are refunded slowly",
    "the courier lost parcels", "parcelling and unparcelling", "why is the courier slower than slow", "我的包裹在哪里",
    "相談 over the lowest lower low", "newest newer new wider widest wide", "lost loser losing lossless less",
] * 3  # fmt: skip
KEPT = ["the parcel is late", "refund the lost parcels", "slower courier", "lowest"]
SPECIAL = ["[UNK]", "[CLS]", "[SEP]", "[PAD]"]


def wordpiece() -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.train_from_iterator(LEARNED, trainers.WordPieceTrainer(vocab_size=160, special_tokens=SPECIAL))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        special_tokens=[(name, tokenizer.token_to_id(name)) for name in ("[CLS]", "[SEP]")],
    )
    return tokenizer


def bpe() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=SPECIAL, initial_alphabet=alphabet)
    tokenizer.train_from_iterator(LEARNED, trainer)
    tokenizer.post_processor = processors.RobertaProcessing(("[SEP]", 2), ("[CLS]", 1))
    return tokenizer


def unigram() -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=90, special_tokens=SPECIAL, unk_token="[UNK]", show_progress=False)
    tokenizer.train_from_iterator(LEARNED, trainer)
    return tokenizer


def document_of(tokenizer: Tokenizer) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(tokenizer.to_str())
    return found


@pytest.mark.parametrize("make", [wordpiece, bpe, unigram])
def test_kept_texts_are_cut_as_before(make: Any) -> None:
    whole = make()
    used = {number for text in KEPT for number in whole.encode(text).ids}
    kept = kept_tokens(document_of(whole), used)
    smaller = Tokenizer.from_str(json.dumps(trimmed(document_of(whole), kept)))
    assert smaller.get_vocab_size() == len(kept) < whole.get_vocab_size()
    for text in KEPT:
        before, after = whole.encode(text), smaller.encode(text)
        assert after.tokens == before.tokens
        assert [kept[number] for number in after.ids] == before.ids
    assert smaller.encode("unparcelling newest").tokens != []


@pytest.mark.parametrize("make", [wordpiece, bpe])
def test_what_stands_around_texts_has_its_new_number(make: Any) -> None:
    whole = make()
    kept = kept_tokens(document_of(whole), whole.encode("late").ids)
    smaller = Tokenizer.from_str(json.dumps(trimmed(document_of(whole), kept)))
    ids = smaller.encode("late").ids
    assert (ids[0], ids[-1]) == (smaller.token_to_id("[CLS]"), smaller.token_to_id("[SEP]"))


def test_letters_of_alphabets_stay_and_unused_hanzi_go() -> None:
    whole = wordpiece()
    kept = kept_tokens(document_of(whole), set())
    names = {whole.id_to_token(number) for number in kept}
    assert {"w", "##w", *SPECIAL} <= names
    assert not names & {"我", "parcel"}


def test_a_small_pad_number_is_kept() -> None:
    whole = wordpiece()
    for pad in (3, 8):
        assert kept_tokens(document_of(whole), set(), pad_id=pad)[: pad + 1] == list(range(pad + 1))


def test_parts_of_merged_tokens_stay() -> None:
    document = {
        "model": {
            "type": "BPE",
            "vocab": {"a": 0, "b": 1, "ab": 2, "abab": 3, "ba": 4},
            "merges": ["a b", ["ab", "ab"], ["b", "a"]],
        }
    }
    kept = kept_tokens(document, {3})
    assert kept == [0, 1, 2, 3]
    assert trimmed(document, kept)["model"]["merges"] == ["a b", ["ab", "ab"]]


def test_other_kinds_are_refused() -> None:
    with pytest.raises(UsageError, match="WordLevel"):
        kept_tokens({"model": {"type": "WordLevel", "vocab": {}}}, set())
