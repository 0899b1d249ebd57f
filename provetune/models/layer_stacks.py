"""The layers of a transformer, found whatever the family calls them: the list of equal blocks that it is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provetune.core.errors import UsageError

if TYPE_CHECKING:
    import torch

_COUNTS = (
    *("num_hidden_layers", "encoder_layers", "decoder_layers"),
    *("num_layers", "num_decoder_layers", "n_layers", "n_layer"),
)
_LAST_NORMS = frozenset({"norm", "final_norm", "ln_f", "final_layer_norm", "layer_norm"})


@dataclass(frozen=True)
class LayerStack:
    """One list of layers, and the normalisation of what comes out of it.

    Attributes:
        name: full name of the list in the model.
        layers: from the one next to the embeddings to the one next to the head.
        last_norm: what normalises the last layer's output, where there is such a part.
    """

    name: str
    layers: tuple[torch.nn.Module, ...]
    last_norm: torch.nn.Module | None


def layer_stacks(model: torch.nn.Module) -> list[LayerStack]:
    """The stacks of a transformers model, in the order that a text goes through them: an encoder's before a decoder's.

    A stack is a list of modules, not inside another such list, that is as long as the configuration says that the
    model has layers.

    Raises:
        UsageError: there is none.
    """
    config: Any = model.config
    lengths = {int(count) for name in _COUNTS if isinstance(count := getattr(config, name, None), int)}
    fitting = [(name, layers) for name, layers in module_lists(model) if len(layers) in lengths]
    found: list[LayerStack] = []
    for name, layers in outermost(fitting):
        owner = model.get_submodule(name.rpartition(".")[0])
        norm = next((part for child, part in owner.named_children() if child in _LAST_NORMS), None)
        found.append(LayerStack(name, tuple(layers), norm))
    if not found:
        raise UsageError(f"The layers of a {type(model).__name__} were not found.", hint="full and lora do without.")
    return sorted(found, key=lambda stack: "decoder" in stack.name.split("."))


def module_lists(model: torch.nn.Module, start: str = "") -> list[tuple[str, torch.nn.ModuleList]]:
    """The lists of modules that have weights, with their full names, in the model's order.

    Args:
        start: what names must begin with; of the backbone alone, say.
    """
    import torch

    return [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.ModuleList)
        and f"{name}.".startswith(start)
        and next(module.parameters(), None) is not None
    ]


def outermost(lists: Sequence[tuple[str, torch.nn.ModuleList]]) -> list[tuple[str, torch.nn.ModuleList]]:
    """Those that lie in no other one of them."""
    return [(name, found) for name, found in lists if not any(name.startswith(f"{other}.") for other, _ in lists)]
