"""Prefix tuning (Li and Liang 2021, arXiv:2101.00190): learned keys and values before those of every attention.

As in the paper a small network makes the prefix while it is learned, and goes afterwards. Departures: its last layer is
cut into one for each attention, which together are the paper's; the prefix takes no positions, so that a text keeps its
own and may be as long as before; head and pooler train.

A prefix cannot be folded into the backbone's weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from provetune.models.kept_parts import LARGE_STEPS, MadeParts

if TYPE_CHECKING:
    import torch

    from provetune.core.minimised import Situation
    from provetune.core.protocols import Task

FAMILIES = (
    *("bert", "roberta", "xlm-roberta", "camembert", "electra", "distilbert", "albert", "modernbert"),
    *("llama", "mistral", "qwen2", "qwen3"),
    *("t5", "mt5", "bart", "marian"),
)
"""Those that compute attention through transformers' interface, which a prefix is put before. DeBERTa and MPNet have
an attention of their own."""


class PrefixSettings(BaseModel):
    """What `prefix` adds to a candidate."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prefix_length: int = Field(20, ge=1, le=512, description="Keys and values that every attention gets.")
    prefix_hidden: int = Field(
        512, ge=0, le=8192, description="Width of the network that makes them while they are learned; 0 for none."
    )


class PrefixTuning(MadeParts):
    """`prefix`: the backbone is frozen, prefixes and the head train."""

    name = "prefix"
    summary = "Learned keys and values before those of every attention of a frozen backbone; kept beside it."
    settings: type[BaseModel] = PrefixSettings
    defaults: Mapping[str, Any] = LARGE_STEPS
    made: ClassVar[Mapping[str, Any]] = MappingProxyType({"prefix_hidden": 0})

    def check(self, situation: Situation) -> None:
        """Refuse a family whose attention cannot be reached.

        Raises:
            UsageError: it is such a one.
        """
        from provetune.models.layer_places import refuse_family

        refuse_family(situation.family, FAMILIES, "A prefix")

    def prepare(self, model: torch.nn.Module, settings: PrefixSettings, task: Task) -> torch.nn.Module:
        """Put prefixes into the model; only they, head and pooler train.

        They are drawn from torch's current random state.

        Raises:
            UsageError: the attention of this family cannot be reached.
        """
        from provetune.models.added_parts import freeze_but_head, mark_added
        from provetune.models.layer_places import refuse_family
        from provetune.models.prefix_attention import add_prefixes

        refuse_family(str(model.config.model_type), FAMILIES, "A prefix")  # type: ignore[union-attr]
        freeze_but_head(model)
        add_prefixes(model, settings.prefix_length, settings.prefix_hidden)
        mark_added(model, self.name, settings.model_dump())
        return model

    def settle(self, model: torch.nn.Module) -> None:
        """Put what the network makes into its place."""
        from provetune.models.prefix_attention import settle_prefixes

        settle_prefixes(model)

    def plain(self, model: torch.nn.Module) -> torch.nn.Module:
        """A copy without the prefixes."""
        from provetune.models.added_parts import without_parts
        from provetune.models.prefix_attention import PART, forget_prefixes

        plain = without_parts(model, PART)
        forget_prefixes(plain)
        return plain


METHOD = PrefixTuning()
