"""α over looks, and what no or few failures leave open."""

from __future__ import annotations

import pytest
from scipy import stats

from provetune.core.errors import UsageError
from provetune.statistics.failures import most_failures
from provetune.statistics.looks import INTERIM, interim_alphas, spend, worn_out


def test_every_look_gets_half_of_the_one_before():
    assert [spend(0.05, look) for look in (1, 2, 3, 4)] == [0.05, 0.025, 0.0125, 0.00625]
    assert sum(spend(0.05, look) for look in range(1, 60)) == pytest.approx(0.1)


def test_five_looks_wear_the_rows_out():
    assert [worn_out(looks) for looks in (0, 4, 5, 9)] == [False, False, True, True]


def test_interim_looks_share_the_level():
    assert interim_alphas(0.05, 10) == pytest.approx(dict(INTERIM))
    assert interim_alphas(0.05, 5) == pytest.approx({3: 0.01, 5: 0.04})
    assert interim_alphas(0.05, 20) == pytest.approx({3: 0.01, 5: 0.015, 20: 0.025})
    assert interim_alphas(0.01, 10) == pytest.approx({3: 0.002, 5: 0.003, 10: 0.005})
    assert interim_alphas(0.05, 3) == {3: 0.05}
    for seeds in range(1, 30):
        assert sum(interim_alphas(0.1, seeds).values()) == pytest.approx(0.1)


@pytest.mark.parametrize(("failed", "runs", "most"), [(0, 3, 0.63), (0, 5, 0.45), (0, 10, 0.26), (3, 3, 1.0)])
def test_failures_that_remain_possible(failed, runs, most):
    assert most_failures(failed, runs, 0.95) == pytest.approx(most, abs=0.005)


def test_failures_equal_scipys_exact_interval():
    reference = stats.binomtest(2, 9, alternative="less").proportion_ci(0.9, "exact").high
    assert most_failures(2, 9, 0.9) == pytest.approx(reference, rel=1e-9)


def test_numbers_out_of_range_are_refused():
    for call in (
        lambda: spend(0.05, 0),
        lambda: spend(0.6, 1),
        lambda: interim_alphas(0.05, 0),
        lambda: most_failures(4, 3, 0.95),
        lambda: most_failures(0, 3, 95),
    ):
        with pytest.raises(UsageError):
            call()
