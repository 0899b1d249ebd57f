"""Checkpoints: everything that the next step depends on, in safetensors and JSON, whole or absent.

A checkpoint is a folder ``step-00000120`` that appears by one rename. Older ones go only after a newer one is
on the disk. Nothing is pickled.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from provetune.core.errors import CorruptError
from provetune.core.files import atomic_path, read_json, write_json

FORMAT = 1
_AT_TIMES = ("objectives", "average", "judged")


@dataclass
class Progress:
    """Where a run stands.

    Attributes:
        step: optimiser steps done.
        examples: features seen.
        seconds: time spent training, over all sittings.
        best_score: best primary score so far, in the direction "higher is better"; None before the first.
        best_step: step of the state that is kept, see `provetune.training.kept_step`.
        best_scores: all scores of that state.
        waited: evaluations since the best score.
    """

    step: int = 0
    examples: int = 0
    seconds: float = 0.0
    best_score: float | None = None
    best_step: int = 0
    best_scores: dict[str, float] = field(default_factory=dict)
    waited: int = 0


@dataclass
class Checkpoint:
    """A run that can go on: progress, weights, their best and their average, states of all that has one, and what each
    validation row contributed to the best score."""

    progress: Progress
    weights: Mapping[str, torch.Tensor]
    best: Mapping[str, torch.Tensor] | None
    optimiser: Mapping[str, torch.Tensor]
    identity: str
    objectives: Mapping[str, torch.Tensor] = field(default_factory=dict)
    average: Mapping[str, torch.Tensor] = field(default_factory=dict)
    judged: Mapping[str, torch.Tensor] = field(default_factory=dict)


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write a checkpoint into `folder` and then remove its predecessors; returns its path."""
    target = folder / f"step-{checkpoint.progress.step:08d}"
    with atomic_path(target) as temporary:
        temporary.mkdir()
        save_file(_whole(checkpoint.weights), temporary / "weights.safetensors")
        save_file(_whole(checkpoint.optimiser), temporary / "optimiser.safetensors")
        save_file(_random_states(), temporary / "random.safetensors")
        for name in _AT_TIMES:
            if held := getattr(checkpoint, name):
                save_file(_whole(held), temporary / f"{name}.safetensors")
        if checkpoint.best is not None:
            save_file(_whole(checkpoint.best), temporary / "best.safetensors")
        document = {
            "format": FORMAT,
            "identity": checkpoint.identity,
            "progress": asdict(checkpoint.progress),
            "python_random": _python_random(),
        }
        write_json(temporary / "state.json", document)
    for older in checkpoints_in(folder):
        if older != target:
            shutil.rmtree(older, ignore_errors=True)
    return target


def load_checkpoint(folder: Path, identity: str) -> Checkpoint | None:
    """The newest checkpoint in `folder`, or None. Restores the random states as a side effect.

    Raises:
        CorruptError: the checkpoint belongs to other settings or data, or cannot be read.
    """
    found = checkpoints_in(folder)
    if not found:
        return None
    newest = found[-1]
    try:
        document = read_json(newest / "state.json")
        weights = load_file(newest / "weights.safetensors")
        optimiser = load_file(newest / "optimiser.safetensors")
        states = load_file(newest / "random.safetensors")
        best = load_file(newest / "best.safetensors") if (newest / "best.safetensors").exists() else None
        files = {name: newest / f"{name}.safetensors" for name in _AT_TIMES}
        held = {name: load_file(file) if file.exists() else {} for name, file in files.items()}
    except (OSError, ValueError, SafetensorError) as error:
        raise CorruptError(
            f"This checkpoint cannot be read ({error}).", where=str(newest), hint="Remove the folder to start anew."
        ) from error
    if document["identity"] != identity:
        raise CorruptError(
            "This checkpoint was made with other settings or data.",
            where=str(newest),
            hint="Run with --fresh to start anew.",
        )
    _restore_random(states, document["python_random"])
    return Checkpoint(Progress(**document["progress"]), weights, best, optimiser, identity, **held)


def checkpoints_in(folder: Path) -> list[Path]:
    """Complete checkpoints, oldest first."""
    return sorted(path for path in folder.glob("step-*") if path.is_dir()) if folder.is_dir() else []


def _whole(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def _random_states() -> dict[str, torch.Tensor]:
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states |= {f"cuda{index}": state for index, state in enumerate(torch.cuda.get_rng_state_all())}
    return states


def _python_random() -> list[Any]:
    version, values, gauss = random.getstate()
    return [version, list(values), gauss]


def _restore_random(states: Mapping[str, torch.Tensor], python_random: list[Any]) -> None:
    torch.set_rng_state(states["cpu"])
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            if f"cuda{index}" in states:
                torch.cuda.set_rng_state(states[f"cuda{index}"], index)
    version, values, gauss = python_random
    random.setstate((version, tuple(values), gauss))
