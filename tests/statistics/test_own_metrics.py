"""Metrics that a task computes in its own way go before those of the same name."""

from __future__ import annotations

import numpy as np
import pytest

from provetune.core.errors import UsageError
from provetune.evaluation.metrics import classification_scores
from provetune.evaluation.slices import keep_rows
from provetune.statistics.judged import bound_of, contributions_of_runs
from provetune.statistics.measured_rows import MeanOf
from provetune.statistics.rows import JudgedRows

VALUES = np.array([1.0, 0.0, 0.5, 0.5])


def rows(values: np.ndarray = VALUES) -> JudgedRows:
    labels = np.arange(len(values)) % 2
    return JudgedRows(
        labels, labels, None, ("a", "b"), own={"macro_f1": MeanOf(values), "kindness": MeanOf(values / 2)}
    )


def test_own_metrics_are_judged() -> None:
    assert bound_of("macro_f1", rows(), 0.95).value == 0.5
    assert bound_of("kindness", rows(), 0.95).value == 0.25
    assert bound_of("accuracy", rows(), 0.95).value == 1.0
    spread = VALUES.std(ddof=1) / 2
    assert bound_of("macro_f1", rows(), 0.95).standard_error == pytest.approx(spread)
    found, used = contributions_of_runs("macro_f1", [rows(), rows(VALUES / 2)])
    np.testing.assert_array_equal(found, [VALUES, VALUES / 2])
    assert used.tolist() == [0, 1, 2, 3]
    scores = classification_scores(rows())
    assert (scores["macro_f1"], scores["kindness"], scores["micro_f1"]) == (0.5, 0.25, 1.0)
    with pytest.raises(UsageError, match=r"no metric 'kindnes' of rows.*'kindness'"):
        bound_of("kindnes", rows(), 0.95)


def test_slices_take_them_along() -> None:
    kept = keep_rows(rows(), np.array([True, False, True, True]))
    assert bound_of("macro_f1", kept, 0.95).value == pytest.approx(2 / 3)
