"""Weights in int8, and every token's vector rounded by a scale of its own when it is multiplied with them.

No scale is shared by the rows of a batch, so that an answer does not depend on whoever else is asking.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field

from provetune.compression.onnx_bundle import TAKES, quantised, why_not_quantised

if TYPE_CHECKING:
    from provetune.compression.step import Given, Made
    from provetune.core.protocols import Task
    from provetune.models.bundle import Bundle


class Int8Settings(BaseModel):
    """How weights and activations are rounded."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    balance: Annotated[float, Field(ge=0.0, le=1.0)] = Field(
        0.5, description="How much of the size of large channels is moved into the weights before rounding; 0 nothing."
    )
    rows: Annotated[int, Field(ge=1)] = Field(
        64, description="Training rows that show which channels are large; none are looked at where balance is 0."
    )
    weight_bits: Literal[7, 8] = Field(
        8, description="7 for x86 processors without VNNI, whose 16-bit sums overflow with 8; it rounds more coarsely."
    )


class Int8:
    """`int8`: a graph in 8 bits with a scale a row."""

    name = "int8"
    summary = "Export to ONNX in int8 with a scale for every token: a quarter of the size, alike in any batch."
    takes = TAKES
    settings: type[BaseModel] = Int8Settings
    learns = False

    def refuse(self, bundle: Bundle, task: Task, settings: Any) -> str | None:
        """What is no encoder, and what is in int8 already."""
        return why_not_quantised(bundle, task)

    def apply(self, given: Given, settings: Any) -> Made:
        """Export where that is not done yet, look at training rows, round."""
        from provetune.compression.quantise_ways import RowScales

        asked = cast(Int8Settings, settings)
        rows = asked.rows if asked.balance else 0
        return quantised(given, asked.balance, rows, lambda ranges: RowScales(ranges, asked.balance, asked.weight_bits))


STEP = Int8()
