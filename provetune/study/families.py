"""Which families of backbones have what a task asks for: a head of its class that reads texts as the task hands them.

Written down rather than asked of transformers, so that it is known without loading it; a test tries every entry with a
tiny random model. A family that is not named here is let through: whether it fits shows when it is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from provetune.core.errors import UsageError

if TYPE_CHECKING:
    from provetune.core.protocols import Method, Task

_SENTENCE, _TOKENS, _ANSWERS = (
    "AutoModelForSequenceClassification",
    "AutoModelForTokenClassification",
    "AutoModelForQuestionAnswering",
)
_BARE, _CAUSAL, _PAIRED = "AutoModel", "AutoModelForCausalLM", "AutoModelForSeq2SeqLM"

ENCODERS = ("bert", "roberta", "distilbert", "deberta-v2", "mpnet", "modernbert", "electra")
DECODERS = ("llama", "gpt2")
HEADS: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(ENCODERS, frozenset({_SENTENCE, _TOKENS, _ANSWERS, _BARE})),
    **dict.fromkeys(DECODERS, frozenset({_SENTENCE, _TOKENS, _ANSWERS, _BARE, _CAUSAL})),
    "t5": frozenset({_SENTENCE, _TOKENS, _ANSWERS, _PAIRED}),
    "bart": frozenset({_SENTENCE, _ANSWERS, _BARE, _PAIRED}),
    "marian": frozenset({_PAIRED}),
}
"""transformers' classes that work, by model type."""


def families_for(method: Method, task: Task) -> tuple[str, ...]:
    """The families that a method could begin with for a task, whatever else it minds."""
    from provetune.core.little_data import ChoosesBackbone
    from provetune.core.protocols import WITHOUT_BACKBONE

    if method.learns_from in WITHOUT_BACKBONE:
        return ()
    if isinstance(method, ChoosesBackbone):
        kinds = method.backbone_kinds(method.settings())
        return tuple(
            family
            for kind, families in (("encoder", ENCODERS), ("decoder", DECODERS))
            for family in families
            if kind in kinds
        )
    if method.learns_from == "weights":
        return tuple(family for family, heads in HEADS.items() if task.auto_class in heads)
    return (*ENCODERS, *DECODERS)  # what stands on the mean of a text's hidden states


def refuse_family(method: Method, task: Task, family: str) -> None:
    """Refuse a family that has not what a method and a task ask for; an empty or unknown one passes.

    Raises:
        UsageError: names those that would work.
    """
    fitting = families_for(method, task)
    if family in HEADS and fitting and family not in fitting:
        raise UsageError(
            f"Backbones of the family '{family}' do not serve the method '{method.name}' for the task '{task.name}'.",
            hint=f"Families that do: {', '.join(fitting)}.",
        )
