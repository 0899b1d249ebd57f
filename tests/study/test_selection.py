"""The best candidate and its median run, worked out by hand."""

from __future__ import annotations

import pytest

from provetune.core.errors import UsageError
from provetune.core.protocols import Metric, TrialRecord
from provetune.study.selection import choose_best, median_run

ACCURACY = Metric("accuracy", "share right")
LOSS = Metric("log_loss", "loss", higher_is_better=False)


def runs(name: str, *scores: float, metric: str = "accuracy") -> list[TrialRecord]:
    return [TrialRecord(name, k, k, f"trials/{name}-{k}", {metric: score}) for k, score in enumerate(scores)]


def test_highest_mean_wins_not_the_highest_run() -> None:
    found = choose_best({"a": runs("a", 0.99, 0.50), "b": runs("b", 0.80, 0.82)}, ACCURACY, {"a": (0.0,), "b": (9.0,)})
    assert found.candidate == "b"


def test_ties_go_to_the_cheaper() -> None:
    trials = {"full": runs("full", 0.9, 0.8), "words": runs("words", 0.8, 0.9)}
    assert choose_best(trials, ACCURACY, {"full": (2.0, 5.0), "words": (0.0, 9.0)}).candidate == "words"
    assert choose_best(trials, ACCURACY, {"full": (2.0, 5.0), "words": (2.0, 9.0)}).candidate == "full"


def test_lower_is_better_where_the_metric_says_so() -> None:
    trials = {"a": runs("a", 0.3, metric="log_loss"), "b": runs("b", 0.2, metric="log_loss")}
    assert choose_best(trials, LOSS, {"a": (0.0,), "b": (1.0,)}).candidate == "b"


@pytest.mark.parametrize(
    ("scores", "k"),
    [((0.7, 0.9, 0.8), 2), ((0.9, 0.7), 1), ((0.5, 0.8, 0.6, 0.7), 2), ((0.8, 0.8, 0.8), 1), ((0.1,), 0)],
)
def test_median_run(scores: tuple[float, ...], k: int) -> None:
    assert median_run(runs("a", *scores), ACCURACY).k == k


def test_candidates_without_a_finished_run_are_passed_over() -> None:
    found = choose_best({"a": [], "b": runs("b", 0.1)}, ACCURACY, {"a": (0.0,), "b": (1.0,)})
    assert found.candidate == "b"
    with pytest.raises(UsageError, match="No run has finished"):
        choose_best({"a": []}, ACCURACY, {"a": (0.0,)})
