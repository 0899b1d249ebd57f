"""BM25 against bm25s' own scorer and against the formula written out."""

from __future__ import annotations

import math
from collections import Counter

import bm25s
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provetune.models.lexical import LexicalIndex, make_stemmer, split_words

DOCUMENTS = [["red", "car", "car"], ["blue", "car"], ["red", "balloon", "sky", "sky", "sky"], ["green"]]


def formula(query: list[str], documents: list[list[str]], k1: float, b: float) -> list[float]:
    """Lucene's BM25, a word at a time."""
    mean = sum(map(len, documents)) / len(documents)
    scores = []
    for words in documents:
        counts, score = Counter(words), 0.0
        for word in query:
            holders = sum(word in other for other in documents)
            weight = math.log(1 + (len(documents) - holders + 0.5) / (holders + 0.5))
            score += weight * counts[word] / (counts[word] + k1 * (1 - b + b * len(words) / mean))
        scores.append(score)
    return scores


words = st.sampled_from("abcdefg")


@given(st.lists(st.lists(words, min_size=1, max_size=8), min_size=1, max_size=6), st.lists(words, max_size=4))
@settings(max_examples=100, deadline=None)
def test_scores_follow_the_formula(documents: list[list[str]], query: list[str]) -> None:
    found = LexicalIndex(documents, k1=0.9, b=0.4).scores([query])
    np.testing.assert_allclose(found[0], formula(query, documents, 0.9, 0.4), rtol=1e-5, atol=1e-6)


def test_scores_are_bm25s_own() -> None:
    theirs = bm25s.BM25(k1=1.5, b=0.6)
    theirs.index(DOCUMENTS, show_progress=False)
    query = ["red", "car", "unknown"]
    found = LexicalIndex(DOCUMENTS, k1=1.5, b=0.6).scores([query, ["sky"]])
    np.testing.assert_allclose(found[0], theirs.get_scores(["red", "car"]), rtol=1e-6)
    np.testing.assert_allclose(found[1], theirs.get_scores(["sky"]), rtol=1e-6)


def test_no_shared_word_is_nought() -> None:
    index = LexicalIndex(DOCUMENTS)
    assert index.scores([[], ["unknown"]]).tolist() == [[0.0] * 4] * 2
    assert index.scores([]).shape == (0, 4)
    assert LexicalIndex([[], []]).scores([["red"]]).tolist() == [[0.0, 0.0]]
    with pytest.raises(ValueError, match="Got none"):
        LexicalIndex([])


def test_words_are_folded_and_unspaced_scripts_cut() -> None:
    assert split_words("The CAFÉ's 2 snow_men!") == ["the", "café", "s", "2", "snow", "men"]
    assert split_words("花呗账单") == ["花", "呗", "账", "单", "花呗", "呗账", "账单"]
    assert split_words("用iPhone付") == ["用", "iphone", "付"]
    assert split_words("Ｂ２Ｂ ｶﾅ") == ["b2b", "カ", "ナ", "カナ"]
    assert split_words(" … ") == []


def test_a_stemmer_brings_forms_together() -> None:
    stem = make_stemmer("english")
    assert stem is not None
    assert split_words("connected connections", stem) == ["connect", "connect"]
    assert make_stemmer(None) is None
