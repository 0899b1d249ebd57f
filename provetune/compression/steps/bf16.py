"""Weights stored in bf16: eight bits of each number are kept, in the range of fp32."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from provetune.compression.parent_model import PLAIN

if TYPE_CHECKING:
    from provetune.compression.step import Given, Made
    from provetune.core.protocols import Task
    from provetune.models.bundle import Bundle


class Bf16Settings(BaseModel):
    """The step has no settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Bf16:
    """`bf16`: weights in sixteen bits."""

    name = "bf16"
    summary = "Store the weights in bf16: half the size, with the range of fp32."
    takes = PLAIN
    settings: type[BaseModel] = Bf16Settings
    learns = False

    def refuse(self, bundle: Bundle, task: Task, settings: Any) -> str | None:
        """Weights that are in sixteen bits already."""
        from provetune.compression.half_weights import why_not_stored

        return why_not_stored(bundle, "bf16")

    def apply(self, given: Given, settings: Any) -> Made:
        """Round the weights."""
        from provetune.compression.half_weights import stored_in

        return stored_in(given, "bf16")


STEP = Bf16()
