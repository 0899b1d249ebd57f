"""The span search against a search of every pair, windows laid over one another, and the no-answer threshold."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provetune.tasks.span_qa.answers import QuestionAnswer
from provetune.tasks.span_qa.search import Spans, Window, best_spans, span_table
from provetune.tasks.span_qa.threshold import best_threshold


def window(begin: Any, finish: Any, none: float = 0.0, first: int = 0) -> Window:
    """Tokens of three letters with a space between them."""
    starts = (np.arange(len(begin)) + first) * 4
    return Window(starts, starts + 3, np.asarray(begin, dtype=float), np.asarray(finish, dtype=float), none)


logits = st.lists(st.tuples(st.floats(-5, 5, width=16), st.floats(-5, 5, width=16)), min_size=1, max_size=12)


@given(logits, st.integers(1, 15), st.integers(1, 40))
def test_the_best_of_all_pairs(pairs: list[tuple[float, float]], longest: int, count: int) -> None:
    begin, finish = zip(*pairs, strict=True)
    found = best_spans([window(begin, finish, 1.5)], longest, count)
    every = {
        (4 * i, 4 * j + 3): begin[i] + finish[j]
        for i in range(len(begin))
        for j in range(i, min(i + longest, len(begin)))
    }
    wanted = sorted(every.values(), reverse=True)[:count]
    np.testing.assert_allclose(found.logits, wanted)
    for start, end, logit in zip(found.starts, found.ends, found.logits, strict=True):
        assert every[int(start), int(end)] == pytest.approx(logit)
    assert len(set(zip(found.starts.tolist(), found.ends.tolist(), strict=True))) == len(found.logits)
    assert found.total == pytest.approx(np.log(np.exp(list(every.values())).sum()))
    assert found.none == 1.5


def test_a_table_of_all_stretches() -> None:
    table = span_table(np.array([1.0, 2.0, 3.0]), np.array([10.0, 20.0, 30.0]), 2)
    np.testing.assert_array_equal(table, [[11, 21], [22, 32], [33, -np.inf]])


@settings(max_examples=60)
@given(st.integers(3, 30), st.integers(2, 8), st.integers(0, 5), st.integers(1, 6), st.randoms())
def test_windows_laid_over_one_another(length: int, width: int, shared: int, longest: int, random: Any) -> None:
    """Every stretch that one window holds whole scores the best that any window gives it."""
    step = max(1, width - min(shared, width - 1))
    cuts = [(start, min(start + width, length)) for start in range(0, max(1, length - width + step), step)]
    windows, every = [], {}
    for start, end in cuts:
        begin, finish = ([random.uniform(-3, 3) for _ in range(start, end)] for _ in range(2))
        windows.append(window(begin, finish, random.uniform(-3, 3), start))
        for i in range(end - start):
            for j in range(i, min(i + longest, end - start)):
                key = (4 * (start + i), 4 * (start + j) + 3)
                every[key] = max(every.get(key, -np.inf), begin[i] + finish[j])
    found = best_spans(windows, longest, 1000)
    assert len(found.logits) == len(every)
    for start, end, logit in zip(found.starts, found.ends, found.logits, strict=True):
        assert every[int(start), int(end)] == pytest.approx(logit)
    assert all(one >= other for one, other in pairwise(found.logits))
    assert found.total == pytest.approx(np.log(np.exp(list(every.values())).sum()))
    assert found.none == min(each.none for each in windows)


def test_equal_scores_come_in_the_order_of_the_passage() -> None:
    found = best_spans([window([0, 0, 0], [0, 0, 0])], 2, 3)
    assert list(zip(found.starts.tolist(), found.ends.tolist(), strict=True)) == [(0, 3), (0, 7), (4, 7)]


def test_tokens_without_letters_are_no_answer() -> None:
    empty = Window(np.array([0, 4]), np.array([0, 7]), np.array([9.0, 1.0]), np.array([9.0, 1.0]), 0.0)
    assert best_spans([empty], 1, 5).starts.tolist() == [4]


def test_a_passage_without_tokens() -> None:
    found = best_spans([window([], [], 2.0)], 5, 5)
    answer = QuestionAnswer("", found, True)
    assert answer.given(0.0).to_json() == {"answer": "", "score": 1.0, "start": None, "end": None}
    assert answer.ranked() == []


def test_probabilities_are_shares_of_everything_that_could_be_said() -> None:
    spans = Spans(np.array([0, 4]), np.array([3, 7]), np.log([3.0, 1.0]), np.log(2.0), np.log(6.0))
    may_lack = QuestionAnswer("abc def ghi", spans, True)
    assert [(said.text, round(said.score, 9)) for said in may_lack.ranked()] == [("abc", 0.375), ("def", 0.125)]
    assert may_lack.nothing().score == pytest.approx(2 / 8)
    assert may_lack.margin == pytest.approx(np.log(2 / 3))
    assert may_lack.given(0.0).text == "abc"
    assert may_lack.given(-1.0).to_json() == {"answer": "", "score": pytest.approx(0.25), "start": None, "end": None}
    answered = QuestionAnswer("abc def ghi", spans, False)
    assert answered.given(-100.0).score == pytest.approx(0.5)
    assert answered.nothing().score == 0.0


rows = st.lists(
    st.tuples(
        st.sampled_from([-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, np.inf]), st.sampled_from([0.0, 0.4, 1.0]), st.booleans()
    ),
    min_size=1,
    max_size=12,
)


@given(rows)
def test_the_threshold_is_the_best_there_is(found: list[tuple[float, float, bool]]) -> None:
    margins = np.array([margin for margin, _, _ in found])
    # A row without any stretch says "no answer" in either case.
    lacking = np.array([float(lacks) for _, _, lacks in found])
    answered = np.where(np.isinf(margins), lacking, [score * (not lacks) for _, score, lacks in found])

    def score(threshold: float) -> float:
        return float(np.where(margins > threshold, lacking, answered).sum())

    chosen = best_threshold(margins, answered, lacking)
    assert np.isfinite(chosen)
    assert score(chosen) == pytest.approx(max(score(threshold) for threshold in np.arange(-3.25, 3.5, 0.25)))


def test_of_equally_good_thresholds_the_one_nearest_to_nought() -> None:
    assert best_threshold(np.array([-4.0, -2.0, 6.0]), np.array([1.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0])) == 2.0
    assert best_threshold(np.array([3.0]), np.array([0.5]), np.array([0.5])) == 2.0
    assert best_threshold(np.array([np.inf]), np.array([1.0]), np.array([1.0])) == 0.0
