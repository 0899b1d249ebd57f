"""Latency in blocks, with a clock that the test turns."""

from __future__ import annotations

import numpy as np
import pytest

from provetune.core.errors import UsageError
from provetune.inference.latency import measure_latency
from provetune.statistics.blocks import bound_for_blocks


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_quantiles_are_those_of_the_times() -> None:
    clock, asked = Clock(), []

    def answer(milliseconds: int) -> None:
        asked.append(milliseconds)
        clock.now += milliseconds / 1000

    found = measure_latency(answer, list(range(1, 101)), blocks=20, block_texts=5, clock=clock, engine="torch")
    timed = asked[5:]
    assert sorted(timed) == list(range(1, 101))
    assert found["latency_p50_ms"] == pytest.approx(50.5)
    assert found["latency_p95_ms"] == pytest.approx(np.percentile(range(1, 101), 95))
    assert found["blocks"]["latency_p50_ms"] == pytest.approx([np.median(timed[k : k + 5]) for k in range(0, 100, 5)])
    assert (found["texts"], found["engine"]) == (100, "torch")
    assert bound_for_blocks("latency_p50_ms", found["blocks"]["latency_p50_ms"], 0.95).units == 20


def test_few_texts_are_drawn_again_and_order_is_random() -> None:
    asked: list[str] = []
    measure_latency(asked.append, ["a", "b", "c"], seed=1)
    assert len(asked) == 405
    assert asked[5:] != ["a", "b", "c"] * 133 + ["a"]


def test_impossible_measurements_are_refused() -> None:
    with pytest.raises(UsageError, match="no texts"):
        measure_latency(print, [])
    with pytest.raises(UsageError, match="At least 20 blocks"):
        measure_latency(print, ["a"], blocks=3)
