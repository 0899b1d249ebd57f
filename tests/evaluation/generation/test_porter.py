"""Porter's stemmer against NLTK's, on words made up and on the words of real texts."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nltk.stem.porter import PorterStemmer

from provetune.evaluation.generation.porter import stem

REFERENCE = PorterStemmer()
DATA = Path(__file__).parents[4] / "shared" / "data"


def words(text: str) -> st.SearchStrategy[str]:
    return st.sampled_from(text.split())


@pytest.mark.parametrize(
    ("word", "wanted"),
    [
        *[("caresses", "caress"), ("ponies", "poni"), ("cats", "cat"), ("agreed", "agre"), ("feed", "feed")],
        *[("hopping", "hop"), ("filing", "file"), ("falling", "fall"), ("happy", "happi"), ("enjoy", "enjoy")],
        *[("relational", "relat"), ("generalizations", "gener"), ("controlling", "control"), ("died", "die")],
        *[("skies", "sky"), ("dying", "die"), ("be", "be"), ("Running", "run"), ("", "")],
    ],
)
def test_examples_of_the_paper_and_of_its_amendments(word: str, wanted: str) -> None:
    assert stem(word) == wanted


@settings(max_examples=3000, deadline=None)
@given(st.text("abcdeilnorstuyz", max_size=12), words("ing ed s ies ational alli ness ion ment e ll"))
def test_made_up_words_equal_nltk(start: str, end: str) -> None:
    assert stem(start + end) == REFERENCE.stem(start + end)


@pytest.mark.real_data
def test_every_word_of_real_texts_equals_nltk() -> None:
    file = DATA / "dialogsum" / "train.jsonl"
    if not file.exists():
        pytest.skip("../shared/data is not here")
    texts = [json.loads(line)["dialogue"] for line in file.read_text(encoding="utf-8").splitlines()]
    words = sorted(set(re.findall(r"[a-z0-9]+", " ".join(texts).lower())))
    assert len(words) > 10_000
    assert [word for word in words if stem(word) != REFERENCE.stem(word)] == []
