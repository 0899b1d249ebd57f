"""Counted texts in few bytes give what the plain matrix gives; the vocabulary is learnt in bounded memory."""

from __future__ import annotations

import random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import vstack

from provetune.models.logistic import fit_logistic
from provetune.models.ngrams import Block, stack
from provetune.models.text_column import TextColumn
from provetune.models.text_rows import count_rows
from provetune.models.vocabulary import fit_vectoriser, in_chunks

BLOCKS = (Block("word", 1, 2), Block("char_wb", 2, 4), Block("char", 1, 2))
TEXT = st.text(alphabet=st.sampled_from("ab cß很。 "), max_size=20)


@settings(max_examples=40, deadline=None)
@given(texts=st.lists(TEXT, min_size=1, max_size=12), size=st.integers(1, 5))
def test_blocks_equal_the_plain_matrix(texts: list[str], size: int) -> None:
    vectorisers = [fit_vectoriser([*texts, "a b"], block)[0] for block in BLOCKS]
    rows = count_rows(vectorisers, in_chunks(texts, size))
    plain = stack(vectorisers, texts)
    assert rows.shape == plain.shape
    places, matrices = zip(*rows.blocks(), strict=True)
    assert [number for place in places for number in range(place.start, place.stop)] == list(range(len(texts)))
    together = vstack(matrices)
    assert together.dtype == np.float32
    np.testing.assert_allclose(together.toarray(), plain.toarray(), atol=1e-6)


def test_many_terms_and_many_repetitions() -> None:
    texts = [" ".join(["often"] * 300 + ["once"]), " ".join(f"w{number}" for number in range(70_000))]
    vectoriser, entries = fit_vectoriser(texts, Block("word", 1, 1))
    assert entries == 70_002
    rows = count_rows([vectoriser], in_chunks(texts, 1))
    (_, first), (_, second) = rows.blocks()
    assert abs(first - vectoriser.transform(texts[:1])).max() < 1e-6
    assert abs(second - vectoriser.transform(texts[1:])).max() < 1e-6
    # Both words are in one row of two, so that their weights are as 1 + log 300 to 1.
    often, once = (first[0, vectoriser.columns[word]] for word in ("often", "once"))
    assert often / once == pytest.approx(1 + np.log(300), rel=1e-5)


def test_a_fit_on_counted_texts_equals_one_on_the_plain_matrix() -> None:
    draw = random.Random(1)
    texts = [" ".join(draw.choices(["red", "green", "blue", "the", "a", "of"], k=6)) for _ in range(120)]
    labels = np.array([("red" in text) + 2 * ("blue" in text) for text in texts])
    vectorisers = [fit_vectoriser(texts, block)[0] for block in BLOCKS[:2]]
    counted = fit_logistic(count_rows(vectorisers, in_chunks(texts, 50)), labels, 4, strength=4.0, tolerance=1e-8)
    plain = fit_logistic(stack(vectorisers, texts), labels, 4, strength=4.0, tolerance=1e-8)
    np.testing.assert_allclose(counted.weight, plain.weight, atol=5e-3)


def test_probabilities_that_are_not_kept_give_the_same_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(0)
    features = draw.normal(size=(90, 5)).astype(np.float32)
    labels = np.arange(90) % 3
    kept = fit_logistic(features, labels, 3, strength=2.0)
    monkeypatch.setattr("provetune.models.log_loss._MOST_KEPT", 0)
    monkeypatch.setattr("provetune.models.log_loss._ROWS_AT_ONCE", 90)
    again = fit_logistic(features, labels, 3, strength=2.0)
    assert np.array_equal(kept.weight, again.weight)


def test_the_rare_are_forgotten_and_the_frequent_stay() -> None:
    draw = random.Random(2)
    texts = [f"common {draw.choice('abc')} only{number}" for number in range(20_000)]
    exact, _ = fit_vectoriser(texts, Block("word", 1, 1), least_rows=2)
    bounded, entries = fit_vectoriser(texts, Block("word", 1, 1), least_rows=2, most_terms=4, most_remembered=1000)
    assert bounded.terms == exact.terms == ("a", "b", "c", "common")
    np.testing.assert_array_equal(bounded.idf, exact.idf)
    assert entries == 2 * len(texts)


def test_texts_of_a_table_are_made_when_they_are_read() -> None:
    texts = [f"text {number}" for number in range(10_000)]
    column = TextColumn(pa.table({"text": texts, "label": ["x"] * 10_000}))
    assert list(column) == texts
    assert (len(column), column[3], column[-1], column[9_999]) == (10_000, texts[3], texts[-1], texts[-1])
    assert list(column[5:8]) == texts[5:8]
    assert list(column[8:5]) == []
    assert list(column[::4000]) == texts[::4000]
    with pytest.raises(IndexError, match="There are 10000 texts"):
        column[10_000]
    pairs = TextColumn(pa.table({"text": ["a", "b"], "text_pair": ["c", "d"]}))
    assert list(pairs) == ["a\nc", "b\nd"]
    assert pairs[1] == "b\nd"
