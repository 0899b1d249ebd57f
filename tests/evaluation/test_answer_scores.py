"""SQuAD's exact match and F1: hand-worked cases, and a second writing of both published scripts' rules."""

from __future__ import annotations

import re
import string
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provetune.evaluation.answer_scores import exact_match, normalised, word_f1

PIECES = (
    "the",
    "The",
    "a",
    "an",
    "cat",
    "cats",
    "Cat's",
    "308",
    "3,08",
    "-",
    ".",
    "“",
    "—",
    " ",
    "  ",
    "\t",
    "\u00a0",
    "中国",
)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("The  Broncos!", "broncos"),
        ("an apple a day", "apple day"),
        ("theatre", "theatre"),
        ("the", ""),
        ("U.S.", "us"),
        ("a.b", "ab"),
        ("“quoted”", "“quoted”"),
        ("Émile—the", "émile—"),
    ],
)
def test_normalising(text: str, wanted: str) -> None:
    assert normalised(text) == wanted


def test_hand_worked_f1() -> None:
    """Gold: 'Denver Broncos'; said: 'the Denver team': one shared word of two said and two gold ones."""
    assert word_f1("the Denver team", ["Denver Broncos"]) == pytest.approx(0.5)
    assert word_f1("Broncos Denver", ["Denver Broncos"]) == 1.0
    assert word_f1("x x y", ["x y y"]) == pytest.approx(2 / 3)
    assert word_f1("red", ["blue", "dark red"]) == pytest.approx(2 / 3)
    assert exact_match("the Denver Broncos.", ["Carolina", "denver broncos"]) == 1.0
    assert exact_match("Broncos Denver", ["Denver Broncos"]) == 0.0


def test_no_answer() -> None:
    assert exact_match("", []) == word_f1("", []) == 1.0
    assert exact_match("x", []) == word_f1("x", []) == 0.0
    assert exact_match("", ["x"]) == word_f1("", ["x"]) == 0.0


def test_where_the_two_versions_part() -> None:
    """A gold answer of which nothing is left: 1.1 keeps it and finds no shared word, 2.0 takes it for no answer."""
    assert exact_match("an", ["the"], "1.1") == 1.0
    assert word_f1("an", ["the"], "1.1") == 0.0
    assert exact_match("an", ["the"], "2.0") == word_f1("an", ["the"], "2.0") == 1.0
    assert exact_match("", ["the", "cat"], "1.1") == 1.0
    assert exact_match("", ["the", "cat"], "2.0") == 0.0


texts = st.lists(st.sampled_from(PIECES), max_size=6).map(" ".join) | st.text(max_size=12)


@given(texts, st.lists(texts, min_size=1, max_size=3))
def test_a_second_writing_of_the_scripts_says_the_same(answer: str, golds: list[str]) -> None:
    assert exact_match(answer, golds, "1.1") == max(plain(gold) == plain(answer) for gold in golds)
    assert word_f1(answer, golds, "1.1") == pytest.approx(max(shared(plain(gold), plain(answer)) for gold in golds))
    kept = [gold for gold in golds if plain(gold)] or [""]
    assert exact_match(answer, golds, "2.0") == max(plain(gold) == plain(answer) for gold in kept)
    both = [1.0 if plain(gold) == plain(answer) == "" else shared(plain(gold), plain(answer)) for gold in kept]
    assert word_f1(answer, golds, "2.0") == pytest.approx(max(both))


def plain(text: str) -> str:
    """Letter by letter, in the order in which the scripts nest: lower case, punctuation, articles, spaces."""
    kept = "".join(letter for letter in text.lower() if letter not in set(string.punctuation))
    return re.sub(r"\s+", " ", re.sub(r"\b(a|an|the)\b", " ", kept)).strip()


def shared(gold: str, said: str) -> float:
    left, common = Counter(gold.split(" ")), 0
    for word in said.split(" "):
        if word and left[word] > 0:
            left[word] -= 1
            common += 1
    if common == 0:
        return 0.0
    precision, recall = common / len(said.split(" ")), common / len(gold.split(" "))
    return 2 * precision * recall / (precision + recall)
