"""Scores of numbers: equal to scikit-learn's and SciPy's, and judged by rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from provetune.evaluation.value_metrics import VALUE_METRICS, measured_values, value_scores
from provetune.statistics.judged import bound_of

RANDOM = np.random.default_rng(2)
GOLD = RANDOM.normal([5000, 0.002], [300, 0.0004], size=(150, 2))
SAID = 0.6 * GOLD + 0.4 * GOLD.mean(axis=0) + RANDOM.normal(0, [150, 0.0002], size=(150, 2))


def test_scores_equal_the_reference_libraries():
    found = value_scores(GOLD[:, :1], SAID[:, :1], ("value",))
    gold, said = GOLD[:, 0], SAID[:, 0]
    wanted = {
        "r2": r2_score(gold, said),
        "rmse": root_mean_squared_error(gold, said),
        "mae": mean_absolute_error(gold, said),
        "pearson": pearsonr(gold, said).statistic,
        "spearman": spearmanr(gold, said).statistic,
    }
    assert found == pytest.approx(wanted, rel=1e-9)
    assert list(found) == [metric.name for metric in VALUE_METRICS]


def test_several_numbers_are_averaged_and_told_apart():
    found = value_scores(GOLD, SAID, ("high", "low"))
    assert found["r2"] == pytest.approx(r2_score(GOLD, SAID), rel=1e-9)
    assert found["mae"] == pytest.approx(mean_absolute_error(GOLD, SAID), rel=1e-9)
    rows = measured_values(GOLD, SAID, ("high", "low"))
    assert rows.metric("rmse", "low").value() == pytest.approx(
        root_mean_squared_error(GOLD[:, 1], SAID[:, 1]), rel=1e-9
    )
    assert rows.metric("pearson").value() == pytest.approx(
        np.mean([pearsonr(GOLD[:, k], SAID[:, k]).statistic for k in (0, 1)]), rel=1e-9
    )


@pytest.mark.parametrize("name", ["r2", "rmse", "mae", "pearson", "spearman", "rmse:low", "r2:high"])
def test_contributions_agree_with_leaving_rows_out(name):
    one = measured_values(GOLD, SAID, ("high", "low")).metrics[name]
    count = len(one)
    left = np.array([one.keep(np.arange(count) != row).value() for row in range(count)])
    pseudo = count * one.value() - (count - 1) * left
    assert one.contributions().mean() == pytest.approx(one.value(), rel=1e-9)
    assert np.corrcoef(one.contributions(), pseudo)[0, 1] > 0.99
    assert one.contributions().std() == pytest.approx(pseudo.std(), rel=0.05)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-9, 9, width=16), st.floats(-9, 9, width=16)), min_size=3, max_size=20),
    st.floats(0.125, 1000, width=16),
    st.floats(-1e4, 1e4, width=16),
)
def test_units_do_not_matter(pairs, scale, shift):
    gold, said = (np.array(values)[:, None] for values in zip(*pairs, strict=True))
    if gold.std() < 1e-3:
        return
    plain, moved = (value_scores(gold * s + m, said * s + m, ("value",)) for s, m in ((1.0, 0.0), (scale, shift)))
    assert moved["r2"] == pytest.approx(plain["r2"], rel=1e-5, abs=1e-5)
    assert moved["rmse"] == pytest.approx(scale * plain["rmse"], rel=1e-5, abs=1e-5)


def test_what_does_not_vary():
    flat = np.full((4, 1), 2.0)
    found = value_scores(flat, flat, ("value",))
    assert found == {"r2": 1.0, "rmse": 0.0, "mae": 0.0, "pearson": 0.0, "spearman": 0.0}
    off = value_scores(flat, flat + 1, ("value",))
    assert (off["r2"], off["rmse"]) == (0.0, 1.0)
    assert value_scores(flat[:0], flat[:0], ("value",)) == {}


def test_a_bound_of_the_mean_error_is_its_standard_error():
    rows = measured_values(GOLD[:, :1], SAID[:, :1], ("value",))
    errors = np.abs(GOLD[:, 0] - SAID[:, 0])
    bound = bound_of("mae", rows, 0.95)
    assert bound.standard_error == pytest.approx(errors.std(ddof=1) / np.sqrt(len(errors)), rel=1e-6)


def test_rows_of_one_group_count_as_one():
    groups = np.repeat(np.arange(75), 2)
    rows = measured_values(GOLD[:, :1], SAID[:, :1], ("value",), groups)
    assert bound_of("mae", rows, 0.95).units == 75
