"""Weights stored in fp16: eleven bits of each number are kept; what is larger than 65,504 does not fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from provetune.compression.parent_model import PLAIN

if TYPE_CHECKING:
    from provetune.compression.step import Given, Made
    from provetune.core.protocols import Task
    from provetune.models.bundle import Bundle


class Fp16Settings(BaseModel):
    """The step has no settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Fp16:
    """`fp16`: weights in sixteen bits."""

    name = "fp16"
    summary = "Store the weights in fp16: half the size, and more exact than bf16 where no weight is very large."
    takes = PLAIN
    settings: type[BaseModel] = Fp16Settings
    learns = False

    def refuse(self, bundle: Bundle, task: Task, settings: Any) -> str | None:
        """Weights that are in sixteen bits already."""
        from provetune.compression.half_weights import why_not_stored

        return why_not_stored(bundle, "fp16")

    def apply(self, given: Given, settings: Any) -> Made:
        """Round the weights."""
        from provetune.compression.half_weights import stored_in

        return stored_in(given, "fp16")


STEP = Fp16()
