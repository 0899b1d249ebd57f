"""The gate's decisions, held against bounds that are worked out here by hand."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from provetune.compression.gate import Gate, broken, tolerance_of
from provetune.core.errors import UsageError
from provetune.statistics.rows import JudgedRows
from provetune.tasks import TASKS

NAMES = ("a", "b")
ROWS = 400


def rows(wrong: set[int], count: int = ROWS) -> JudgedRows:
    """Outcomes of `count` rows of label a, some of them taken for b."""
    said = np.array([1 if number in wrong else 0 for number in range(count)])
    return JudgedRows(np.zeros(count, dtype=np.int64), said, None, NAMES)


def gate(accept: dict[str, str] | None = None, tolerance: float = 0.01, confidence: float = 0.95) -> Gate:
    return Gate(TASKS.get("classification"), accept or {}, tolerance=tolerance, confidence=confidence)


def bound_by_hand(differences: list[float], confidence: float = 0.95) -> float:
    """Upper bound of the mean loss: mean + t · standard error, degrees of freedom from the kurtosis."""
    values = np.array(differences)
    count = len(values)
    variance = max(values.var(ddof=1) / count, 2 / count**2)
    away = values - values.mean()
    excess = (away**4).mean() / (away**2).mean() ** 2 - 3
    freedom = 2 / (max(excess, 0) / count + 2 / (count - 1))
    return float(values.mean() + stats.t.ppf(confidence, freedom) * math.sqrt(variance))


def test_loss_bound_is_the_paired_one_sided_bound() -> None:
    # The derivative loses rows 1 and 2, and wins row 0 back.
    parent, derivative = rows({0, 10, 11}), rows({1, 2, 10, 11})
    losses = [0.0] * ROWS
    losses[0], losses[1], losses[2] = -1.0, 1.0, 1.0
    expected = bound_by_hand(losses)
    (found,) = gate({"accuracy": ">= 0.9"}).judge(derivative, parent)
    assert found.loss_bound == pytest.approx(expected, abs=1e-12)
    assert found.value == pytest.approx(396 / 400)
    assert found.before == pytest.approx(397 / 400)
    assert 0.009 < expected < 0.0115
    assert found.within is (expected <= 0.01)


@pytest.mark.parametrize(("tolerance", "holds"), [(0.0125, True), (0.005, False)])
def test_tolerance_decides(tolerance: float, holds: bool) -> None:
    (found,) = gate({"accuracy": ">= 0.9"}, tolerance).judge(rows({1, 2, 10, 11}), rows({0, 10, 11}))
    assert found.within is holds
    assert found.met is holds
    assert bool(broken([found], tolerance)) is not holds


def test_value_must_reach_its_level() -> None:
    found = gate({"accuracy": ">= 0.995"}, 0.5).judge(rows({0, 1, 2}), rows({0, 1}))[0]
    assert (found.reached, found.within, found.met) == (False, True, False)
    assert "must be >= 0.995" in broken([found], 0.5)[0]


def test_same_answers_lose_no_more_than_two_rows_would_scatter() -> None:
    # Not one of 400 rows differs: normal scatter of two rows that differ by one each way, and the rule of three.
    (found,) = gate().judge(rows({5}), rows({5}))
    normal = 1.6448536 * math.sqrt(2) / ROWS
    unseen = 1 - 0.05 ** (1 / ROWS)
    assert found.loss_bound == pytest.approx(max(normal, unseen), rel=0.35)
    assert found.met


def test_primary_metric_is_judged_without_a_level() -> None:
    judged = gate({"macro_f1": ">= 0.1"}).judge(rows({1}), rows({1}))
    assert [(each.metric, each.required) for each in judged] == [("accuracy", None), ("macro_f1", ">= 0.1")]
    assert judged[0].reached


def test_chain_is_judged_against_its_first_bundle_too() -> None:
    first, parent, derivative = rows(set()), rows(set(range(20))), rows(set(range(20)))
    (found,) = gate(tolerance=0.02).judge(derivative, parent, first)
    assert found.loss_bound is not None
    assert found.loss_bound < 0.02
    assert found.first == 1.0
    assert found.first_loss_bound is not None
    assert found.first_loss_bound > 0.05
    assert not found.met


def test_lower_is_better_turns_the_loss_round() -> None:
    probabilities = np.tile([0.9, 0.1], (ROWS, 1))
    worse = np.tile([0.6, 0.4], (ROWS, 1))
    labels = np.zeros(ROWS, dtype=np.int64)
    parent = JudgedRows(labels, labels, probabilities, NAMES)
    derivative = JudgedRows(labels, labels, worse, NAMES)
    found = gate({"log_loss": "<= 2"}, 0.1).judge(derivative, parent)[1]
    # Every row loses ln(0.9 / 0.6).
    # No row differs from another: what could hide among unseen ones is added, a hundredth of the room there is.
    assert found.loss_bound is not None
    assert math.log(1.5) <= found.loss_bound < math.log(1.5) + 0.02
    assert not found.within
    better = gate({"log_loss": "<= 2"}, 0.1).judge(parent, derivative)[1]
    assert better.loss_bound is not None
    assert -math.log(1.5) <= better.loss_bound < -math.log(1.5) + 0.02
    assert better.within


def test_machine_figures_must_reach_their_level_alone() -> None:
    blocks = {
        "derivative": {"latency_p95_ms": [4.0, 5.0, 9.0]},
        "parent": {"latency_p95_ms": [1.0, 1.0, 1.0]},
    }
    asked = gate({"latency_p95_ms": "<= 5"})
    assert asked.measured
    found = asked.judge(rows(set()), rows(set()), blocks=blocks)[1]
    assert (found.value, found.before, found.met) == (5.0, 1.0, True)
    assert not gate({"latency_p95_ms": "< 5"}).judge(rows(set()), rows(set()), blocks=blocks)[1].met
    assert not asked.judge(rows(set()), rows(set()))[1].met


def test_level_of_a_slice_counts_its_rows_alone() -> None:
    table = pa.table({"raw.channel": ["mail"] * 100 + ["chat"] * 300})
    judged = Gate(
        TASKS.get("classification"),
        {"accuracy @ channel=mail": ">= 0.5"},
        tolerance=0.5,
        confidence=0.95,
        examples=table,
    ).judge(rows(set(range(25))), rows(set()))
    assert judged[1].value == pytest.approx(0.75)


def test_what_cannot_be_judged_does_not_hold() -> None:
    found = gate({"recall:b": ">= 0.1"}).judge(rows(set()), rows(set()))[1]
    assert found.value is None
    assert not found.met
    assert "cannot be judged" in broken([found], 0.01)[0]


def test_too_few_rows_are_known_beforehand() -> None:
    assert gate().least_bound(rows(set(), 1000)) is None
    least = gate().least_bound(rows(set(), 40))
    assert least is not None
    assert least[0] == "accuracy"
    assert least[1] > 0.01


def test_tolerance_of() -> None:
    assert tolerance_of(None, None, {}) == 0.01
    assert tolerance_of(None, None, {"compress": {"tolerance": 0.02}}) == 0.02
    assert tolerance_of(None, {"compress": {"tolerance": 0.03}}, {"compress": {"tolerance": 0.02}}) == 0.03
    assert tolerance_of(0.5, {"compress": {"tolerance": 0.03}}) == 0.5
    for wrong in (0.0, -1.0, math.nan):
        with pytest.raises(UsageError, match="tolerance must be"):
            tolerance_of(wrong)
