"""Bounds of shares near their end: exact error rates by summing the binomial, and scipy's own beta quantiles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, binom

from provetune.statistics.crossed import estimate
from provetune.statistics.share_bounds import effective_rows, of_share, share_lower, share_upper


def right_answers(right: int, rows: int, seeds: int = 1) -> np.ndarray:
    answers = np.zeros((seeds, rows))
    answers[:, :right] = 1
    return answers


@pytest.mark.parametrize(("right", "rows"), [(0, 20), (1, 30), (48, 50), (50, 50), (450, 500)])
def test_whole_numbers_are_clopper_and_pearson(right: int, rows: int) -> None:
    lower, upper = share_lower(right / rows, rows, 0.95), share_upper(right / rows, rows, 0.95)
    assert lower == pytest.approx(beta.ppf(0.05, right, rows - right + 1) if right else 0.0)
    assert upper == pytest.approx(beta.ppf(0.95, right + 1, rows - right) if right < rows else 1.0)


def test_nothing_is_known_without_rows() -> None:
    assert (share_lower(0.9, 0, 0.95), share_upper(0.9, 0, 0.95)) == (0.0, 1.0)
    assert effective_rows(1.0, float("inf"), 1) == 0.0
    assert effective_rows(1.0, 0.0, 40) == 40


@pytest.mark.parametrize("truth", [0.8, 0.9, 0.95, 0.98])
@pytest.mark.parametrize("rows", [10, 30, 50, 100, 300])
def test_a_level_is_wrongly_reached_one_time_in_twenty_at_most(truth: float, rows: int) -> None:
    above = below = 0.0
    for right in range(rows + 1):
        share = of_share(estimate(right_answers(right, rows)), rows)
        chance = binom.pmf(right, rows, truth)
        above += chance * (share.p_above(truth) <= 0.05)
        below += chance * (share.p_below(truth) <= 0.05)
    assert max(above, below) <= 0.05


def test_the_crossed_estimate_alone_would_err_more_than_twice_as_often() -> None:
    wrong = sum(
        binom.pmf(right, 50, 0.9) * (estimate(right_answers(right, 50), unit=1.0).p_above(0.9) <= 0.05)
        for right in range(51)
    )
    assert wrong > 0.1


@settings(max_examples=40, deadline=None)
@given(st.integers(31, 400), st.floats(0.5, 0.99), st.integers(1, 5), st.integers(0, 2**31), st.floats(0.001, 0.4))
def test_p_values_and_bounds_agree(rows: int, share: float, seeds: int, seed: int, p: float) -> None:
    answers = (np.random.default_rng(seed).random((seeds, rows)) < share).astype(float)
    found = of_share(estimate(answers), rows)
    lower, upper = found.lower(1 - p), found.upper(1 - p)
    assert lower <= found.effect <= upper
    if 0 < lower < found.effect:
        assert found.p_above(lower) == pytest.approx(p, rel=1e-4)
    if found.effect < upper < 1:
        assert found.p_below(upper) == pytest.approx(p, rel=1e-4)


def test_with_many_rows_it_is_the_crossed_bound() -> None:
    answers = (np.random.default_rng(4).random((5, 20_000)) < 0.9).astype(float)
    crossed = estimate(answers, unit=1.0)
    assert of_share(crossed, 20_000).lower(0.95) == pytest.approx(crossed.lower(0.95), abs=2e-4)


def test_rows_that_scatter_less_count_for_more_but_not_without_end() -> None:
    # The variance of 500 independent rows, as it is estimated from them, is worth 500 rows.
    assert effective_rows(0.9, 0.09 / 499, 500) == pytest.approx(500)
    assert effective_rows(0.9, 0.09 / 800, 500) == 500
    assert effective_rows(0.9, 0.09 / 799.4, 500, 2500) == pytest.approx(801, abs=1)


def test_a_difference_is_no_share() -> None:
    answers = right_answers(30, 40, 3)
    with pytest.raises(ValueError, match="no other side"):
        of_share(estimate(answers, answers), 40)
