"""Few rows, and rows that do not vary: bounds that can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from provetune.statistics.caution import FEW, Cautious, cautious
from provetune.statistics.crossed import estimate


def all_right(rows: int) -> Cautious:
    """A score of 1 on every row, three seeds."""
    found = cautious(estimate(np.ones((3, rows))), rows, 0.0, 1.0, varied=False)
    assert isinstance(found, Cautious)
    return found


@pytest.mark.parametrize(("rows", "level"), [(50, 0.9), (50, 0.95), (200, 0.99), (1000, 0.995)])
def test_all_right_is_as_sure_as_the_binomial_says(rows: int, level: float) -> None:
    # P(all right) where each row is right with probability `level`.
    assert all_right(rows).p_above(level) == pytest.approx(binom.pmf(rows, rows, level))


def test_the_bound_of_all_right_is_clopper_and_pearsons() -> None:
    assert all_right(50).lower(0.95) == pytest.approx(0.05 ** (1 / 50))
    assert all_right(50).upper(0.95) == 1.0
    assert all_right(50).interval(0.9) == pytest.approx((0.05 ** (1 / 50), 1.0))


def test_two_that_never_differ_may_still_differ_on_a_few_rows() -> None:
    same = cautious(estimate(np.zeros((1, 40)), np.zeros((1, 40))), 40, -1.0, 1.0, varied=False)
    assert same.p_above(-0.01) == pytest.approx(0.99**40)
    assert same.p_below(0.01) == pytest.approx(0.99**40)
    assert same.p_above(0.0) == 1.0
    many = cautious(estimate(np.zeros((1, 2000)), np.zeros((1, 2000))), 2000, -1.0, 1.0, varied=False)
    assert many.p_above(-0.01) < 1e-8


def test_twenty_rows_are_judged_by_hoeffding() -> None:
    figures = np.tile([1.0, 0.0] * 10, (3, 1))
    few = cautious(estimate(figures), 20, 0.0, 1.0, varied=True)
    assert few.p_above(0.1) == pytest.approx(np.exp(-2 * 20 * 0.4**2))
    assert few.lower(0.95) == pytest.approx(0.5 - np.sqrt(np.log(20) / 40))
    assert few.upper(0.95) == pytest.approx(0.5 + np.sqrt(np.log(20) / 40))
    # Normal theory would have called this supported.
    assert estimate(figures).p_above(0.3) < 0.05 < 0.2 < few.p_above(0.3)


def test_many_rows_that_vary_are_left_alone() -> None:
    plain = estimate(np.tile([1.0, 0.0], (3, FEW)))
    assert cautious(plain, 2 * FEW, 0.0, 1.0, varied=True) is plain


@pytest.mark.parametrize(("units", "low", "high"), [(0, 0.0, 1.0), (5, 1.0, 0.0), (5, 0.0, float("inf"))])
def test_ranges_must_make_sense(units: int, low: float, high: float) -> None:
    with pytest.raises(ValueError, match="must make sense"):
        cautious(estimate(np.ones((3, 5))), units, low, high, varied=True)


@given(
    right=st.lists(st.booleans(), min_size=2, max_size=29),
    margin=st.floats(-0.9, 0.9),
    confidence=st.floats(0.55, 0.99),
)
def test_bounds_and_p_values_agree_and_never_claim_more_than_normal_theory(
    right: list[bool], margin: float, confidence: float
) -> None:
    figures = np.tile(np.asarray(right, dtype=float), (3, 1))
    plain = estimate(figures)
    found = cautious(plain, len(right), 0.0, 1.0, varied=plain.variance > 0)
    assert found.p_above(margin) >= plain.p_above(margin)
    assert found.p_below(margin) >= plain.p_below(margin)
    assert found.lower(confidence) <= found.effect <= found.upper(confidence)
    if found.lower(confidence) > 1e-6:
        assert found.p_above(found.lower(confidence)) == pytest.approx(1 - confidence, rel=1e-6)
