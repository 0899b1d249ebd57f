"""BitFit (Ben Zaken, Ravfogel and Goldberg 2021, arXiv:2106.10199): the biases and the head train, nothing else.

Every bias of the backbone learns, those of its normalisations among them: about a thousandth of the weights. The
paper takes learning rates of 1e-4 to 1e-3 at 16 rows a batch and up to 16 epochs for models of 768, which get 1.2e-3
here (``reference_size``); a narrower one takes more: on 800 rows of hwu64 minilm-en got .75 right with 5e-3 after 150
steps, .68 with 2e-3 (one run each).

Departure from the paper: the pooler trains whole, as in the other methods.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from provetune.core.errors import UsageError
from provetune.models.kept_parts import KeptParts

if TYPE_CHECKING:
    import torch

    from provetune.core.minimised import Situation
    from provetune.core.protocols import Task

_WITHOUT_BIASES = frozenset(
    [
        *("llama", "mistral", "mixtral", "gemma", "gemma2", "gemma3", "gemma3_text", "phi3", "qwen3", "smollm3"),
        *("t5", "mt5", "umt5", "modernbert"),
    ]
)
_INSTEAD = "ia3, lora, top_layers and full work with it."


class BitfitSettings(BaseModel):
    """`bitfit` adds nothing to a candidate's common fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Bitfit(KeptParts):
    """`bitfit`: biases and head train."""

    name = "bitfit"
    summary = "Train the biases and the head alone: a thousandth of the weights, nothing to merge."
    bundle_kind = "transformers"
    settings: type[BaseModel] = BitfitSettings
    defaults: Mapping[str, Any] = MappingProxyType(
        {
            "epochs": 5,
            "learning_rate": 5e-3,
            "reference_size": 2304,
            "batch_rows": 16,
            "weight_decay": 0.0,
            "warmup": 0.06,
        }
    )

    def check(self, situation: Situation) -> None:
        """Refuse families whose layers have no biases.

        Raises:
            UsageError: it is such a one.
        """
        if situation.family in _WITHOUT_BIASES:
            raise _no_biases(situation.family)

    def prepare(self, model: torch.nn.Module, settings: BitfitSettings, task: Task) -> torch.nn.Module:
        """Let biases, pooler and head train; the model itself is returned.

        Raises:
            UsageError: the backbone has no biases.
        """
        from provetune.models.added_parts import freeze_but_head, mark_added

        freeze_but_head(model)
        biases = [
            parameter
            for name, parameter in model.named_parameters()
            if name.endswith("bias") and parameter.ndim == 1 and not parameter.requires_grad
        ]
        if not biases:
            raise _no_biases(str(model.config.model_type))  # type: ignore[union-attr]
        for bias in biases:
            bias.requires_grad_(True)
        mark_added(model, self.name, {})
        return model


def _no_biases(family: str) -> UsageError:
    return UsageError(f"The layers of the family '{family}' have no biases that bitfit could train.", hint=_INSTEAD)


METHOD = Bitfit()
