"""Weights in int8, and every token's vector rounded by a scale of its own when it is multiplied with them.

No scale is shared by the rows of a batch, so that an answer does not depend on whoever else is asking.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, cast

from pydantic import BaseModel, Field

from provetune.compression.onnx_bundle import quantised
from provetune.compression.steps._rounding import Rounding, RoundingSettings

if TYPE_CHECKING:
    from provetune.compression.step import Given, Made


class Int8Settings(RoundingSettings):
    """How weights and activations are rounded."""

    rows: Annotated[int, Field(ge=1)] = Field(
        64, description="Training rows that show which channels are large; none are looked at where balance is 0."
    )


class Int8(Rounding):
    """`int8`: a graph in 8 bits with a scale a row."""

    name = "int8"
    summary = "Export to ONNX in int8 with a scale for every token: a quarter of the size, alike in any batch."
    settings: type[BaseModel] = Int8Settings

    def apply(self, given: Given, settings: Any) -> Made:
        """Export where that is not done yet, look at training rows, round."""
        from provetune.compression.quantise_ways import RowScales

        asked = cast(Int8Settings, settings)
        rows = asked.rows if asked.balance else 0
        return quantised(given, asked.balance, rows, lambda ranges: RowScales(ranges, asked.balance, asked.weight_bits))


STEP = Int8()
