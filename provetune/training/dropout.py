"""Dropout whose random numbers are bytes: an eighth of the draws, and no floating point on the way.

PyTorch's CPU dropout draws one Bernoulli number an element, which takes a sixth of a training step of a small
encoder. Here one 64-bit draw serves eight elements: an element is dropped when its byte is below
``round(256 p)``. The share that is kept is therefore a multiple of 1/256 (0.8984 for p = 0.1) and outputs are
divided by exactly that share, so expectations are unchanged.

Departure from the textbook that goes with it: attention probabilities are not dropped unless a candidate asks for it,
hidden states are.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

_LEVELS = 256


class _ByteDropout(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, threshold: int) -> Tensor:
        scale = _LEVELS / (_LEVELS - threshold)
        count = values.numel()
        draws = torch.empty(-(-count // 8), dtype=torch.int64).random_(-(2**63), None)
        keep = (draws.view(torch.uint8)[:count] >= threshold).view(values.shape)
        ctx.save_for_backward(keep)
        ctx.scale = scale
        return torch.ops.aten.native_dropout_backward(values, keep, scale)  # type: ignore[no-any-return]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (keep,) = ctx.saved_tensors
        return torch.ops.aten.native_dropout_backward(gradients[0], keep, ctx.scale), None


class ByteDropout(nn.Module):
    """Stands in for `nn.Dropout` while training on a CPU.

    Args:
        p: share to drop, 0 ≤ p < 1; rounded to a multiple of 1/256.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p
        self.threshold = round(_LEVELS * p)

    def forward(self, values: Tensor) -> Tensor:
        if not self.training or self.threshold == 0:
            return values
        return _ByteDropout.apply(values, self.threshold)  # type: ignore[no-any-return, no-untyped-call]


class FastDropout:
    """Swaps every `nn.Dropout` of a model for `ByteDropout`, and back on `restore`.

    Args:
        attention: drop attention probabilities as well.
    """

    def __init__(self, model: nn.Module, *, attention: bool = False) -> None:
        self.model = model
        self.swapped: dict[str, nn.Dropout] = {}
        for name, module in list(model.named_modules()):
            if type(module) is nn.Dropout and 0 < module.p < 1:
                self.swapped[name] = module
                spared = not attention and _on_attention(model, name)
                _set(model, name, ByteDropout(0.0 if spared else module.p))

    def restore(self) -> None:
        for name, module in self.swapped.items():
            _set(self.model, name, module)


def _on_attention(model: nn.Module, name: str) -> bool:
    """Whether a dropout acts on attention probabilities: transformers keeps it in the ``…SelfAttention`` module."""
    return "SelfAttention" in type(model.get_submodule(name.rpartition(".")[0])).__name__


def _set(model: nn.Module, path: str, module: nn.Module) -> None:
    owner, _, leaf = path.rpartition(".")
    setattr(model.get_submodule(owner) if owner else model, leaf, module)
