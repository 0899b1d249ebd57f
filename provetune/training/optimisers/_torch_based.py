"""An optimiser in PyTorch's shape behind our face, on the model's own parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from provetune.training.optimisers._parameters import torch_groups, trainable

STEP = "step"
_RECKONED_ANEW = ("RMS",)


class TorchBased:
    """Steps the model's parameters with an optimiser of PyTorch's shape.

    Args:
        make: makes it from parameter groups, which have ``params``, ``weight_decay`` and ``factor``.
        factors: of the learning rate by parameter name.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        make: Callable[[list[dict[str, Any]]], torch.optim.Optimizer],
        *,
        weight_decay: float,
        factors: Mapping[str, float] | None = None,
    ) -> None:
        self.parameters = trainable(model)
        self.inner = make(torch_groups(self.parameters, weight_decay, factors))

    def step(self, learning_rate: float, clip: float | None, then: Callable[[], None] | None = None) -> float:
        limit = float("inf") if clip is None else clip
        norm = torch.nn.utils.clip_grad_norm_(list(self.parameters.values()), limit)
        for group in self.inner.param_groups:
            group["lr"] = learning_rate * group["factor"]
        self.inner.step()
        if then is not None:
            then()
        self.inner.zero_grad(set_to_none=True)
        return float(norm)

    def masters(self) -> dict[str, torch.Tensor]:
        return {name: parameter.detach() for name, parameter in self.parameters.items()}

    def weights(self) -> dict[str, torch.Tensor]:
        return {name: parameter.detach().float().clone() for name, parameter in self.parameters.items()}

    def load_weights(self, weights: Mapping[str, torch.Tensor]) -> None:
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(weights[name])

    def state(self) -> dict[str, torch.Tensor]:
        """Tensors by ``key.parameter``; counts of steps, which some keep as plain numbers, as tensors of one."""
        found: dict[str, torch.Tensor] = {}
        for name, parameter in self.parameters.items():
            for key, value in self.inner.state.get(parameter, {}).items():
                if key == STEP:
                    found[f"{key}.{name}"] = torch.as_tensor(value).reshape(1)
                elif isinstance(value, torch.Tensor) and key not in _RECKONED_ANEW:
                    found[f"{key}.{name}"] = value
        return found

    def load_state(self, state: Mapping[str, torch.Tensor]) -> None:
        for full, value in state.items():
            key, _, name = full.partition(".")
            parameter = self.parameters[name]
            kept = value.to(parameter.device).clone()
            if key == STEP:
                self.inner.state[parameter][key] = kept.reshape(()) if kept.is_floating_point() else int(kept)
            else:
                self.inner.state[parameter][key] = kept

    def release(self) -> None:
        self.inner.zero_grad(set_to_none=True)
