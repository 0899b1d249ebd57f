from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from provetune.core.errors import EnvironmentFault
from provetune.core.events import Evaluated, Finished, Started, Step
from provetune.training.trackers import TRACKERS
from provetune.training.trackers._scalars import import_extra, scalars


def test_tensorboard_holds_what_the_events_said(tmp_path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    tracker = TRACKERS.get("tensorboard").open("study/full/0", tmp_path, {"precision": "fp32"})
    tracker.consume(Started(2))
    tracker.consume(Step(1, 0.75, 1e-3, 2.0, 8, 0.1))
    tracker.consume(Step(2, 0.5, 5e-4, 1.0, 16, 0.2))
    tracker.consume(Evaluated(2, {"accuracy": 0.625}, True))
    tracker.close()
    kept = accumulator.EventAccumulator(str(tmp_path / "tensorboard" / "study/full/0"))
    kept.Reload()
    assert [(e.step, e.value) for e in kept.Scalars("train/loss")] == [(1, 0.75), (2, 0.5)]
    assert [(e.step, e.value) for e in kept.Scalars("validation/accuracy")] == [(2, 0.625)]


def test_only_events_with_numbers_become_scalars() -> None:
    assert scalars(Started(5, 2)) == (2, {})
    assert scalars(Finished(9, 6, {"accuracy": 1.0}, 3.5, 10)) == (9, {"best_step": 6.0, "seconds": 3.5})


def test_a_missing_extra_says_how_to_get_it() -> None:
    with pytest.raises(EnvironmentFault, match=r"pip install 'provetune\[wandb\]'"):
        import_extra("no_such_module_anywhere", "wandb")


def test_the_project_of_wandb_is_that_of_its_own_variable(tmp_path, monkeypatch) -> None:
    asked = []
    client = SimpleNamespace(init=lambda **options: asked.append((options["project"], options["group"])))
    monkeypatch.setitem(sys.modules, "wandb", client)
    monkeypatch.delenv("WANDB_PROJECT", raising=False)
    TRACKERS.get("wandb").open("study/full/0", tmp_path, {})
    monkeypatch.setenv("WANDB_PROJECT", "ours")
    TRACKERS.get("wandb").open("study/full/0", tmp_path, {})
    assert asked == [("provetune", "study"), ("ours", "study")]


def test_all_three_are_there() -> None:
    assert TRACKERS.names() == ["mlflow", "tensorboard", "wandb"]
