"""Abstention: thresholds by counting, the guarantee by simulation, the curve by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provetune.evaluation.abstention import NEVER, curve, threshold_for_coverage, threshold_for_risk

ROWS = st.lists(st.tuples(st.integers(0, 15).map(lambda k: k / 15), st.booleans()), min_size=1, max_size=40)


def columns(rows):
    return np.array([row[0] for row in rows]), np.array([row[1] for row in rows], dtype=float)


@settings(max_examples=200, deadline=None)
@given(ROWS, st.floats(0.05, 1.0))
def test_a_coverage_is_reached_and_no_higher_threshold_reaches_it(rows, coverage):
    confidence, _ = columns(rows)
    found = threshold_for_coverage(confidence, coverage)
    assert (confidence >= found).mean() >= coverage - 1e-9
    higher = confidence[confidence > np.min(confidence[confidence >= found])]
    if len(higher):
        assert (confidence >= higher.min()).mean() < coverage


@settings(max_examples=200, deadline=None)
@given(ROWS, st.floats(0.05, 0.9))
def test_a_risk_is_kept_and_no_lower_threshold_keeps_it(rows, risk):
    confidence, errors = columns(rows)
    found = threshold_for_risk(confidence, errors, risk)
    answered = confidence >= found
    if answered.any():
        assert errors[answered].mean() <= risk + 1e-9
    for lower in np.unique(confidence[~answered]):
        assert errors[confidence >= lower].mean() > risk


def test_no_threshold_may_do():
    assert threshold_for_risk(np.array([0.9, 0.8]), np.array([1.0, 1.0]), 0.1) == NEVER
    assert threshold_for_risk(np.zeros(0), np.zeros(0), 0.1) == NEVER
    assert threshold_for_risk(np.linspace(0, 1, 10), np.zeros(10), 0.05, certainty=0.9) == NEVER  # too few rows
    assert threshold_for_coverage(np.zeros(0), 0.5) == 0.0


def test_the_guarantee_holds_on_other_rows():
    """Errors fall with confidence; the true risk beyond a threshold is known: ∫ (1 − c) over c from t to 1."""
    random, broken, covered = np.random.default_rng(4), 0, []
    for _ in range(300):
        confidence = random.random(400)
        errors = (random.random(400) > confidence).astype(float)
        found = threshold_for_risk(confidence, errors, 0.2, certainty=0.9)
        true = 0.0 if found >= 1 else (1 - found) / 2
        broken += true > 0.2
        covered.append(1 - min(1.0, found))
    assert broken / 300 <= 0.1
    assert np.mean(covered) > 0.1  # 0.4 would be right on the line


def test_without_certainty_it_is_the_share_on_these_rows():
    confidence, errors = np.array([0.9, 0.8, 0.7, 0.6, 0.5]), np.array([0.0, 0.0, 1.0, 0.0, 1.0])
    assert threshold_for_risk(confidence, errors, 0.25) == pytest.approx(0.55)
    assert threshold_for_risk(confidence, errors, 0.2) == pytest.approx(0.75)


def test_the_curve_by_hand():
    points = curve(np.array([0.9, 0.8, 0.8, 0.1]), np.array([0.0, 1.0, 0.0, 1.0]), np.array([0.25, 0.5, 1.0]))
    assert [(point.coverage, point.answered, point.errors) for point in points] == [
        (0.25, 1, 0),
        (0.75, 3, 1),
        (1, 4, 2),
    ]
    assert [point.risk for point in points] == pytest.approx([0, 1 / 3, 0.5])
    assert [point.threshold for point in points] == [0.9, 0.8, 0.1]
    assert curve(np.zeros(0), np.zeros(0)) == []
    assert len(curve(np.linspace(0, 1, 50), np.zeros(50))) == 10


@pytest.mark.parametrize("coverage", [0.0, 1.1, -1.0])
def test_impossible_coverages_are_refused(coverage):
    with pytest.raises(ValueError, match="coverage must be"):
        threshold_for_coverage(np.ones(3), coverage)


def test_impossible_risks_are_refused():
    with pytest.raises(ValueError, match="risk must be"):
        threshold_for_risk(np.ones(3), np.ones(3), 0.0)
    with pytest.raises(ValueError, match="certainty must be"):
        threshold_for_risk(np.ones(3), np.ones(3), 0.1, certainty=1.0)
