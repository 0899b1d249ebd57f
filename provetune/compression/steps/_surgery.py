"""What steps that take parts out of a model do alike: load it, cut, heal what is left."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from provetune.compression.healing import Healing, healed
from provetune.compression.parent_model import PLAIN, load_parent, parameters_of, shrunken

if TYPE_CHECKING:
    import torch

    from provetune.compression.step import Given, Made

Settings = TypeVar("Settings", bound=Healing)


class Surgery(ABC, Generic[Settings]):
    """A step that takes parts out and heals."""

    takes = PLAIN
    makes: str | None = None
    learns = True

    @abstractmethod
    def cut(self, given: Given, model: torch.nn.Module, tokenizer: Any, settings: Settings) -> Mapping[str, Any]:
        """Take parts out of the model and say so in its configuration; returns what is to be noted."""

    def apply(self, given: Given, settings: Any) -> Made:
        """Load, cut, heal."""
        asked = cast(Settings, settings)
        model, tokenizer = load_parent(given)
        before = parameters_of(model)
        noted = self.cut(given, model, tokenizer, asked)
        return healed(given, model, tokenizer, asked, shrunken(before, model, **noted))
