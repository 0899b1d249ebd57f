"""A model small enough to reckon by hand, and runs of the loop with objectives, for tests of what is minimised."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from provetune.core.minimised import LossStep, Pass
from provetune.core.protocols import Metric, Targets
from provetune.models.forward import predict_logits
from provetune.study.objectives import objectives_with_settings
from provetune.tasks import TASKS
from provetune.training.loop import train
from provetune.training.minimisation import Minimisation
from provetune.training.settings import TrainSettings

SINGLE = Targets("single_label", ("a", "b", "c"), (2, 1, 1))
IDS = torch.tensor([[1, 4, 2, 0], [1, 3, 5, 2], [1, 2, 0, 0]])
BATCH = {"input_ids": IDS, "attention_mask": (IDS != 0).long(), "labels": torch.tensor([0, 2, 1])}


class Toy(torch.nn.Module):
    """Embeddings, a curve, their masked mean, dropout, a linear layer; in float64, so that differences are exact."""

    base_model_prefix = "body"

    def __init__(self, classes: int = 3, dropout: float = 0.0) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.words = torch.nn.Embedding(6, 5, dtype=torch.float64)
        self.drop = torch.nn.Dropout(dropout)
        self.classifier = torch.nn.Linear(5, classes, dtype=torch.float64)
        self.config = SimpleNamespace(num_labels=classes)
        self.seen: list[torch.Tensor] = []

    def get_input_embeddings(self) -> torch.nn.Module:
        return self.words

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Any:
        embedded = self.words(input_ids)
        self.seen.append(embedded.detach().clone())
        return SimpleNamespace(logits=self.classifier(self.drop(self.pooled(embedded, attention_mask))))

    def pooled(self, embedded: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        weight = mask.unsqueeze(-1).to(embedded.dtype)
        return (torch.sin(embedded * 1.5) * weight).sum(dim=1) / weight.sum(dim=1)


def toy_run(model: torch.nn.Module, targets: Targets = SINGLE, weights: torch.Tensor | None = None) -> Any:
    """What objectives see of a run, the plain loss being cross-entropy."""
    return SimpleNamespace(
        model=model,
        targets=targets,
        pad_id=0,
        seed=77,
        device="cpu",
        label_weights=weights,
        forward=lambda batch: model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits,
        task_loss=lambda outputs, labels: functional.cross_entropy(outputs, labels, weight=weights, ignore_index=-100),
    )


def inner_of(run: Any) -> Callable[[Any], Pass]:
    """The plain loss of a batch."""

    def inner(batch: Any) -> Pass:
        outputs = run.forward(batch)
        return Pass(run.task_loss(outputs, batch["labels"]), outputs)

    return inner


def step_of(number: int = 0, part: int = 0) -> LossStep:
    return LossStep(number, part, np.arange(3), lambda loss: loss.backward())


def gradients(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def train_with(
    model: torch.nn.Module,
    store: Any,
    targets: Targets,
    folder: Path,
    objective: str | list[str],
    fields: Mapping[str, Any] | None = None,
    *,
    seed: int = 5,
    task: str = "classification",
    primary: Metric | None = None,
    **settings: Any,
) -> Any:
    """The loop's events with these objectives; scores are the share of right answers among the training rows."""
    plugin: Any = TASKS.get(task)

    def score(scored: torch.nn.Module) -> dict[str, float]:
        labels = np.array([store.take([index])[0]["labels"] for index in range(len(store))])
        found = predict_logits(scored, plugin, store, 0)
        return {"accuracy": float((found.argmax(axis=-1) == labels).mean()) if labels.ndim == 1 else 0.0}

    return train(
        model,
        plugin,
        store,
        targets,
        TrainSettings(**{"epochs": 1, "learning_rate": 3e-3, "batch_rows": 16, "evaluations": 1, **settings}),
        minimise=partial(Minimisation, objectives_with_settings(objective, fields or {})),
        score=score,
        primary=primary or Metric("accuracy", "share right"),
        checkpoint=folder,
        seed=seed,
        pad_id=0,
    )
