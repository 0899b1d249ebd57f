"""Fewer attention heads: those that matter least are taken out, and the matrices are really smaller.

Importance is the gradient of a mask over the heads (Michel et al. 2019, "Are sixteen heads really better than one?"),
see `provetune.compression.importance`. Every layer keeps the same number. It is for families whose configuration says
the size of a head by itself (LLaMA and its kin); transformers 5 can build no other with fewer heads of the same size.
Heads that share a key and a value go together.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, Field

from provetune.compression.healing import Healing
from provetune.compression.steps._surgery import Surgery
from provetune.core.errors import UsageError

if TYPE_CHECKING:
    import torch

    from provetune.compression.step import Given
    from provetune.core.protocols import Task
    from provetune.models.bundle import Bundle


class PruneHeadsSettings(Healing):
    """How many heads stay."""

    share: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.5, description="Share of each layer's heads that stays; heads that share a key and a value count as one."
    )
    rows: Annotated[int, Field(ge=1)] = Field(512, description="Training rows that importance is found with.")


class PruneHeads(Surgery[PruneHeadsSettings]):
    """`prune_heads`: fewer heads in every layer."""

    name = "prune_heads"
    summary = "Take out the attention heads that matter least to the loss (LLaMA and its kin), and heal what is left."
    settings: type[BaseModel] = PruneHeadsSettings

    def refuse(self, bundle: Bundle, task: Task, settings: Any) -> str | None:
        """A family in which plain transformers has no place for fewer heads of the same size."""
        from transformers import AutoConfig

        from provetune.compression.narrowing import why_heads_stay

        config = AutoConfig.from_pretrained(str(bundle.path), local_files_only=True, trust_remote_code=False)
        return why_heads_stay(config)

    def cut(
        self, given: Given, model: torch.nn.Module, tokenizer: Any, settings: PruneHeadsSettings
    ) -> Mapping[str, Any]:
        """Find out what matters, take out the rest."""
        from provetune.compression.importance import grouped_importance, most_important
        from provetune.compression.narrowing import attentions, keep_head_groups

        config: Any = model.config
        groups, queries = config.num_key_value_heads, config.num_attention_heads // config.num_key_value_heads
        if groups < 2:
            raise UsageError("All heads of a layer share one key and value, so none can go.", hint="Take prune_ffn.")
        blocks = attentions(model)
        gathering: dict[str, Any] = {block.output: model.get_submodule(block.output) for block in blocks}
        units = dict.fromkeys(gathering, groups)
        values = grouped_importance(given, model, tokenizer, gathering, units, settings.rows)
        keep = max(1, min(groups - 1, round(groups * settings.share)))
        kept = {block.output: most_important(values[block.output], keep) for block in blocks}
        for block in blocks:
            keep_head_groups(model, block, kept[block.output])
        config.num_key_value_heads, config.num_attention_heads = keep, keep * queries
        return {"heads_before": groups * queries, "groups_kept": list(kept.values())}


STEP = PruneHeads()
