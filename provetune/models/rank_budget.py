"""AdaLoRA's budget of ranks (Zhang et al. 2023, arXiv:2303.10512, section 3), at work on a model that peft wrapped.

A weight's update is P diag(λ) Q; its triplets (column of P, λ, row of Q) are dropped where they matter least, by

    s(w) = |w ∂L/∂w|,  I = β₁ I + (1 − β₁) s,  U = β₂ U + (1 − β₂) |s − I|,  importance of w: I · U
    triplet: importance of λ + mean importance of its column of P + mean importance of its row of Q

until a budget b(t) of them is left, over all weights: b₀ while t ≤ tᵢ, then falling with the cube of the time that is
left, and b_T for the last t_f steps. Dropped means λ = 0; column and row stay, and may come back as long as the budget
still moves. All of it is peft's; what is here is when it is asked, what of it a checkpoint keeps, and the penalty.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from provetune.models.peft_models import ADAPTER_NAME

if TYPE_CHECKING:
    import torch

_KEPT, _MEANS = "kept.", {"sensitivity.": "exp_avg_ipt", "uncertainty.": "exp_avg_unc"}


def orthogonality(model: torch.nn.Module) -> torch.Tensor:
    """How far P and Q are from orthogonal: the mean over all of them of ‖PᵀP − I‖ and ‖QQᵀ − I‖ (Frobenius).

    That is the authors' program and peft's; equation 4 of the paper adds up the squares instead. peft adds it in a
    forward pass that is given labels and asked of the part below its wrapper: no loss of ours would ever see it there.
    """
    import torch

    gaps = []
    for name, matrix in model.named_parameters():
        if f".lora_A.{ADAPTER_NAME}" in name or f".lora_B.{ADAPTER_NAME}" in name:
            covariance = matrix @ matrix.T if ".lora_A." in name else matrix.T @ matrix
            gaps.append(torch.linalg.matrix_norm(covariance - torch.eye(len(covariance), device=matrix.device)))
    return torch.stack(gaps).mean()


def move_budget(model: torch.nn.Module, done: int, steps: int, *, start: float, end: float) -> None:
    """Weigh every triplet anew and drop those that the budget has no room for.

    Args:
        model: its weights have just moved, their gradients are still there.
        done: steps so far, this one among them.
        steps: of the whole run.
        start, end: shares of the steps before the budget begins to fall, and after it has fallen.
    """
    import torch

    wrapped: Any = model
    config = wrapped.peft_config[ADAPTER_NAME]
    config.total_step = steps
    config.tfinal = min(round(end * steps), steps - 1)
    config.tinit = min(round(start * steps), steps - config.tfinal - 1)
    for name, parameter in model.named_parameters():
        if "lora_" in name and parameter.requires_grad and parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)  # a layer that no text of this step went through
    if done == steps - config.tfinal:
        # peft drops for the last time by what was seen before this step, of which there is none in a run of one step.
        wrapped.base_model.rankallocator.update_ipt(wrapped.base_model.model)
    wrapped.base_model.update_and_allocate(done)


def ranks(model: torch.nn.Module) -> dict[str, list[bool]]:
    """Which triplets of each adapted layer are left, by the name of its λ inside the plain model."""
    wrapped: Any = model
    return {
        name: (parameter != 0).flatten().tolist()
        for name, parameter in wrapped.base_model.model.named_parameters()
        if name.endswith(f".lora_E.{ADAPTER_NAME}")
    }


def budget_state(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """What the next `move_budget` depends on besides weights and gradients."""
    import torch

    wrapped: Any = model
    allocator = wrapped.base_model.rankallocator
    found: dict[str, torch.Tensor] = {}
    for start, field in _MEANS.items():
        found |= {f"{start}{name}": value for name, value in getattr(allocator, field).items()}
    kept = wrapped.peft_config[ADAPTER_NAME].rank_pattern or {}
    return found | {f"{_KEPT}{name}": torch.tensor(flags) for name, flags in kept.items()}


def load_budget_state(model: torch.nn.Module, state: Mapping[str, torch.Tensor]) -> None:
    """Go on from what `budget_state` gave."""
    wrapped: Any = model
    allocator = wrapped.base_model.rankallocator
    for start, field in _MEANS.items():
        means = {name.removeprefix(start): value.clone() for name, value in state.items() if name.startswith(start)}
        setattr(allocator, field, means)
    # peft asks for both of a name if it has the third, which each step makes anew.
    allocator.ipt = dict(allocator.exp_avg_ipt)
    kept = {name.removeprefix(_KEPT): value.tolist() for name, value in state.items() if name.startswith(_KEPT)}
    wrapped.peft_config[ADAPTER_NAME].rank_pattern = kept or None
