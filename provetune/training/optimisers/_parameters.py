"""Which parameters learn, and which of them decay."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any

import torch


def spared_from_decay(name: str, parameter: torch.nn.Parameter) -> bool:
    """Biases and normalisation gains: one-dimensional, and shrinking them regularises nothing."""
    return parameter.ndim < 2 or name.endswith("bias")


def trainable(model: torch.nn.Module) -> dict[str, torch.nn.Parameter]:
    """Parameters that learn, by name, in the model's order."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def alike(
    parameters: Mapping[str, torch.nn.Parameter], weight_decay: float, factors: Mapping[str, float] | None
) -> list[tuple[list[str], float, float]]:
    """Names of parameters that are stepped alike, with their weight decay and the factor of their learning rate.

    Those with decay come first, and among these the highest factors; else the order is the model's.
    """
    known = factors or {}

    def kind(name: str) -> tuple[bool, float]:
        return spared_from_decay(name, parameters[name]), -known.get(name, 1.0)

    groups = groupby(sorted(parameters, key=kind), key=kind)
    return [(list(names), 0.0 if spared else weight_decay, -minus) for (spared, minus), names in groups]


def torch_groups(
    parameters: Mapping[str, torch.nn.Parameter], weight_decay: float, factors: Mapping[str, float] | None
) -> list[dict[str, Any]]:
    """The same as parameter groups of PyTorch's optimisers; ``factor`` is a key of ours."""
    return [
        {"params": [parameters[name] for name in names], "weight_decay": decay, "factor": factor}
        for names, decay, factor in alike(parameters, weight_decay, factors)
    ]
