"""Weights in sixteen bits: half the size on the disk, the same plain Hugging Face folder.

They are computed with in fp32 unless another precision is asked for, so that a machine without native bf16 loses
nothing but the rounding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from provetune.compression.parent_model import load_parent
from provetune.compression.step import Given, Made
from provetune.core.errors import UsageError

if TYPE_CHECKING:
    import torch

    from provetune.models.bundle import Bundle


def stored_in(given: Given, kind: Literal["fp16", "bf16"]) -> Made:
    """The parent with its weights rounded.

    Raises:
        UsageError: a weight is larger than fp16 can be.
    """
    import torch

    model, tokenizer = load_parent(given)
    number = torch.float16 if kind == "fp16" else torch.bfloat16
    largest = _largest(model)
    if largest > torch.finfo(number).max:
        raise UsageError(
            f"A weight of this model is {largest:.3g}, more than {kind} can hold.",
            where=str(given.bundle.path),
            hint="Take the step bf16, whose range is that of fp32.",
        )
    rounded = model.to(number)
    return Made("transformers", model=rounded, tokenizer=tokenizer, record={"weights": kind}, notes={"weights": kind})


def why_not_stored(bundle: Bundle, kind: str) -> str | None:
    """Why rounding would be of no use, in one line."""
    weights = str(bundle.record.get("weights") or "fp32")
    return None if weights == "fp32" else f"The weights of this bundle are in {weights} already."


def _largest(model: Any) -> float:
    parameters: list[torch.Tensor] = [value for value in model.parameters() if value.is_floating_point()]
    return max((float(value.detach().abs().max()) for value in parameters if value.numel()), default=0.0)
