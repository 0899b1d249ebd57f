"""Ranking scores against scikit-learn and against a twin that sorts one list at a time."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import label_ranking_average_precision_score, ndcg_score

from provetune.evaluation import ranking
from provetune.evaluation.ranking import ndcg_at, rank_documents, recall_at, reciprocal_ranks


def ranked(scores: np.ndarray, relevant: list[list[int]], keep: int = 10) -> ranking.Rankings:
    return rank_documents(
        lambda start, stop: scores[start:stop],
        scores.shape[1],
        [np.array(own, dtype=int) for own in relevant],
        keep=keep,
    )


def sorted_places(row: list[float], own: list[int]) -> list[int]:
    """Places by sorting: higher scores first, of equal ones the wrong documents first."""
    order = sorted(range(len(row)), key=lambda number: (-row[number], number in own))
    return sorted(order.index(number) + 1 for number in own)


problems = st.integers(1, 12).flatmap(
    lambda documents: st.lists(
        st.tuples(
            st.lists(st.integers(0, 4).map(float), min_size=documents, max_size=documents),
            st.sets(st.integers(0, documents - 1), max_size=4),
        ),
        min_size=1,
        max_size=5,
    )
)


@given(problems)
@settings(max_examples=200, deadline=None)
def test_places_are_those_of_a_plain_sort(rows: list[tuple[list[float], set[int]]]) -> None:
    scores, relevant = np.array([row for row, _ in rows]), [sorted(own) for _, own in rows]
    found = ranked(scores, relevant, keep=3)
    for number, (row, own) in enumerate(zip(scores.tolist(), relevant, strict=True)):
        assert found.ranks[number].tolist() == sorted_places(row, own)
        front = sorted(range(len(row)), key=lambda at: (-row[at], at))[:3]
        assert found.first[number].tolist() == front
        assert found.scores[number].tolist() == [row[at] for at in front]


@given(problems, st.integers(1, 6))
@settings(max_examples=200, deadline=None)
def test_scores_are_those_of_a_plain_loop(rows: list[tuple[list[float], set[int]]], k: int) -> None:
    scores, relevant = np.array([row for row, _ in rows]), [sorted(own) for _, own in rows]
    ranks = ranked(scores, relevant).ranks
    for number, (row, own) in enumerate(zip(scores.tolist(), relevant, strict=True)):
        if not own:
            assert np.isnan(
                [recall_at(ranks, k)[number], reciprocal_ranks(ranks)[number], ndcg_at(ranks, k)[number]]
            ).all()
            continue
        places = sorted_places(row, own)
        gain = sum(1 / math.log2(place + 1) for place in places if place <= k)
        ideal = sum(1 / math.log2(place + 1) for place in range(1, min(k, len(own)) + 1))
        assert recall_at(ranks, k)[number] == pytest.approx(sum(place <= k for place in places) / len(own))
        assert reciprocal_ranks(ranks)[number] == pytest.approx(1 / places[0])
        assert reciprocal_ranks(ranks, k)[number] == pytest.approx(1 / places[0] if places[0] <= k else 0.0)
        assert ndcg_at(ranks, k)[number] == pytest.approx(gain / ideal)


def test_ndcg_is_scikit_learns_where_no_scores_are_equal() -> None:
    draw = np.random.default_rng(0)
    scores = draw.normal(size=(50, 30))
    relevant = [sorted(draw.choice(30, size=draw.integers(1, 6), replace=False).tolist()) for _ in range(50)]
    gold = np.zeros((50, 30))
    for row, own in enumerate(relevant):
        gold[row, own] = 1
    ranks = ranked(scores, relevant).ranks
    for k in (1, 3, 10, 30):
        assert ndcg_at(ranks, k).mean() == pytest.approx(ndcg_score(gold, scores, k=k))


def test_reciprocal_rank_is_scikit_learns_average_precision_of_one_right_document() -> None:
    draw = np.random.default_rng(1)
    scores = draw.integers(0, 6, size=(80, 25)).astype(float)  # with ties, which scikit-learn also counts against
    own = draw.integers(0, 25, size=80)
    gold = np.eye(25)[own]
    found = reciprocal_ranks(ranked(scores, [[number] for number in own]).ranks)
    assert found.mean() == pytest.approx(label_ranking_average_precision_score(gold, scores))


def test_a_model_that_cannot_tell_is_the_worst() -> None:
    assert ranked(np.zeros((1, 7)), [[0]]).ranks[0].tolist() == [7]
    assert ranked(np.zeros((1, 7)), [[0, 3]]).ranks[0].tolist() == [6, 7]


def test_a_score_that_is_no_number_is_the_lowest() -> None:
    found = ranked(np.array([[np.nan, 0.5, -np.inf], [np.inf, 2.0, np.nan]]), [[0], [0]])
    assert [own.tolist() for own in found.ranks] == [[3], [1]]
    assert found.first[0, 0] == 1


def test_many_queries_are_taken_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    scores, relevant = np.random.default_rng(2).normal(size=(9, 4)), [[number % 4] for number in range(9)]
    whole = ranked(scores, relevant, keep=2)
    asked: list[tuple[int, int]] = []

    def some(start: int, stop: int) -> np.ndarray:
        asked.append((start, stop))
        return scores[start:stop]

    monkeypatch.setattr(ranking, "_CELLS", 8)
    parts = rank_documents(some, 4, [np.array(own) for own in relevant], keep=2)
    assert asked == [(0, 2), (2, 4), (4, 6), (6, 8), (8, 9)]
    assert [own.tolist() for own in parts.ranks] == [own.tolist() for own in whole.ranks]
    assert np.array_equal(parts.first, whole.first)
    assert len(parts) == 9


def test_the_cut_of_reciprocal_ranks_is_exact() -> None:
    for k in range(1, 200):
        assert reciprocal_ranks([np.array([k])], k)[0] == 1 / k
        assert reciprocal_ranks([np.array([k + 1])], k)[0] == 0


def test_wrong_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="must be a document"):
        ranked(np.zeros((1, 0)), [[]])
    with pytest.raises(ValueError, match="numbered 0 to 2"):
        ranked(np.zeros((1, 3)), [[3]])
