"""The task's own loss and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from pydantic import BaseModel, ConfigDict


class PlainSettings(BaseModel):
    """The plain objective has no settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Plain:
    """Mean task loss of the batch."""

    name = "plain"
    summary = "The task's own loss: cross-entropy for one label a row, binary cross-entropy for several."
    settings = PlainSettings

    def loss(
        self,
        forward: Callable[[Mapping[str, torch.Tensor]], torch.Tensor],
        batch: Mapping[str, torch.Tensor],
        task_loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    ) -> torch.Tensor:
        return task_loss(forward(batch), batch["labels"])


OBJECTIVE = Plain()
