"""Low-rank adaptation (Hu et al. 2021, arXiv:2106.09685), by peft: small matrices beside frozen ones.

W h becomes W h + s B A h with A (r, D) drawn and B (D, r) nought at the start; s is alpha / r, with `rslora` alpha / √r
(Kalajdzievski 2023, arXiv:2312.03732). With `dora` (Liu et al. 2024, arXiv:2402.09353) the update turns the rows of W
alone, and their lengths m are learned beside: m (W + s B A) / |W + s B A|.

Departures from the papers: every linear layer of the encoder is adapted rather than query and value alone, which
small encoders need to keep up with full fine-tuning; head and pooler train whole.

Defaults: rank 8 as in the paper's tables; ten times the learning rate of `full`. The paper's 2e-4 to 5e-4 is for models
four times as large as the one ours was found at, and a larger one gets less here too (``reference_size``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from provetune.models.kept_parts import LARGE_STEPS
from provetune.models.peft_method import PeftMethod

if TYPE_CHECKING:
    import torch

    from provetune.core.protocols import Task

_SCALE = 2.0
_USUAL_RANK = 8


class LoraSettings(BaseModel):
    """What `lora` adds to a candidate."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rank: Annotated[int, Field(ge=1, le=1024)] = Field(8, description="Rank of the small matrices.")
    alpha: Annotated[float, Field(gt=0)] | Literal["auto"] = Field(
        "auto",
        description="The update is scaled by alpha / rank; auto takes twice the rank. With rslora by alpha / √rank; "
        "auto takes √32, which is the same at rank 8.",
    )
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(0.05, description="Dropout before the small matrices.")
    targets: Literal["all", "attention"] | list[str] = Field(
        "all", description="Layers that are adapted: all linear ones, attention's projections, or names."
    )
    rslora: bool = Field(
        False, description="Scale by the root of the rank, so that high ranks learn as well as low ones."
    )
    dora: bool = Field(False, description="Learn the length of each row of a weight apart from its direction; slower.")

    @property
    def scaling(self) -> float:
        """What peft calls lora_alpha."""
        if self.alpha != "auto":
            return self.alpha
        return _SCALE * math.sqrt(_USUAL_RANK) if self.rslora else _SCALE * self.rank


class Lora(PeftMethod):
    """`lora`: the backbone is frozen, low-rank updates and the head train."""

    name = "lora"
    peft_type = "LORA"
    summary = "Low-rank updates beside a frozen backbone; merged afterwards, so prediction costs nothing more."
    settings: type[BaseModel] = LoraSettings
    defaults: Mapping[str, Any] = LARGE_STEPS

    def prepare(self, model: torch.nn.Module, settings: LoraSettings, task: Task) -> torch.nn.Module:
        """Wrap the model so that only low-rank updates, head and pooler train.

        The small matrices are drawn from torch's current random state; half of them start at nought, so that the
        wrapped model first answers as the plain one.

        Raises:
            UsageError: the model has no layer of the names asked for.
        """
        from peft import LoraConfig

        from provetune.models.adapted_layers import are_transposed, find_targets
        from provetune.models.peft_models import wrap

        targets = find_targets(model, settings.targets)
        config = LoraConfig(
            r=settings.rank,
            lora_alpha=settings.scaling,
            lora_dropout=settings.dropout,
            target_modules=targets,
            fan_in_fan_out=are_transposed(model, targets),
            use_rslora=settings.rslora,
            use_dora=settings.dora,
            bias="none",
        )
        return wrap(model, config)


METHOD = Lora()
