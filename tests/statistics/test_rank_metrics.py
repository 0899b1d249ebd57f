"""Rank metrics: values by reference libraries and by brute force, contributions by leaving rows out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from provetune.statistics.rank_metrics import AucOf, RiskCoverageOf, SpearmanOf

ROWS = 200


def values(seed: int, ties: bool) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    first = random.normal(size=ROWS)
    second = first + random.normal(size=ROWS)
    return (np.round(first), np.round(second)) if ties else (first, second)


def metric(kind: str, ties: bool):
    first, second = values(3, ties)
    if kind == "spearman":
        return SpearmanOf(first, second)
    if kind == "auc":
        return AucOf(first, second > 0.2)
    sure = 1 / (1 + np.exp(-first))
    return RiskCoverageOf(sure, (np.random.default_rng(1).random(ROWS) > sure).astype(float))


def pseudovalues(one) -> np.ndarray:
    """n·θ − (n−1)·θ without row i: what a row contributes, by leaving it out."""
    count = len(one)
    left = [one.keep(np.arange(count) != row).value() for row in range(count)]
    return count * one.value() - (count - 1) * np.array(left)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("kind", ["spearman", "auc", "risk_coverage"])
def test_contributions_average_to_the_value_and_agree_with_leaving_rows_out(kind, ties):
    one = metric(kind, ties)
    found, wanted = one.contributions(), pseudovalues(one)
    assert found.mean() == pytest.approx(one.value(), abs=1e-12)
    assert np.corrcoef(found, wanted)[0, 1] > 0.995
    assert found.std() == pytest.approx(wanted.std(), rel=0.03)
    assert one.concerned().all()


@pytest.mark.parametrize("ties", [False, True])
def test_values_equal_scipys_and_scikit_learns(ties):
    first, second = values(0, ties)
    assert SpearmanOf(first, second).value() == pytest.approx(spearmanr(first, second).statistic, abs=1e-12)
    assert AucOf(first, second > 0).value() == pytest.approx(roc_auc_score(second > 0, first), abs=1e-12)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=12))
def test_the_area_is_the_mean_risk_over_all_orders_of_ties(rows):
    confidence = np.array([row[0] for row in rows], dtype=float)
    errors = np.array([row[1] for row in rows], dtype=float)
    random = np.random.default_rng(0)
    areas = []
    for _ in range(2000):
        order = np.lexsort([random.random(len(rows)), -confidence])
        areas.append(np.mean(np.cumsum(errors[order]) / np.arange(1, len(rows) + 1)))
    spread = np.std(areas) / np.sqrt(len(areas))
    assert RiskCoverageOf(confidence, errors).value() == pytest.approx(np.mean(areas), abs=5 * spread + 1e-9)


def test_four_rows_by_hand():
    # Sorted by confidence: right, wrong, right, wrong: risks 0, 1/2, 1/3, 1/2.
    found = RiskCoverageOf(np.array([0.9, 0.8, 0.7, 0.6]), np.array([0.0, 1.0, 0.0, 1.0]))
    assert found.value() == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 2) / 4)


def test_what_has_no_value():
    same = np.ones(4)
    assert SpearmanOf(same, np.arange(4.0)).value() == 0.0
    np.testing.assert_array_equal(SpearmanOf(same, np.arange(4.0)).contributions(), 0)
    assert np.isnan(AucOf(np.arange(4.0), np.ones(4, dtype=bool)).value())
    empty = np.zeros(0)
    assert np.isnan(SpearmanOf(empty, empty).value())
    assert np.isnan(RiskCoverageOf(empty, empty).value())
    assert len(RiskCoverageOf(empty, empty).contributions()) == 0


def test_a_normal_interval_covers_the_true_correlation():
    # Spearman's correlation of a bivariate normal is 6/π · asin(ρ/2) (Kendall & Gibbons).
    random, truth, covered = np.random.default_rng(5), 6 / np.pi * np.arcsin(0.6 / 2), 0
    for _ in range(400):
        first = random.normal(size=150)
        second = 0.6 * first + 0.8 * random.normal(size=150)
        one = SpearmanOf(first, second)
        error = one.contributions().std(ddof=1) / np.sqrt(150)
        covered += abs(one.value() - truth) <= 1.96 * error
    assert 0.92 <= covered / 400 <= 0.98
