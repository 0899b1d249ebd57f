"""Bottleneck adapters: two small projections with a bend between them, beside a frozen layer.

A(h) = W_up act(W_down h + b_down) + b_up, for h of width D and a bottleneck of M.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from torch import Tensor, nn

from provetune.models.layer_places import modules_at, places_of

Placement: TypeAlias = Literal["houlsby", "pfeiffer"]
PART = "bottleneck_adapter"
START = 1e-2
"""Spread of the projections at the start; the adapted layer then does nearly what the plain one does."""


class Bottleneck(nn.Module):
    """A(h), drawn near nought: normal with a spread of `START`, cut at twice that; biases begin at nought.

    Args:
        width: D.
        size: M.
        activation: ``"gelu"`` or ``"relu"``.
    """

    def __init__(self, width: int, size: int, activation: Literal["gelu", "relu"]) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(width, size), nn.Linear(size, width)
        self.activation = nn.GELU() if activation == "gelu" else nn.ReLU()
        for layer in (self.down, self.up):
            nn.init.trunc_normal_(layer.weight, std=START, a=-2 * START, b=2 * START)
            nn.init.zeros_(layer.bias)

    def forward(self, hidden: Tensor) -> Tensor:
        """Hidden states (…, D) → what is added to them (…, D)."""
        found: Tensor = self.up(self.activation(self.down(hidden)))
        return found


def add_bottlenecks(model: nn.Module, placement: Placement, size: int) -> None:
    """Put adapters into every layer of a model, to be trained.

    ``"houlsby"``: f → f + A(f) for what each block of a layer adds to its input, f; normalisations of layers learn too.
    ``"pfeiffer"``: one a layer. With x the input of the feed-forward block and f what it adds, LN(x + f) becomes
    LN(x + f + A(LN(x + f))); where sums are not normalised, x + f becomes x + f + A(x + f).

    Raises:
        UsageError: the layers of this family are not known.
    """
    places = places_of(model)
    if placement == "houlsby":
        for _, module in modules_at(model, places.outputs):
            _add(module, Bottleneck(_width_out(module), size, "gelu"), _after_output)
        for _, module in modules_at(model, places.gains):
            module.requires_grad_(True)
    elif places.norms is not None:
        for _, module in modules_at(model, places.norms):
            _add(module, Bottleneck(int(module.weight.shape[0]), size, "relu"), _around_norm)  # type: ignore[index]
    else:
        width = int(model.config.hidden_size)  # type: ignore[union-attr,arg-type]
        for _, module in modules_at(model, str(places.sums)):
            _add(module, Bottleneck(width, size, "relu"), _after_sum)


def _add(module: nn.Module, part: Bottleneck, hook: Any) -> None:
    device = next(module.parameters()).device
    module.add_module(PART, part.to(device))
    if hook not in module._forward_hooks.values():  # a copy of a model that had one
        module.register_forward_hook(hook)


def _width_out(module: nn.Module) -> int:
    return int(module.out_features)  # type: ignore[arg-type]


# Hooks find their part through the module: a copied module has a copied part. Without one they do nothing.


def _after_output(module: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> Tensor:
    part = module._modules.get(PART)
    return output if part is None else output + part(output)


def _around_norm(module: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> Tensor:
    part = module._modules.get(PART)
    if part is None:
        return output
    normalised: Tensor = module.forward(given[0] + part(output))
    return normalised


def _after_sum(module: nn.Module, given: tuple[Tensor, ...], output: Any) -> Any:
    part = module._modules.get(PART)
    if part is None:
        return output
    if isinstance(output, tuple):
        return (output[0] + part(output[0]), *output[1:])
    return output + part(output)
