"""The difference between ours and the plain recipe, with its interval, against SciPy."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy import stats

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The module that writes the page."""
    monkeypatch.syspath_prepend(str(FOLDER))
    yield importlib.import_module("task_page")
    for name in ("task_page", "task_sets"):
        sys.modules.pop(name, None)


LEFT, RIGHT = [0.861, 0.858, 0.865, 0.863, 0.859], [0.866, 0.869, 0.871]


def test_two_groups_of_runs_have_welchs_interval(page: ModuleType) -> None:
    expected = stats.ttest_ind(LEFT, RIGHT, equal_var=False).confidence_interval(0.95)
    effect, low, high = page.difference(LEFT, RIGHT)
    assert effect == pytest.approx(np.mean(LEFT) - np.mean(RIGHT))
    assert (low, high) == pytest.approx((expected.low, expected.high))


def test_a_single_run_is_taken_to_vary_as_the_others_do(page: ModuleType) -> None:
    expected = stats.ttest_ind(LEFT, RIGHT[:1], equal_var=True).confidence_interval(0.95)
    assert page.difference(LEFT, RIGHT[:1])[1:] == pytest.approx((expected.low, expected.high))
    turned = page.difference(RIGHT[:1], LEFT)
    assert turned[1:] == pytest.approx((-expected.high, -expected.low))


def test_two_single_runs_tell_nothing(page: ModuleType) -> None:
    assert page.difference([0.5], [0.6]) is None
    assert page.difference([], LEFT) is None


def test_runs_without_any_spread_have_no_width(page: ModuleType) -> None:
    assert page.difference([0.5, 0.5], [0.25]) == (0.25, 0.25, 0.25)
