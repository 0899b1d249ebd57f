"""METEOR against NLTK's, whose dictionary of synonyms is replaced by one that knows none."""

from __future__ import annotations

from typing import Any

import pytest
import snowballstemmer
from hypothesis import given, settings
from hypothesis import strategies as st
from nltk.stem.porter import PorterStemmer
from nltk.translate.meteor_score import meteor_score

from provetune.evaluation.generation.bleu import cut_into_words
from provetune.evaluation.generation.meteor import meteor, meteor_scores
from provetune.evaluation.generation.stems import stemmer_for


def words(text: str) -> st.SearchStrategy[str]:
    return st.sampled_from(text.split())


ENGLISH = st.lists(words("The the cat cats runs run running happy happily . a"), max_size=14)
FRENCH = st.lists(words("Le les chat chats court courir heureux heureuse . un"), max_size=14)


class NoSynonyms:
    def synsets(self, word: str) -> list[Any]:
        return []


class Snowball:
    def __init__(self, name: str) -> None:
        self.algorithm = snowballstemmer.stemmer(name)

    def stem(self, word: str) -> str:
        return str(self.algorithm.stemWord(word))


def reference(said: str, wanted: list[str], language: str, stemmer: Any) -> float:
    lists = [cut_into_words(text, language) for text in wanted]
    return float(meteor_score(lists, cut_into_words(said, language), stemmer=stemmer, wordnet=NoSynonyms()))


@settings(max_examples=500, deadline=None)
@given(ENGLISH.map(" ".join), ENGLISH.map(" ".join), ENGLISH.map(" ".join))
def test_english_equals_nltk(said: str, first: str, second: str) -> None:
    found = meteor_scores([said], [[first, second]], "en")
    assert found[0] == pytest.approx(reference(said, [first, second], "en", PorterStemmer()), abs=1e-12)


@settings(max_examples=300, deadline=None)
@given(FRENCH.map(" ".join), FRENCH.map(" ".join))
def test_french_equals_nltk_with_snowball(said: str, wanted: str) -> None:
    found = meteor_scores([said], [wanted], "fr")
    assert found[0] == pytest.approx(reference(said, [wanted], "fr", Snowball("french")), abs=1e-12)


def test_by_hand() -> None:
    """Two of three words match in one chunk, the second by its stem; the reference has four."""
    precision, recall = 2 / 3, 2 / 4
    mean = precision * recall / (0.9 * precision + 0.1 * recall)
    wanted = mean * (1 - 0.5 * (1 / 2) ** 3)
    stem = stemmer_for("en")
    assert meteor(["the", "cats", "flew"], ["the", "cat", "sat", "down"], stem) == pytest.approx(wanted)
    assert meteor(["the", "cats", "flew"], ["the", "cat", "sat", "down"], None) < wanted


def test_chinese_goes_by_character_and_without_stems() -> None:
    assert stemmer_for("zh") is None
    assert meteor_scores(["我爱你"], ["我爱你"], "zh")[0] == pytest.approx(1 - 0.5 / 27)
    assert meteor_scores(["", "我"], ["我", "你"], "zh").tolist() == [0, 0]
