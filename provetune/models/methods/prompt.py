"""Prompt tuning (Lester et al. 2021, arXiv:2104.08691) and P-tuning (Liu et al. 2021, arXiv:2103.10385).

Learned embeddings stand in front of those of a text; the backbone is frozen. Lester et al. learn them directly, begun
as words of the vocabulary; Liu et al. as what an LSTM and a perceptron make of a table, which go afterwards.
Departures: head and pooler train, as encoders need them to; all virtual tokens stand before the first special token
(P-tuning also puts some behind the text); nothing is read of them in the last layer, so that labels of words stay
beside their words.

Virtual tokens cannot be folded into the backbone's weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from provetune.core.errors import UsageError
from provetune.models.kept_parts import MadeParts

if TYPE_CHECKING:
    import torch

    from provetune.core.minimised import Situation
    from provetune.core.protocols import Task

FAMILIES = (
    *("bert", "roberta", "xlm-roberta", "camembert", "electra", "distilbert", "mpnet"),
    *("deberta", "deberta-v2", "modernbert", "llama", "mistral", "qwen2", "qwen3"),
)
_WRITING = ("seq2seq", "chat")


class PromptSettings(BaseModel):
    """What `prompt` adds to a candidate."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompt_length: int = Field(20, ge=1, le=512, description="Virtual tokens in front of every text.")
    prompt_start: Literal["words", "random"] = Field(
        "words", description="What they begin as: words drawn from the vocabulary, or random vectors."
    )
    prompt_encoder: Literal["none", "lstm", "mlp"] = Field(
        "none",
        description="What makes them while they are learned: none, they are learned directly (prompt tuning); lstm, an "
        "LSTM and a perceptron (P-tuning); mlp, a perceptron.",
    )
    prompt_hidden: int = Field(256, ge=1, le=8192, description="Width of that network.")


class PromptTuning(MadeParts):
    """`prompt`: the backbone is frozen, virtual tokens and the head train."""

    name = "prompt"
    summary = "Learned virtual tokens in front of every text of a frozen backbone; kept beside it."
    settings: type[BaseModel] = PromptSettings
    defaults: Mapping[str, Any] = MappingProxyType(
        {
            "epochs": 3,
            "learning_rate": 5e-3,
            "reference_size": 2304,
            "batch_rows": 32,
            "weight_decay": 0.0,
            "warmup": 0.06,
        }
    )
    made: ClassVar[Mapping[str, Any]] = MappingProxyType({"prompt_encoder": "none"})

    def check(self, situation: Situation) -> None:
        """Refuse a task that writes texts, and a family whose embeddings cannot be reached.

        Raises:
            UsageError: it is such a one.
        """
        from provetune.models.layer_places import refuse_family

        if situation.task in _WRITING:
            raise UsageError(
                f"Prompt tuning does not serve the task '{situation.task}': virtual tokens would stand before every "
                "token that is written.",
                hint="Take prefix, adapter or lora.",
            )
        refuse_family(situation.family, FAMILIES, "Prompt tuning")

    def prepare(self, model: torch.nn.Module, settings: PromptSettings, task: Task) -> torch.nn.Module:
        """Put virtual tokens in front of what the model reads; only they, head and pooler train.

        They are drawn from torch's current random state.

        Raises:
            UsageError: the embeddings of this family cannot be reached.
        """
        from provetune.models.added_parts import freeze_but_head, mark_added
        from provetune.models.layer_places import refuse_family
        from provetune.models.virtual_tokens import add_virtual_tokens

        refuse_family(str(model.config.model_type), FAMILIES, "Prompt tuning")  # type: ignore[union-attr]
        freeze_but_head(model)
        add_virtual_tokens(
            model,
            settings.prompt_length,
            start=settings.prompt_start,
            encoder=settings.prompt_encoder,
            hidden=settings.prompt_hidden,
        )
        mark_added(model, self.name, settings.model_dump())
        return model

    def settle(self, model: torch.nn.Module) -> None:
        """Put what the network makes into its place."""
        from provetune.models.virtual_tokens import settle_virtual_tokens

        settle_virtual_tokens(model)

    def plain(self, model: torch.nn.Module) -> torch.nn.Module:
        """A copy without the virtual tokens."""
        from provetune.models.added_parts import without_parts
        from provetune.models.virtual_tokens import PART

        return without_parts(model, PART)


METHOD = PromptTuning()
