"""How much the loss would change without a neuron or a head: first-order Taylor, averaged over training rows.

For a unit with output a and gradient g of a row's loss, removing it changes the loss by about −Σ a·g, summed over the
row's tokens. The mean of its absolute value over rows is the unit's importance (Molchanov et al. 2017,
arXiv:1611.06440; for heads the same as the gradient of a mask at 1, Michel et al. 2019, arXiv:1905.10650). Values of
different layers are made comparable by the layer's Euclidean norm, as both papers do. Here a unit's output is what the
linear layer that gathers the units is given, so that no family's code need be known. One pass, no step: nothing learns.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.protocols import Forwards

if TYPE_CHECKING:
    import torch

    from provetune.compression.step import Given
    from provetune.core.protocols import Array

ROWS = 512


def input_importance(
    given: Given, model: torch.nn.Module, tokenizer: Any, gathering: Mapping[str, torch.nn.Linear], rows: int = ROWS
) -> dict[str, Array]:
    """Importance of every input of some linear layers, float64 (in_features,) each, by name.

    Args:
        model: in evaluation mode; its gradients are left empty.
        gathering: layers whose inputs are the units, by name.
        rows: training rows that are looked at, evenly spread.
    """
    units = {name: int(layer.in_features) for name, layer in gathering.items()}
    return grouped_importance(given, model, tokenizer, gathering, units, rows)


def grouped_importance(
    given: Given,
    model: torch.nn.Module,
    tokenizer: Any,
    gathering: Mapping[str, torch.nn.Linear],
    units: Mapping[str, int],
    rows: int = ROWS,
) -> dict[str, Array]:
    """The same for groups of neighbouring inputs: `units` of equal size in each layer."""
    import torch

    from provetune.compression.rows import evenly_spread
    from provetune.training.features import encode_split

    settings: Any = given.bundle.encode
    examples = evenly_spread(given.train, rows)
    features = encode_split(given.task, examples, tokenizer, settings, given.targets, None)
    sums = {name: np.zeros(count) for name, count in units.items()}
    seen: dict[str, torch.Tensor] = {}
    hooks = [layer.register_forward_pre_hook(_keep_input(seen, name)) for name, layer in gathering.items()]
    try:
        for number in range(len(features)):
            batch = given.task.collate(features.take([number]), tokenizer.pad_token_id)
            loss = _loss(given, model, batch)
            grads = torch.autograd.grad(loss, [seen[name] for name in gathering], allow_unused=True)
            for name, gradient in zip(gathering, grads, strict=True):
                if gradient is not None:
                    moved = (seen[name] * gradient).reshape(-1, gradient.shape[-1]).sum(dim=0).detach()
                    each = moved.reshape(units[name], -1).sum(dim=1).abs()
                    sums[name] += each.double().cpu().numpy()
            seen.clear()
            given.say("finding out what matters", number + 1, len(features))
    finally:
        for hook in hooks:
            hook.remove()
    return {name: _normalised(total / max(1, len(features))) for name, total in sums.items()}


def most_important(values: Array, keep: int) -> list[int]:
    """Numbers of the `keep` most important units, ascending; of equal ones the first."""
    order = np.argsort(-values, kind="stable")[:keep]
    return sorted(int(number) for number in order)


def _loss(given: Given, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """A row's loss as training has it."""
    inputs = {name: value for name, value in batch.items() if name != "labels"}
    task: Any = given.task
    outputs = task.forward(model, batch) if isinstance(task, Forwards) else model(**inputs).logits
    found: torch.Tensor = task.loss(outputs.float(), batch["labels"], given.targets, None)
    return found


def _keep_input(seen: dict[str, torch.Tensor], name: str) -> Any:
    def hook(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        if inputs[0].requires_grad:
            seen[name] = inputs[0]

    return hook


def _normalised(values: Array) -> Array:
    norm = float(np.sqrt((values**2).sum()))
    return values / norm if norm > 0 else values
