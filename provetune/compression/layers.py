"""A model with some of its layers taken out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from provetune.compression.parent_model import config_field
from provetune.core.errors import UsageError

if TYPE_CHECKING:
    import torch

_COUNTS = ("num_hidden_layers", "n_layers", "num_layers", "n_layer")


def drop_layers(model: torch.nn.Module, keep: int | None, which: str) -> list[int]:
    """Leave only some layers in a model, in their order; its configuration says so. Returns their old numbers.

    Raises:
        UsageError: the model has two stacks of layers (encoder and decoder), or layers of several kinds.
    """
    import torch

    from provetune.models.layer_stacks import layer_stacks

    stacks = layer_stacks(model)
    if len(stacks) > 1:
        raise UsageError(
            "Layers are dropped from models with one stack of them; this one has an encoder and a decoder.",
            hint="fp16 or int8 make it smaller.",
        )
    stack, config = stacks[0], cast(Any, model.config)
    count = len(stack.layers)
    kept = chosen_layers(count, max(1, count // 2) if keep is None else keep, which)
    owner, _, name = stack.name.rpartition(".")
    setattr(model.get_submodule(owner), name, torch.nn.ModuleList(stack.layers[number] for number in kept))
    setattr(config, config_field(model, _COUNTS, "how many layers they have"), len(kept))
    for field, value in list(vars(config).items()):
        # What a configuration says of each layer (kinds of attention) goes with its layer.
        if isinstance(value, list) and len(value) == count and field.endswith("types"):
            setattr(config, field, [value[number] for number in kept])
    return kept


def chosen_layers(count: int, keep: int, which: str) -> list[int]:
    """Numbers of the layers that stay, ascending.

    Raises:
        UsageError: as many are to stay as there are, or more.
    """
    if not 1 <= keep < count:
        raise UsageError(f"keep must be between 1 and {count - 1}: the model has {count} layers. Got {keep} instead.")
    if which == "bottom":
        return list(range(keep))
    if which == "top":
        return list(range(count - keep, count))
    return sorted({round(number * (count - 1) / max(1, keep - 1)) for number in range(keep)})
