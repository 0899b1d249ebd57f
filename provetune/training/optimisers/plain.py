"""The textbook: PyTorch's AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101), fused where it exists."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

BETAS = (0.9, 0.999)
EPSILON = 1e-8
MOMENTS = ("exp_avg", "exp_avg_sq")


def spared_from_decay(name: str, parameter: torch.nn.Parameter) -> bool:
    """Biases and normalisation gains: one-dimensional, and shrinking them regularises nothing."""
    return parameter.ndim < 2 or name.endswith("bias")


def trainable(model: torch.nn.Module) -> dict[str, torch.nn.Parameter]:
    """Parameters that learn, by name, in the model's order."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


class PlainAdamW:
    """AdamW on the model's own parameters."""

    def __init__(self, model: torch.nn.Module, *, weight_decay: float) -> None:
        self.parameters = trainable(model)
        spared = {name for name, parameter in self.parameters.items() if spared_from_decay(name, parameter)}
        groups: list[dict[str, Any]] = [
            {"params": [p for n, p in self.parameters.items() if n not in spared], "weight_decay": weight_decay},
            {"params": [p for n, p in self.parameters.items() if n in spared], "weight_decay": 0.0},
        ]
        groups = [group for group in groups if group["params"]]
        self.adam = torch.optim.AdamW(groups, lr=0.0, betas=BETAS, eps=EPSILON, fused=True)

    def step(self, learning_rate: float, clip: float | None, then: Callable[[], None] | None = None) -> float:
        limit = float("inf") if clip is None else clip
        norm = torch.nn.utils.clip_grad_norm_(list(self.parameters.values()), limit)
        for group in self.adam.param_groups:
            group["lr"] = learning_rate
        self.adam.step()
        if then is not None:
            then()
        self.adam.zero_grad(set_to_none=True)
        return float(norm)

    def weights(self) -> dict[str, torch.Tensor]:
        return {name: parameter.detach().float().clone() for name, parameter in self.parameters.items()}

    def load_weights(self, weights: Mapping[str, torch.Tensor]) -> None:
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(weights[name])

    def state(self) -> dict[str, torch.Tensor]:
        found: dict[str, torch.Tensor] = {}
        for name, parameter in self.parameters.items():
            kept = self.adam.state.get(parameter)
            if kept:
                found.update({f"{moment}.{name}": kept[moment] for moment in MOMENTS})
                found[f"step.{name}"] = kept["step"].reshape(1)
        return found

    def load_state(self, state: Mapping[str, torch.Tensor]) -> None:
        for name, parameter in self.parameters.items():
            if f"step.{name}" not in state:
                continue
            kept: dict[str, torch.Tensor] = {
                moment: state[f"{moment}.{name}"].to(parameter.device).clone() for moment in MOMENTS
            }
            kept["step"] = state[f"step.{name}"].reshape(()).to(parameter.device).clone()
            self.adam.state[parameter] = kept

    def release(self) -> None:
        self.adam.zero_grad(set_to_none=True)
