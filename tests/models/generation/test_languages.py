"""Codes of languages, as problem files and as multilingual models write them."""

from __future__ import annotations

import pytest

from provetune.core.errors import UsageError
from provetune.models.generation.languages import (
    find_language,
    iso_code,
    knows_languages,
    language_codes,
    language_token_id,
    match_language,
)


@pytest.fixture(scope="module")
def mbart():
    from transformers import MBart50Tokenizer

    return MBart50Tokenizer()


@pytest.fixture(scope="module")
def nllb():
    from transformers import NllbTokenizer

    return NllbTokenizer()


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("fr", "fr"),
        ("FR", "fr"),
        ("fr_XX", "fr"),
        ("fra_Latn", "fr"),
        ("zh-Hans", "zh"),
        ("zho_Hant", "zh"),
        ("und", "und"),
    ],
)
def test_short_codes(written: str, wanted: str) -> None:
    assert iso_code(written) == wanted


@pytest.mark.parametrize(
    ("language", "known", "wanted"),
    [
        ("fr", ["en_XX", "fr_XX"], "fr_XX"),
        ("fr", ["eng_Latn", "fra_Latn"], "fra_Latn"),
        ("zh", ["zho_Hant", "zho_Hans"], "zho_Hans"),
        ("zho_Hant", ["zho_Hans", "zho_Hant"], "zho_Hant"),
        ("fr", ["en", "fr"], "fr"),
        ("xx", ["en", "fr"], None),
    ],
)
def test_the_model_s_own_code_is_found(language: str, known: list[str], wanted: str | None) -> None:
    assert match_language(known, language) == wanted


def test_mbart_and_nllb_tell_their_languages(mbart, nllb) -> None:
    assert {"en_XX", "fr_XX", "zh_CN"} <= set(language_codes(mbart))
    assert {"eng_Latn", "fra_Latn", "zho_Hans"} <= set(language_codes(nllb))
    assert find_language(mbart, "zh", "here") == "zh_CN"
    assert language_token_id(mbart, "fr_XX") == mbart.convert_tokens_to_ids("fr_XX")
    assert language_token_id(nllb, "fra_Latn") == nllb.convert_tokens_to_ids("fra_Latn")


def test_an_unknown_language_is_refused(nllb) -> None:
    with pytest.raises(UsageError, match=r"does not know the language 'tlh' \(options.target_language\)"):
        find_language(nllb, "tlh", "options.target_language")


def test_other_tokenizers_know_no_languages() -> None:
    from tiny_seq2seq import letter_tokenizer

    assert not knows_languages(letter_tokenizer())
