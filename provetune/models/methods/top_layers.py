"""Fine-tuning of the layers next to the head alone: those below stay as they were pretrained.

Lee, Tang and Lin 2019, "What Would Elsa Do? Freezing Layers During Transformer Fine-Tuning" (arXiv:1911.03090): a
fourth of the layers of BERT and RoBERTa, the last ones, reach nine tenths of what all of them reach; hence the default.

Nothing is computed backwards below the lowest layer that learns, so a step is quicker and smaller than one of `full`.
Learning rate, epochs and batch are those of `full`. In an encoder-decoder the layers are the decoder's; the output
layer over the vocabulary and the embeddings stay as they are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from provetune.core.errors import UsageError
from provetune.models.kept_parts import KeptParts

if TYPE_CHECKING:
    import torch

    from provetune.core.minimised import Situation
    from provetune.core.protocols import Task

_SHARE = 1 / 4
_ONE_FOR_ALL = ("albert",)


class TopLayersSettings(BaseModel):
    """What `top_layers` adds to a candidate."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    train_layers: Annotated[int, Field(ge=1, le=1000)] | Literal["auto"] = Field(
        "auto", description="Layers that train, counted from the head; auto takes a fourth of them, rounded up."
    )


class TopLayers(KeptParts):
    """`top_layers`: the last layers and the head train."""

    name = "top_layers"
    summary = "Fine-tune the last layers and the head; what lies below stays as pretrained."
    bundle_kind = "transformers"
    settings: type[BaseModel] = TopLayersSettings
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

    def check(self, situation: Situation) -> None:
        """Refuse families whose layers are all one, and more layers than there are.

        Raises:
            UsageError: it is such a one, or there are not so many.
        """
        wanted = situation.settings.get("train_layers", "auto")
        if wanted != "auto" and 0 < situation.layers < wanted:
            raise _too_many(wanted, situation.layers)
        if situation.family in _ONE_FOR_ALL:
            raise UsageError(
                f"All layers of the family '{situation.family}' are the same weights, so none can train alone.",
                hint="bitfit, lora and full work with it.",
            )

    def prepare(self, model: torch.nn.Module, settings: TopLayersSettings, task: Task) -> torch.nn.Module:
        """Let the last layers, the normalisation after them, pooler and head train; the model itself is returned.

        Raises:
            UsageError: it has fewer layers than asked for, or they are not found.
        """
        from provetune.models.added_parts import freeze_but_head, mark_added
        from provetune.models.layer_stacks import layer_stacks

        stack = layer_stacks(model)[-1]
        there = len(stack.layers)
        count = math.ceil(there * _SHARE) if settings.train_layers == "auto" else settings.train_layers
        if count > there:
            raise _too_many(count, there)
        freeze_but_head(model)
        for layer in stack.layers[there - count :]:
            layer.requires_grad_(True)
        if stack.last_norm is not None:
            stack.last_norm.requires_grad_(True)
        mark_added(model, self.name, {"train_layers": count})
        return model


def _too_many(wanted: int, there: int) -> UsageError:
    return UsageError(
        f"train_layers is {wanted}, and this backbone has {there} layers.",
        hint=f"Take 1 to {there}; the method full trains the embeddings too.",
    )


METHOD = TopLayers()
