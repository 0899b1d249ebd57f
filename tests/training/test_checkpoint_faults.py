"""Row 6 of the faults: a checkpoint is whole or not there, whenever it is killed and wherever the disk is full.

Short form; ``PROVETUNE_KILLS=50`` is the full size.
"""

from __future__ import annotations

import errno
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from provetune.core.errors import EnvironmentFault
from provetune.training import checkpoints
from provetune.training.checkpoints import Checkpoint, Progress, load_checkpoint, save_checkpoint

KILLS = int(os.environ.get("PROVETUNE_KILLS", "8"))


def made(step: int) -> Checkpoint:
    """A checkpoint whose every number says which step it is of."""
    tensors = {f"layer{number}": torch.full((64, 64), float(step)) for number in range(4)}
    return Checkpoint(Progress(step=step), tensors, tensors, tensors, "same")


def whole_step(folder: Path) -> int:
    """The step of the checkpoint that a run would go on from; all of it is of that step."""
    found = load_checkpoint(folder, "same")
    assert found is not None
    step = found.progress.step
    for tensors in (found.weights, found.best, found.optimiser):
        assert tensors is not None
        assert len(tensors) == 4
        assert all((tensor == step).all() for tensor in tensors.values())
    return step


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_at_any_moment_it_goes_on_from_a_whole_checkpoint(tmp_path: Path) -> None:
    draw = random.Random(0)
    reached = 0
    for number in range(KILLS):
        folder = tmp_path / str(number)
        save_checkpoint(folder, made(1))
        child = os.fork()
        if child == 0:
            for step in range(2, 1_000_000):
                save_checkpoint(folder, made(step))
            os._exit(0)
        time.sleep(0.02 + draw.random() * 0.1)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        reached = max(reached, whole_step(folder))
        # What a kill left behind stands in nobody's way.
        save_checkpoint(folder, made(1_000_000))
        assert whole_step(folder) == 1_000_000
    assert reached > 1


def test_a_full_disk_at_any_write_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = [0]

    def limited(function: Any) -> Any:
        def call(*args: Any, **named: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            return function(*args, **named)

        return call

    monkeypatch.setattr(checkpoints, "save_file", limited(checkpoints.save_file))
    monkeypatch.setattr(checkpoints, "write_json", limited(checkpoints.write_json))
    monkeypatch.setattr(os, "fsync", limited(os.fsync))
    monkeypatch.setattr(os, "replace", limited(os.replace))
    monkeypatch.setattr(Path, "mkdir", limited(Path.mkdir))
    save_checkpoint(tmp_path, made(1))
    said = []
    for point in range(1, 40):
        left[0] = point
        try:
            save_checkpoint(tmp_path, made(2 + point))
        except EnvironmentFault as error:
            said.append(str(error))
        left[0] = 0
        assert whole_step(tmp_path) in (1, *range(2, 3 + point))
    assert len(said) >= 6
    assert all("space" in each for each in said)
    assert whole_step(tmp_path) == 2 + 39
