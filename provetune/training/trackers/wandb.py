"""Weights & Biases. ``WANDB_MODE=offline`` keeps runs on the disk; the client's own variables apply."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from provetune.core.events import Event
from provetune.training.trackers._scalars import import_extra, scalars


class _Run:
    def __init__(self, run: Any) -> None:
        self.run = run

    def consume(self, event: Event) -> None:
        step, values = scalars(event)
        if values:
            self.run.log(values, step=step)

    def close(self) -> None:
        self.run.finish()


class WeightsAndBiases:
    """One W&B run a trial, grouped by study."""

    name = "wandb"

    def open(self, run: str, folder: Path, details: Mapping[str, Any]) -> _Run:
        wandb = import_extra("wandb", "wandb")
        folder.mkdir(parents=True, exist_ok=True)
        group, _, rest = run.partition("/")
        project = os.environ.get("WANDB_PROJECT", "provetune")
        return _Run(wandb.init(project=project, group=group, name=rest, dir=str(folder), config=dict(details)))


TRACKER = WeightsAndBiases()
