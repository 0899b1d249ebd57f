"""Runs of a linear model on numbers, small enough to be worked out by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch.nn import functional

from provetune.core.minimised import LossRun, LossStep, Pass
from provetune.core.protocols import Targets

NAMES = ("a", "b", "c")


class ToyFeatures:
    """One row of numbers a feature."""

    def __init__(self, inputs: Any, labels: Any = None, rows: Any = None) -> None:
        self.inputs = np.asarray(inputs, dtype=np.float32)
        self.labels = None if labels is None else np.asarray(labels)
        self.rows = np.arange(len(self.inputs)) if rows is None else np.asarray(rows)
        self.lengths = np.ones(len(self.inputs), dtype=np.int64)

    def __len__(self) -> int:
        return len(self.inputs)

    def take(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        return [
            {"inputs": self.inputs[k]} | ({} if self.labels is None else {"labels": self.labels[k]}) for k in indices
        ]


class ToyTask:
    """Classification of numbers."""

    name = "classification"

    def collate(self, features: Sequence[Mapping[str, Any]], pad_id: int) -> dict[str, torch.Tensor]:
        return {name: torch.from_numpy(np.stack([each[name] for each in features])) for name in features[0]}

    def loss(self, logits: torch.Tensor, labels: torch.Tensor, targets: Targets, weights: Any) -> torch.Tensor:
        if targets.kind == "multi_label":
            return functional.binary_cross_entropy_with_logits(logits, labels.float())
        if targets.kind == "regression":
            return ((logits - labels) ** 2 / torch.tensor(targets.tuned["scale"]) ** 2).mean()
        return functional.cross_entropy(logits, labels)


def linear(inputs: int = 4, outputs: int = 3, seed: int = 0) -> torch.nn.Linear:
    torch.manual_seed(seed)
    return torch.nn.Linear(inputs, outputs)


def toy_run(
    model: torch.nn.Module, features: ToyFeatures, *, targets: Targets | None = None, **changes: Any
) -> LossRun:
    """A run over these features; keyword arguments replace fields of it."""
    task = ToyTask()
    settled = targets or Targets("single_label", NAMES, (1, 1, 1))
    fields: dict[str, Any] = {
        "model": model,
        "task": task,
        "features": features,
        "targets": settled,
        "examples": pa.table({"text": [f"text {k}" for k in range(len(features))]}),
        "tokenizer": None,
        "pad_id": 0,
        "settings": None,
        "steps": 10,
        "seed": 7,
        "device": "cpu",
        "encode": lambda examples: features,
        "forward": lambda batch: model(batch["inputs"]),
        "task_loss": lambda outputs, labels: task.loss(outputs, labels, settled, None),
    }
    return LossRun(**{**fields, **changes})


def plain_pass(run: LossRun, batch: Mapping[str, torch.Tensor]) -> Callable[[Any], Pass]:
    """What stands inside: the plain loss."""

    def inner(inside: Mapping[str, torch.Tensor]) -> Pass:
        outputs = run.forward(inside)
        return Pass(run.task_loss(outputs, inside["labels"]), outputs)

    return inner


def step(rows: Any, number: int = 0, part: int = 0) -> LossStep:
    return LossStep(number, part, np.asarray(rows), lambda loss: loss.backward())


def some_features(count: int = 6, seed: int = 3, rows: Any = None) -> ToyFeatures:
    draw = np.random.default_rng(seed)
    return ToyFeatures(draw.normal(size=(count, 4)), draw.integers(0, 3, size=count), rows)
