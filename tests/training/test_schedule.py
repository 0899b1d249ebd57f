"""Schedules by hand, by their properties, and against transformers'."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import get_scheduler

from provetune.problem.syntax import Candidate
from provetune.training.schedule import (
    RANGE_DECADES,
    RANGE_TEST,
    SCHEDULES,
    constant,
    cosine,
    linear_with_warmup,
    one_cycle,
    polynomial,
)


def factors(schedule, steps: int, warmup: float) -> list[float]:
    return [schedule(step, steps, warmup) for step in range(steps)]


def test_rises_and_falls_as_worked_out_by_hand() -> None:
    expected = [0.5, 1.0, 1.0, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125]
    assert factors(linear_with_warmup, 10, 0.2) == pytest.approx(expected)


def test_without_warmup_the_first_step_has_the_peak() -> None:
    assert linear_with_warmup(0, 4, 0.0) == 1.0
    assert linear_with_warmup(3, 4, 0.0) == 0.25


def test_cosine_by_hand() -> None:
    """Four steps of the fall: cosines of 0, 45, 90 and 135 degrees."""
    expected = [0.5, 1.0, 1.0, (1 + math.sqrt(0.5)) / 2, 0.5, (1 - math.sqrt(0.5)) / 2]
    assert factors(cosine, 6, 1 / 3) == pytest.approx(expected)


def test_constant_by_hand() -> None:
    assert factors(constant, 5, 0.4) == [0.5, 1.0, 1.0, 1.0, 1.0]


def test_polynomial_by_hand() -> None:
    assert factors(polynomial, 4, 0.0) == pytest.approx([1.0, 0.5625, 0.25, 0.0625])


def test_one_cycle_by_hand() -> None:
    """Twenty steps: nine up from a tenth, nine down to it, two far below."""
    found = factors(one_cycle, 20, 0.45)
    assert found[0] == pytest.approx(0.1)
    assert found[3] == pytest.approx(0.4)
    assert found[9] == pytest.approx(1.0)
    assert found[12] == pytest.approx(0.7)
    assert found[18] == pytest.approx(0.1)
    assert found[19] == pytest.approx((0.1 + 0.001) / 2)


@pytest.mark.parametrize(
    ("name", "theirs", "extra"),
    [
        ("linear", "linear", {}),
        ("cosine", "cosine", {}),
        ("constant", "constant_with_warmup", {}),
        ("polynomial", "polynomial", {"power": 2, "lr_end": 0.0}),
    ],
)
@pytest.mark.parametrize("warmup", [0, 7, 25])
def test_agrees_with_transformers(name: str, theirs: str, extra: dict[str, float], warmup: int) -> None:
    """Theirs begins its rise at 0, a step that learns nothing; ours is one step ahead of it there."""
    steps = 50
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = get_scheduler(theirs, optimiser, warmup, steps, scheduler_specific_kwargs=extra or None)
    rates = []
    for _ in range(steps + 1):
        rates.append(scheduler.get_last_lr()[0])
        optimiser.step()
        scheduler.step()
    expected = [rates[step + 1] if step < warmup else rates[step] for step in range(steps)]
    assert factors(SCHEDULES[name], steps, warmup / steps) == pytest.approx(expected, abs=1e-12)


@given(
    name=st.sampled_from(sorted(SCHEDULES)),
    steps=st.integers(1, 500),
    warmup=st.floats(0, 0.99),
)
def test_every_factor_is_positive_and_at_most_the_peak(name: str, steps: int, warmup: float) -> None:
    found = factors(SCHEDULES[name], steps, warmup)
    assert all(0 < factor <= 1 for factor in found)


def test_the_range_test_rises_by_equal_ratios_to_the_top() -> None:
    found = factors(SCHEDULES[RANGE_TEST], 70, 0.0)
    assert found[-1] == 1.0
    assert found[0] == pytest.approx(10 ** (-RANGE_DECADES * 69 / 70))
    ratios = [after / before for before, after in pairwise(found)]
    assert ratios == pytest.approx([10 ** (RANGE_DECADES / 70)] * 69)


def test_a_problem_file_offers_them_all_but_the_range_test() -> None:
    offered = get_args(Candidate.model_fields["schedule"].annotation)
    assert {*offered, RANGE_TEST} == set(SCHEDULES)
