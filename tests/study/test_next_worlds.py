"""The benchmark's made-up problems, a few of each: the right step is first in most of them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def next_steps() -> Any:
    sys.path.insert(0, str(BENCHMARKS))
    try:
        import next_steps
    finally:
        sys.path.remove(str(BENCHMARKS))
    return next_steps


def test_the_right_step_is_first_in_most_worlds(next_steps: Any) -> None:
    found = [next_steps.first_step(kind, number) for kind in next_steps.KINDS for number in (100, 101)]
    right = sum(one["first"] == one["right"] for one in found)
    # 18 worlds at a share of 80 % have at least 12 right ones in 95 of 100 draws (binomial).
    assert right >= 12, found
