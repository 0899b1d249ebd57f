"""The checkpoint that is kept: the latest one that is not clearly worse than the best."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from provetune.core.events import Evaluated, Finished
from provetune.core.protocols import Metric
from provetune.tasks import TASKS
from provetune.training.kept_step import noise_between
from provetune.training.loop import train
from provetune.training.minimisation import Minimisation
from provetune.training.settings import TrainSettings

ROWS = 40
SETTINGS = TrainSettings(epochs=3, learning_rate=3e-3, batch_rows=16, evaluations=3)


def right(*wrong: int) -> Any:
    """Which of the rows are right: all but these."""
    return 1.0 - np.isin(np.arange(ROWS), wrong)


def test_noise_is_the_standard_error_of_the_paired_difference() -> None:
    draw = np.random.default_rng(0)
    rows, others = draw.random(50), draw.random(50)
    assert noise_between(rows, others) == pytest.approx(float(stats.sem(rows - others)))
    assert noise_between(rows, rows) == 0.0


@pytest.mark.parametrize(
    "others", [None, np.zeros(3), np.full(ROWS, np.nan), np.zeros((ROWS, 2))], ids=["none", "fewer", "nan", "shape"]
)
def test_what_cannot_be_compared_has_no_noise(others: Any) -> None:
    assert noise_between(right(1), others) == 0.0
    assert noise_between(others, right(1)) == 0.0


@pytest.fixture
def run(make_model, store, targets) -> Callable[..., Iterator[Any]]:
    """A run whose looks find these rows right, one after the other."""

    def begin(looks: list[Any], folder: Path, *, blind: bool = False, settings: TrainSettings = SETTINGS) -> Any:
        shown = iter(looks)
        seen: list[Any] = []

        def score(_: torch.nn.Module) -> dict[str, float]:
            seen.append(next(shown))
            return {"accuracy": float(np.mean(seen[-1]))}

        return train(
            make_model(),
            TASKS.get("classification"),
            store,
            targets,
            settings,
            minimise=partial(Minimisation, []),
            score=score,
            primary=Metric("accuracy", "share right"),
            checkpoint=folder,
            seed=5,
            pad_id=0,
            row_values=None if blind else lambda: seen[-1],
        )

    return begin


def kept(events: Any) -> tuple[list[bool], int]:
    listed = list(events)
    assert isinstance(listed[-1], Finished)
    return [event.best for event in listed if isinstance(event, Evaluated)], listed[-1].best_step


def test_a_row_less_is_no_reason_to_go_back(run, tmp_path: Path) -> None:
    # 38 right, then 37 with other rows wrong: the difference is 0.025, its standard error 0.056.
    looks = [right(0, 1), right(2, 3, 4), right(5, 6, 7)]
    assert kept(run(looks, tmp_path / "seen")) == ([True, True, True], 18)
    assert kept(run(looks, tmp_path / "blind", blind=True)) == ([True, False, False], 6)


def test_what_is_clearly_worse_is_not_kept(run, tmp_path: Path) -> None:
    looks = [right(0), right(0, *range(10, 20)), right(0, *range(20, 40))]
    assert kept(run(looks, tmp_path / "a")) == ([True, False, False], 6)


def test_it_is_held_against_the_best_and_not_against_the_last(run, tmp_path: Path) -> None:
    # Each look loses two rows more: the first step down is within its standard error, the second is not.
    looks = [right(), right(0), right(0, 1, 2, 3)]
    assert kept(run(looks, tmp_path / "a")) == ([True, True, False], 12)


def test_of_equal_scores_the_later_is_kept(run, tmp_path: Path) -> None:
    assert kept(run([right(0), right(1), right(2)], tmp_path / "a", blind=True)) == ([True, True, True], 18)


def test_a_run_that_was_cut_off_keeps_the_same(run, tmp_path: Path) -> None:
    looks = [right(0, 1), right(2, 3, 4), right(5, 6, 7)]
    settings = TrainSettings(epochs=3, learning_rate=3e-3, batch_rows=16, evaluations=3, checkpoint_steps=1)
    stream = run(looks, tmp_path / "cut", settings=settings)
    for event in stream:
        if getattr(event, "step", 0) == 8:
            break
    stream.close()
    assert kept(run(looks[1:], tmp_path / "cut", settings=settings)) == ([True, True], 18)
