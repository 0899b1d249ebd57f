"""Crossed estimates: by hand, against an analysis of variance, against brute force, and by properties."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from provetune.core.errors import UsageError
from provetune.statistics.crossed import cross, estimate, estimate_resampled
from provetune.statistics.mixture import exceedance, mixed_quantile


def outcomes(seeds: int, rows: int, seed: int = 0, right: float = 0.85) -> np.ndarray:
    random = np.random.default_rng(seed)
    ability = random.normal(0, 1, rows) + random.normal(0, 0.1, (seeds, 1)) + random.normal(0, 0.7, (seeds, rows))
    return (ability < stats.norm.ppf(right) * sqrt(1.5)).astype(float)


def test_a_case_worked_by_hand():
    left = [[1, 1, 1, 0], [1, 0, 1, 1]]
    right = [[0, 1, 0, 0], [0, 1, 1, 1], [0, 0, 1, 0]]
    found = estimate(np.array(left), np.array(right))
    # Scores 3/4, 3/4 and 1/4, 3/4, 1/4: no variance on the left, (1/3·…) = 1/12 on the right.
    assert found.left.seed_scores == (0.75, 0.75)
    assert found.left.seed_variance == 0
    assert found.right is not None
    assert found.right.seed_variance == pytest.approx(1 / 12)
    assert found.seeds_variance == pytest.approx(1 / 36)
    # Left residuals: rows 2 and 4 differ by ±1/2 in each run: 4 · 1/4 over (1)(3).
    assert found.left.residual == pytest.approx(1 / 3)
    # Right: squares 12 · (mean of squares 5/12) = 5, less 3 · Σ row means² (0 + 4/9 + 4/9 + 1/9) = 3,
    # less 4 · Σ run means² (1/16 + 9/16 + 1/16) = 11/4, plus 12 · (5/12)² = 25/12; over (2)(3).
    assert found.right.residual == pytest.approx((5 - 3 - 11 / 4 + 25 / 12) / 6)
    # Row differences 1, -1/6, 1/3, 1/6 with mean 1/3.
    differences = np.array([1, 1 / 2 - 2 / 3, 1 - 2 / 3, 1 / 2 - 1 / 3])
    rows_variance = differences.var(ddof=1) / 4 - (1 / 3) / 8 - found.right.residual / 12
    assert found.rows_variance == pytest.approx(rows_variance)
    assert found.effect == pytest.approx(3 / 4 - 5 / 12)
    assert found.freedom == pytest.approx(2)


def test_parts_equal_those_of_an_analysis_of_variance():
    import pandas
    from statsmodels.formula.api import ols
    from statsmodels.stats.anova import anova_lm

    values = outcomes(4, 30, seed=5)
    table = pandas.DataFrame(
        [(s, i, values[s, i]) for s in range(4) for i in range(30)], columns=["run", "row", "score"]
    )
    squares = anova_lm(ols("score ~ C(run) + C(row)", data=table).fit())["mean_sq"]
    found = estimate(values)
    assert found.left.residual == pytest.approx(squares["Residual"], rel=1e-9)
    assert found.left.seed_variance == pytest.approx(squares["C(run)"] / 30, rel=1e-9)
    # One candidate: S_r²/n − e²/(kn) is the usual (MS_rows − MS_residual) / (kn).
    assert found.rows_variance == pytest.approx((squares["C(row)"] - squares["Residual"]) / 120, rel=1e-9)


def test_without_chance_it_is_the_paired_test_on_rows():
    random = np.random.default_rng(1)
    left, right = random.random((1, 200)), random.random((1, 200)) + 0.03
    found = estimate(left, right)
    assert (found.seeds_variance, found.freedom) == (0, float("inf"))
    # The rows are lighter in their tails than normal ones: Student's test to the last digit.
    reference = stats.ttest_rel(left[0], right[0], alternative="less")
    assert found.p_below(0) == pytest.approx(reference.pvalue, rel=1e-9)
    low, high = stats.ttest_rel(left[0], right[0]).confidence_interval(0.95)
    assert found.interval(0.95) == pytest.approx((low, high), rel=1e-9)


def test_few_rows_that_differ_are_as_rough_as_few_normal_ones():
    # One row of 200 differs, p = 1/200: kurtosis 1/(p(1 − p)) − 3, so 2/ν = (198.0 − 3 + 3 − 3)/200 + 2/199.
    values = np.zeros((1, 200))
    values[0, 17] = 1
    excess = 1 / (1 / 200 * 199 / 200) - 6
    found = estimate(values)
    assert found.rows_freedom == pytest.approx(2 / (excess / 200 + 2 / 199))
    assert found.upper(0.95) == pytest.approx(1 / 200 * (1 + stats.t.ppf(0.95, found.rows_freedom)), rel=1e-9)
    # Close to what is exact here (Clopper and Pearson), where the normal bound would be 1.3 %.
    exact = stats.binomtest(1, 200, alternative="less").proportion_ci(0.95, "exact").high
    assert found.upper(0.95) == pytest.approx(exact, abs=0.005)


def test_rows_freedom_is_what_the_variance_of_the_variance_says():
    draws = np.random.default_rng(0).exponential(size=(3000, 1, 400))
    variances = draws[:, 0].var(axis=1, ddof=1)
    found = np.median(cross(draws).rows_freedom)
    # Exponential: excess kurtosis 6, which samples underestimate.
    expected = 2 / (6 / 400 + 2 / 399)
    assert 2 * variances.mean() ** 2 / variances.var() == pytest.approx(expected, rel=0.1)
    assert expected <= found <= 1.6 * expected


def test_with_rows_that_are_all_alike_it_is_welchs_test_on_seeds():
    # A run scores the same on every row: rows bring no variance, the residual is none.
    a, b = np.array([0.91, 0.93, 0.90, 0.95]), np.array([0.88, 0.90, 0.87])
    found = estimate(np.repeat(a[:, None], 7, axis=1), np.repeat(b[:, None], 7, axis=1))
    reference = stats.ttest_ind(a, b, equal_var=False, alternative="greater")
    assert found.rows_variance == 0
    assert found.freedom == pytest.approx(reference.df)
    assert found.p_above(0) == pytest.approx(reference.pvalue, rel=1e-9)
    low, high = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    assert found.interval(0.95) == pytest.approx((low, high), rel=1e-9)


def test_one_candidate_without_seeds_is_scipys_one_sample_test():
    values = np.random.default_rng(3).uniform(0.7, 1.1, (1, 40))
    reference = stats.ttest_1samp(values[0], 0.895, alternative="greater")
    assert estimate(values).p_above(0.895) == pytest.approx(reference.pvalue, rel=1e-9)


def test_the_variance_is_unbiased_where_seeds_and_rows_are_crossed():
    random = np.random.default_rng(8)
    studies, k, n = 4000, 3, 40

    def candidate() -> np.ndarray:
        seeds, rows = random.normal(0, 0.2, (studies, k, 1)), random.normal(0, 1.0, (studies, 1, n))
        return seeds + rows + random.normal(0, 0.5, (studies, k, n))

    found = cross(candidate(), candidate())
    expected = 2 * (0.2**2 / k + 1 / n + 0.5**2 / (k * n))
    assert found.effect.var() == pytest.approx(expected, rel=0.08)
    assert (found.seeds_variance + found.rows_variance).mean() == pytest.approx(expected, rel=0.02)


def test_many_studies_at_once_are_the_studies_one_by_one():
    left = np.stack([outcomes(3, 50, seed) for seed in range(6)])
    right = np.stack([outcomes(5, 50, seed + 50) for seed in range(6)])
    together = cross(left, right)
    for number in range(6):
        alone = estimate(left[number], right[number])
        assert together.effect[number] == pytest.approx(alone.effect)
        assert together.seeds_variance[number] == pytest.approx(alone.seeds_variance)
        assert together.rows_variance[number] == pytest.approx(alone.rows_variance)
        assert together.freedom[number] == pytest.approx(alone.freedom)
        assert together.rows_freedom[number] == pytest.approx(alone.rows_freedom)


def test_the_mixture_lies_between_normal_and_t_and_is_their_weighted_mean():
    q = float(mixed_quantile(0.95, 3.0, 1.0, 4.0))
    assert q == pytest.approx((3 * stats.t.ppf(0.95, 4) + stats.norm.ppf(0.95)) / 4)
    assert mixed_quantile(np.array([0.025, 0.975]), 1.0, 1.0, 7.5) == pytest.approx(
        [(stats.t.ppf(p, 7.5) + stats.norm.ppf(p)) / 2 for p in (0.025, 0.975)]
    )
    assert float(mixed_quantile(0.9, 0.0, 0.0, np.inf)) == pytest.approx(stats.norm.ppf(0.9))
    both = float(mixed_quantile(0.9, 1.0, 3.0, 4.0, 50.0))
    assert both == pytest.approx((stats.t.ppf(0.9, 4) + 3 * stats.t.ppf(0.9, 50)) / 4)


@given(
    p=st.floats(1e-12, 0.5, exclude_max=True),
    share=st.floats(0, 1),
    freedom=st.one_of(st.floats(1, 200), st.just(float("inf"))),
    rows_freedom=st.one_of(st.floats(1, 5000), st.just(float("inf"))),
)
@settings(deadline=None)
def test_exceedance_inverts_the_quantile(p, share, freedom, rows_freedom):
    mixture = (share, 1 - share, freedom, rows_freedom)
    reach = -float(mixed_quantile(p, *mixture))
    assert exceedance(reach, *mixture) == pytest.approx(p, rel=1e-6)
    assert exceedance(-reach, *mixture) == pytest.approx(1 - p, rel=1e-6)


def test_far_evidence_has_a_p_that_is_no_error():
    assert 0 <= exceedance(1e6, 0.0, 1.0, float("inf")) < 1e-100
    assert exceedance(1e6, 1.0, 0.0, 2.0) == pytest.approx(stats.t.sf(1e6, 2), rel=1e-6)


figures = st.floats(0, 1, allow_nan=False).map(lambda value: round(value, 3))
pairs = st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(2, 12)).flatmap(
    lambda shape: st.tuples(
        arrays(float, (shape[0], shape[2]), elements=figures), arrays(float, (shape[1], shape[2]), elements=figures)
    )
)


@given(pair=pairs, order=st.randoms(use_true_random=False))
@settings(deadline=None)
def test_the_order_of_rows_and_runs_says_nothing(pair, order):
    left, right = pair
    rows = list(range(left.shape[1]))
    order.shuffle(rows)
    runs = list(range(left.shape[0]))
    order.shuffle(runs)
    one, other = estimate(left, right), estimate(left[runs][:, rows], right[:, rows])
    assert other.effect == pytest.approx(one.effect, abs=1e-12)
    assert other.variance == pytest.approx(one.variance, abs=1e-12)


@given(pair=pairs, shift=st.floats(-2, 2))
@example(pair=(np.eye(1, 9), np.eye(1, 9)), shift=3.28e-124)
@settings(deadline=None)
def test_a_constant_moves_the_effect_and_nothing_else(pair, shift):
    left, right = pair
    one, other = estimate(left, right), estimate(left + shift, right)
    assert other.effect == pytest.approx(one.effect + shift, abs=1e-9)
    assert other.seeds_variance == pytest.approx(one.seeds_variance, abs=1e-9)
    assert other.rows_variance == pytest.approx(one.rows_variance, abs=1e-9)


@given(pair=pairs, confidence=st.floats(0.6, 0.999))
@settings(deadline=None)
def test_p_inverts_the_bounds(pair, confidence):
    found = estimate(*pair)
    if found.variance > 0:
        assert found.p_above(found.lower(confidence)) == pytest.approx(1 - confidence, rel=1e-5)
        assert found.p_below(found.upper(confidence)) == pytest.approx(1 - confidence, rel=1e-5)


@given(pair=pairs, margin=st.floats(-0.5, 0.5), confidence=st.floats(0.6, 0.999))
@settings(deadline=None)
def test_the_mirror_shows_the_same(pair, margin, confidence):
    left, right = pair
    one, other = estimate(left, right), estimate(right, left)
    assert other.effect == pytest.approx(-one.effect, abs=1e-12)
    assert other.lower(confidence) == pytest.approx(-one.upper(confidence), abs=1e-9)
    assert other.p_below(-margin) == pytest.approx(one.p_above(margin), abs=1e-9)


def test_without_variance_the_sign_decides_and_the_edge_does_not():
    found = estimate(np.ones((3, 50)), np.tile([1.0, 0.0], (2, 25)) * 0 + 0.5)
    assert (found.effect, found.variance) == (0.5, 0)
    assert (found.p_above(0.4), found.p_below(0.4)) == (0, 1)
    assert (found.p_above(0.6), found.p_below(0.6)) == (1, 0)
    assert (found.p_above(0.5), found.p_below(0.5)) == (1, 1)
    assert found.interval(0.95) == (0.5, 0.5)


def test_rows_that_never_differ_still_may():
    left, right = np.ones((1, 200)), np.ones((1, 200))
    found = estimate(left, right, unit=1.0)
    # Two phantom rows of 200, one each way: an error of √2/200.
    assert found.variance**0.5 == pytest.approx(2**0.5 / 200)
    assert found.p_above(-0.01) == pytest.approx(stats.norm.sf(0.01 / (2**0.5 / 200)), rel=0.01)
    assert found.p_above(-0.05) < 1e-6
    # Where rows differ, nothing changes.
    left = outcomes(3, 200)
    assert estimate(left, right, unit=1.0).variance == estimate(left, right).variance


def test_rounding_is_no_evidence():
    # 0.9 − 0.88 is not 0.02 in binary, and means of thirds vary in their last digit.
    found = estimate(np.full((3, 3), 0.9), np.full((3, 3), 0.88))
    assert found.variance == 0
    assert (found.p_above(0.02), found.p_below(0.02)) == (1, 1)
    runs = np.array([[0.1, 0.2, 0.3], [0.3, 0.1, 0.2], [0.2, 0.3, 0.1]])
    assert estimate(runs).seeds_variance == 0


def test_identical_candidates_show_nothing():
    values = outcomes(5, 300)
    found = estimate(values, values)
    assert found.effect == 0
    assert found.rows_variance == 0
    assert found.seeds_variance > 0
    assert found.p_above(0) == pytest.approx(0.5)


def test_one_row_decides_nothing():
    found = estimate(np.ones((3, 1)), np.zeros((3, 1)))
    assert found.p_above(0) == found.p_below(0) == 1
    assert found.lower(0.95) == -float("inf")


def test_groups_are_the_rows():
    values, other = outcomes(3, 60), outcomes(4, 60, seed=9)
    groups = np.repeat(np.arange(20), 3)
    grouped = estimate(values, other, groups=groups)
    by_hand = estimate(values.reshape(3, 20, 3).mean(axis=2), other.reshape(4, 20, 3).mean(axis=2))
    assert grouped.rows == 20
    assert grouped.effect == pytest.approx(by_hand.effect)
    assert grouped.variance == pytest.approx(by_hand.variance)
    alone = estimate(values, other, groups=np.random.default_rng(0).permutation(60))
    assert alone.variance == pytest.approx(estimate(values, other).variance)


def test_copies_of_rows_add_nothing_when_grouped():
    values, other = outcomes(3, 80), outcomes(3, 80, seed=4)
    doubled = estimate(
        np.repeat(values, 2, axis=1), np.repeat(other, 2, axis=1), groups=np.repeat(np.arange(80), 2) * 7
    )
    once = estimate(values, other)
    assert (doubled.effect, doubled.variance) == (pytest.approx(once.effect), pytest.approx(once.variance))


def test_drawn_rows_give_what_the_formula_gives():
    # For a mean, resampled rows must find the variance that is computed from the rows themselves.
    left, right = outcomes(4, 300, seed=1), outcomes(3, 300, seed=2)
    counts = np.random.default_rng(0).multinomial(300, np.full(300, 1 / 300), 20_000)
    found = estimate_resampled(
        left.mean(axis=1), counts @ left.T / 300, right.mean(axis=1), counts @ right.T / 300, rows=300
    )
    direct = estimate(left, right)
    assert found.effect == pytest.approx(direct.effect)
    assert found.seeds_variance == pytest.approx(direct.seeds_variance)
    assert found.freedom == pytest.approx(direct.freedom)
    assert found.rows_variance == pytest.approx(direct.rows_variance, rel=0.05)
    assert found.left.residual == pytest.approx(direct.left.residual, rel=0.05)


@pytest.mark.parametrize(
    ("left", "right", "message"),
    [
        (np.ones(4), None, "runs by rows"),
        (np.ones((2, 0)), None, "runs by rows"),
        (np.ones((2, 4)), np.ones((2, 5)), "same rows"),
        (np.array([[1.0, np.nan]]), None, "finite"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(left, right, message):
    with pytest.raises(UsageError, match=message):
        estimate(left, right)


def test_groups_draws_and_confidence_are_checked():
    with pytest.raises(UsageError, match="groups"):
        estimate(np.ones((2, 4)), groups=np.zeros(3))
    with pytest.raises(UsageError, match="draws"):
        estimate_resampled([0.1, 0.2], np.ones((1, 2)))
    with pytest.raises(UsageError, match="same draws"):
        estimate_resampled([0.1], np.ones((3, 1)), [0.1], np.ones((4, 1)))
    with pytest.raises(UsageError, match="confidence"):
        estimate(outcomes(2, 9)).lower(95)


def test_three_candidates_five_seeds_and_five_thousand_rows_take_no_time():
    import time

    runs = [outcomes(5, 5000, seed) for seed in range(3)]
    began = time.perf_counter()
    for left, right in ((0, 1), (1, 2), (0, 2)):
        found = estimate(runs[left], runs[right])
        found.interval(0.95), found.p_above(0.0), found.p_below(0.0)
    assert time.perf_counter() - began < 1
