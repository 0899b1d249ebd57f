"""Weights stored in fp16: eleven bits of each number are kept; what is larger than 65,504 does not fit."""

from __future__ import annotations

from typing import Literal

from provetune.compression.steps._halving import Halving


class Fp16(Halving):
    """`fp16`: weights in sixteen bits."""

    name: Literal["bf16", "fp16"] = "fp16"
    summary = "Store the weights in fp16: half the size, and more exact than bf16 where no weight is very large."


STEP = Fp16()
