"""Bottleneck adapters: small layers inside a frozen backbone, placed as Houlsby et al. or Pfeiffer et al. do.

Houlsby et al. 2019 (arXiv:1902.00751): one after each block of a layer, GELU; the layers' normalisations learn too.
Pfeiffer et al. 2020 (arXiv:2005.00247): one a layer, after the feed-forward block, ReLU. Both start near identity.

Departures from the papers: the dropout of a block falls on what comes out of its adapter rather than on what goes in,
and the pooler trains with the head. In a decoder that reads an encoder, Houlsby's placement has a third adapter a
layer, after the attention to the encoder.

An adapter has a bend in it, so it cannot be folded into the backbone's weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from provetune.models.kept_parts import LARGE_STEPS, KeptParts

if TYPE_CHECKING:
    import torch

    from provetune.core.minimised import Situation
    from provetune.core.protocols import Task


class AdapterSettings(BaseModel):
    """What `adapter` adds to a candidate."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bottleneck: int = Field(64, ge=1, le=4096, description="Width of the small layers.")
    placement: Literal["houlsby", "pfeiffer"] = Field(
        "houlsby",
        description="Where they stand: houlsby, after attention and after the feed-forward block, normalisations "
        "learning too; pfeiffer, after the feed-forward block alone.",
    )


class Adapter(KeptParts):
    """`adapter`: the backbone is frozen, bottlenecks inside it and the head train."""

    name = "adapter"
    summary = "Bottleneck layers inside a frozen backbone; kept beside it, since they cannot be merged."
    bundle_kind = "adapted"
    settings: type[BaseModel] = AdapterSettings
    defaults: Mapping[str, Any] = LARGE_STEPS

    def check(self, situation: Situation) -> None:
        """Refuse a family whose layers are not known.

        Raises:
            UsageError: it is such a one.
        """
        from provetune.models.layer_places import PLACES, refuse_family

        refuse_family(situation.family, PLACES, "An adapter")

    def prepare(self, model: torch.nn.Module, settings: AdapterSettings, task: Task) -> torch.nn.Module:
        """Put adapters into the model; only they, head and pooler (and Houlsby's normalisations) train.

        They are drawn from torch's current random state.

        Raises:
            UsageError: the layers of this family are not known.
        """
        from provetune.models.added_parts import freeze_but_head, mark_added
        from provetune.models.bottleneck import add_bottlenecks

        freeze_but_head(model)
        add_bottlenecks(model, settings.placement, settings.bottleneck)
        mark_added(model, self.name, settings.model_dump())
        return model

    def plain(self, model: torch.nn.Module) -> torch.nn.Module:
        """A copy without the adapters; head and normalisations as they were learned."""
        from provetune.models.added_parts import without_parts
        from provetune.models.bottleneck import PART

        return without_parts(model, PART)


METHOD = Adapter()
