"""What both ways to sixteen bits do alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

from provetune.compression.parent_model import PLAIN

if TYPE_CHECKING:
    from provetune.compression.step import Given, Made
    from provetune.core.protocols import Task
    from provetune.models.bundle import Bundle


class NoSettings(BaseModel):
    """The step has no settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Halving:
    """A step that stores weights in sixteen bits."""

    name: Literal["bf16", "fp16"]
    takes = PLAIN
    makes: str | None = None
    settings: type[BaseModel] = NoSettings
    learns = False

    def refuse(self, bundle: Bundle, task: Task, settings: Any) -> str | None:
        """Weights that are in sixteen bits already."""
        from provetune.compression.half_weights import why_not_stored

        return why_not_stored(bundle, self.name)

    def apply(self, given: Given, settings: Any) -> Made:
        """Round the weights."""
        from provetune.compression.half_weights import stored_in

        return stored_in(given, self.name)
