"""How deep a parameter lies: embeddings 0, layers 1 to n from the input up, head and pooler n + 1.

Told from the shape of the model alone, for every family: its layers are the module lists of the backbone that lie in no
other list. An encoder's layers come before its decoder's; lists of one parent (XLM keeps attention and feed-forward
apart) are counted side by side; layers that share their weights (ALBERT) are one. What a method adds inside of a layer
has that layer's depth, what it adds outside of the backbone (an output layer, a soft prompt) belongs to the head.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from provetune.models.layer_stacks import module_lists, outermost

_TOP_PARTS = ("pooler",)
_INPUT_PARTS = ("embed", "word_embedding", "wte", "wpe", "shared")


def parameter_depths(model: torch.nn.Module) -> dict[str, int]:
    """Depth of each parameter by name, in the model's order."""
    start = _backbone_path(model)
    layers, count = _layer_depths(model, start)
    tables = {id(module.weight) for module in model.modules() if isinstance(module, torch.nn.Embedding)}
    found: dict[str, int] = {}
    passed = 0
    for name, parameter in model.named_parameters():
        layer = next((layers[path] for path in _paths(name) if path in layers), None)
        if layer is not None:
            found[name] = passed = layer
        elif not name.startswith(start) or any(part.startswith(_TOP_PARTS) for part in name.split(".")):
            found[name] = count + 1
        elif id(parameter) in tables or any(part.startswith(_INPUT_PARTS) for part in name.split(".")):
            found[name] = 0
        else:
            # A norm after the last layer goes with it, one before the first with the embeddings.
            found[name] = passed
    return found


def layer_factors(model: torch.nn.Module, decay: float) -> dict[str, float]:
    """Factor of the learning rate of each parameter that learns: ``decay ** (greatest depth - its own depth)``.

    Layer-wise learning-rate decay (Howard and Ruder 2018, arXiv:1801.06146, with 1/2.6; Clark et al. 2020,
    arXiv:2003.10555, with 0.8 for small and 0.9 for large encoders). Departure from the latter's code, in which the
    last layer is two powers below the head: here it is one.

    Raises:
        ValueError: `decay` is not above 0 and at most 1.
    """
    if not 0 < decay <= 1:
        raise ValueError(f"decay must be above 0 and at most 1. Got {decay!r} instead.")
    depths = parameter_depths(model)
    learning = {name: depths[name] for name, parameter in model.named_parameters() if parameter.requires_grad}
    top = max(learning.values(), default=0)
    return {name: decay ** (top - depth) for name, depth in learning.items()}


def depth_groups(model: torch.nn.Module) -> list[frozenset[str]]:
    """Names of the parameters that learn, one set a depth, from the top down."""
    depths = parameter_depths(model)
    learning = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    present = sorted({depths[name] for name in learning}, reverse=True)
    return [frozenset(name for name in learning if depths[name] == depth) for depth in present]


def _backbone_path(model: torch.nn.Module) -> str:
    """The start of the names of the backbone's parameters: ``""`` where all of the model is backbone."""
    wrapped: Any = model
    inner: Any = wrapped.get_base_model() if hasattr(model, "get_base_model") else model
    backbone = getattr(inner, "base_model", inner)
    path = next((path for path, module in model.named_modules() if module is backbone), "")
    return f"{path}." if path else ""


def _layer_depths(model: torch.nn.Module, start: str) -> tuple[Mapping[str, int], int]:
    """Depth of each layer by its path, and how many depths of layers there are."""
    found: dict[str, int] = {}
    below: dict[str, int] = {}
    count = 0
    for path, module in outermost(module_lists(model, start)):
        parent = path.rpartition(".")[0]
        first = below.setdefault(parent, count)
        found |= {f"{path}.{index}": first + index + 1 for index in range(len(module))}
        count = max(count, first + len(module))
    return found, count


def _paths(name: str) -> list[str]:
    """The modules that a parameter lies in, the outermost first."""
    parts = name.split(".")
    return [".".join(parts[:length]) for length in range(1, len(parts))]
