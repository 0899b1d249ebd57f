"""BLEU from summed rows against sacrebleu's corpus score."""

from __future__ import annotations

import math

import numpy as np
import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st

from provetune.evaluation.generation.bleu import bleu_of, bleu_signature, bleu_tokenizer, count_bleu, cut_into_words


def words(text: str) -> st.SearchStrategy[str]:
    return st.sampled_from(text.split())


WORDS = st.lists(words("a b c d, the cat. sat on mat 3.5"), max_size=12).map(" ".join)
HANZI = st.text("我你他好吗是不a1。", max_size=12)


def corpus(said: list[str], wanted: list[list[str]], tokenizer: str) -> float:
    columns = [list(column) for column in zip(*wanted, strict=True)]
    return float(sacrebleu.metrics.BLEU(tokenize=tokenizer).corpus_score(said, columns).score)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=8))
def test_equals_sacrebleu(rows: list[tuple[str, str]]) -> None:
    said, wanted = [row[0] for row in rows], [row[1] for row in rows]
    found = bleu_of(count_bleu(said, wanted, "en").sum(axis=0))
    assert float(found) == pytest.approx(corpus(said, [[text] for text in wanted], "13a"), abs=1e-9)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(WORDS, WORDS, WORDS), min_size=1, max_size=6))
def test_equals_sacrebleu_with_two_references(rows: list[tuple[str, str, str]]) -> None:
    said, wanted = [row[0] for row in rows], [[row[1], row[2]] for row in rows]
    found = bleu_of(count_bleu(said, wanted).sum(axis=0))
    assert float(found) == pytest.approx(corpus(said, wanted, "13a"), abs=1e-9)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(HANZI, HANZI), min_size=1, max_size=6))
def test_chinese_equals_sacrebleu_with_its_zh_tokenizer(rows: list[tuple[str, str]]) -> None:
    said, wanted = [row[0] for row in rows], [row[1] for row in rows]
    found = bleu_of(count_bleu(said, wanted, "zh").sum(axis=0))
    assert float(found) == pytest.approx(corpus(said, [[text] for text in wanted], "zh"), abs=1e-9)


def test_by_hand() -> None:
    """Five words, four right; pairs 3 of 4, triples 2 of 3, fours 1 of 2; one word too short."""
    counts = count_bleu(["the cat sat on it"], ["the cat sat on the mat"])
    assert counts.tolist() == [[5, 6, 4, 3, 2, 1, 5, 4, 3, 2]]
    wanted = 100 * math.exp(1 - 6 / 5) * (4 / 5 * 3 / 4 * 2 / 3 * 1 / 2) ** 0.25
    assert float(bleu_of(counts[0])) == pytest.approx(wanted)


def test_many_sums_at_once() -> None:
    counts = count_bleu(["a b c d", "a b c d e", "x"], ["a b c d", "a b c e d", "y"])
    together = bleu_of(np.stack([[counts[0], counts[1]], [counts[2], counts.sum(axis=0)]]))
    assert together.shape == (2, 2)
    assert together[0, 0] == pytest.approx(100)
    assert together[1, 0] == 0
    assert together[1, 1] == pytest.approx(float(bleu_of(counts.sum(axis=0))))


def test_tokenizer_and_signature() -> None:
    assert [bleu_tokenizer(language) for language in ("zh", "ja", "fr", "und")] == ["zh", "char", "13a", "13a"]
    scorer = sacrebleu.metrics.BLEU(tokenize="zh")
    scorer.corpus_score(["a"], [["a"]])
    assert bleu_signature("zh") == str(scorer.get_signature())
    assert "nrefs:2|" in bleu_signature("en", references=2)
    assert cut_into_words("It's 3.5, no?", "en") == ["It's", "3.5", ",", "no", "?"]
    assert cut_into_words("你好 world。", "zh") == ["你", "好", "world", "。"]


@pytest.mark.parametrize(("said", "wanted"), [(["a"], []), (["a"], [[]])])
def test_a_row_without_reference_is_refused(said: list[str], wanted: list[list[str]]) -> None:
    with pytest.raises(ValueError, match="reference"):
        count_bleu(said, wanted)
