"""AdaLoRA (Zhang et al. 2023, arXiv:2303.10512), by peft: low-rank updates whose ranks go where they matter.

An update is P diag(λ) Q, P and Q held near orthogonal by a penalty. Training begins with more rank than is wanted and
drops what matters least, over all layers together (`provetune.models.rank_budget` has the formulas).

Defaults: the paper begins with one and a half times the final rank; most of its tasks weigh the penalty with 0.1 and
let the budget fall from about a tenth of the steps to about a half (its table of settings for GLUE). Learning rate,
epochs and batch are those of `lora`. Validation is scored once, at the end: an earlier state has more rank than was
asked for, so picking the best state, which `evaluations` above 1 does, gives up the budget.

Departures: importance is taken after the weights have moved, with the gradients from before, as the authors' program
does; gradients are clipped before that. Every linear layer is adapted, head and pooler train, as in `lora`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from provetune.core.errors import UsageError
from provetune.models.peft_method import PeftMethod

if TYPE_CHECKING:
    import torch

    from provetune.core.minimised import Situation
    from provetune.core.protocols import Task

_MARK = "_provetune_adalora"


class AdaloraSettings(BaseModel):
    """What `adalora` adds to a candidate."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rank: Annotated[int, Field(ge=1, le=1024)] = Field(8, description="Rank of the updates in the end, on average.")
    start_rank: Annotated[int, Field(ge=2, le=2048)] | Literal["auto"] = Field(
        "auto", description="Rank of each update at the start; auto takes one and a half times the rank."
    )
    alpha: Annotated[float, Field(gt=0)] | Literal["auto"] = Field(
        "auto", description="The update is scaled by alpha / start_rank; auto takes twice start_rank."
    )
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(0.05, description="Dropout before the small matrices.")
    targets: Literal["all", "attention"] | list[str] = Field(
        "all", description="Layers that are adapted: all linear ones, attention's projections, or names."
    )
    orthogonality: Annotated[float, Field(ge=0)] = Field(
        0.1, description="Weight of the penalty that holds the small matrices near orthogonal."
    )
    budget_start: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.1, description="Share of the steps before ranks begin to be dropped."
    )
    budget_end: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.5, description="Share of the steps left once the last ranks were dropped."
    )
    budget_every: Annotated[int, Field(ge=1)] = Field(10, description="Steps between two times of dropping.")

    @model_validator(mode="after")
    def _goes_down(self) -> AdaloraSettings:
        if self.initial_rank <= self.rank:
            raise ValueError(f"start_rank must be above rank, {self.rank}. Got {self.initial_rank} instead.")
        if self.budget_start + self.budget_end >= 1:
            raise ValueError("budget_start and budget_end together must leave some of the steps.")
        return self

    @property
    def initial_rank(self) -> int:
        """The rank to begin with."""
        return -(-3 * self.rank // 2) if self.start_rank == "auto" else self.start_rank


class Adalora(PeftMethod):
    """`adalora`: as `lora`, with a budget of ranks over all layers."""

    name = "adalora"
    peft_type = "ADALORA"
    summary = "Low-rank updates that give up rank where it matters least; merged afterwards."
    settings: type[BaseModel] = AdaloraSettings
    defaults: Mapping[str, Any] = MappingProxyType(
        {
            "epochs": 3,
            "learning_rate": 2e-3,
            "reference_size": 2304,
            "batch_rows": 32,
            "weight_decay": 0.0,
            "warmup": 0.06,
            "evaluations": 1,
        }
    )

    def check(self, situation: Situation) -> None:
        """Refuse a moving average of the weights, in which what was dropped would be there again.

        Raises:
            UsageError: one is asked for.
        """
        if situation.settings.get("ema") is not None:
            raise UsageError(
                "adalora drops ranks while it learns, and a moving average of the weights (ema) would bring them back.",
                hint="Leave ema out, or take method: lora.",
            )

    def prepare(self, model: torch.nn.Module, settings: AdaloraSettings, task: Task) -> torch.nn.Module:
        """Wrap the model so that only P, λ, Q, head and pooler train.

        P and Q are drawn from torch's current random state; λ starts at nought, so that the wrapped model first answers
        as the plain one.

        Raises:
            UsageError: the model has no layer of the names asked for.
        """
        from peft import AdaLoraConfig

        from provetune.models.adapted_layers import are_transposed, find_targets
        from provetune.models.peft_models import wrap

        targets = find_targets(model, settings.targets)
        begin = settings.initial_rank
        config = AdaLoraConfig(
            init_r=begin,
            target_r=settings.rank,
            # peft divides by the rank to begin with.
            lora_alpha=2 * begin if settings.alpha == "auto" else settings.alpha,
            lora_dropout=settings.dropout,
            target_modules=targets,
            fan_in_fan_out=are_transposed(model, targets),
            orth_reg_weight=settings.orthogonality,
            deltaT=settings.budget_every,
            total_step=1,  # not known yet: see `after_step`
            bias="none",
        )
        wrapped = wrap(model, config)
        setattr(wrapped, _MARK, settings)
        return wrapped

    def penalty(self, model: torch.nn.Module) -> torch.Tensor:
        """The weighted distance of P and Q from orthogonal."""
        from provetune.models.rank_budget import orthogonality

        settings: AdaloraSettings = getattr(model, _MARK)
        return settings.orthogonality * orthogonality(model)

    def after_step(self, model: torch.nn.Module, number: int, steps: int) -> None:
        """Move the budget: weigh every triplet, drop those that it has no room for."""
        from provetune.models.rank_budget import move_budget

        settings: AdaloraSettings = getattr(model, _MARK)
        move_budget(model, number + 1, steps, start=settings.budget_start, end=settings.budget_end)

    def state(self, model: torch.nn.Module) -> Mapping[str, torch.Tensor]:
        """What was seen of every weight so far, and which triplets are left."""
        from provetune.models.rank_budget import budget_state

        return budget_state(model)

    def load_state(self, model: torch.nn.Module, state: Mapping[str, torch.Tensor]) -> None:
        """Go on from there."""
        from provetune.models.rank_budget import load_budget_state

        load_budget_state(model, state)

    def save_adapter(self, model: torch.nn.Module, folder: Path) -> None:
        """Write ``adapter_model.safetensors`` and ``adapter_config.json``, which `attach` and peft read.

        Dropped triplets are kept with λ = 0: peft cannot read back a weight that lost all of its own.
        """
        from provetune.models.peft_models import ADAPTER_NAME, save

        wrapped: Any = model
        config = wrapped.peft_config[ADAPTER_NAME]
        dropped, config.rank_pattern = config.rank_pattern, None
        try:
            save(model, folder)
        finally:
            config.rank_pattern = dropped


METHOD = Adalora()
