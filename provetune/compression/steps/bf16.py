"""Weights stored in bf16: eight bits of each number are kept, in the range of fp32."""

from __future__ import annotations

from typing import Literal

from provetune.compression.steps._halving import Halving


class Bf16(Halving):
    """`bf16`: weights in sixteen bits."""

    name: Literal["bf16", "fp16"] = "bf16"
    summary = "Store the weights in bf16: half the size, with the range of fp32."


STEP = Bf16()
