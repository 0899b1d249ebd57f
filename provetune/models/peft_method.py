"""What methods share that peft wraps a model for: they fold in, and peft keeps what was learned."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from provetune.core.protocols import LearnsFrom

if TYPE_CHECKING:
    import torch


class PeftMethod:
    """A method whose updates peft holds beside the weights.

    Attributes:
        peft_type: what peft calls it.
    """

    learns_from: LearnsFrom = "weights"
    tasks: tuple[str, ...] | None = None
    bundle_kind = "transformers"
    deterministic = False
    peft_type: ClassVar[str]

    def merge(self, model: torch.nn.Module) -> torch.nn.Module:
        """A plain copy of the model with what was learned folded in; `model` itself stays as it is."""
        from provetune.models.peft_models import fold

        return fold(model)

    def save_adapter(self, model: torch.nn.Module, folder: Path) -> None:
        """Write ``adapter_model.safetensors`` and ``adapter_config.json``, which `attach` and peft read."""
        from provetune.models.peft_models import save

        save(model, folder)

    def attach(self, model: torch.nn.Module, folder: Path) -> torch.nn.Module:
        """The plain model wrapped with what `save_adapter` wrote, not to be trained on.

        Raises:
            CorruptError: there is no such adapter, or it does not fit.
        """
        from provetune.models.peft_models import attach

        return attach(model, folder, self.peft_type)
