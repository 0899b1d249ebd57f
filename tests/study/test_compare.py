"""Two studies on the same rows differ by what can be worked out by hand; on other rows nothing is paired."""

from __future__ import annotations

import json
from math import sqrt
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest
from finished_study import GOLD, make_study, problem

from provetune.problem.syntax import StudySection
from provetune.study.compare import compare_studies, paired_difference

PERFECT = list(GOLD)
ONE_WRONG = ["b", *GOLD[1:]]
TWO_WRONG = ["b", "b", *GOLD[2:]]


def test_paired_differences_on_the_same_test(tmp_path: Path) -> None:
    first = make_study(tmp_path / "one-1", {"words": [TWO_WRONG, TWO_WRONG], "full": [PERFECT]})
    second = make_study(tmp_path / "two-2", {"words": [PERFECT, ONE_WRONG], "full": [PERFECT]})
    found = compare_studies(first, second)
    assert found["same"] == {"train": True, "validation": True, "test": True}
    assert found["split"] == "test"
    words, full = found["differences"]
    # Per row, runs averaged: row 0 gains 0.5, row 1 gains 1, six rows gain 0; b - a = 1.5 / 8.
    gains = [0.5, 1.0, *[0.0] * 6]
    mean = 1.5 / 8
    error = sqrt(sum((gain - mean) ** 2 for gain in gains) / 7 / 8)
    assert words["difference"] == pytest.approx(mean)
    assert words["standard_error"] == pytest.approx(error)
    assert words["upper"] - words["lower"] == pytest.approx(2 * NormalDist().inv_cdf(0.975) * error)
    assert (full["difference"], full["standard_error"]) == (0.0, 0.0)
    assert found["settings"] == []
    json.dumps(found, allow_nan=False)


def test_other_test_rows_are_said_and_not_paired(tmp_path: Path) -> None:
    first = make_study(tmp_path / "one-1", {"words": [ONE_WRONG]})
    second = make_study(tmp_path / "two-2", {"words": [PERFECT]}, test_hash="9" * 64)
    found = compare_studies(first, second)
    assert found["same"]["test"] is False
    assert found["differences"] == []
    assert found["notes"] == ["The test rows differ, so the scores are of different questions."]
    assert {"field": "rows.test", "a": "e" * 64, "b": "9" * 64} in found["settings"]
    accuracy = next(line for line in found["scores"] if line["metric"] == "accuracy")
    assert (accuracy["a"]["mean"], accuracy["b"]["mean"]) == (0.875, 1.0)


def test_differing_settings_are_listed_by_field(tmp_path: Path) -> None:
    first = make_study(tmp_path / "one-1", {"words": [PERFECT]})
    asked = problem(study=StudySection(seeds=3), claims=[])
    second = make_study(tmp_path / "two-2", {"words": [PERFECT]}, asked=asked)
    assert compare_studies(first, second)["settings"] == [
        {"field": "claims", "a": ["full > words"], "b": []},
        {"field": "study.seeds", "a": 2, "b": 3},
    ]


def test_an_unfinished_study_is_compared_on_validation(tmp_path: Path) -> None:
    first = make_study(tmp_path / "one-1", {"words": [PERFECT]}, finished=False)
    second = make_study(tmp_path / "two-2", {"words": [ONE_WRONG]})
    found = compare_studies(first, second)
    assert found["split"] == "validation"
    assert found["differences"][0]["difference"] == pytest.approx(-1 / 8)


def test_the_order_of_runs_does_not_matter() -> None:
    rows = np.random.default_rng(3).random((4, 50))
    forth = paired_difference(rows[:2], rows[2:])
    back = paired_difference(rows[[1, 0]], rows[[3, 2]])
    assert forth == pytest.approx(back)
    assert paired_difference(rows[2:], rows[:2])["difference"] == pytest.approx(-forth["difference"])
