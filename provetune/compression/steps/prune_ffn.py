"""Narrower feed-forward blocks: the neurons that matter least are taken out, and the matrices are really smaller.

Importance is the first-order Taylor estimate (Molchanov et al. 2017), see `provetune.compression.importance`. Every
layer keeps the same number: transformers has one width for all of them, and so any library loads what comes of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, Field

from provetune.compression.healing import Healing
from provetune.compression.steps._surgery import Surgery

if TYPE_CHECKING:
    import torch

    from provetune.compression.step import Given

_MULTIPLE = 8


class PruneFfnSettings(Healing):
    """How many neurons stay."""

    share: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.5, description="Share of each feed-forward block's neurons that stays, rounded to a multiple of 8."
    )
    rows: Annotated[int, Field(ge=1)] = Field(512, description="Training rows that importance is found with.")


class PruneFfn(Surgery[PruneFfnSettings]):
    """`prune_ffn`: fewer neurons in every feed-forward block."""

    name = "prune_ffn"
    summary = "Take out the feed-forward neurons that matter least to the loss, and heal what is left."
    settings: type[BaseModel] = PruneFfnSettings

    def cut(
        self, given: Given, model: torch.nn.Module, tokenizer: Any, settings: PruneFfnSettings
    ) -> Mapping[str, Any]:
        """Find out what matters, take out the rest."""
        from provetune.compression.importance import input_importance, most_important
        from provetune.compression.narrowing import feed_forwards, inner_field, narrow_block

        blocks = feed_forwards(model)
        gathering: dict[str, Any] = {block.down: model.get_submodule(block.down) for block in blocks}
        values = input_importance(given, model, tokenizer, gathering, settings.rows)
        keep = kept_of(gathering[blocks[0].down].in_features, settings.share)
        for block in blocks:
            narrow_block(model, block, most_important(values[block.down], keep))
        config: Any = model.config
        was = int(getattr(config, inner_field(model)))
        setattr(config, inner_field(model), keep)
        return {"neurons_before": was, "neurons_after": keep}


def kept_of(count: int, share: float, multiple: int = _MULTIPLE) -> int:
    """How many of `count` stay: the share, to the nearest multiple (of 8), one multiple at least and one less than all
    at most; where there are too few for that, the share alone."""
    if count <= multiple:
        return max(1, min(count - 1, round(count * share)))
    return max(multiple, min(count - 1, round(count * share / multiple) * multiple))


STEP = PruneFfn()
