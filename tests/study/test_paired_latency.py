"""Candidates timed in turn, with a clock made by hand."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from provetune.core.errors import UsageError
from provetune.study.paired_latency import ROUNDS, time_in_turn


class Machine:
    """A clock that moves as candidates answer; the machine slows down from round to round."""

    def __init__(self) -> None:
        self.now, self.calls = 0.0, []

    def answer(self, name: str, seconds: float) -> Any:
        def answering(text: str) -> None:
            self.calls.append((name, text))
            self.now += seconds * (1 + len(self.calls) / 1000)

        return answering

    def clock(self) -> float:
        return self.now


def test_blocks_are_the_quantiles_of_each_round() -> None:
    machine = Machine()
    answers = {"slow": machine.answer("slow", 0.020), "fast": machine.answer("fast", 0.010)}
    found = time_in_turn(answers, ["a", "b", "c"], clock=machine.clock)
    for metric in ("latency_p50_ms", "latency_p95_ms", "latency_p99_ms"):
        slow, fast = found["slow"][metric], found["fast"][metric]
        assert len(slow) == len(fast) == ROUNDS
        # However the machine drifts, within a round the one takes about twice as long.
        assert all(1.8 < left / right < 2.2 for left, right in zip(slow, fast, strict=True))
    assert found["slow"]["latency_p50_ms"][-1] > 2 * found["slow"]["latency_p50_ms"][0]


def test_candidates_answer_the_same_texts_in_each_round_in_changing_order() -> None:
    machine = Machine()
    time_in_turn({name: machine.answer(name, 0.01) for name in "xy"}, list("abcdef"), rounds=20, block_texts=4)
    timed = machine.calls[2 * 5 :]
    firsts = Counter()
    for start in range(0, len(timed), 8):
        block = timed[start : start + 8]
        said = {name: [text for who, text in block if who == name] for name in "xy"}
        assert said["x"] == said["y"]
        assert len({who for who, _ in block[:4]}) == 1
        firsts[block[0][0]] += 1
    assert min(firsts["x"], firsts["y"]) >= 3


@pytest.mark.parametrize(("texts", "rounds", "words"), [([], 40, "no texts"), (["a"], 19, "At least 20 rounds")])
def test_too_little_to_time(texts: list[str], rounds: int, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        time_in_turn({"x": lambda text: None}, texts, rounds=rounds)
