from __future__ import annotations

import pytest

from provetune.training.schedule import linear_with_warmup


def test_rises_and_falls_as_worked_out_by_hand() -> None:
    factors = [linear_with_warmup(step, 10, 0.2) for step in range(10)]
    assert factors == pytest.approx([0.5, 1.0, 1.0, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125])


def test_without_warmup_the_first_step_has_the_peak() -> None:
    assert linear_with_warmup(0, 4, 0.0) == 1.0
    assert linear_with_warmup(3, 4, 0.0) == 0.25
