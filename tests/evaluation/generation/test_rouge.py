"""ROUGE against the rouge-score package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer
from rouge_score.tokenizers import Tokenizer

from provetune.evaluation.generation.rouge import NAMES, longest_common, rouge_scores
from provetune.evaluation.generation.words import words_of


def words(text: str) -> st.SearchStrategy[str]:
    return st.sampled_from(text.split())


WORDS = st.lists(words("the cats Running ran, run. café 3.5 it's u_s generally"), max_size=15)
DATA = Path(__file__).parents[4] / "shared" / "data"


class Characters(Tokenizer):
    """Every character that is no space or punctuation: what the words of pure Chinese come to."""

    def tokenize(self, text: str) -> list[str]:
        return [letter for letter in text if "\u4e00" <= letter <= "\u9fff"]


def reference(said: str, wanted: str, **options: Any) -> list[float]:
    scores = RougeScorer(list(NAMES), **options).score(wanted, said)
    return [scores[name].fmeasure for name in NAMES]


def ours(said: str, wanted: Any, language: str) -> list[float]:
    scores = rouge_scores([said], [wanted], language)
    return [float(scores[name][0]) for name in NAMES]


@settings(max_examples=400, deadline=None)
@given(WORDS.map(" ".join), WORDS.map(" ".join))
def test_english_equals_rouge_score_with_its_stemmer(said: str, wanted: str) -> None:
    assert ours(said, wanted, "en") == pytest.approx(reference(said, wanted, use_stemmer=True), abs=1e-12)


@settings(max_examples=200, deadline=None)
@given(st.text("abc 1.", max_size=20), st.text("abc 1.", max_size=20))
def test_other_languages_equal_rouge_score_without_stems_where_there_are_no_accents(said: str, wanted: str) -> None:
    assert ours(said, wanted, "fr") == pytest.approx(reference(said, wanted), abs=1e-12)


@settings(max_examples=200, deadline=None)
@given(st.text("我你他好吗是不。，", max_size=20), st.text("我你他好吗是不。，", max_size=20))
def test_chinese_goes_by_character(said: str, wanted: str) -> None:
    assert ours(said, wanted, "zh") == pytest.approx(reference(said, wanted, tokenizer=Characters()), abs=1e-12)


def test_the_best_of_several_references_counts() -> None:
    wanted = RougeScorer(list(NAMES), use_stemmer=True).score_multi(["a b x", "c a b d"], "a b d")
    assert ours("a b d", ["a b x", "c a b d"], "en") == pytest.approx([wanted[name].fmeasure for name in NAMES])


@pytest.mark.real_data
def test_real_summaries_equal_rouge_score() -> None:
    file = DATA / "dialogsum" / "dev.jsonl"
    if not file.exists():
        pytest.skip("../shared/data is not here")
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()][:150]
    said, wanted = [row["dialogue"] for row in rows], [row["summary"] for row in rows]
    scores = rouge_scores(said, wanted, "en")
    for k, (text, summary) in enumerate(zip(said, wanted, strict=True)):
        found = [scores[name][k] for name in NAMES]
        assert found == pytest.approx(reference(text, summary, use_stemmer=True), abs=1e-12)


def test_words() -> None:
    assert words_of("L'été 2024, à_Paris!", "fr") == ["l", "été", "2024", "à", "paris"]
    assert words_of("Caf\u00e9 U.S.", "en") == ["caf", "u", "s"]
    assert words_of("我爱GPT4。", "zh") == ["我", "爱", "gpt4"]


@settings(max_examples=300, deadline=None)
@given(st.text("abcd", max_size=90), st.text("abcd", max_size=90))
def test_longest_common_subsequence_equals_the_table(first: str, second: str) -> None:
    table = [[0] * (len(second) + 1) for _ in range(len(first) + 1)]
    for i, a in enumerate(first, 1):
        for j, b in enumerate(second, 1):
            table[i][j] = table[i - 1][j - 1] + 1 if a == b else max(table[i - 1][j], table[i][j - 1])
    assert longest_common(first, second) == table[-1][-1]
