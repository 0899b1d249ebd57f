"""Met, not met, undecided; and the bounds of figures measured in blocks."""

from __future__ import annotations

import numpy as np
import pytest

from provetune.core.errors import UsageError
from provetune.statistics.blocks import bound_for_blocks
from provetune.statistics.levels import judge_level
from provetune.statistics.rows import RowsBound


def bound(value: float, lower: float, upper: float) -> RowsBound:
    return RowsBound("accuracy", value, (upper - lower) / 3.29, lower, upper, 100)


@pytest.mark.parametrize(
    ("comparator", "level", "answer"),
    [
        (">=", 0.88, True),
        (">", 0.88, True),
        (">=", 0.90, None),
        (">=", 0.93, False),
        ("<=", 0.93, True),
        ("<", 0.93, True),
        ("<=", 0.90, None),
        ("<=", 0.88, False),
    ],
)
def test_three_answers(comparator, level, answer):
    assert judge_level(bound(0.90, 0.885, 0.915), comparator, level) is answer


def test_without_variance_the_side_decides_and_equality_does_not():
    still = RowsBound("accuracy", 1.0, 0.0, 1.0, 1.0, 50)
    assert judge_level(still, ">=", 0.9) is True
    assert judge_level(still, "<=", 0.9) is False
    assert judge_level(still, ">=", 1.0) is None


def test_one_row_decides_nothing():
    assert judge_level(RowsBound("accuracy", 1.0, float("inf"), -float("inf"), float("inf"), 1), ">=", 0.5) is None


def test_unknown_comparator_is_refused():
    with pytest.raises(UsageError, match="comparator"):
        judge_level(bound(0.9, 0.8, 1.0), "==", 0.9)


def test_blocks_are_judged_by_order_statistics():
    # Of 20 blocks the 6th smallest is below the median with 1 - P(Binomial(20, 1/2) <= 5) = 0.979.
    found = bound_for_blocks("latency_p95_ms", [float(k) for k in range(1, 21)], 0.95)
    assert (found.value, found.lower, found.upper) == (10.5, 6.0, 15.0)


def test_one_bad_block_moves_nothing():
    figures = [5.0 + 0.01 * k for k in range(20)]
    spoilt = [*figures[:-1], 900.0]
    assert bound_for_blocks("latency_p50_ms", figures, 0.95) == bound_for_blocks("latency_p50_ms", spoilt, 0.95)


def test_block_bounds_cover_the_median():
    random = np.random.default_rng(4)
    misses = sum(bound_for_blocks("latency_p50_ms", random.lognormal(0, 1, 25), 0.95).lower > 1 for _ in range(1000))
    assert misses / 1000 <= 0.06


def test_too_few_blocks_are_refused():
    with pytest.raises(UsageError, match="at least 20"):
        bound_for_blocks("latency_p50_ms", [1.0] * 19, 0.95)
