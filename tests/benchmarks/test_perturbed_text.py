"""What the robustness benchmark makes of texts: slips that are slips, words of the list, the same every time."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from perturbed_text import KEYBOARD, PERTURBED, SYNONYMS, mistype, neighbours, with_synonyms, with_typos

TEXTS = [
    "how would you say fly in italian",
    "Please tell me about my card",
    "what is it",
    "",
    "where's the 24-hour shop?",
]


def distance(one: str, other: str) -> int:
    """Edits, a swap of neighbours being one (optimal string alignment)."""
    rows = [[max(i, j) if 0 in (i, j) else 0 for j in range(len(other) + 1)] for i in range(len(one) + 1)]
    for i in range(1, len(one) + 1):
        for j in range(1, len(other) + 1):
            cost = one[i - 1] != other[j - 1]
            rows[i][j] = min(rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + cost)
            if i > 1 and j > 1 and one[i - 1] == other[j - 2] and one[i - 2] == other[j - 1]:
                rows[i][j] = min(rows[i][j], rows[i - 2][j - 2] + 1)
    return rows[-1][-1]


def test_neighbours_lie_beside_each_other() -> None:
    assert set(neighbours("s")) == set("adwezx")
    assert set(neighbours("Q")) == set("WA")
    assert set(neighbours("m")) == set("njk")
    assert neighbours("é") == ["é"]
    for key in "".join(KEYBOARD):
        assert all(key in neighbours(near) for near in neighbours(key)), "being neighbours is mutual"


def test_a_slip_is_one_edit_behind_the_first_letter() -> None:
    import random

    for number in range(300):
        word = "translate"
        slipped = mistype(word, random.Random(number))
        assert distance(word, slipped) <= 1
        assert slipped[0] == "t"


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("kind", PERTURBED)
def test_the_same_text_is_always_made_the_same(kind: str, text: str) -> None:
    assert PERTURBED[kind](text) == PERTURBED[kind](text)


def test_long_words_are_mistyped_and_others_stay() -> None:
    assert with_typos("what is it") != "what is it"
    assert with_typos("is it me") == "is it me"
    for text in TEXTS:
        assert len(with_typos(text).split()) == len(text.split())


def test_words_of_the_list_are_said_otherwise() -> None:
    assert with_synonyms("Kindly") == "Kindly"
    assert with_synonyms("please explain") == "kindly describe"
    for word, others in SYNONYMS.items():
        assert word not in others
        assert with_synonyms(word) in others
