"""What both ways to eight bits do alike: the parent's graph in int8, from whatever it is in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from provetune.compression.onnx_bundle import KIND, TAKES, why_not_quantised

if TYPE_CHECKING:
    from provetune.core.protocols import Task
    from provetune.models.bundle import Bundle


class RoundingSettings(BaseModel):
    """How weights and activations are rounded."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    balance: Annotated[float, Field(ge=0.0, le=1.0)] = Field(
        0.5, description="How much of the size of large channels is moved into the weights before rounding; 0 nothing."
    )
    rows: Annotated[int, Field(ge=1)] = Field(64, description="Training rows whose activations are looked at.")
    weight_bits: Literal[7, 8] = Field(
        8, description="7 for x86 processors without VNNI, whose 16-bit sums overflow with 8; it rounds more coarsely."
    )


class Rounding:
    """A step that makes a graph in int8."""

    takes = TAKES
    makes: str | None = KIND
    learns = False

    def refuse(self, bundle: Bundle, task: Task, settings: Any) -> str | None:
        """What is no encoder, and what is in int8 already."""
        return why_not_quantised(bundle, task)
