"""Whether an answer depends on what else is asked: caught where it does, and not where it does not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa

from provetune.compression.neighbours import EXTREME, Neighbours, decision, distance, disturbing, try_neighbours
from provetune.core.protocols import Targets
from provetune.tasks import TASKS

TEXTS = pa.table({"text": [f"{'x' * (number + 2)}" for number in range(12)]})


class Answers:
    """Probabilities that lean on a text's length, and by `pull` on the longest text of the batch."""

    def __init__(self, pull: float) -> None:
        self.pull = pull
        self.task = TASKS.get("classification")
        self.targets = Targets("single_label", ("a", "b"), (1, 1))
        self.batches: list[int] = []

    def answers(self, examples: pa.Table) -> Any:
        texts = examples.column("text").to_pylist()
        self.batches.append(len(texts))
        longest = max(map(len, texts))
        first = np.array([0.51 - self.pull * (longest > 100) - len(text) * 1e-9 for text in texts])
        return np.stack([first, 1 - first], axis=1)


def test_answers_that_stand_alone_hold() -> None:
    found = try_neighbours(Answers(0.0), TEXTS, exact=True)  # type: ignore[arg-type]
    assert (found.texts, found.flips, found.holds) == (12, 0, True)
    assert found.largest == 0.0


def test_a_batch_that_flips_decisions_is_caught() -> None:
    found = try_neighbours(Answers(0.2), TEXTS, exact=False)  # type: ignore[arg-type]
    assert found.flips == 12
    assert not found.holds


def test_small_differences_matter_in_fp32_alone() -> None:
    moved = try_neighbours(Answers(1e-4), TEXTS, exact=True)  # type: ignore[arg-type]
    assert moved.flips == 0
    assert 0.9e-4 < moved.largest < 1.1e-4
    assert not moved.holds
    assert try_neighbours(Answers(1e-4), TEXTS, exact=False).holds  # type: ignore[arg-type]


def test_every_text_is_asked_alone_and_among_others() -> None:
    asked = Answers(0.0)
    told: list[tuple[int, int]] = []
    try_neighbours(asked, TEXTS, exact=True, limit=3, tell=lambda done, of: told.append((done, of)))  # type: ignore[arg-type]
    assert asked.batches == [1, 6, 1, 6, 1, 6]
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_neighbours_are_long_short_and_strange() -> None:
    texts = disturbing(TEXTS).column("text").to_pylist()
    assert max(map(len, texts)) >= 4096
    assert "a" in texts
    assert EXTREME in texts
    assert disturbing(TEXTS, whole=True).column("text").to_pylist() == ["x" * 13, "xx"]


def test_decision_leaves_out_how_sure_it_is() -> None:
    assert decision({"label": "a", "score": 0.9}) == decision({"label": "a", "score": 0.1})
    assert decision({"label": "a", "score": 0.9}) != decision({"label": "b", "score": 0.9})
    assert decision({"entities": [{"label": "x", "start": 1, "score": 0.4}]}) == {
        "entities": [{"label": "x", "start": 1}]
    }


def test_distance() -> None:
    assert distance([0.5, 0.25], [0.5, 0.5]) == 0.25
    assert distance(2000.0, 2001.0) == 1 / 2000
    assert distance({"score": 1.0, "label": "a"}, {"score": 0.5, "label": "b"}) == 0.5


def test_as_json() -> None:
    found = Neighbours(3, 0.0, 0, True).to_json()
    assert SimpleNamespace(**found).holds is True
