"""Fine-tuning of every weight: the strongest method where rows and time allow it.

Defaults: three epochs of 32 rows, as BERT's authors found best or near it on most tasks (Devlin et al. 2019,
arXiv:1810.04805, with 5e-5 for 12 layers of 768, which is 2e-4 for 6 of 384); warm-up over 6 % of the steps as
RoBERTa's (Liu et al. 2019, arXiv:1907.11692, table 10); weight decay 0.01 as in BERT's own training. The rate falls as
layers times width, not as the square of the width: with 4 layers of 512 the best micro-F1 on validation rows was 0.626,
0.651 and 0.654 on weibo_ner_zh for 1.1e-4, 2.25e-4 and 4e-4, and 0.924 and 0.937 on resume_ner_zh for 1.1e-4 and 5e-4;
6 of 384 on wnut17 had 0.573 with 2e-4 and 0.353 with 5e-4 (one seed each).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from provetune.core.protocols import LearnsFrom

if TYPE_CHECKING:
    import torch

    from provetune.core.protocols import Task


class FullSettings(BaseModel):
    """What `full` adds to a candidate's common fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    keep_zeros: bool = Field(
        False,
        description="Weights of linear layers that are zero in the backbone stay zero, as in one that was pruned.",
    )


class Full:
    """`full`: backbone and head train together."""

    name = "full"
    summary = "Fine-tune every weight of the backbone."
    learns_from: LearnsFrom = "weights"
    tasks: tuple[str, ...] | None = None
    bundle_kind = "transformers"
    settings: type[BaseModel] = FullSettings
    defaults: Mapping[str, Any] = MappingProxyType(
        {
            "epochs": 3,
            "learning_rate": 2e-4,
            "reference_size": 2304,
            "batch_rows": 32,
            "weight_decay": 0.01,
            "warmup": 0.06,
        }
    )
    deterministic = False

    def prepare(self, model: torch.nn.Module, settings: FullSettings, task: Task) -> torch.nn.Module:
        """Let every weight train, but for zeros that are to stay; the model itself is returned."""
        model.requires_grad_(True)
        if settings.keep_zeros:
            from provetune.models.held_zeros import hold_zeros

            hold_zeros(model)
        return model

    def merge(self, model: torch.nn.Module) -> torch.nn.Module:
        """The model itself: there is nothing to fold."""
        return model

    def save_adapter(self, model: torch.nn.Module, folder: Path) -> None:
        """Nothing: what was learned is the whole model."""


METHOD = Full()
