"""Our n-grams equal scikit-learn's `TfidfVectorizer`, on random and on real texts, Chinese among them."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import FeatureUnion

from provetune.models.ngrams import Analyser, Block, stack
from provetune.models.vocabulary import fit_vectoriser

DATA = Path(__file__).parents[3] / "shared" / "data"
BLOCKS: list[tuple[Analyser, int, int]] = [
    *(("word", 1, 2), ("word", 2, 3), ("word", 1, 1)),
    *(("char", 1, 3), ("char", 2, 4), ("char_wb", 2, 5), ("char_wb", 1, 3), ("char_wb", 3, 3)),
]
TEXTS = [
    "The cat sat",
    "the CAT  sat on\tthe mat",
    "送餐很快，好吃",
    "很好吃 但是 有点慢",
    "",
    "   ",
    "a",
    "Größe ß ŉ",
    "l'été 2024!",
    "I I I",
]
TEXT = st.text(alphabet=st.sampled_from("ab cÀßé 很好吃，。!\t\n1_’"), max_size=25)


def reference(block: tuple[Analyser, int, int], **options: object) -> TfidfVectorizer:
    pattern = {"token_pattern": r"(?u)\b\w+\b"} if block[0] == "word" else {}
    return TfidfVectorizer(analyzer=block[0], ngram_range=block[1:], sublinear_tf=True, **pattern, **options)


def assert_equal_to_reference(
    block: tuple[Analyser, int, int], texts: list[str], others: list[str], least_rows: int = 1
) -> None:
    theirs = reference(block, min_df=least_rows).fit(texts)
    ours, entries = fit_vectoriser(texts, Block(*block), least_rows=least_rows)
    matrix = ours.transform(texts)
    assert entries == matrix.nnz
    assert list(ours.terms) == list(theirs.get_feature_names_out())
    np.testing.assert_allclose(ours.idf, theirs.idf_, rtol=1e-6)
    np.testing.assert_allclose(matrix.toarray(), theirs.transform(texts).toarray(), atol=1e-6)
    np.testing.assert_allclose(ours.transform(others).toarray(), theirs.transform(others).toarray(), atol=1e-6)


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_crafted_texts(block: tuple[Analyser, int, int]) -> None:
    assert_equal_to_reference(block, TEXTS, ["unseen words only", "the mat 很快", ""])


@settings(max_examples=60, deadline=None)
@given(block=st.sampled_from(BLOCKS), texts=st.lists(TEXT, min_size=1, max_size=8), others=st.lists(TEXT, max_size=4))
def test_random_texts(block: tuple[Analyser, int, int], texts: list[str], others: list[str]) -> None:
    try:
        reference(block).fit(texts)
    except ValueError:  # scikit-learn refuses an empty vocabulary; the caller does here
        assume(False)
    assert_equal_to_reference(block, texts, [*others, "a"])


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("file", "column", "block"),
    [
        ("clinc150/train.csv", "text", ("word", 1, 2)),
        ("clinc150/train.csv", "text", ("char_wb", 2, 5)),
        ("waimai_zh/waimai_10k.csv", "review", ("char", 1, 3)),
        ("waimai_zh/waimai_10k.csv", "review", ("word", 1, 2)),
    ],
)
def test_real_texts(file: str, column: str, block: tuple[Analyser, int, int]) -> None:
    if not (DATA / file).exists():
        pytest.skip(f"{DATA / file} is not here")
    with (DATA / file).open(encoding="utf-8", newline="") as stream:
        texts = [row[column] for row in csv.DictReader(stream)][:800]
    assert_equal_to_reference(block, texts[:700], texts[700:], least_rows=2)


def test_the_most_frequent_terms_stay() -> None:
    texts = ["a b b c", "b c d d d d", "b c a e"]
    ours, _ = fit_vectoriser(texts, Block("word", 1, 1), most_terms=3)
    occurrences = Counter(" ".join(texts).split())
    assert occurrences.most_common(2) == [("b", 4), ("d", 4)]
    assert ours.terms == ("b", "c", "d")
    theirs = reference(("word", 1, 1), max_features=3).fit(texts)
    assert list(theirs.get_feature_names_out()) == ["b", "c", "d"]
    np.testing.assert_allclose(ours.transform(texts).toarray(), theirs.transform(texts).toarray(), atol=1e-6)


def test_a_tie_at_the_limit_goes_to_the_earlier_term() -> None:
    ours, _ = fit_vectoriser(["d c b a"], Block("word", 1, 1), most_terms=2)
    assert ours.terms == ("a", "b")


def test_blocks_beside_one_another_equal_a_feature_union() -> None:
    blocks: list[tuple[Analyser, int, int]] = [("word", 1, 2), ("char", 1, 3)]
    theirs = FeatureUnion([(str(block), reference(block)) for block in blocks]).fit(TEXTS)
    ours = [fit_vectoriser(TEXTS, Block(*block))[0] for block in blocks]
    np.testing.assert_allclose(stack(ours, TEXTS).toarray(), theirs.transform(TEXTS).toarray(), atol=1e-6)


def test_nothing_to_count() -> None:
    ours, entries = fit_vectoriser(["", "  "], Block("word", 1, 2))
    assert ours.terms == ()
    assert entries == 0
    assert ours.transform(["", "a"]).shape == (2, 0)
