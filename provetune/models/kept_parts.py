"""What methods share whose learned weights are kept by name beside the model: as they are, or as parts put into it.

`adapter.safetensors` has every weight that learned, `adapter.json` what it takes to put them back
(`provetune.models.added_parts`).
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from provetune.core.protocols import LearnsFrom

if TYPE_CHECKING:
    import torch
    from pydantic import BaseModel

    from provetune.core.protocols import Task

LARGE_STEPS: Mapping[str, Any] = MappingProxyType(
    {
        "epochs": 3,
        "learning_rate": 2e-3,
        "reference_size": 2304,
        "batch_rows": 32,
        "weight_decay": 0.0,
        "warmup": 0.06,
    }
)
"""Defaults of what learns few weights beside frozen ones: ten times the learning rate of `full`."""


class KeptParts(ABC):
    """A method that merges nothing and keeps what learned by name."""

    name: str
    settings: type[BaseModel]
    learns_from: LearnsFrom = "weights"
    tasks: tuple[str, ...] | None = None
    deterministic = False

    @abstractmethod
    def prepare(self, model: torch.nn.Module, settings: Any, task: Task) -> torch.nn.Module:
        """See `provetune.core.protocols.WeightMethod.prepare`."""

    def merge(self, model: torch.nn.Module) -> torch.nn.Module:
        """The model itself: there is nothing that could be folded."""
        return model

    def save_adapter(self, model: torch.nn.Module, folder: Path) -> None:
        """Write what learned: ``adapter.safetensors`` and ``adapter.json``, which `attach` reads."""
        from provetune.models.added_parts import save_parts

        save_parts(model, folder)

    def attach(self, model: torch.nn.Module, folder: Path) -> torch.nn.Module:
        """The plain model with what `save_adapter` wrote in its place.

        Raises:
            CorruptError: what was kept cannot be read or does not fit.
        """
        from provetune.models.added_parts import load_parts, read_settings

        settings = self.settings(**read_settings(folder, self.name))
        prepared = self.prepare(model, settings, None)  # type: ignore[arg-type]
        load_parts(prepared, folder)
        return prepared.eval()


class MadeParts(KeptParts):
    """A method whose parts are made by a network while they are learned, which goes afterwards.

    Attributes:
        made: settings that say that there is no such network.
    """

    bundle_kind = "adapted"
    made: ClassVar[Mapping[str, Any]]

    @abstractmethod
    def settle(self, model: torch.nn.Module) -> None:
        """Put what the network makes into its place."""

    def merge(self, model: torch.nn.Module) -> torch.nn.Module:
        """A copy whose parts need no network any more; there is nothing that could be folded into weights."""
        settled = copy.deepcopy(model)
        self.settle(settled)
        return settled

    def save_adapter(self, model: torch.nn.Module, folder: Path) -> None:
        """Write head and parts: ``adapter.safetensors`` and ``adapter.json``, which `attach` reads."""
        from provetune.models.added_parts import mark_added, noted_settings, save_parts

        settled = self.merge(model)
        mark_added(settled, self.name, {**noted_settings(model), **self.made})
        save_parts(settled, folder)
