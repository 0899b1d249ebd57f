"""Fewer layers: some of the encoder's blocks are taken out, and what is left is healed by a short training.

Which ones go is a choice among fixed patterns; Sajjad et al. (2023, "On the effect of dropping layers of pre-trained
transformer models") found that dropping from the top loses least in most tasks, and every second one is the pattern of
DistilBERT (Sanh et al. 2019). What is left learns from the parent, as there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from pydantic import BaseModel, Field

from provetune.compression.healing import Healing
from provetune.compression.layers import drop_layers
from provetune.compression.steps._surgery import Surgery

if TYPE_CHECKING:
    import torch

    from provetune.compression.step import Given
    from provetune.core.protocols import Task
    from provetune.models.bundle import Bundle


class DropLayersSettings(Healing):
    """How many layers stay, and which."""

    keep: Annotated[int, Field(ge=1)] | None = Field(None, description="Layers that stay; left out, half of them.")
    which: Literal["bottom", "spread", "top"] = Field(
        "bottom",
        description="bottom keeps those next to the embeddings, spread evenly spaced ones, top those next to the head.",
    )


class DropLayers(Surgery[DropLayersSettings]):
    """`drop_layers`: a model of fewer layers."""

    name = "drop_layers"
    summary = "Take out layers, and heal what is left by a short training that the parent teaches."
    settings: type[BaseModel] = DropLayersSettings

    def refuse(self, bundle: Bundle, task: Task, settings: Any) -> str | None:
        """A model that has no more layers than are to stay."""
        from provetune.models.backbones import layer_count

        layers, keep = layer_count(bundle.path), cast(DropLayersSettings, settings).keep
        if keep is not None and keep >= layers:
            return f"The model has {layers} layers, so keep must be less. Got {keep}."
        if layers < 2:
            return "The model has a single layer, and one must stay; prune_ffn makes layers narrower."
        return None

    def cut(
        self, given: Given, model: torch.nn.Module, tokenizer: Any, settings: DropLayersSettings
    ) -> Mapping[str, Any]:
        """Take the layers out."""
        return {"layers_kept": drop_layers(model, settings.keep, settings.which)}


STEP = DropLayers()
