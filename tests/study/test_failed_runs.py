"""The check that tells a collapsed run: fixed beforehand, from validation rows and training labels alone."""

from __future__ import annotations

import pyarrow as pa
import pytest

from provetune.core.protocols import Targets, TrialRecord
from provetune.study.failed_runs import FailedCheck, fix_check, sort_runs
from provetune.tasks import TASKS

TASK = TASKS.get("classification")


def run(k: int, accuracy: float) -> TrialRecord:
    return TrialRecord("full", k, 100 + k, f"trials/full-{k}", {"accuracy": accuracy})


def test_level_is_the_share_of_the_most_frequent_training_label() -> None:
    validation = pa.table({"row_id": list("12345"), "text": list("vwxyz"), "label": ["a", "b", "b", "b", "a"]})
    # "b" is most frequent in validation, but "a" is what training taught.
    check = fix_check(TASK, Targets("single_label", ("a", "b"), (7, 3)), validation)
    assert (check.metric, check.level, check.higher_is_better) == ("accuracy", pytest.approx(2 / 5), True)


def test_several_labels_a_row() -> None:
    validation = pa.table({"row_id": list("123"), "text": list("xyz"), "label": [["a"], ["a", "b"], ["a"]]})
    check = fix_check(TASK, Targets("multi_label", ("a", "b"), (7, 3)), validation)
    assert check.level == pytest.approx(2 / 3)


def test_without_rows_or_counts_every_finite_score_passes() -> None:
    validation = pa.table({"row_id": ["1"], "text": ["x"], "label": ["a"]})
    check = fix_check(TASK, Targets("single_label", ("a", "b")), validation)
    assert check.level is None
    assert check.fault({"accuracy": 0.0}) is None
    assert check.fault({"accuracy": float("nan")}) == "its validation accuracy is no number"
    assert check.fault({}) is not None


def test_runs_must_be_better_than_the_level() -> None:
    check = FailedCheck("accuracy", 0.4)
    found = sort_runs([run(0, 0.9), run(1, 0.4), run(3, 0.41)], {2: "out of memory"}, check)
    assert [each.k for each in found.passed] == [0, 3]
    assert list(found.failed) == [1, 2]
    assert "0.400 is no better than the 0.400 of guessing" in found.failed[1]
    assert found.failed[2] == "it did not end: out of memory"
    assert found.count == 4
    # Two of four: P(at most 2 of 4 | p) = 0.05 at p = 0.902 (Clopper and Pearson).
    assert found.at_most(0.95) == pytest.approx(0.9024, abs=1e-4)


def test_a_falling_metric_must_be_below() -> None:
    check = FailedCheck("log_loss", 2.0, higher_is_better=False)
    assert check.fault({"log_loss": 1.9}) is None
    assert check.fault({"log_loss": 2.0}) is not None


def test_a_check_survives_the_ledger() -> None:
    check = FailedCheck("accuracy", 0.4)
    assert FailedCheck.from_json(check.to_json()) == check
