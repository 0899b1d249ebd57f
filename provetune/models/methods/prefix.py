"""Prefix tuning (Li and Liang 2021, arXiv:2101.00190): learned keys and values before those of every attention.

As in the paper a small network makes the prefix while it is learned, and goes afterwards. Departures: its last layer is
cut into one for each attention, which together are the paper's; the prefix takes no positions, so that a text keeps its
own and may be as long as before; head and pooler train.

A prefix cannot be folded into the backbone's weights.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from provetune.core.protocols import LearnsFrom

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


class PrefixTuning:
    """`prefix`: the backbone is frozen, prefixes and the head train."""

    name = "prefix"
    summary = "Learned keys and values before those of every attention of a frozen backbone; kept beside it."
    learns_from: LearnsFrom = "weights"
    tasks: tuple[str, ...] | None = None
    bundle_kind = "adapted"
    settings: type[BaseModel] = PrefixSettings
    defaults: Mapping[str, Any] = MappingProxyType(
        {
            "epochs": 3,
            "learning_rate": 2e-3,
            "reference_size": 2304,
            "batch_rows": 32,
            "weight_decay": 0.0,
            "warmup": 0.06,
        }
    )
    deterministic = False

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

    def merge(self, model: torch.nn.Module) -> torch.nn.Module:
        """A copy whose prefixes need no network any more; there is nothing that could be folded into weights."""
        from provetune.models.prefix_attention import settle_prefixes

        settled = copy.deepcopy(model)
        settle_prefixes(settled)
        return settled

    def plain(self, model: torch.nn.Module) -> torch.nn.Module:
        """A copy without the prefixes."""
        from provetune.models.added_parts import without_parts
        from provetune.models.prefix_attention import PART, forget_prefixes

        plain = without_parts(model, PART)
        forget_prefixes(plain)
        return plain

    def save_adapter(self, model: torch.nn.Module, folder: Path) -> None:
        """Write head and prefixes: ``adapter.safetensors`` and ``adapter.json``, which `attach` reads."""
        from provetune.models.added_parts import mark_added, noted_settings, save_parts

        settled = self.merge(model)
        mark_added(settled, self.name, {**noted_settings(model), "prefix_hidden": 0})
        save_parts(settled, folder)

    def attach(self, model: torch.nn.Module, folder: Path) -> torch.nn.Module:
        """The plain model with what `save_adapter` kept put into it.

        Raises:
            CorruptError: what was kept cannot be read or does not fit.
        """
        from provetune.models.added_parts import load_parts, read_settings

        settings = PrefixSettings(**read_settings(folder, self.name))
        prepared = self.prepare(model, settings, None)  # type: ignore[arg-type]
        load_parts(prepared, folder)
        return prepared.eval()


METHOD = PrefixTuning()
