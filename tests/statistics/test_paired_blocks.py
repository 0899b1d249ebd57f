"""Differences of blocks: order statistics and the sign test."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from provetune.core.errors import UsageError
from provetune.statistics.blocks import bound_for_blocks
from provetune.statistics.paired_blocks import estimate_blocks
from provetune.statistics.questions import Question, answer


def test_bounds_are_those_of_single_blocks():
    blocks = np.random.default_rng(1).lognormal(0, 1, 31)
    found, single = estimate_blocks(blocks), bound_for_blocks("latency_p95_ms", blocks, 0.95)
    assert (found.effect, found.lower(0.95), found.upper(0.95)) == (single.value, single.lower, single.upper)


def test_differences_are_taken_block_by_block():
    drift = np.linspace(0, 100, 20)
    found = estimate_blocks(5 + drift, 3 + drift)
    assert found.effect == pytest.approx(2)
    assert found.interval(0.95) == pytest.approx((2, 2))
    # All twenty are above 1: the sign test's smallest p.
    assert found.p_above(1) == pytest.approx(0.5**20)
    assert found.p_below(1) == 1


@given(st.lists(st.integers(-5, 5), min_size=20, max_size=40), st.integers(-5, 5))
@settings(deadline=None)
def test_p_is_scipys_sign_test_and_inverts_the_bound(blocks, margin):
    found = estimate_blocks([float(block) for block in blocks])
    above = sum(block > margin for block in blocks)
    assert found.p_above(margin) == pytest.approx(
        stats.binomtest(above, len(blocks), 0.5, alternative="greater").pvalue
    )
    assert (found.p_above(margin) <= 0.05) == (found.lower(0.95) > margin)
    mirrored = estimate_blocks([-float(block) for block in blocks])
    assert mirrored.p_below(-margin) == found.p_above(margin)


def test_a_confidence_that_no_block_reaches_bounds_nothing():
    found = estimate_blocks([1.0] * 20)
    assert found.lower(1 - 1e-9) == -float("inf")
    assert found.upper(1 - 1e-9) == float("inf")


def test_blocks_answer_questions():
    fast, slow = np.arange(20) * 0.01 + 4, np.arange(20)[::-1] * 0.01 + 5
    found = answer([Question("order", "<", 0.0, None, estimate_blocks(fast, slow))], 0.05)[0]
    assert (found.verdict, found.effect) == ("supported", pytest.approx(-1))


def test_blocks_that_do_not_fit_are_refused():
    with pytest.raises(UsageError, match="at least 20"):
        estimate_blocks([1.0] * 19)
    with pytest.raises(UsageError, match="as many"):
        estimate_blocks([1.0] * 20, [1.0] * 21)
    with pytest.raises(UsageError, match="finite"):
        estimate_blocks([float("inf")] * 20)
    with pytest.raises(UsageError, match="confidence"):
        estimate_blocks([1.0] * 20).lower(1.5)
