"""The backbone as it is: what a pretrained model does before anything is learned from the rows.

For translation, summaries, conversation and retrieval this is an honest baseline: fine-tuning has to beat it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from provetune.core.protocols import LearnsFrom

if TYPE_CHECKING:
    import torch

    from provetune.core.protocols import Task


class UntrainedSettings(BaseModel):
    """`untrained` adds nothing to a candidate's common fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Untrained:
    """`untrained`: nothing learns."""

    name = "untrained"
    summary = "The pretrained model as it is, without any training: the baseline of tasks that write or find texts."
    learns_from: LearnsFrom = "weights"
    tasks: tuple[str, ...] | None = ("seq2seq", "chat", "retrieval")
    bundle_kind = "transformers"
    settings: type[BaseModel] = UntrainedSettings
    defaults: Mapping[str, Any] = MappingProxyType({})
    deterministic = True

    def prepare(self, model: torch.nn.Module, settings: UntrainedSettings, task: Task) -> torch.nn.Module:
        """Nothing trains."""
        return model.requires_grad_(False)

    def merge(self, model: torch.nn.Module) -> torch.nn.Module:
        """The model itself."""
        return model

    def save_adapter(self, model: torch.nn.Module, folder: Path) -> None:
        """Nothing was learned."""


METHOD = Untrained()
