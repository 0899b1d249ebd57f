"""An output layer that learns in units of what it predicts.

Steps of an optimiser such as AdamW have the size of the learning rate, whatever the gradient's: a layer would take
thousands of steps to predict numbers around 50. So it learns what is left after the mean is taken off and the spread is
divided by, and gives the number itself; when training is over, mean and spread become part of its weights.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional

from provetune.models.loading import output_layer


class ScaledLinear(torch.nn.Linear):
    """A linear layer whose outputs are multiplied by `scale` (C,) and moved by `shift` (C,); always in float32.

    Its parameters, and their names, are those of the layer that it stands for.
    """

    scale: torch.Tensor
    shift: torch.Tensor

    def __init__(self, layer: torch.nn.Linear, scale: torch.Tensor, shift: torch.Tensor) -> None:
        super().__init__(layer.in_features, layer.out_features, bias=True, device="meta")
        self.weight = layer.weight
        bias = layer.bias if layer.bias is not None else torch.zeros(layer.out_features, device=layer.weight.device)
        self.bias = torch.nn.Parameter(bias.detach())
        self.register_buffer("scale", scale.to(layer.weight.device), persistent=False)
        self.register_buffer("shift", shift.to(layer.weight.device), persistent=False)

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Inputs (…, D) → numbers (…, C)."""
        return functional.linear(input, self.weight, self.bias).float() * self.scale + self.shift

    def folded(self) -> torch.nn.Linear:
        """The plain layer that gives the same."""
        layer = torch.nn.Linear(self.in_features, self.out_features, device=self.weight.device)
        with torch.no_grad():
            layer.weight.copy_(self.weight * self.scale[:, None])
            layer.bias.copy_(self.bias * self.scale + self.shift)
        return layer.requires_grad_(self.weight.requires_grad).train(self.training)


def scale_outputs(model: torch.nn.Module, scale: Sequence[float], shift: Sequence[float]) -> None:
    """Put a `ScaledLinear` in the place of the model's output layer.

    Args:
        scale, shift: one each for every output (C,); scales are positive.

    Raises:
        UsageError: the model has no output layer of C outputs.
        ValueError: there are not C of them, or a scale is not positive.
    """
    name, layer = output_layer(model)
    if not len(scale) == len(shift) == layer.out_features:
        raise ValueError(f"scale and shift must have {layer.out_features} values. Got {len(scale)} and {len(shift)}.")
    if not all(value > 0 for value in scale):
        raise ValueError(f"scale must be positive. Got {list(scale)} instead.")
    model.set_submodule(name, ScaledLinear(layer, torch.tensor(scale), torch.tensor(shift)))


def fold_scales(model: torch.nn.Module) -> None:
    """Put plain layers back, with scale and shift in their weights; also inside what wraps the model."""
    names = [name for name, module in model.named_modules() if isinstance(module, ScaledLinear)]
    for name in names:
        model.set_submodule(name, model.get_submodule(name).folded())  # type: ignore[operator]
