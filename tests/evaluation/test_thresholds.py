"""Thresholds of several labels: best by trying every one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provetune.evaluation.thresholds import best_threshold, choose_thresholds

ROWS = st.lists(st.tuples(st.integers(0, 20).map(lambda k: k / 20), st.booleans()), min_size=1, max_size=30)


def f1_at(probabilities, gold, threshold) -> float:
    said = probabilities >= threshold
    return 2 * (said & gold).sum() / max(1, said.sum() + gold.sum())


@settings(max_examples=200, deadline=None)
@given(ROWS)
def test_no_other_threshold_has_a_higher_f1(rows):
    probabilities, gold = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    found = best_threshold(probabilities, gold)
    if not gold.any():
        assert found == 0.5
        return
    best = max(f1_at(probabilities, gold, place) for place in np.linspace(0.011, 0.989, 300))
    assert f1_at(probabilities, gold, found) >= best - 1e-12
    assert 0.01 <= found <= 0.99


def test_one_half_stays_where_it_is_as_good():
    assert best_threshold(np.array([0.9, 0.6, 0.3, 0.1]), np.array([True, True, False, False])) == 0.5
    # 0.7 and above is right; midway to the next one below.
    assert best_threshold(np.array([0.9, 0.7, 0.6, 0.1]), np.array([True, True, False, False])) == pytest.approx(0.65)


def test_rare_labels_take_the_threshold_of_all():
    random = np.random.default_rng(0)
    gold = np.stack([random.random(400) < 0.5, random.random(400) < 0.5, np.arange(400) < 5], axis=1)
    probabilities = 0.3 * gold + 0.4 * random.random((400, 3)) + [0.2, 0.0, 0.1]
    each = choose_thresholds(probabilities, gold, "per_label")
    auto, one = choose_thresholds(probabilities, gold), choose_thresholds(probabilities, gold, "global")
    assert auto[:2].tolist() == each[:2].tolist() != one[:2].tolist()
    assert auto[2] == one[2] == one[0] != each[2]
    assert each[2] == best_threshold(probabilities[:, 2], gold[:, 2])
    assert one[0] == best_threshold(probabilities.ravel(), gold.ravel())


def test_a_label_that_no_row_has_keeps_one_half():
    gold = np.array([[True, False], [False, False]])
    assert choose_thresholds(np.array([[0.2, 0.1], [0.1, 0.2]]), gold, "per_label")[1] == 0.5


def test_shapes_must_fit():
    with pytest.raises(ValueError, match=r"gold must be \(2, 3\)"):
        choose_thresholds(np.zeros((2, 3)), np.zeros((2, 2), dtype=bool))
