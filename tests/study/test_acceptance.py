"""A level is met, not met or undecided by a bound that can be worked out by hand."""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import beta

from provetune.core.protocols import Targets
from provetune.evaluation.outcomes import build_outcomes
from provetune.study.acceptance import accepted, judge_acceptance
from provetune.tasks import TASKS

TASK = TASKS.get("classification")
TARGETS = Targets("single_label", ("a", "b"), (5, 5))
ROWS = 100


def outcomes(right: int) -> pa.Table:
    labels = ["a", "b"] * (ROWS // 2)
    said = [label if n < right else {"a": "b", "b": "a"}[label] for n, label in enumerate(labels)]
    sure = np.array([[0.8, 0.2] if word == "a" else [0.2, 0.8] for word in said])
    return build_outcomes([str(n) for n in range(ROWS)], labels, said, sure)


def test_accuracy_is_judged_by_the_farther_of_two_bounds() -> None:
    found = judge_acceptance({"accuracy": ">= 0.8"}, TASK, TARGETS, outcomes(90), confidence=0.95)[0]
    # 90 of 100 right: below, the beta quantile of Clopper and Pearson is farther away than the normal one.
    error = sqrt(0.9 * 0.1 * 100 / 99) / 10
    assert found["value"] == pytest.approx(0.9)
    assert found["bound"] == pytest.approx(beta.ppf(0.05, 90, 11))
    assert found["bound"] < 0.9 - NormalDist().inv_cdf(0.95) * error
    above = judge_acceptance({"accuracy": "<= 0.95"}, TASK, TARGETS, outcomes(90), confidence=0.95)[0]
    assert above["bound"] == pytest.approx(0.9 + NormalDist().inv_cdf(0.95) * error)
    assert found["met"] is True
    assert (found["metric"], found["required"]) == ("accuracy", ">= 0.8")


@pytest.mark.parametrize(("level", "met"), [(">= 0.83", True), (">= 0.88", None), (">= 0.96", False), ("< 0.96", True)])
def test_three_answers(level: str, met: bool | None) -> None:
    judged = judge_acceptance({"accuracy": level}, TASK, TARGETS, outcomes(90), confidence=0.95)
    assert judged[0]["met"] is met


def test_levels_for_one_label_and_for_some_rows() -> None:
    examples = pa.table({"raw.channel": ["mail"] * 50 + ["chat"] * 50})
    accept = {"recall:b": ">= 0.5", "accuracy @ channel=chat": "<= 0.9", "accuracy @ channel=fax": ">= 0.1"}
    judged = judge_acceptance(accept, TASK, TARGETS, outcomes(90), confidence=0.95, examples=examples)
    # Wrong are rows 90 to 99: five of them have label b (50 rows), and all ten are among the last fifty.
    assert judged[0]["value"] == pytest.approx(45 / 50)
    assert judged[1]["value"] == pytest.approx(40 / 50)
    assert judged[1]["notes"][0] == "over 50 rows"
    assert (judged[2]["value"], judged[2]["met"]) == (None, None)
    assert "No row has channel=fax" in judged[2]["notes"][0]


def test_grouped_rows_widen_the_bound() -> None:
    alone = judge_acceptance({"accuracy": ">= 0.8"}, TASK, TARGETS, outcomes(90), confidence=0.95)
    groups = [n // 10 for n in range(ROWS)]
    together = judge_acceptance({"accuracy": ">= 0.8"}, TASK, TARGETS, outcomes(90), confidence=0.95, groups=groups)
    # One of ten groups is all wrong: deviations 9 × 1 and -9, n = 100, ten units.
    error = sqrt((9 * 1**2 + 9**2) * 10 / 9) / 100
    # They scatter like ten independent rows, nine of them right.
    assert 0.9 * 0.1 / (error**2 * 9 / 10) == pytest.approx(10)
    assert together[0]["bound"] == pytest.approx(beta.ppf(0.05, 9, 2))
    assert together[0]["bound"] < alone[0]["bound"]


@pytest.mark.parametrize("rows", [1, 5, 20])
def test_all_right_on_few_rows_does_not_show_a_high_level(rows: int) -> None:
    few = outcomes(ROWS).slice(0, rows)
    judged = judge_acceptance({"accuracy": ">= 0.95"}, TASK, TARGETS, few, confidence=0.95)
    assert (judged[0]["value"], judged[0]["met"]) == (1.0, None)
    if rows > 1:
        assert judged[0]["bound"] == pytest.approx(0.05 ** (1 / rows))


def test_latency_is_judged_by_its_blocks_and_unknown_when_not_measured() -> None:
    accept = {"latency_p95_ms": "<= 30", "latency_p50_ms": "<= 5"}
    blocks = {"latency_p95_ms": [float(n) for n in range(1, 22)]}
    slow, missing = judge_acceptance(accept, TASK, TARGETS, outcomes(90), confidence=0.95, blocks=blocks)
    assert (slow["value"], slow["met"]) == (11.0, True)
    assert (missing["value"], missing["met"]) == (None, None)
    assert missing["notes"] == ["'latency_p50_ms' was not measured."]


def test_accepted_needs_every_level() -> None:
    assert accepted([]) is True
    assert accepted([{"met": True}, {"met": None}]) is None
    assert accepted([{"met": True}, {"met": None}, {"met": False}]) is False
