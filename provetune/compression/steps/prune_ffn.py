"""Narrower feed-forward blocks: the neurons that matter least are taken out, and the matrices are really smaller.

Importance is the first-order Taylor estimate (Molchanov et al. 2017), see `provetune.compression.importance`. Every
layer keeps the same number: transformers has one width for all of them, and so any library loads what comes of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, cast

from pydantic import BaseModel, Field

from provetune.compression.healing import Healing, healed
from provetune.compression.parent_model import PLAIN, load_parent, parameters_of, shrunken

if TYPE_CHECKING:
    from provetune.compression.step import Given, Made

_MULTIPLE = 8


class PruneFfnSettings(Healing):
    """How many neurons stay."""

    share: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.5, description="Share of each feed-forward block's neurons that stays, rounded to a multiple of 8."
    )
    rows: Annotated[int, Field(ge=1)] = Field(512, description="Training rows that importance is found with.")


class PruneFfn:
    """`prune_ffn`: fewer neurons in every feed-forward block."""

    name = "prune_ffn"
    summary = "Take out the feed-forward neurons that matter least to the loss, and heal what is left."
    takes = PLAIN
    settings: type[BaseModel] = PruneFfnSettings
    learns = True

    def apply(self, given: Given, settings: Any) -> Made:
        """Find out what matters, take out the rest, heal."""
        from provetune.compression.importance import input_importance, most_important
        from provetune.compression.narrowing import feed_forwards, inner_field, narrow_block

        asked = cast(PruneFfnSettings, settings)
        model, tokenizer = load_parent(given)
        before = parameters_of(model)
        blocks = feed_forwards(model)
        gathering = {block.down: model.get_submodule(block.down) for block in blocks}
        values = input_importance(given, model, tokenizer, gathering, asked.rows)
        keep = kept_of(gathering[blocks[0].down].in_features, asked.share)
        for block in blocks:
            narrow_block(model, block, most_important(values[block.down], keep))
        was = int(getattr(model.config, inner_field(model)))
        setattr(model.config, inner_field(model), keep)
        notes = shrunken(before, model, neurons_before=was, neurons_after=keep)
        return healed(given, model, tokenizer, asked, notes)


def kept_of(count: int, share: float, multiple: int = _MULTIPLE) -> int:
    """How many of `count` stay: the share, to the nearest multiple (of 8), one multiple at least and one less than all
    at most; where there are too few for that, the share alone."""
    if count <= multiple:
        return max(1, min(count - 1, round(count * share)))
    return max(multiple, min(count - 1, round(count * share / multiple) * multiple))


STEP = PruneFfn()
